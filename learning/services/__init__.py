from learning.services.adaptations import AdaptationRefused, adaptation_cancel, adaptation_create
from learning.services.blind_tests import (
    BlindTestRefused,
    blind_test_cancel,
    blind_test_create,
    blind_test_scenes,
)
from learning.services.looks import (
    LookRefused,
    StudyLookRefused,
    look_adjust,
    look_ask,
    look_dial,
    look_file_order,
    look_photo_add,
    look_photo_delete,
    looks_expire,
    study_look_close,
    study_look_open,
)
from learning.services.photos import (
    PhotosRefused,
    photos_delete,
    photos_expire,
    photos_request,
)
from learning.services.runs import RunRefused, run_cancel, run_create, run_resume
from learning.services.styles import style_change, style_mix, style_request

__all__ = [
    "AdaptationRefused",
    "BlindTestRefused",
    "LookRefused",
    "PhotosRefused",
    "RunRefused",
    "StudyLookRefused",
    "adaptation_cancel",
    "adaptation_create",
    "blind_test_cancel",
    "blind_test_create",
    "blind_test_scenes",
    "look_adjust",
    "look_ask",
    "look_dial",
    "look_file_order",
    "look_photo_add",
    "look_photo_delete",
    "looks_expire",
    "photos_delete",
    "photos_expire",
    "photos_request",
    "run_cancel",
    "run_create",
    "run_resume",
    "study_look_close",
    "study_look_open",
    "style_change",
    "style_mix",
    "style_request",
]
