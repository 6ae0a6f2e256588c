from django.urls import path

from evaluation import views

app_name = "evaluation"
urlpatterns = [
    path("", views.report_list, name="report-list"),
    path("new/", views.report_create, name="report-create"),
    path("compare/", views.report_compare, name="report-compare"),
    path("runs/", views.run_compare, name="run-compare"),
    path("<public_id:public_id>/", views.report_detail, name="report-detail"),
    path("<public_id:public_id>/progress/", views.report_progress, name="report-progress"),
    path("<public_id:public_id>/cancel/", views.report_cancel, name="report-cancel"),
    path("<public_id:public_id>/report.html", views.report_html, name="report-html"),
    path("<public_id:public_id>/report.json", views.report_json, name="report-json"),
    path("<public_id:public_id>/report.csv", views.report_csv, name="report-csv"),
]
