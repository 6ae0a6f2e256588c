"""A run folder: everything that one training leaves behind, and its checks on the way back in.

    config.json          system, preset, every setting, seed, dataset's hash, packages, machine, launch
    weights.safetensors  the trained network
    curves.parquet       every logged step
    log.txt  README.md   what happened, and the model card
    raters/              profiles that `learning.adapt` stored
    tensorboard/         the curves as event files, where they were asked for
    checkpoint/          only while training

Every file is written beside its place and renamed, so that a crash leaves the old one or none.
Of many processes that train together only the first writes.
"""

import datetime as dt
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from learning.training.environment import environment, software_versions
from learning.training.processes import is_main

FORMAT = 1
NOTE = "note.txt"
"""Of a fit that ended early and gave something all the same: what there is to say of it."""
"""Of config.json and the weights' names; a run of another format is refused."""
NAMED = 20
"""Of the raters left out; all stand in config.json."""
UNDECIDING = ("workers", "tensorboard")
"""Settings of the loop that a resumed run may have otherwise."""
Tensors = Mapping[str, torch.Tensor]


class RunError(Exception):
    """A run folder cannot be used; the message says what is wrong with it and what mends it."""


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"format": FORMAT, **config, "software": software_versions(), "environment": environment()}
    write_text(folder / "config.json", json.dumps(facts, indent=2, default=str) + "\n")


def read_config(folder: Path, *, system: str | None = None) -> dict[str, Any]:
    """Raise RunError where the folder is no run, of another system than asked for, or of another format."""
    path = folder / "config.json"
    if not path.is_file():
        raise RunError(
            f"{folder} is not a run folder: it has no config.json (python -m learning.train makes one)"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or not {"format", "system", "preset", "settings"} <= config.keys():
        raise RunError(f"{path} is not a run's config: it needs format, system, preset and settings")
    if config["format"] != FORMAT:
        raise RunError(
            f"{path} is of format {config['format']}, and this version reads format {FORMAT}; train again"
        )
    if system is not None and config["system"] != system:
        raise RunError(f"{folder} is a run of the system {config['system']!r}, not of {system!r}")
    return config


def open_run(folder: Path, config: Mapping[str, Any], *, resume: bool) -> None:
    """Make a new run folder, or see that the one to resume is of the very same run.

    Raises:
        RunError: the folder holds a run already, or the one to resume differs from `config`.
    """
    if not is_main():
        return
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; name a folder")
    if not (folder / "config.json").is_file() or not _is_begun(folder):
        others = {path.name for path in folder.iterdir()} - UNBEGUN if folder.exists() else set()
        if others:
            raise RunError(f"{folder} is not empty and holds no run; name a folder that is new")
        write_config(folder, config)
        backbone = [f"backbone {config['backbone']}"] if config["backbone"] else []
        log(folder, ", ".join([config["system"], f"preset {config['preset']}", *backbone]))
        if left_out := _raters_left_out(config.get("dataset", {})):
            log(folder, f"raters left out: {left_out}")
        if unaligned := _unaligned(config.get("dataset", {})):
            log(folder, f"answers left out where pixels are compared: {unaligned}")
        return
    if not resume:
        raise RunError(f"{folder} holds a run already; go on with --resume, or name another folder")
    if other := other_setting(folder, config):
        raise RunError(f"{folder} cannot be resumed: it was trained with another {other}")
    before, now = (described["dataset"]["sha256"] for described in (read_config(folder), config))
    if before != now:
        raise RunError(f"{folder} cannot be resumed: its dataset had the sha256 {before}, this one has {now}")
    write_config(folder, config)


UNBEGUN = {"config.json", "log.txt"}
"""All that stands in the folder of a run that ended before its first step: it may be begun anew, with any settings."""


def _is_begun(folder: Path) -> bool:
    return any(path.name not in UNBEGUN for path in folder.iterdir())


def other_setting(folder: Path, config: Mapping[str, Any]) -> str:
    """The first setting of the run in the folder that `config` has otherwise, with both values; empty for none."""
    stored = read_config(folder)
    for field in ("system", "settings"):
        before, now = _deciding(stored.get(field)), _deciding(config[field])
        if before != now:
            return f"{field}{_first_difference(before, now)}"
    return ""


def _deciding(setting: Any) -> Any:
    """Settings without those of the loop that decide nothing about the result."""
    if not (isinstance(setting, dict) and isinstance(setting.get("loop"), dict)):
        return setting
    loop = {name: value for name, value in setting["loop"].items() if name not in UNDECIDING}
    return {**setting, "loop": loop}


def _first_difference(stored: Any, wanted: Any) -> str:
    if not (isinstance(stored, dict) and isinstance(wanted, dict)):
        return f" ({stored!r} there, {wanted!r} now)"
    name = next(name for name in wanted if stored.get(name) != wanted[name])
    return f", {name}{_first_difference(stored.get(name), wanted[name])}"


def is_finished(folder: Path) -> bool:
    """The model card is the last thing written."""
    return (folder / "README.md").is_file()


def write_weights(folder: Path, tensors: Tensors, *, system: str, name: str = "weights.safetensors") -> None:
    held = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    facts = {"system": system, "format": str(FORMAT)}
    replace_file(folder / name, lambda path: save_file(held, path, metadata=facts))


def read_weights(folder: Path, *, system: str, name: str = "weights.safetensors") -> dict[str, torch.Tensor]:
    """Raise RunError for a file that is missing, cut short, or another system's."""
    path = folder / name
    if not path.is_file():
        unfinished = (folder / "checkpoint").is_dir()
        raise RunError(
            f"{path} is missing; "
            + ("the training has not ended: go on with --resume" if unfinished else "train the system again")
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is cut short or broken ({error}); copy it again, or train again") from error
    if facts.get("system") != system:
        raise RunError(f"{path} holds weights of the system {facts.get('system')!r}, not of {system!r}")
    if facts.get("format") != str(FORMAT):
        raise RunError(
            f"{path} is of format {facts.get('format')}, and this version reads format {FORMAT}; train again"
        )
    return tensors


def fill(network: torch.nn.Module, tensors: Tensors, folder: Path) -> None:
    """Load weights strictly; raise RunError naming the first that do not fit."""
    own = network.state_dict()
    unlike = [f"{name} is missing" for name in own.keys() - tensors.keys()]
    unlike += [f"{name} is not of this network" for name in tensors.keys() - own.keys()]
    unlike += [
        f"{name} has the shape {tuple(tensors[name].shape)}, not {tuple(own[name].shape)}"
        for name in own.keys() & tensors.keys()
        if own[name].shape != tensors[name].shape
    ]
    if unlike:
        raise RunError(
            f"{folder}: the weights do not fit config.json: {'; '.join(sorted(unlike)[:3])}"
            + (f" and {len(unlike) - 3} more" if len(unlike) > 3 else "")
        )
    network.load_state_dict(dict(tensors))


def write_profile(
    folder: Path, rater_id: str, profile: Mapping[str, npt.NDArray[np.float32]], *, system: str
) -> Path:
    """Keep what a system knows of a rater as raters/<id>.safetensors; return where."""
    (folder / "raters").mkdir(exist_ok=True)
    path = folder / "raters" / _profile_name(rater_id)
    write_arrays(path, profile, system=system)
    return path


def read_profile(folder: Path, rater_id: str, *, system: str) -> dict[str, npt.NDArray[np.float32]]:
    """Raise RunError where there is none, or a broken one."""
    name = _profile_name(rater_id)
    if not (folder / "raters" / name).is_file():
        raise RunError(
            f"{folder} knows no rater {rater_id!r}; read them with learning.adapt, or name the --dataset with "
            "their answers"
        )
    return read_arrays(folder / "raters" / name, system=system)


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[np.float32]], *, system: str) -> None:
    """Keep named arrays of a system as a safetensors file."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    write_weights(path.parent, tensors, system=system, name=path.name)


def read_arrays(path: Path, *, system: str) -> dict[str, npt.NDArray[np.float32]]:
    """What `write_arrays` wrote; RunError for a file that is missing, cut short, or another system's."""
    tensors = read_weights(path.parent, system=system, name=path.name)
    return {key: value.numpy() for key, value in tensors.items()}


def _profile_name(rater_id: str) -> str:
    """Ids are made by the site, but a dataset may come from anywhere: none may leave the folder."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", rater_id) or rater_id.startswith("."):
        raise RunError(f"the rater id {rater_id!r} cannot be a file's name (letters, digits, dots, dashes)")
    return f"{rater_id}.safetensors"


def write_curves(folder: Path, rows: list[dict[str, float]]) -> None:
    replace_file(folder / "curves.parquet", lambda path: pq.write_table(pa.Table.from_pylist(rows), path))


def write_card(folder: Path, title: str, *, n_parameters: int) -> None:
    """The model card, README.md."""
    config = read_config(folder)
    dataset = config["dataset"]
    of = "**simulated raters**" if dataset["simulated"] else "raters"
    mark = (
        "> **SIMULATED.** This model was trained on the answers of simulated raters, not of people. "
        "Its figures say whether the chain learns what it is given, and nothing about people's taste.\n\n"
        if dataset["simulated"]
        else ""
    )
    write_text(
        folder / "README.md",
        f"""# {title} ({config["system"]}, preset {config["preset"]})

{mark}Renders photos to a rater's taste in colour and tone, read from the rater's answers to pairwise questions.

| | |
| --- | --- |
| dataset | {dataset["name"]}, sha256 `{dataset["sha256"]}` |
| trained on | {dataset["training_judgments"]} answers of {dataset["training_raters"]} {of}, \
{dataset["training_images"]} images of {dataset["training_scenes"]} scenes |
| raters left out | {_raters_left_out(dataset) or "none"} |
| answers left out where pixels are compared | {_unaligned(dataset) or "none"} |
| backbone | {config["backbone"] or "none"} |
| parameters | {n_parameters:,} without the backbone |
| seed | {config["seed"]} |
| software | {", ".join(f"{name} {version}" for name, version in config["software"].items())} |

Every setting stands in `config.json`, every logged step in `curves.parquet`.

**Use.** `python -m learning.render --run FOLDER --dataset DATASET --rater ID IN OUT`

**Limits.** Not validated on people{" at all" if dataset["simulated"] else "; see the evaluation report of this run"}.
Photos unlike the training scenes may be edited badly. Held-out raters and scenes were not seen in training.
""",
    )


def _raters_left_out(dataset: Mapping[str, Any]) -> str:
    """How many and who; empty where nobody is."""
    count, names = dataset.get("raters_left_out", 0), dataset.get("left_out", [])
    if not count:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    who = f": {', '.join(names[:NAMED])}{more}" if names else ""
    return f"{count} had too few answers that prefer an image, on training scenes{who}"


def _unaligned(dataset: Mapping[str, Any]) -> str:
    """How many, of how many; empty where none is."""
    count = dataset.get("unaligned_judgments", 0)
    if not count:
        return ""
    return f"{count} of {dataset['training_judgments']}, whose two images do not show the same thing at the same pixel"


def log(folder: Path, message: str) -> None:
    """Add a line with the time to log.txt."""
    if not is_main():
        return
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with (folder / "log.txt").open("a", encoding="utf-8") as file:
        file.write(f"{now} {message}\n")


def write_text(path: Path, text: str) -> None:
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then rename it; nothing of it stays after an error."""
    if not is_main():
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
    except SafetensorError as error:  # safetensors wraps the system's errors
        raise RunError(f"{path} cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def remove_checkpoints(folder: Path) -> None:
    if not is_main():
        return
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
