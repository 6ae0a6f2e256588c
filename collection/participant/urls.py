from django.urls import path

from collection.participant import views

app_name = "participant"
urlpatterns = [
    path("s/<slug:study>/", views.study_landing, name="study-landing"),
    path("session/<slug:token>/", views.session_detail, name="session-detail"),
]
