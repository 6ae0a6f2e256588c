from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    # Participants come by a study's own address; whoever comes to the site itself is a researcher.
    path("", RedirectView.as_view(pattern_name="researcher:study-list"), name="home"),
    path("", include("collection.participant.urls")),
    path("api/participant/", include("collection.api.urls")),
    path("images/", include("variants.urls")),
    path("research/", include("collection.researcher.urls")),
    path("research/runs/", include("learning.urls")),
    path("research/reports/", include("evaluation.urls")),
    path("sign-in/", LoginView.as_view(template_name="researcher/sign_in.html"), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
