from django.urls import path, register_converter
from django.urls.converters import StringConverter

from evaluation import views


class ReportPictures(StringConverter):
    """A page of pictures that a report writes, and no other file of its folder."""

    regex = r"pictures-[0-9]{1,3}-(?:best|worst|random|raters-[0-9]{1,3})\.html"


register_converter(ReportPictures, "report_pictures")

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
    path("<public_id:public_id>/<report_pictures:name>", views.report_pictures, name="report-pictures"),
    path("<public_id:public_id>/report.json", views.report_json, name="report-json"),
    path("<public_id:public_id>/report.csv", views.report_csv, name="report-csv"),
]
