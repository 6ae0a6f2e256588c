"""The heavy verb of runs; torch comes with it, so tasks and commands import it in their bodies."""

from pathlib import Path

from learning.data.dataset import PreferenceDataset
from learning.models import Run
from learning.systems import make_config, system_module
from variants.progress import Report, silent, throttled


def run_train(run: Run, watch: Report = silent) -> None:
    """Train into the run's folder; goes on from a checkpoint that a worker has left.

    Args:
        run: its `report` is told of progress and may cancel; a checkpoint stays then.
        watch: told of progress besides, by one who waits at a terminal.
    """
    tell_row = throttled(run.report)

    def report(done: int, total: int, stage: str) -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    config = make_config(
        run.system, run.preset, backbone=run.backbone or None, steps=run.steps, seed=run.seed
    )
    dataset = PreferenceDataset.load(run.dataset)
    Path(run.folder).parent.mkdir(parents=True, exist_ok=True)
    system_module(run.system).fit(dataset, config, Path(run.folder), report, resume=True)
