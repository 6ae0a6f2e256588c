from django.urls import URLPattern

app_name = "researcher"
urlpatterns: list[URLPattern] = []
