from django.urls import path

from collection.participant import photos, views

app_name = "participant"
urlpatterns = [
    path("s/<slug:study>/", views.study_landing, name="study-landing"),
    path("s/<slug:study>/declined/", views.study_declined, name="study-declined"),
    path("session/<slug:token>/", views.session_detail, name="session-detail"),
    path("session/<slug:token>/withdraw/", views.session_withdraw, name="session-withdraw"),
    path("photo/<public_id:question>/left/", photos.question_photo, {"side": "left"}, name="photo"),
    path("photo/<public_id:question>/right/", photos.question_photo, {"side": "right"}, name="photo"),
]
