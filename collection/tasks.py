from celery import shared_task

from collection.models import Export, StatisticsJob, StudyDeletion
from collection.services.audit import for_orderer
from variants.models import PhotoJob, RenderJob


@shared_task
def export_task(export_id: int) -> None:
    from collection.export.write import export_run

    Export.do(export_id, for_orderer(export_run))


@shared_task
def statistics_task(job_id: int) -> None:
    from collection.services.statistics import statistics_run

    StatisticsJob.do(job_id, for_orderer(statistics_run))


@shared_task
def study_variants_task(job_id: int) -> None:
    from collection.rendering import study_variants_render

    RenderJob.do(job_id, for_orderer(study_variants_render))


@shared_task
def study_photos_task(job_id: int) -> None:
    from collection.rendering import study_photos_import

    PhotoJob.do(job_id, for_orderer(study_photos_import))


@shared_task
def questions_task(session_id: int) -> None:
    from collection.services.active import questions_choose

    questions_choose(session_id)


@shared_task
def taste_task(study_id: int) -> None:
    from collection.services.taste import taste_learn

    taste_learn(study_id)


@shared_task
def webhook_task(delivery_id: int) -> None:
    from collection.services.webhooks import delivery_send

    delivery_send(delivery_id)


@shared_task
def study_delete_task(deletion_id: int) -> None:
    from collection.services.deletion import study_delete_run

    StudyDeletion.do(deletion_id, for_orderer(study_delete_run))
