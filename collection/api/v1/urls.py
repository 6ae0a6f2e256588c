from django.urls import path

from collection.api.v1.account import Me, Tokens
from collection.api.v1.exports import Exports, StudyExports
from collection.api.v1.images import Pairs, Renditions, Scenes
from collection.api.v1.judgments import Judgments
from collection.api.v1.members import Audit, Members
from collection.api.v1.people import Raters, Sessions
from collection.api.v1.removal import DatasetDeletions, Deletions, Retention, Withdrawals
from collection.api.v1.statistics import Statistics
from collection.api.v1.studies import Studies
from collection.api.v1.verdicts import RuleSets, Verdicts
from collection.api.v1.webhooks import Deliveries, StudyWebhooks, Webhooks

STUDY = "studies/<slug:slug>/"
RENDITION = f"{STUDY}renditions/<public_id:public_id>/"
EXPORT = "exports/<public_id:public_id>/"
WEBHOOK = "webhooks/<public_id:public_id>/"

urlpatterns = [
    path("me/", Me.as_view({"get": "read"}), name="api-me"),
    path("me/tokens/", Tokens.as_view({"get": "list"}), name="api-tokens"),
    path("me/tokens/<public_id:public_id>/", Tokens.as_view({"delete": "revoke"}), name="api-token"),
    path("studies/", Studies.as_view({"get": "list", "post": "create"}), name="api-studies"),
    path(STUDY, Studies.as_view({"get": "read", "patch": "change"}), name="api-study"),
    path(f"{STUDY}file/", Studies.as_view({"get": "file"}), name="api-study-file"),
    path(f"{STUDY}open/", Studies.as_view({"post": "open"}), name="api-study-open"),
    path(f"{STUDY}pause/", Studies.as_view({"post": "pause"}), name="api-study-pause"),
    path(f"{STUDY}close/", Studies.as_view({"post": "close"}), name="api-study-close"),
    path(f"{STUDY}clone/", Studies.as_view({"post": "clone"}), name="api-study-clone"),
    path(f"{STUDY}scenes/", Scenes.as_view({"get": "list"}), name="api-study-scenes"),
    path(f"{STUDY}delete/", Deletions.as_view({"post": "create"}), name="api-study-delete"),
    path("deletions/<public_id:public_id>/", Deletions.as_view({"get": "read"}), name="api-deletion"),
    path(f"{STUDY}retention/", Retention.as_view({"get": "read", "post": "set"}), name="api-study-retention"),
    path(
        f"{STUDY}renditions/",
        Renditions.as_view({"get": "list", "post": "order"}),
        name="api-study-renditions",
    ),
    path(f"{RENDITION}reject/", Renditions.as_view({"post": "reject"}), name="api-rendition-reject"),
    path(f"{RENDITION}restore/", Renditions.as_view({"post": "restore"}), name="api-rendition-restore"),
    path("renders/<public_id:public_id>/", Renditions.as_view({"get": "job"}), name="api-render"),
    path(f"{STUDY}pairs/", Pairs.as_view({"get": "list"}), name="api-study-pairs"),
    path(f"{STUDY}raters/", Raters.as_view({"get": "list"}), name="api-study-raters"),
    path(f"{STUDY}raters/<public_id:public_id>/", Raters.as_view({"get": "read"}), name="api-study-rater"),
    path(
        f"{STUDY}raters/<public_id:public_id>/withdraw/",
        Withdrawals.as_view({"post": "withdraw"}),
        name="api-rater-withdraw",
    ),
    path(f"{STUDY}sessions/", Sessions.as_view({"get": "list"}), name="api-study-sessions"),
    path(f"{STUDY}judgments/", Judgments.as_view({"get": "list"}), name="api-study-judgments"),
    path(f"{STUDY}judgments.ndjson", Judgments.as_view({"get": "stream"}), name="api-study-judgments-ndjson"),
    path(f"{STUDY}verdicts/", Verdicts.as_view({"get": "list", "post": "judge"}), name="api-study-verdicts"),
    path(f"{STUDY}rule-sets/", RuleSets.as_view({"get": "list", "post": "use"}), name="api-study-rule-sets"),
    path(
        f"{STUDY}rule-sets/compare/",
        RuleSets.as_view({"post": "compare"}),
        name="api-study-rule-sets-compare",
    ),
    path(
        f"{STUDY}statistics/",
        Statistics.as_view({"get": "read", "post": "create"}),
        name="api-study-statistics",
    ),
    path(
        f"{STUDY}exports/", StudyExports.as_view({"get": "list", "post": "create"}), name="api-study-exports"
    ),
    path(f"{STUDY}members/", Members.as_view({"get": "list"}), name="api-study-members"),
    path(f"{STUDY}members/role/", Members.as_view({"post": "role"}), name="api-member-role"),
    path(f"{STUDY}members/remove/", Members.as_view({"post": "remove"}), name="api-member-remove"),
    path(f"{STUDY}audit/", Audit.as_view({"get": "list"}), name="api-study-audit"),
    path("statistics/<public_id:public_id>/", Statistics.as_view({"get": "job"}), name="api-statistics"),
    path(EXPORT, Exports.as_view({"get": "read"}), name="api-export"),
    path(f"{EXPORT}cancel/", Exports.as_view({"post": "cancel"}), name="api-export-cancel"),
    path(f"{EXPORT}delete/", DatasetDeletions.as_view({"post": "create"}), name="api-export-delete"),
    path(f"{EXPORT}files/", Exports.as_view({"get": "files"}), name="api-export-files"),
    path(f"{EXPORT}files/<path:name>", Exports.as_view({"get": "file"}), name="api-export-file"),
    path(f"{EXPORT}archive/", Exports.as_view({"get": "archive"}), name="api-export-archive"),
    path(
        f"{STUDY}webhooks/",
        StudyWebhooks.as_view({"get": "list", "post": "create"}),
        name="api-study-webhooks",
    ),
    path(
        WEBHOOK,
        Webhooks.as_view({"get": "read", "patch": "change", "delete": "remove"}),
        name="api-webhook",
    ),
    path(f"{WEBHOOK}secret/", Webhooks.as_view({"post": "renew"}), name="api-webhook-secret"),
    path(f"{WEBHOOK}test/", Webhooks.as_view({"post": "test"}), name="api-webhook-test"),
    path(f"{WEBHOOK}deliveries/", Webhooks.as_view({"get": "deliveries"}), name="api-webhook-deliveries"),
    path(
        "webhook-deliveries/<public_id:public_id>/resend/",
        Deliveries.as_view({"post": "resend"}),
        name="api-webhook-delivery-resend",
    ),
]
