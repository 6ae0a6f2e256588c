from django.urls import path
from django.views.generic import RedirectView

from collection.researcher import (
    audit,
    datasets,
    members,
    overview,
    people,
    planner,
    protocol,
    recruiting,
    removal,
    rules,
    scenes,
    statistics,
    tokens,
    webhooks,
)
from collection.researcher.making_urls import urlpatterns as making

app_name = "researcher"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="researcher:study-list"), name="home"),
    *making,  # before the studies: "new" is no study
    path("studies/", overview.study_list, name="study-list"),
    path("studies/<slug:slug>/", overview.study_detail, name="study-detail"),
    path("studies/<slug:slug>/live/", overview.study_live, name="study-live"),
    path("studies/<slug:slug>/open/", overview.study_open, name="study-open"),
    path("studies/<slug:slug>/pause/", overview.study_pause, name="study-pause"),
    path("studies/<slug:slug>/close/", overview.study_close, name="study-close"),
    path("studies/<slug:slug>/raters/", people.study_people, name="study-people"),
    path("studies/<slug:slug>/raters/judge/", people.study_judge, name="study-judge"),
    path("studies/<slug:slug>/raters/payments.csv", rules.panel_download, name="panel-download"),
    path("studies/<slug:slug>/rules/", rules.study_rules, name="study-rules"),
    path("studies/<slug:slug>/rules/use/", rules.study_rules_use, name="study-rules-use"),
    path("studies/<slug:slug>/scenes/", scenes.study_scenes, name="study-scenes"),
    path(
        "studies/<slug:slug>/scenes/<public_id:public_id>/throw-out/",
        scenes.rendition_reject,
        name="rendition-reject",
    ),
    path(
        "studies/<slug:slug>/scenes/<public_id:public_id>/take-back/",
        scenes.rendition_restore,
        name="rendition-restore",
    ),
    path("studies/<slug:slug>/protocol/", protocol.study_protocol, name="study-protocol"),
    path("studies/<slug:slug>/recruiting/", recruiting.study_recruiting, name="study-recruiting"),
    path("studies/<slug:slug>/recruiting/links/", recruiting.invitations_make, name="invitations-make"),
    path(
        "studies/<slug:slug>/recruiting/links/<int:pk>/revoke/",
        recruiting.invitation_revoke,
        name="invitation-revoke",
    ),
    path("studies/<slug:slug>/recruiting/links.csv", recruiting.invitations_download, name="links-download"),
    path("studies/<slug:slug>/datasets/", datasets.study_datasets, name="study-datasets"),
    path("studies/<slug:slug>/datasets/export/", datasets.export_create, name="export-create"),
    path("studies/<slug:slug>/planner/", planner.study_planner, name="study-planner"),
    path("studies/<slug:slug>/planner/numbers/", planner.planner_numbers, name="planner-numbers"),
    path("studies/<slug:slug>/statistics/", statistics.study_statistics, name="study-statistics"),
    path("studies/<slug:slug>/statistics/compute/", statistics.statistics_create, name="statistics-create"),
    path(
        "statistics/<public_id:public_id>/progress/",
        statistics.statistics_progress,
        name="statistics-progress",
    ),
    path("statistics/<public_id:public_id>/cancel/", statistics.statistics_cancel, name="statistics-cancel"),
    path(
        "statistics/<public_id:public_id>/<str:what>/",
        statistics.statistics_download,
        name="statistics-download",
    ),
    path("datasets/<public_id:public_id>/", datasets.export_detail, name="export-detail"),
    path("datasets/<public_id:public_id>/archive/", datasets.export_archive, name="export-archive"),
    path("datasets/<public_id:public_id>/files/<path:name>", datasets.export_file, name="export-file"),
    path("datasets/<public_id:public_id>/progress/", datasets.export_progress, name="export-progress"),
    path("datasets/<public_id:public_id>/cancel/", datasets.export_cancel, name="export-cancel"),
    path("studies/<slug:slug>/members/", members.study_members, name="study-members"),
    path("studies/<slug:slug>/members/invite/", members.member_invite, name="member-invite"),
    path("studies/<slug:slug>/members/<int:pk>/role/", members.member_role, name="member-role"),
    path("studies/<slug:slug>/members/<int:pk>/remove/", members.member_remove, name="member-remove"),
    path(
        "studies/<slug:slug>/invitations/<int:pk>/take-back/", members.member_uninvite, name="member-uninvite"
    ),
    path("studies/<slug:slug>/audit/", audit.study_audit, name="study-audit"),
    path("studies/<slug:slug>/audit.csv", audit.audit_download, name="audit-download"),
    path("studies/<slug:slug>/webhooks/", webhooks.study_webhooks, name="study-webhooks"),
    path("studies/<slug:slug>/webhooks/add/", webhooks.webhook_create, name="webhook-create"),
    path("webhooks/<public_id:public_id>/", webhooks.webhook_detail, name="webhook-detail"),
    path("webhooks/<public_id:public_id>/change/", webhooks.webhook_change, name="webhook-change"),
    path("webhooks/<public_id:public_id>/switch/", webhooks.webhook_switch, name="webhook-switch"),
    path("webhooks/<public_id:public_id>/secret/", webhooks.webhook_renew, name="webhook-renew"),
    path("webhooks/<public_id:public_id>/test/", webhooks.webhook_test, name="webhook-test"),
    path("webhooks/<public_id:public_id>/delete/", webhooks.webhook_delete, name="webhook-delete"),
    path(
        "webhooks/<public_id:public_id>/<slug:message_id>/", webhooks.delivery_detail, name="webhook-delivery"
    ),
    path(
        "webhooks/<public_id:public_id>/<slug:message_id>/resend/",
        webhooks.delivery_resend,
        name="delivery-resend",
    ),
    path("tokens/", tokens.token_list, name="token-list"),
    path("tokens/<public_id:public_id>/revoke/", tokens.token_withdraw, name="token-revoke"),
    path(
        "studies/<slug:slug>/raters/<public_id:public_id>/remove/", removal.rater_remove, name="rater-remove"
    ),
    path("studies/<slug:slug>/retention/", removal.study_retention, name="study-retention"),
    path("studies/<slug:slug>/delete/", removal.study_delete, name="study-delete"),
    path("deletions/<public_id:public_id>/", removal.deletion_detail, name="deletion-detail"),
    path("deletions/<public_id:public_id>/progress/", removal.deletion_progress, name="deletion-progress"),
    path("datasets/<public_id:public_id>/delete/", removal.dataset_delete, name="dataset-delete"),
    path("thumbnails/<public_id:public_id>/", scenes.rendition_thumbnail, name="rendition-thumbnail"),
]
