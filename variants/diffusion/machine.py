"""What the generative models run on, and what goes wrong there, in words that say what mends it.

Nothing here loads torch: the worker does, when it first needs a model.
"""

import gc
import importlib.util
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

PACKAGES = ("diffusers", "accelerate", "transformers", "torch")
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""What torch's allocators say, by device."""


class DiffusionError(Exception):
    """A model cannot be loaded or run; one line says what is wrong and what mends it."""


class Stopped(Exception):
    """Somebody asked for the end while a picture was being made."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    device: str = "auto"
    """auto, cuda, cuda:1, mps or cpu."""
    dtype: str = "auto"
    """auto (bfloat16 on an accelerator, else float32), bfloat16, float16 or float32."""
    offload: str = "none"
    """none; model: one part of the model at a time on the accelerator; sequential: one layer at a time."""
    batch: int = 1
    """Pictures of one photo, or prompts, that are made at once."""

    def torch_device(self) -> Any:
        import torch

        if self.device != "auto":
            return torch.device(self.device)
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")

    def torch_dtype(self) -> Any:
        import torch

        if self.dtype != "auto":
            return getattr(torch, self.dtype)
        return torch.float32 if self.torch_device().type == "cpu" else torch.bfloat16

    def check(self) -> None:
        """Raise DiffusionError where a package is missing, or the settings ask for what is not there."""
        for name in PACKAGES:
            if importlib.util.find_spec(name) is None:
                raise DiffusionError(f'{name} is not installed; run: pip install "tonalist[diffusion]"')
        import torch

        device = self.torch_device()
        there = device.type == "cpu" or getattr(torch, device.type).is_available()
        if not there:
            raise DiffusionError(f"DIFFUSION_DEVICE is {self.device}, which this machine lacks; unset it")
        if self.offload != "none" and device.type == "cpu":
            raise DiffusionError(
                f"DIFFUSION_OFFLOAD is {self.offload}, and there is no accelerator to offload from; unset it"
            )
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


@dataclass(frozen=True, kw_only=True)
class Found:
    source: str
    """What from_pretrained takes."""
    revision: str | None
    index: dict[str, Any]
    """The JSON that says what the model is."""


def find_model(model: str, revision: str, index: str) -> Found:
    """Look a model up, in a folder or on the hub, by the file that says what it is.

    Raises:
        DiffusionError: it is not there, or its licence has not been accepted.
    """
    folder = Path(model).expanduser()
    if folder.is_absolute() or model.startswith((".", "~")) or folder.is_dir():
        if not folder.exists():
            raise DiffusionError(f"{model} does not exist; check the path, or copy the model's folder there")
        path = folder / index
        if not path.is_file():
            raise DiffusionError(f"{model} holds no {index}; copy the model's folder there whole")
        return Found(source=str(folder), revision=None, index=_read(path))
    path = _from_hub(model, revision, index)
    # The hub's cache keeps each commit's files in a folder of its name.
    commit = path.parent.name if path.parent.parent.name == "snapshots" else revision
    return Found(source=model, revision=commit or None, index=_read(path))


@contextmanager
def loading(model: str, machine: Machine) -> Iterator[None]:
    """Turn what the libraries raise on loading a model into DiffusionError."""
    from safetensors import SafetensorError

    try:
        with memory_watched(model, machine):
            yield
    except DiffusionError:
        raise
    except (OSError, SafetensorError, ValueError) as error:
        raise DiffusionError(
            f"{model} cannot be loaded: {_first_line(error)} Where weights are missing, get them by {_get(model)}"
        ) from error
    except Exception as error:
        raise _unforeseen(f"{model} cannot be loaded", error) from error


@contextmanager
def running(model: str, machine: Machine, what: str) -> Iterator[None]:
    """Turn whatever the libraries raise on running a model into DiffusionError, which says what it was asked for."""
    try:
        with memory_watched(model, machine):
            yield
    except (DiffusionError, Stopped):
        raise
    except Exception as error:
        raise _unforeseen(f"{model} failed at {what}", error) from error


@contextmanager
def memory_watched(model: str, machine: Machine) -> Iterator[None]:
    """Turn what allocators raise into DiffusionError, which says what takes less."""
    try:
        yield
    except MemoryError as error:
        raise DiffusionError(_no_memory(model, machine)) from error
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if not any(words in str(error) for words in NO_MEMORY):
            raise
        raise DiffusionError(_no_memory(model, machine)) from error


def free_memory() -> None:
    """Give back what a model that nobody holds any more has taken."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _from_hub(model: str, revision: str, index: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(hf_hub_download(model, index, revision=revision or None))
    except GatedRepoError as error:
        raise DiffusionError(
            f"{model} is behind a licence: accept it on https://huggingface.co/{model}, then log in here "
            "with: hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise DiffusionError(f"{model} has no revision {revision!r}; leave it out for the newest") from error
    except RepositoryNotFoundError as error:
        raise DiffusionError(
            f"the hub knows no model {model}, or does not show it to you; check the name, or log in with: hf auth login"
        ) from error
    except HFValidationError as error:
        raise DiffusionError(
            f"{model!r} is neither a folder nor a name of the hub, such as {'owner/name'!r}"
        ) from error
    except LocalEntryNotFoundError as error:
        raise DiffusionError(
            f"the weights of {model} are not on this machine, and the hub cannot be reached; where it can: {_get(model)}"
        ) from error
    except EntryNotFoundError as error:  # the hub has the model, and not this file
        raise DiffusionError(
            f"{model} has no {index}: it is no model of the kind that is wanted here"
        ) from error
    except HfHubHTTPError as error:
        raise DiffusionError(f"{model} cannot be had from the hub: {_first_line(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise DiffusionError(f"{path.parent}: {path.name} cannot be read ({_first_line(error)})") from error


def _no_memory(model: str, machine: Machine) -> str:
    device, dtype = machine.torch_device(), str(machine.torch_dtype()).removeprefix("torch.")
    helps = []
    if machine.batch > 1:
        helps.append("DIFFUSION_BATCH=1")
    if machine.offload == "none" and device.type != "cpu":
        helps.append("DIFFUSION_OFFLOAD=model")
    if machine.offload != "sequential" and device.type != "cpu":
        helps.append("DIFFUSION_OFFLOAD=sequential (slow)")
    if dtype == "float32":
        helps.append("DIFFUSION_DTYPE=bfloat16")
    helps.append("fewer pixels (--megapixels, --size)")
    return f"out of memory with {model} in {dtype} on {device}{_memory_of(device)}. What helps: {', '.join(helps)}"


def _memory_of(device: Any) -> str:
    import torch

    if device.type != "cuda":
        return ""
    return f" ({torch.cuda.get_device_properties(device).total_memory / 2**30:.0f} GiB)"


def _get(model: str) -> str:
    return "copying its folder here whole" if Path(model).expanduser().is_dir() else f"hf download {model}"


def _unforeseen(what: str, error: Exception) -> DiffusionError:
    """A model is others' code, which may raise anything: one order's error must not end those behind it."""
    logger.error("%s", what, exc_info=error)
    return DiffusionError(f"{what}: {type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith((".", "!")) else f"{line}."
