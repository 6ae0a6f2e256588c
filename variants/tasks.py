from celery import shared_task

from variants.models import PhotoJob, RenderJob, SceneJob


@shared_task
def render_task(job_id: int) -> None:
    from variants.rendering import renditions_render

    RenderJob.do(job_id, renditions_render)


@shared_task
def scenes_generate_task(job_id: int) -> None:
    from variants.generating import scenes_generate

    SceneJob.do(job_id, scenes_generate)


@shared_task
def photos_task(job_id: int) -> None:
    from variants.importing import photos_import

    PhotoJob.do(job_id, photos_import)
