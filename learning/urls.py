from django.urls import path

from learning.views import adaptations, blind_tests, photos, runs, study_looks

app_name = "learning"
urlpatterns = [
    path("", runs.run_list, name="run-list"),
    path("new/", runs.run_create, name="run-create"),
    path("styles/", photos.style_list, name="style-list"),
    path("looks/<slug:slug>/", study_looks.study_look, name="study-look"),
    path("looks/<slug:slug>/progress/", study_looks.study_look_progress, name="study-look-progress"),
    path("looks/<slug:slug>/close/", study_looks.study_look_close, name="study-look-close"),
    path("<public_id:public_id>/", runs.run_detail, name="run-detail"),
    path("<public_id:public_id>/progress/", runs.run_progress, name="run-progress"),
    path("<public_id:public_id>/cancel/", runs.run_cancel, name="run-cancel"),
    path("<public_id:public_id>/resume/", runs.run_resume, name="run-resume"),
    path("<public_id:public_id>/photos/", photos.photo_list, name="photo-list"),
    path("<public_id:public_id>/blind-test/", blind_tests.blind_test_create, name="blind-test-create"),
    path("<public_id:public_id>/adaptations/", adaptations.adaptation_create, name="adaptation-create"),
    path("adaptations/<public_id:public_id>/", adaptations.adaptation_detail, name="adaptation"),
    path(
        "adaptations/<public_id:public_id>/progress/",
        adaptations.adaptation_progress,
        name="adaptation-progress",
    ),
    path(
        "adaptations/<public_id:public_id>/cancel/", adaptations.adaptation_cancel, name="adaptation-cancel"
    ),
    path("photos/<public_id:public_id>/", photos.photo_request, name="photo-request"),
    path("photos/<public_id:public_id>/change/", photos.style_change, name="style-change"),
    path("photos/<public_id:public_id>/mix/", photos.style_mix, name="style-mix"),
    path("photos/<public_id:public_id>/preset.safetensors", photos.style_preset, name="style-preset"),
    path("photos/<public_id:public_id>/progress/", photos.photo_progress, name="photo-progress"),
    path("photos/<public_id:public_id>/cancel/", photos.photo_cancel, name="photo-cancel"),
    path("photos/<public_id:public_id>/delete/", photos.photo_delete, name="photo-delete"),
    path("photos/<public_id:public_id>/<int:index>/<slug:name>/", photos.photo_file, name="photo-file"),
    path("blind-tests/<public_id:public_id>/", blind_tests.blind_test_detail, name="blind-test"),
    path(
        "blind-tests/<public_id:public_id>/progress/",
        blind_tests.blind_test_progress,
        name="blind-test-progress",
    ),
    path(
        "blind-tests/<public_id:public_id>/cancel/", blind_tests.blind_test_cancel, name="blind-test-cancel"
    ),
]
