from learning.services.adaptations import AdaptationRefused, adaptation_cancel, adaptation_create
from learning.services.blind_tests import (
    BlindTestRefused,
    blind_test_cancel,
    blind_test_create,
    blind_test_scenes,
)
from learning.services.photos import (
    PhotosRefused,
    photos_delete,
    photos_expire,
    photos_request,
    style_change,
    style_request,
)
from learning.services.runs import RunRefused, run_cancel, run_create, run_resume

__all__ = [
    "AdaptationRefused",
    "BlindTestRefused",
    "PhotosRefused",
    "RunRefused",
    "adaptation_cancel",
    "adaptation_create",
    "blind_test_cancel",
    "blind_test_create",
    "blind_test_scenes",
    "photos_delete",
    "photos_expire",
    "photos_request",
    "run_cancel",
    "run_create",
    "run_resume",
    "style_change",
    "style_request",
]
