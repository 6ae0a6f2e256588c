from celery import shared_task

from variants.models import RenderJob


@shared_task
def render_task(job_id: int) -> None:
    from variants.rendering import renditions_render

    RenderJob.objects.get(pk=job_id).run(renditions_render)
