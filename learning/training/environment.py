"""What a training ran on: machine, packages, launch. For the run folder, so that a figure can be traced."""

import os
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from learning.training.processes import launched

SHOWN = (
    "tonalist",
    "torch",
    "numpy",
    "safetensors",
    "transformers",
    "timm",
    "pillow",
    "scikit-image",
    "pyarrow",
)


def software_versions() -> dict[str, str]:
    """Of Python and the packages that decide a training's result."""
    versions = {"python": platform.python_version()}
    for name in SHOWN:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def environment() -> dict[str, Any]:
    """The machine and the launch, as config.json holds them."""
    import torch

    return {
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_gb": _memory_gb(),
        "accelerators": _accelerators(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "processes": launched().count,
        "command": shlex.join(sys.argv),
        "packages": installed_packages(),
    }


def installed_packages() -> list[str]:
    """Every installed distribution as NAME==VERSION, which pip reads."""
    found = {((d.metadata["Name"] or "").lower(), d.version) for d in metadata.distributions()}
    return sorted(f"{name}=={version}" for name, version in found if name)


def cpu_name() -> str:
    """The processor as it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):  # not told on this system
        return None


def _accelerators() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return []
    cards = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return [f"{card.name}, {card.total_memory / 2**30:.0f} GiB" for card in cards]
