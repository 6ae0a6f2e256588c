"""A model of pictures and words that says which of some categories a photo shows, without having been trained on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from variants.diffusion.machine import DiffusionError, Machine, find_model, loading, running
from variants.tone.images import Pixels, fit_long_side, to_8_bit

LOOKS_AT = 512
"""Long side in pixels; these models see 224 to 384."""
CAPTION = "a photo of {}"
"""The caption that a category stands in, as CLIP's and SigLIP's authors had it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A model that has been loaded."""

    name: str
    model: Any
    processor: Any
    machine: Machine

    def shares(self, photo: Pixels, categories: Sequence[str]) -> list[float]:
        """How likely each category is, 1 together, for a photo (H, W, 3), sRGB in [0, 1].

        A softmax over the model's logits. SigLIP was trained with a sigmoid for each caption;
        the order is the same, and only the order decides.

        Raises DiffusionError where it could not be done.
        """
        import torch

        image = Image.fromarray(to_8_bit(fit_long_side(photo, LOOKS_AT)))
        captions = [CAPTION.format(category) for category in categories]
        # SigLIP was trained on captions of one length.
        padding = "max_length" if "siglip" in self.model.config.model_type else True
        with running(self.name, self.machine, f"{image.width}×{image.height}"), torch.inference_mode():
            inputs = self.processor(images=image, text=captions, padding=padding, return_tensors="pt")
            inputs = inputs.to(self.model.device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
            logits = self.model(**inputs).logits_per_image[0]
            return [float(share) for share in logits.float().softmax(dim=0)]


def load_classifier(model: str, revision: str, machine: Machine) -> Classifier:
    """Load CLIP, SigLIP or another model of that kind. Raises DiffusionError where that cannot be done."""
    found = find_model(model, revision, "config.json")
    from transformers import AutoModelForZeroShotImageClassification, AutoProcessor

    with loading(model, machine):
        loaded = AutoModelForZeroShotImageClassification.from_pretrained(
            found.source, revision=found.revision, dtype=machine.torch_dtype()
        )
        processor = AutoProcessor.from_pretrained(found.source, revision=found.revision)  # type: ignore[no-untyped-call]
        loaded.to(machine.torch_device())
    if not hasattr(processor, "image_processor"):
        raise DiffusionError(f"{model} does not look at pictures; CLIP and SigLIP do")
    return Classifier(name=model, model=loaded.eval(), processor=processor, machine=machine)
