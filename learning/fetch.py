"""Fetch weights: `python -m learning.fetch`. Nothing else in the project downloads any."""

import sys
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from learning import cli
from learning.backbones import HUB_NAMES, BackboneChoice, WeightsMissing

FILES = ["config.json", "model.safetensors", "model.safetensors.index.json", "model-*.safetensors"]
LPIPS_ALEX = "lpips_alex"
"""AlexNet, on which the metric LPIPS stands; torchvision keeps it in its own cache."""
EXAMPLE = """\
example
  python -m learning.fetch dinov2_small
  python -m learning.fetch timm:resnet18.a1_in1k
  python -m learning.fetch torchvision:vgg19
  python -m learning.fetch lpips_alex

small 21 M parameters (88 MB), base 86 M (346 MB), large 300 M (1.2 GB), giant 1.1 B (4.5 GB); Apache-2.0.
They go into the Hugging Face cache (HF_HOME), where training finds them, or into --into FOLDER,
which can be carried to a machine without network and named with --backbone NAME=FOLDER.
Networks of timm go into the Hugging Face cache too, those of torchvision into torch's cache (TORCH_HOME);
their licences stand on their own pages.
lpips_alex (244 MB) is for reports: AlexNet's weights in torch's cache (TORCH_HOME), for the metric LPIPS.
"""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser("fetch", "Fetch the weights of a backbone, or of the metric LPIPS.", EXAMPLE)
    names = [*HUB_NAMES, LPIPS_ALEX]
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(names)}, timm:NAME or torchvision:NAME")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="instead of the hub's cache")
    options = parser.parse_args(arguments)

    def work() -> cli.Result:
        if options.name == LPIPS_ALEX:
            path = _fetch_alexnet(options.into)
        else:
            path = _fetch(_choice(options.name), options.into)
        return f"fetched: {path}", {"name": options.name, "path": path}

    return cli.finish(work, as_json=options.json)


def _choice(name: str) -> BackboneChoice:
    """Raise ValueError for what has no weights to fetch."""
    choice = BackboneChoice.parse(name)
    if choice.path is not None or not (choice.library or choice.name in HUB_NAMES):
        raise ValueError(
            f"{name!r} has no weights to fetch; name {', '.join(HUB_NAMES)}, timm:NAME, torchvision:NAME"
        )
    return choice


def _fetch(choice: BackboneChoice, into: Path | None) -> str:
    if choice.library == "torchvision":
        return _fetch_torchvision(choice, into)
    repository = _timm_repository(choice) if choice.library else HUB_NAMES[choice.name]
    try:
        return str(snapshot_download(repository, allow_patterns=FILES, local_dir=into))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsMissing(
            f"{repository} cannot be fetched: {str(error).strip().splitlines()[0]}. Fetch it on a machine with "
            f"network (--into FOLDER) and name the folder with --backbone {choice.name}=FOLDER, or train with "
            "--backbone tone_statistics, which needs no weights"
        ) from error


def _timm_repository(choice: BackboneChoice) -> str:
    import timm

    try:
        config = timm.get_pretrained_cfg(choice.network, allow_unregistered=False)
    except RuntimeError:  # no such network
        config = None
    if config is None or not config.hf_hub_id:
        raise ValueError(f"timm has no pretrained weights called {choice.network!r} on the hub")
    return str(config.hf_hub_id)


def _fetch_torchvision(choice: BackboneChoice, into: Path | None) -> str:
    """Into torch's cache, or into the folder; its hash is checked."""
    import torchvision

    try:
        weights = torchvision.models.get_model_weights(choice.network).DEFAULT
    except ValueError as error:
        raise ValueError(f"torchvision has no network {choice.network!r}") from error
    folder = into or Path(torch.hub.get_dir()) / "checkpoints"
    try:
        torch.hub.load_state_dict_from_url(
            weights.url, model_dir=str(folder), progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:  # no network; another hash than published
        raise WeightsMissing(
            f"{weights.url} cannot be fetched: {error}. Fetch it on a machine with network and name the file with "
            f"{choice.name}=FILE"
        ) from error
    return str(folder / weights.url.rpartition("/")[2])


def _fetch_alexnet(into: Path | None) -> str:
    """Into torch's cache, where the metric looks; its hash is checked."""
    from torchvision.models import AlexNet_Weights

    if into is not None:
        raise ValueError(f"{LPIPS_ALEX} goes into torch's cache; set TORCH_HOME instead of --into")
    weights = AlexNet_Weights.IMAGENET1K_V1
    try:
        weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network; another hash than published
        raise WeightsMissing(
            f"{weights.url} cannot be fetched: {error}. Fetch it on a machine with network and copy it to "
            f"{Path(torch.hub.get_dir()) / 'checkpoints'}; until then reports leave LPIPS out and say so"
        ) from error
    return str(Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2])


if __name__ == "__main__":
    sys.exit(main())
