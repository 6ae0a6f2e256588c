"""Whether a run's backbone can be loaded, known without loading it: no torch, no transformers."""

import os
from pathlib import Path

from learning.backbones import HUB_NAMES, TONE_STATISTICS, BackboneChoice

PRESET_BACKBONES = {
    ("upe", "tiny"): TONE_STATISTICS,
    ("upe", "full"): "dinov2_base",
}
"""What each preset of `learning.systems.PRESETS` stands on where nothing else is named."""


def backbone_of(system: str, preset: str, backbone: str = "") -> str:
    """The backbone that a run uses; empty for a preset that names none."""
    return backbone or PRESET_BACKBONES.get((system, preset), "")


def weights_missing(backbone: str) -> str:
    """Why a backbone cannot be loaded on this machine and what mends it; empty where it can be.

    Looks where the loader looks: in the named folder, or in the hub's cache.
    """
    choice = BackboneChoice.parse(backbone)
    if choice.name == TONE_STATISTICS or _has_weights(_folders(choice)):
        return ""
    where = str(choice.path) if choice.path else "the hub's cache of this machine"
    return (
        f"the weights of {choice.name} are not in {where}. `python -m learning.fetch {choice.name}` gets them "
        f"(this needs the network); tone_statistics needs none"
    )


def _folders(choice: BackboneChoice) -> list[Path]:
    if choice.path:
        return [choice.path]
    repository = f"models--{HUB_NAMES[choice.name].replace('/', '--')}"
    return sorted((_hub_cache() / repository / "snapshots").glob("*"))


def _hub_cache() -> Path:
    """As huggingface_hub finds it: HF_HUB_CACHE, else HF_HOME/hub, else under the user's cache."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache)
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface" / "hub"


def _has_weights(folders: list[Path]) -> bool:
    return any((f / "config.json").is_file() and any(f.glob("*.safetensors")) for f in folders)
