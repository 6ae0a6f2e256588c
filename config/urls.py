from allauth.account.decorators import secure_admin_login
from allauth.account.views import login, logout
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from collection.researcher.members import member_join
from config.operations import health
from config.operations.metrics import metrics

# One way in, with the second factor and the limits that researchers have.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    # Participants come by a study's own address; whoever comes to the site itself is a researcher.
    path("", RedirectView.as_view(pattern_name="researcher:study-list"), name="home"),
    path("", include("collection.participant.urls")),
    path("look/", include("learning.look_urls")),
    path("api/participant/", include("collection.api.urls")),
    path("api/v1/", include("config.api")),
    path("images/", include("variants.urls")),
    path("research/", include("collection.researcher.urls")),
    path("research/runs/", include("learning.urls")),
    path("research/jobs/", include("config.operations.job_pages")),
    path("research/reports/", include("evaluation.urls")),
    # Django and templates know these two by names of their own; allauth brings the rest.
    path("accounts/login/", login, name="login"),
    path("accounts/logout/", logout, name="logout"),
    path("accounts/invited/<slug:code>/", member_join, name="member-join"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    # for machines that look after the site
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics, name="metrics"),
]

handler400 = "config.api.bad_request"
handler500 = "config.api.server_error"
