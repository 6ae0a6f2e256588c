from django.urls import path

from evaluation import views

app_name = "evaluation"
urlpatterns = [
    path("", views.report_list, name="report-list"),
    path("new/", views.report_create, name="report-create"),
    path("<str:public_id>/", views.report_detail, name="report-detail"),
    path("<str:public_id>/progress/", views.report_progress, name="report-progress"),
    path("<str:public_id>/cancel/", views.report_cancel, name="report-cancel"),
    path("<str:public_id>/report.html", views.report_html, name="report-html"),
    path("<str:public_id>/report.json", views.report_json, name="report-json"),
]
