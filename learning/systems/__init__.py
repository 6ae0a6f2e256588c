"""The systems by name. This file loads no torch; a system's module is imported when it is used.

A module has `Config` (a frozen dataclass with `to_json` and `from_json`), `PRESETS`
(name → function giving a Config), `fit(dataset, config, run_folder, report, *, resume)` and
`load(run_folder)`, which give what `learning.systems.interface.System` describes.
"""

import importlib
from pathlib import Path
from typing import Any

SYSTEMS: dict[str, str] = {
    "upe": "learning.systems.upe",
}
"""`--system` → module."""
PRESETS: dict[str, tuple[str, ...]] = {
    "upe": ("tiny", "full"),
}
"""The presets that each system's module has, known without importing it."""


def check_names(system: str, preset: str) -> None:
    """Raise ValueError naming what there is where a name is not known."""
    if system not in SYSTEMS:
        raise ValueError(f"there is no system {system!r}; there are: {', '.join(SYSTEMS)}")
    if preset not in PRESETS[system]:
        raise ValueError(f"{system} has no preset {preset!r}; it has: {', '.join(PRESETS[system])}")


def system_module(system: str) -> Any:
    """Import a system's module; torch comes with it."""
    if system not in SYSTEMS:
        raise ValueError(f"there is no system {system!r}; there are: {', '.join(SYSTEMS)}")
    return importlib.import_module(SYSTEMS[system])


def load_run(run_folder: Path) -> Any:
    """Load whatever system a run folder holds, as `learning.systems.interface.System`.

    Raises:
        RunError: the folder holds no whole run of a known system.
        WeightsMissing: the backbone's weights are not on this machine.
    """
    from learning.training.run_folder import RunError, read_config  # torch comes with it

    config = read_config(Path(run_folder))
    if config["system"] not in SYSTEMS:
        raise RunError(f"{run_folder} is a run of {config['system']!r}, which this version does not have")
    return system_module(config["system"]).load(Path(run_folder))
