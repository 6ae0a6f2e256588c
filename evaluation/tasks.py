from celery import shared_task

from evaluation.models import Report


@shared_task
def report_task(report_id: int) -> None:
    from evaluation.reporting import report_run

    Report.objects.get(pk=report_id).run(report_run)
