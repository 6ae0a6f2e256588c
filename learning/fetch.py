"""Fetch a backbone's weights: `python -m learning.fetch`. The only thing here that downloads."""

import sys
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from learning import cli
from learning.backbones import HUB_NAMES, WeightsMissing

FILES = ["config.json", "model.safetensors", "model.safetensors.index.json", "model-*.safetensors"]
EXAMPLE = """\
example
  python -m learning.fetch dinov2_small

small 21 M parameters (88 MB), base 86 M (346 MB), large 300 M (1.2 GB), giant 1.1 B (4.5 GB); Apache-2.0.
They go into the Hugging Face cache (HF_HOME), where training finds them, or into --into FOLDER,
which can be carried to a machine without network and named with --backbone NAME=FOLDER.
"""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser("fetch", "Fetch the weights of a backbone from the Hugging Face hub.", EXAMPLE)
    parser.add_argument("name", choices=list(HUB_NAMES), metavar="NAME", help=", ".join(HUB_NAMES))
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="instead of the hub's cache")
    options = parser.parse_args(arguments)

    def work() -> cli.Result:
        path = _fetch(options.name, options.into)
        return f"fetched: {path}", {"backbone": options.name, "path": path}

    return cli.finish(work, as_json=options.json)


def _fetch(name: str, into: Path | None) -> str:
    try:
        return str(snapshot_download(HUB_NAMES[name], allow_patterns=FILES, local_dir=into))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsMissing(
            f"{HUB_NAMES[name]} cannot be fetched: {str(error).strip().splitlines()[0]}. Fetch it on a machine with "
            f"network (--into FOLDER) and name the folder with --backbone {name}=FOLDER, or train with "
            "--backbone tone_statistics, which needs no weights"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
