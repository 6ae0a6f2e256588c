from django.urls import path

from variants import views

app_name = "variants"
urlpatterns = [path("<str:public_id>", views.rendition_image, name="image")]
