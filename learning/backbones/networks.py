"""Networks of timm and torchvision by name: with weights that are on this machine, or with random ones.

Nothing is downloaded. `timm:resnet18.a1_in1k` and `torchvision:resnet18` take their weights from
where `python -m learning.fetch` puts them, `timm:resnet18=FILE` from a file or folder.
"""

import difflib
import sys
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from learning.backbones import LIBRARIES, BackboneChoice, WeightsMissing
from learning.backbones.caches import snapshots, tensor_file, torch_checkpoints
from learning.backbones.tensors import Tensors, read_tensors

IMAGE_SIZE = 224


def load_network(text: str, *, features_only: bool = True) -> nn.Module:
    """A network with its weights, in evaluation mode and frozen; `requires_grad_(True)` thaws it.

    Args:
        text: timm:NAME, torchvision:NAME, or either with =PATH for a file (.safetensors, .pth, .npz) or a
            folder that holds one, with the library's own names of tensors.
        features_only: without its classifier: (B, 3, H, W) → pooled features (B, D). Its parts keep the
            library's names (layer1, features, ...), so maps of features can be taken from them.

    Raises:
        ValueError: the library has no such network.
        WeightsMissing: the weights are not on this machine, are broken, or are another network's.
    """
    choice = _choice(text)
    network = _build(choice, features_only)
    source = choice.path or _cached_file(choice)
    if source is None:
        raise WeightsMissing(
            f"the weights of {choice.name} are not in the caches of this machine. {ways_out(choice.name)}"
        )
    try:
        _fill(network, read_tensors(source), source)
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsMissing(f"{choice.name}: {error}. {ways_out(choice.name)}") from error
    return network.eval().requires_grad_(False)


def new_network(name: str, seed: int, *, features_only: bool = True) -> nn.Module:
    """The same architecture with random weights, in training mode: from scratch, and for tests.

    Args:
        name: timm:NAME or torchvision:NAME.
        seed: of the weights; torch's own chance stays as it was.
        features_only: as for `load_network`.
    """
    choice = _choice(name)
    if choice.path is not None:
        raise ValueError(f"{name!r}: a new network has random weights, so {choice.path} means nothing to it")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _build(choice, features_only).train()


def ways_out(name: str) -> str:
    return (
        f"Fetch them with `python -m learning.fetch {name}` (this needs the network), or name a local file: "
        f"{name}=FILE"
    )


def input_facts(text: str) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """What a network was trained to see: the side in pixels, and the mean and deviation of its normalisation."""
    choice = _choice(text)
    if choice.library == "timm":
        config = _timm_config(choice.network)
        size = IMAGE_SIZE if "dinov2" in choice.network else int(config.input_size[-1])
        return size, tuple(config.mean), tuple(config.std)
    shown = _torchvision_weights(choice.network).transforms()
    return int(shown.crop_size[0]), tuple(shown.mean), tuple(shown.std)


def _choice(text: str) -> BackboneChoice:
    choice = BackboneChoice.parse(text)
    if not choice.library:
        raise ValueError(
            f"{text!r} is no network of a library; give {' or '.join(f'{name}:NAME' for name in LIBRARIES)}"
        )
    known = _names(choice.library)
    if choice.network.partition(".")[0] not in known:
        near = difflib.get_close_matches(choice.network, known, n=1)
        hint = (
            f"did you mean {choice.library}:{near[0]}?" if near else f"see {choice.library}'s documentation"
        )
        raise ValueError(f"{choice.library} has no network {choice.network!r}; {hint}")
    return choice


def _names(library: str) -> list[str]:
    if library == "timm":
        return list(timm.list_models())
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))


def _build(choice: BackboneChoice, features_only: bool) -> nn.Module:
    if choice.library == "timm":
        return _build_timm(choice.network, features_only)
    import torchvision

    network: nn.Module = torchvision.models.get_model(choice.network, weights=None)
    return _without_classifier(network) if features_only else network


def _build_timm(name: str, features_only: bool) -> nn.Module:
    settings: dict[str, Any] = {"num_classes": 0} if features_only else {}
    if "dinov2" in name:
        # The library's own default is 518 pixels, as in the last part of DINOv2's training.
        settings |= {"img_size": IMAGE_SIZE, "dynamic_img_size": True}
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, **settings)
    except RuntimeError as error:  # a tag that it has not
        raise ValueError(f"timm:{name}: {error}") from error
    if features_only and hasattr(network, "pre_logits"):  # VGG's two large layers before the classifier
        network.pre_logits = nn.Identity()
    return network


def _timm_config(name: str) -> Any:
    config = timm.get_pretrained_cfg(name)
    if config is None:
        raise ValueError(f"timm has no pretrained weights for {name}")
    return config


def _without_classifier(network: Any) -> nn.Module:
    """Torchvision's networks have no one name for it."""
    if hasattr(network, "avgpool"):  # VGG and AlexNet pool to squares for their large layers
        network.avgpool = nn.AdaptiveAvgPool2d(1)
    if type(network).__name__ == "SqueezeNet":  # its classifier is what pools
        network.classifier = nn.AdaptiveAvgPool2d(1)
        return network  # type: ignore[no-any-return]
    for name in ("fc", "classifier", "heads", "head"):
        if hasattr(network, name):
            setattr(network, name, nn.Sequential(nn.Flatten()))
            return network  # type: ignore[no-any-return]
    raise ValueError(f"{type(network).__name__} has no classifier that could be left out")


def _torchvision_weights(name: str) -> Any:
    import torchvision

    return torchvision.models.get_model_weights(name).DEFAULT


def _cached_file(choice: BackboneChoice) -> Path | None:
    if choice.library == "torchvision":
        path = torch_checkpoints() / _torchvision_weights(choice.network).url.rpartition("/")[2]
        return path if path.is_file() else None
    repository = _timm_config(choice.network).hf_hub_id
    files = [tensor_file(folder) for folder in snapshots(repository)] if repository else []
    return next(filter(None, files), None)


def _fill(network: nn.Module, tensors: Tensors, source: Path) -> None:
    """All weights of the network must be there; those of a classifier that was left out may be there."""
    own = network.state_dict()
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is not None:  # timm reads files of a network's authors, and other sizes of positions
        tensors = convert(tensors, network)
    if not own.keys() & tensors.keys():  # a file of the convolutions alone
        tensors = {f"features.{name}": value for name, value in tensors.items()}
    # Counts of batches, which a file may leave out; nothing is computed from them.
    missing = [n for n in own if n not in tensors and not n.endswith("num_batches_tracked")]
    unlike = [n for n in own if n in tensors and tensors[n].shape != own[n].shape]
    if missing or unlike:
        first = (
            f"{missing[0]} is missing"
            if missing
            else f"{unlike[0]} has the shape {tuple(tensors[unlike[0]].shape)}, not {tuple(own[unlike[0]].shape)}"
        )
        raise ValueError(
            f"{source} does not hold this network's weights: {len(missing)} are missing and {len(unlike)} have "
            f"another shape ({first})"
        )
    network.load_state_dict({name: tensors[name] for name in own if name in tensors}, strict=False)
