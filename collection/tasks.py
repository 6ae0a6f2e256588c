from celery import shared_task

from collection.models import Export
from variants.models import RenderJob


@shared_task
def export_task(export_id: int) -> None:
    from collection.export.write import export_run

    Export.objects.get(pk=export_id).run(export_run)


@shared_task
def study_variants_task(job_id: int) -> None:
    from collection.rendering import study_variants_render

    RenderJob.objects.get(pk=job_id).run(study_variants_render)
