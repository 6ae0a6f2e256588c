from django.urls import path

from learning import views

app_name = "learning"
urlpatterns = [
    path("", views.run_list, name="run-list"),
    path("new/", views.run_create, name="run-create"),
    path("<public_id:public_id>/", views.run_detail, name="run-detail"),
    path("<public_id:public_id>/progress/", views.run_progress, name="run-progress"),
    path("<public_id:public_id>/cancel/", views.run_cancel, name="run-cancel"),
]
