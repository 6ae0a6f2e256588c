"""A vision-language model that looks at a photo and writes an instruction."""

import textwrap
from dataclasses import dataclass
from typing import Any

from PIL import Image

from variants.diffusion.machine import DiffusionError, Machine, find_model, loading, running
from variants.sources.generated import Writing, clean_instruction
from variants.tone.images import Pixels, fit_long_side, to_8_bit

LOOKS_AT = 1024
"""Long side in pixels: vision towers see less than that."""
MAX_TOKENS = 120
TEMPERATURE = 0.7


@dataclass(frozen=True, kw_only=True, eq=False)
class Writer:
    """A model that has been loaded."""

    name: str
    model: Any
    processor: Any
    machine: Machine
    revision: str

    def write(self, photo: Pixels, writing: Writing) -> str:
        """An instruction for a photo (H, W, 3), sRGB in [0, 1]: one plain line.

        Raises:
            DiffusionError: it could not be done, or the answer holds no instruction.
        """
        try:
            return clean_instruction(self.answer(photo, writing.question, writing.seed))
        except ValueError as error:
            raise DiffusionError(f"{self.name}: {error}") from error

    def answer(self, photo: Pixels, question: str, seed: int) -> str:
        """What the model says; the same for the same seed."""
        import torch

        image = Image.fromarray(to_8_bit(fit_long_side(photo, LOOKS_AT)))
        content = [{"type": "image"}, {"type": "text", "text": question}]
        asked = f"{image.width}×{image.height} with {textwrap.shorten(question, 80)!r}"
        with running(self.name, self.machine, asked), torch.random.fork_rng():
            torch.manual_seed(seed)
            text = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
            inputs = self.processor(images=image, text=text, return_tensors="pt")
            inputs = inputs.to(self.model.device, self.model.dtype)
            tokens = self.model.generate(
                **inputs, max_new_tokens=MAX_TOKENS, do_sample=True, temperature=TEMPERATURE
            )
            new = tokens[0, inputs["input_ids"].shape[1] :]
            return str(self.processor.decode(new, skip_special_tokens=True))


def load_writer(writing: Writing, machine: Machine) -> Writer:
    """Load a model. Raises DiffusionError where that cannot be done."""
    machine.check()
    found = find_model(writing.model, writing.revision, "config.json")
    from transformers import AutoModelForImageTextToText, AutoProcessor

    # Where parts are to stay outside the accelerator, accelerate says which fit.
    placed = {} if machine.offload == "none" else {"device_map": "auto"}
    with loading(writing.model, machine):
        model = AutoModelForImageTextToText.from_pretrained(
            found.source, revision=found.revision, dtype=machine.torch_dtype(), **placed
        )
        processor = AutoProcessor.from_pretrained(found.source, revision=found.revision)  # type: ignore[no-untyped-call]
        if not placed:
            model.to(machine.torch_device())
    return Writer(
        name=writing.model,
        model=model,
        processor=processor,
        machine=machine,
        revision=found.revision or writing.revision,
    )
