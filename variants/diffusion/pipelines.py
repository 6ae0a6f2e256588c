"""Diffusion pipelines: which ones are known, and how each is asked. The model's own index says which it is."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from variants.diffusion.machine import DiffusionError, Machine, Stopped, find_model, loading, running
from variants.sources.generated import EditRecipe, PictureRecipe, Sampling, working_size
from variants.tone.images import Pixels, fit_size, to_8_bit

Stop = Callable[[], bool]
Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is particular to a pipeline; the numbers are its authors' own."""

    steps: int
    guidance: float
    guidance_name: str = "guidance_scale"
    multiple: int = 16
    """Sides are whole multiples of so many pixels."""
    megapixels: float = 1.0
    """The size that it was trained at."""
    has_fixed_size: bool = False
    """It scales every photo to `megapixels` by itself."""
    one_by_one: bool = False
    """It takes one prompt at a time."""
    says_size: bool = True
    """It is told the size; else it takes the photo's."""
    others: Callable[[Size], dict[str, Any]] = lambda size: {}
    """Further arguments, given the size."""


# true_cfg_scale acts only beside a negative prompt; its authors give a space.
_QWEN = Kind(
    steps=50,
    guidance=4.0,
    guidance_name="true_cfg_scale",
    multiple=32,
    others=lambda _: {"negative_prompt": " "},
)
_QWEN_EDIT = replace(_QWEN, has_fixed_size=True, one_by_one=True)
EDITORS = {
    # Without its own choice among 17 proportions the photo and its edit lie on each other.
    "FluxKontextPipeline": Kind(
        steps=28, guidance=2.5, others=lambda size: {"max_area": size[0] * size[1], "_auto_resize": False}
    ),
    "QwenImageEditPipeline": _QWEN_EDIT,
    "QwenImageEditPlusPipeline": _QWEN_EDIT,
    "StableDiffusionInstructPix2PixPipeline": Kind(
        steps=100,
        guidance=7.5,
        multiple=8,
        megapixels=0.25,
        says_size=False,
        others=lambda _: {"image_guidance_scale": 1.5},
    ),
}
GENERATORS = {
    "FluxPipeline": Kind(steps=28, guidance=4.5),
    "QwenImagePipeline": _QWEN,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline:
    """A pipeline that has been loaded."""

    name: str
    pipe: Any
    kind: Kind
    machine: Machine
    revision: str

    @property
    def at_once(self) -> int:
        """How many pictures may be asked for in one call."""
        return 1 if self.kind.one_by_one else self.machine.batch

    def settled(self, sampling: Sampling) -> Sampling:
        """The order with what it left open filled in."""
        return replace(
            sampling,
            revision=self.revision,
            steps=self.kind.steps if sampling.steps is None else sampling.steps,
            guidance=self.kind.guidance if sampling.guidance is None else sampling.guidance,
        )

    def settled_edit(self, recipe: EditRecipe) -> EditRecipe:
        return replace(
            recipe,
            sampling=self.settled(recipe.sampling),
            megapixels=self.kind.megapixels if recipe.megapixels is None else recipe.megapixels,
        )

    def working_size(self, photo: Pixels, recipe: EditRecipe) -> Size:
        """At which a photo is edited."""
        megapixels = recipe.megapixels or self.kind.megapixels
        if self.kind.has_fixed_size and megapixels != self.kind.megapixels:
            raise DiffusionError(
                f"{self.name} works at {self.kind.megapixels:g} megapixels and at no other size; leave --megapixels out"
            )
        return working_size((photo.shape[1], photo.shape[0]), megapixels, self.kind.multiple)

    def edit(self, photo: Pixels, recipes: Sequence[EditRecipe], stop: Stop = lambda: False) -> list[Pixels]:
        """Edits of a photo (H, W, 3), sRGB in [0, 1], by recipes of one size; as the model gives them.

        Raises:
            DiffusionError: it could not be done, for want of memory for example.
            Stopped: `stop` has become true.
        """
        size = self.working_size(photo, recipes[0])
        image = Image.fromarray(to_8_bit(fit_size(photo, size)))
        prompts = [recipe.instruction for recipe in recipes]
        images = image if len(prompts) == 1 else [image] * len(prompts)
        return self._run([recipe.sampling for recipe in recipes], prompts, size, stop, image=images)

    def picture(self, recipes: Sequence[PictureRecipe], stop: Stop = lambda: False) -> list[Pixels]:
        """Pictures from prompts, of one size; raises as `edit` does."""
        wide, high = recipes[0].size
        multiple = self.kind.multiple
        if wide % multiple or high % multiple:
            raise DiffusionError(
                f"{self.name} makes sides in multiples of {multiple} pixels; {wide}×{high} is not one"
            )
        prompts = [recipe.prompt for recipe in recipes]
        return self._run([recipe.sampling for recipe in recipes], prompts, (wide, high), stop)

    def _run(
        self, samplings: Sequence[Sampling], prompts: list[str], size: Size, stop: Stop, **photo: Any
    ) -> list[Pixels]:
        import torch

        def at_step_end(pipe: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if stop():
                raise Stopped
            return tensors

        settled = self.settled(samplings[0])
        arguments = {self.kind.guidance_name: settled.guidance, **self.kind.others(size), **photo}
        if self.kind.says_size:
            arguments |= {"width": size[0], "height": size[1]}
        asked = ", ".join(repr(textwrap.shorten(prompt, 80)) for prompt in prompts)
        with running(self.name, self.machine, f"{size[0]}×{size[1]} with {asked}"):
            made = self.pipe(
                prompt=prompts if len(prompts) > 1 else prompts[0],
                num_inference_steps=settled.steps,
                # Noise from the processor's generator is the same whatever the accelerator.
                generator=[torch.Generator("cpu").manual_seed(sampling.seed) for sampling in samplings],
                callback_on_step_end=at_step_end,
                output_type="np",
                **arguments,
            )
        return self._checked(made)

    def _checked(self, made: Any) -> list[Pixels]:
        pictures = [np.asarray(picture, dtype=np.float32) for picture in made.images]
        if not all(np.isfinite(picture).all() for picture in pictures):
            dtype = str(self.machine.torch_dtype()).removeprefix("torch.")
            raise DiffusionError(
                f"{self.name} gave numbers that are none, which {dtype} does where its range is too small; "
                "set DIFFUSION_DTYPE=bfloat16 or float32"
            )
        if any(getattr(made, "nsfw_content_detected", None) or []):
            raise DiffusionError(
                f"{self.name} has blacked the picture out: its own safety checker took offence"
            )
        return pictures


def load_pipeline(sampling: Sampling, kinds: dict[str, Kind], machine: Machine) -> Pipeline:
    """Load the model of an order.

    Raises:
        DiffusionError: it is not there or cannot be loaded, or is of none of `kinds`.
    """
    machine.check()
    found = find_model(sampling.model, sampling.revision, "model_index.json")
    name = str(found.index.get("_class_name"))
    if name not in kinds:
        raise DiffusionError(f"{sampling.model} is a {name}; what can be used here is {', '.join(kinds)}")
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    with loading(sampling.model, machine):
        pipe = getattr(diffusers, name).from_pretrained(
            found.source, revision=found.revision, dtype=machine.torch_dtype()
        )
        _place(pipe, machine)
    pipe.set_progress_bar_config(disable=True)
    return Pipeline(
        name=sampling.model,
        pipe=pipe,
        kind=kinds[name],
        machine=machine,
        revision=found.revision or sampling.revision,
    )


def _place(pipe: Any, machine: Machine) -> None:
    device = machine.torch_device()
    if machine.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif machine.offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)
