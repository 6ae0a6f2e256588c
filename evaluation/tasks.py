from celery import shared_task

from collection.services.audit import for_orderer
from evaluation.models import Report


@shared_task
def report_task(report_id: int) -> None:
    from evaluation.reporting import report_run

    Report.do(report_id, for_orderer(report_run))
