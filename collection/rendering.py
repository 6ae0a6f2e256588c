"""The heavy verbs of studies; called by tasks and commands only."""

from collection.design.protocol import Protocol
from collection.models import Study
from collection.services.photos import photos_add_to_study
from collection.services.studies import study_link_pairs
from variants.importing import photos_import
from variants.models import Pair, PhotoJob, RenderJob
from variants.progress import throttled
from variants.rendering import pairs_build, renditions_render


def study_photos_import(job: PhotoJob) -> None:
    """Make the job's photos scenes, and those of its study."""
    try:
        photos_import(job)
    finally:
        # What came in before it was cancelled, or failed, stays.
        photos_add_to_study(job)


def study_variants_render(job: RenderJob) -> None:
    """Render the job's renditions, and add to its study's pairs what the protocol still allows."""
    study = Study.objects.get(render_jobs=job)
    renditions_render(job)
    protocol = Protocol.from_json(study.protocol)
    pairs = pairs_build(
        study.scenes.all(),
        min_delta_e=protocol.min_delta_e,
        max_delta_e=protocol.max_delta_e,
        max_per_scene=protocol.max_pairs_per_scene,
        quotas=protocol.source_quotas,
        known=Pair.objects.filter(studies=study),
        seed=protocol.seed,
        long_side=protocol.long_side,
        encoding=protocol.encoding,
        report=throttled(job.report),
    )
    study_link_pairs(study, pairs)
