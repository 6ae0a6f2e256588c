from celery import shared_task

from collection.services.audit import for_orderer
from learning.models import Adaptation, BlindTest, PhotoRequest, RaterAdaptation, Run


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
