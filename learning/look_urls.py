"""Addresses of participants' looks; learning/views/looks.py says what goes in and out."""

from django.urls import path

from learning.views import looks

app_name = "look"
urlpatterns = [
    path("<slug:token>/", looks.look_page, name="page"),
    path("<slug:token>/begin/", looks.look_begin, name="begin"),
    path("<slug:token>/state/", looks.look_show, name="state"),
    path("<slug:token>/adjust/", looks.look_adjust, name="adjust"),
    path("<slug:token>/dial/", looks.look_dial, name="dial"),
    path("<slug:token>/photos/", looks.photo_add, name="photo-add"),
    path("<slug:token>/photos/<int:index>/delete/", looks.photo_delete, name="photo-delete"),
    path("<slug:token>/photos/<int:index>/<slug:name>/", looks.photo_picture, name="picture"),
    path("<slug:token>/files/", looks.file_order, name="file-order"),
    path("<slug:token>/files/<public_id:public_id>/", looks.file_fetch, name="file"),
]
