from celery import shared_task

from learning.models import Run


@shared_task
def train_task(run_id: int) -> None:
    from learning.work import run_train

    Run.objects.get(pk=run_id).run(run_train)
