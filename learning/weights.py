"""Whether a run's backbone can be loaded, known without loading it: no torch, no transformers."""

from learning.backbones import TONE_STATISTICS, BackboneChoice
from learning.backbones.caches import cached, is_saved_model, tensor_file

PRESET_BACKBONES = {
    ("upe", "tiny"): TONE_STATISTICS,
    ("upe", "paper"): "dinov2_base",
    ("upe", "full"): "dinov2_base",
    ("upe", "plus"): "dinov2_base",
    ("deep_photo", "full"): "torchvision:vgg19",
    ("deep_photo", "paper"): "torchvision:vgg19",
    ("exemplar", "paper"): "torchvision:resnet18",
    ("pienet", "paper"): "torchvision:resnet18",
    ("msm", "paper"): "torchvision:resnet18",
}
"""What each preset of `learning.systems.PRESETS` stands on where nothing else is named."""


def backbone_of(system: str, preset: str, backbone: str = "") -> str:
    """The backbone that a run uses; empty for a preset that names none."""
    return backbone or PRESET_BACKBONES.get((system, preset), "")


def weights_missing(backbone: str) -> str:
    """Why a backbone cannot be loaded on this machine and what mends it; empty where it can be.

    Looks where the loader looks: in the named file or folder, or in the caches of the hub and of torch.
    """
    choice = BackboneChoice.parse(backbone)
    if choice.name == TONE_STATISTICS or _is_there(choice):
        return ""
    where = str(choice.path) if choice.path else _cache_words(choice)
    return (
        f"the weights of {choice.name} are not in {where}. `python -m learning.fetch {choice.name}` gets them "
        f"(this needs the network){'' if choice.library else '; tone_statistics needs none'}"
    )


def _is_there(choice: BackboneChoice) -> bool:
    if choice.path is None:
        return cached(choice)
    return tensor_file(choice.path) is not None if choice.library else is_saved_model(choice.path)


def _cache_words(choice: BackboneChoice) -> str:
    return f"{'torch' if choice.library == 'torchvision' else 'the hub'}'s cache of this machine"
