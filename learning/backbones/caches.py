"""Where weights lie on this machine, found without torch: the hub's cache and torch's."""

import os
from pathlib import Path

from learning.backbones import HUB_NAMES, BackboneChoice

TENSOR_FILES = (".safetensors", ".pth", ".pt", ".bin", ".npz")
"""Endings of files that hold tensors, the preferred ones first."""


def hub_cache() -> Path:
    """As huggingface_hub finds it: HF_HUB_CACHE, else HF_HOME/hub, else under the user's cache."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache)
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface" / "hub"


def torch_checkpoints() -> Path:
    """As torch.hub finds it: TORCH_HOME/hub/checkpoints, else under the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", cache)).expanduser() / "hub" / "checkpoints"


def snapshots(repository: str) -> list[Path]:
    """Folders of what was fetched of a repository of the hub, the one that `main` names first."""
    folder = hub_cache() / f"models--{repository.replace('/', '--')}"
    found = sorted((folder / "snapshots").glob("*"))
    main = folder / "refs" / "main"
    commit = main.read_text().strip() if main.is_file() else ""
    return sorted(found, key=lambda path: path.name != commit)


def tensor_file(path: Path) -> Path | None:
    """The file itself, or the one file of tensors in a folder; None where there is none."""
    if path.is_file():
        return path
    for ending in TENSOR_FILES:
        if found := sorted(path.glob(f"*{ending}")):
            return found[0]
    return None


def cached(choice: BackboneChoice) -> bool:
    """Whether the weights of a network without a path are on this machine, as far as names can tell.

    A network of timm without its tag, and one of torchvision, are known by the first part of the name alone.
    """
    if choice.library == "torchvision":
        return any(torch_checkpoints().glob(f"{choice.network}[-_]*.pth"))
    if choice.library == "timm":
        tags = "" if "." in choice.network else ".*"
        folders = hub_cache().glob(f"models--timm--{choice.network}{tags}/snapshots/*")
        return any(tensor_file(folder) for folder in folders)
    return any(is_saved_model(folder) for folder in snapshots(HUB_NAMES[choice.name]))


def is_saved_model(folder: Path) -> bool:
    """Whether transformers' save_pretrained could have written it."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
