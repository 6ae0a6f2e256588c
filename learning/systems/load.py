"""From a run folder to the system that it holds."""

from pathlib import Path
from typing import Any

from learning.systems import SYSTEMS, system_module
from learning.training.run_folder import RunError, read_config


def load_run(run_folder: Path | str) -> Any:
    """Load whatever system a run folder holds, as `learning.systems.interface.System`.

    Raises:
        RunError: the folder holds no whole run of a known system.
        WeightsMissing: the backbone's weights are not on this machine.
    """
    run_folder = Path(run_folder)
    system = read_config(run_folder)["system"]
    if system not in SYSTEMS:
        raise RunError(f"{run_folder} is a run of {system!r}, which this version does not have")
    return system_module(system).load(run_folder)
