from django.urls import path

from variants import views

app_name = "variants"
urlpatterns = [path("<public_id:public_id>", views.rendition_image, name="image")]
