from typing import Any

from celery import shared_task
from celery.signals import worker_process_init

from collection.services.audit import for_orderer
from learning.models import Adaptation, BlindTest, LookOrder, PhotoRequest, RaterAdaptation, Run, StudyLook


@worker_process_init.connect
def runs_keep_warm(**_: Any) -> None:
    """In each of a worker's processes: whoever waits for their look does not wait for torch to be loaded."""
    from learning.warm import keep_warm

    keep_warm()


@shared_task
def train_task(run_id: int) -> None:
    from learning.work import run_train

    Run.do(run_id, for_orderer(run_train))


@shared_task
def photos_task(request_id: int) -> None:
    from learning.services.photos import photos_expire
    from learning.work import photos_render

    PhotoRequest.do(request_id, for_orderer(photos_render))
    photos_expire()


@shared_task
def blind_test_task(test_id: int) -> None:
    from learning.blind_testing import blind_test_make

    BlindTest.do(test_id, for_orderer(blind_test_make))


@shared_task
def adaptation_task(adaptation_id: int) -> None:
    from learning.adapting import raters_adapt

    Adaptation.do(adaptation_id, for_orderer(raters_adapt))


@shared_task
def rater_adaptation_task(share_id: int) -> None:
    from learning.adapting import rater_adapt

    RaterAdaptation.do(share_id, for_orderer(rater_adapt))


@shared_task
def study_look_task(look_id: int) -> None:
    from learning.look_work import study_look_prepare

    StudyLook.do(look_id, for_orderer(study_look_prepare))


@shared_task
def look_task(order_id: int) -> None:
    from learning.look_work import look_do

    LookOrder.do(order_id, look_do)
