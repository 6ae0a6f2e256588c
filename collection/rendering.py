"""The heavy verb of studies; called by tasks and commands only."""

from collection.design.protocol import Protocol
from collection.models import Study
from collection.services.studies import study_link_pairs
from variants.models import RenderJob
from variants.progress import throttled
from variants.rendering import pairs_build, renditions_render


def study_variants_render(job: RenderJob) -> None:
    """Render the job's renditions, pair up all that its study's protocol allows, and link the pairs."""
    study = Study.objects.get(render_jobs=job)
    renditions_render(job)
    protocol = Protocol.from_json(study.protocol)
    pairs = pairs_build(
        study.scenes.all(),
        min_delta_e=protocol.min_delta_e,
        max_delta_e=protocol.max_delta_e,
        max_per_scene=protocol.max_pairs_per_scene,
        seed=protocol.seed,
        long_side=protocol.long_side,
        encoding=protocol.encoding,
        report=throttled(job.report),
    )
    study_link_pairs(study, pairs)
