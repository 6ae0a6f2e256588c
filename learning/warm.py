"""Runs that stay loaded: whoever comes next does not wait for torch and the weights. For workers only."""

import logging
import threading
import time
from pathlib import Path

from django.db import DatabaseError, connection

from learning.backbones import WeightsMissing
from learning.models import Run, StudyLook
from learning.systems.interface import System
from variants.jobs import Job

logger = logging.getLogger(__name__)

MOST = 2
"""Runs that one process keeps."""
LOOK_AGAIN_SECONDS = 20

_lock = threading.Lock()
_loaded: dict[tuple[str, float], System] = {}


def loaded_system(run: Run) -> System:
    """The run's system, loaded once by each process.

    Raises:
        RunError: the folder holds no whole run of a known system.
        WeightsMissing: the backbone's weights are not on this machine.
    """
    from learning.systems.load import load_run

    weights = Path(run.folder) / "weights.safetensors"
    key = run.folder, weights.stat().st_mtime if weights.is_file() else 0.0
    with _lock:
        if key not in _loaded:
            while len(_loaded) >= MOST:
                _loaded.pop(next(iter(_loaded)))
            _loaded[key] = load_run(run.folder)
        return _loaded[key]


def keep_warm() -> None:
    """Load what open looks are made with, in a thread of its own, before anybody asks for one."""
    threading.Thread(target=_keep_warm, name="warm runs", daemon=True).start()


def _keep_warm() -> None:
    while True:
        try:
            runs_warm()
        except DatabaseError as error:
            logger.warning("the runs of looks cannot be asked for: %s", error)
        finally:
            connection.close()
        time.sleep(LOOK_AGAIN_SECONDS)


def runs_warm() -> None:
    """Load the runs of the newest open looks; one that cannot be loaded is left to those who ask for it."""
    from learning.training.run_folder import RunError

    newest = StudyLook.objects.filter(is_open=True, learner__state=Job.State.DONE).select_related("learner")
    for found in newest[:MOST]:
        try:
            loaded_system(found.learner)
        except (RunError, WeightsMissing, OSError) as error:
            logger.warning("the run of %s cannot be loaded: %s", found, error)
