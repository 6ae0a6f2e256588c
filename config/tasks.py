from celery import shared_task


@shared_task
def chore_task(name: str) -> None:
    from config.operations.chores import chore_do

    chore_do(name)
