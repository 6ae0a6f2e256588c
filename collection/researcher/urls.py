from django.urls import path
from django.views.generic import RedirectView

from collection.researcher import views

app_name = "researcher"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="researcher:study-list"), name="home"),
    path("studies/", views.study_list, name="study-list"),
    path("studies/<slug:slug>/", views.study_detail, name="study-detail"),
    path("studies/<slug:slug>/open/", views.study_open, name="study-open"),
    path("studies/<slug:slug>/pause/", views.study_pause, name="study-pause"),
    path("studies/<slug:slug>/close/", views.study_close, name="study-close"),
    path("studies/<slug:slug>/raters/", views.study_people, name="study-people"),
    path("studies/<slug:slug>/raters/judge/", views.study_judge, name="study-judge"),
    path("studies/<slug:slug>/scenes/", views.study_scenes, name="study-scenes"),
    path(
        "studies/<slug:slug>/scenes/<public_id:public_id>/throw-out/",
        views.rendition_reject,
        name="rendition-reject",
    ),
    path(
        "studies/<slug:slug>/scenes/<public_id:public_id>/take-back/",
        views.rendition_restore,
        name="rendition-restore",
    ),
    path("studies/<slug:slug>/protocol/", views.study_protocol, name="study-protocol"),
    path("studies/<slug:slug>/datasets/", views.study_datasets, name="study-datasets"),
    path("studies/<slug:slug>/datasets/export/", views.export_create, name="export-create"),
    path("datasets/<public_id:public_id>/", views.export_detail, name="export-detail"),
    path("datasets/<public_id:public_id>/progress/", views.export_progress, name="export-progress"),
    path("datasets/<public_id:public_id>/cancel/", views.export_cancel, name="export-cancel"),
    path("thumbnails/<public_id:public_id>/", views.rendition_thumbnail, name="rendition-thumbnail"),
]
