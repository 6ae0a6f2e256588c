"""Who may open which address: one line for each, by its name, or by its route where it has none.

tests/test_permissions.py walks all of them, by GET and POST, as everybody in ACTORS; an address without a line
fails it. A line says what each method needs, None for a method that the address does not take; then what fills
the gaps of the address and the fields of its form, by names in `world` of that test; `slug` is the study unless
said. What an address answers to somebody who may use it is its own tests' affair.
"""

from enum import IntEnum
from typing import NamedTuple

from collection.models import Role

ACTORS = ("nobody", "stranger", "viewer", "editor", "owner", "superuser")
"""The stranger owns another study; owner, editor and viewer have these roles in the one that is asked for."""


class Needs(IntEnum):
    ANYBODY = 0
    ACCOUNT = 1
    VIEWER = 2
    EDITOR = 3
    OWNER = 4
    STAFF = 5
    OPERATOR = 6
    """A superuser: nothing about a study."""
    MAKER = 7
    """Whoever made it, here the editor, and superusers."""
    MAKER_ALONE = 8


ANYBODY, ACCOUNT, VIEWER, EDITOR, OWNER, STAFF, OPERATOR, MAKER, MAKER_ALONE = Needs

MAY = {
    "nobody": {ANYBODY},
    "stranger": {ANYBODY, ACCOUNT},
    "viewer": {ANYBODY, ACCOUNT, VIEWER},
    "editor": {ANYBODY, ACCOUNT, VIEWER, EDITOR, MAKER, MAKER_ALONE},
    "owner": {ANYBODY, ACCOUNT, VIEWER, EDITOR, OWNER},
    "superuser": set(Needs) - {MAKER_ALONE},
}
assert set(Role.values) <= set(ACTORS)


class Line(NamedTuple):
    get: Needs | None
    post: Needs | None
    gaps: dict[str, str] = {}
    fields: dict[str, str] = {}


EXPORT = {"public_id": "export"}
RUN = {"public_id": "run"}
JOB = {"kind": "kind of job", "public_id": "render"}
REPORT = {"public_id": "report"}
RENDITION = {"public_id": "rendition"}
MEMBER = {"pk": "member"}
UPLOAD = {"public_id": "upload"}
SCENE = {"public_id": "scene"}
STATISTICS = {"public_id": "statistics"}
PHOTOS = {"public_id": "photos"}
BLIND = {"public_id": "blind"}
ADAPTATION = {"public_id": "adaptation"}
LOOK = {"token": "token"}
WEBHOOK = {"public_id": "webhook"}
DELIVERY = {"public_id": "webhook", "message_id": "message"}

TABLE: dict[str, Line] = {
    # the entrance
    "home": Line(ANYBODY, ANYBODY),
    # machines that look after the site; /metrics is not there without METRICS_TOKEN
    "health-live": Line(ANYBODY, None),
    "health-ready": Line(ANYBODY, None),
    "metrics": Line(ANYBODY, None),
    "researcher:home": Line(ANYBODY, ANYBODY),
    # a study
    "researcher:study-list": Line(ACCOUNT, None),
    "researcher:study-detail": Line(VIEWER, None),
    "researcher:study-live": Line(VIEWER, None),
    "researcher:study-open": Line(None, EDITOR),
    "researcher:study-pause": Line(None, EDITOR),
    "researcher:study-close": Line(OWNER, OWNER),
    "researcher:study-people": Line(VIEWER, None),
    "researcher:study-judge": Line(None, EDITOR),
    "researcher:panel-download": Line(VIEWER, None),
    "researcher:study-rules": Line(VIEWER, None),
    "researcher:study-rules-use": Line(None, EDITOR),
    "researcher:study-scenes": Line(VIEWER, None),
    "researcher:rendition-reject": Line(None, EDITOR, RENDITION),
    "researcher:rendition-restore": Line(None, EDITOR, RENDITION),
    "researcher:rendition-thumbnail": Line(VIEWER, None, RENDITION),
    "researcher:study-protocol": Line(VIEWER, None),
    "researcher:study-recruiting": Line(EDITOR, EDITOR),
    "researcher:invitations-make": Line(None, EDITOR),
    "researcher:invitation-revoke": Line(None, EDITOR, {"pk": "link"}),
    "researcher:links-download": Line(EDITOR, None),
    # making a study
    "researcher:study-new": Line(ACCOUNT, ACCOUNT),
    "researcher:study-clone": Line(VIEWER, VIEWER),
    "researcher:study-edit": Line(EDITOR, EDITOR),
    "researcher:preview-begin": Line(None, EDITOR),
    "researcher:study-photos": Line(VIEWER, None),
    "researcher:photos-begin": Line(None, EDITOR),
    "researcher:photos-folder": Line(None, OPERATOR),
    "researcher:photo-known": Line(None, MAKER_ALONE, UPLOAD, {"sha256": "sha256"}),
    "researcher:photo-upload": Line(None, MAKER_ALONE, UPLOAD),
    "researcher:photos-finish": Line(None, MAKER_ALONE, UPLOAD),
    "researcher:photos-progress": Line(VIEWER, None, UPLOAD),
    "researcher:photos-cancel": Line(None, EDITOR, UPLOAD),
    "researcher:scenes-choose": Line(EDITOR, EDITOR),
    "researcher:scene-remove": Line(None, EDITOR, SCENE),
    "researcher:scene-thumbnail": Line(VIEWER, None, SCENE),
    "researcher:study-renditions": Line(VIEWER, EDITOR),
    "researcher:render-progress": Line(VIEWER, None, {"public_id": "render"}),
    "researcher:render-cancel": Line(None, EDITOR, {"public_id": "render"}),
    "researcher:study-pairs": Line(VIEWER, None),
    "researcher:pairs-make": Line(None, EDITOR),
    "researcher:protocol-edit": Line(EDITOR, EDITOR),
    "researcher:protocol-validate": Line(None, EDITOR),
    "researcher:study-download": Line(VIEWER, None),
    "researcher:version-download": Line(VIEWER, None, {"number": "version"}),
    "researcher:study-planner": Line(VIEWER, None),
    "researcher:planner-numbers": Line(VIEWER, None),
    # what answers say
    "researcher:study-statistics": Line(VIEWER, None),
    "researcher:statistics-create": Line(None, EDITOR),
    "researcher:statistics-progress": Line(VIEWER, None, STATISTICS),
    "researcher:statistics-cancel": Line(None, EDITOR, STATISTICS),
    "researcher:statistics-download": Line(VIEWER, None, STATISTICS | {"what": "table"}),
    # what goes
    "researcher:rater-remove": Line(EDITOR, EDITOR, {"public_id": "rater"}),
    "researcher:study-retention": Line(VIEWER, OWNER),
    "researcher:study-delete": Line(OWNER, OWNER),
    "researcher:deletion-detail": Line(OWNER, None, {"public_id": "deletion"}),
    "researcher:deletion-progress": Line(OWNER, None, {"public_id": "deletion"}),
    "researcher:dataset-delete": Line(OWNER, OWNER, EXPORT),
    # datasets
    "researcher:study-datasets": Line(VIEWER, None),
    "researcher:export-create": Line(None, EDITOR),
    "researcher:export-detail": Line(VIEWER, None, EXPORT),
    "researcher:export-archive": Line(VIEWER, None, EXPORT),
    "researcher:export-file": Line(VIEWER, None, EXPORT | {"name": "file"}),
    "researcher:export-progress": Line(VIEWER, None, EXPORT),
    "researcher:export-cancel": Line(None, EDITOR, EXPORT),
    # members and the trail
    "researcher:study-members": Line(VIEWER, None),
    "researcher:member-invite": Line(None, OWNER),
    "researcher:member-role": Line(None, OWNER, MEMBER),
    "researcher:member-remove": Line(None, OWNER, MEMBER),
    "researcher:member-uninvite": Line(None, OWNER, {"pk": "invitation"}),
    "researcher:study-audit": Line(VIEWER, None),
    "researcher:audit-download": Line(VIEWER, None),
    "member-join": Line(ANYBODY, ANYBODY, {"code": "code"}),
    # webhooks
    "researcher:study-webhooks": Line(VIEWER, None),
    "researcher:webhook-create": Line(None, EDITOR),
    "researcher:webhook-detail": Line(VIEWER, None, WEBHOOK),
    "researcher:webhook-change": Line(None, EDITOR, WEBHOOK),
    "researcher:webhook-switch": Line(None, EDITOR, WEBHOOK),
    "researcher:webhook-renew": Line(None, EDITOR, WEBHOOK),
    "researcher:webhook-test": Line(None, EDITOR, WEBHOOK),
    "researcher:webhook-delete": Line(None, EDITOR, WEBHOOK),
    "researcher:webhook-delivery": Line(VIEWER, None, DELIVERY),
    "researcher:delivery-resend": Line(None, EDITOR, DELIVERY),
    # runs and reports
    "learning:run-list": Line(ACCOUNT, None),
    "learning:run-create": Line(ACCOUNT, ACCOUNT),
    "learning:run-detail": Line(VIEWER, None, RUN),
    "learning:run-progress": Line(VIEWER, None, RUN),
    "learning:run-cancel": Line(None, EDITOR, RUN),
    "learning:run-resume": Line(None, EDITOR, RUN),
    "learning:photo-list": Line(VIEWER, VIEWER, RUN),
    "learning:style-list": Line(ACCOUNT, ACCOUNT),
    "learning:style-change": Line(None, MAKER, PHOTOS),
    "learning:style-mix": Line(None, MAKER, PHOTOS),
    "learning:style-preset": Line(MAKER, None, PHOTOS),
    "learning:photo-request": Line(MAKER, None, PHOTOS),
    "learning:photo-progress": Line(MAKER, None, PHOTOS),
    "learning:photo-cancel": Line(None, MAKER, PHOTOS),
    "learning:photo-delete": Line(MAKER, MAKER, PHOTOS),
    "learning:photo-file": Line(MAKER, None, PHOTOS | {"index": "index", "name": "picture"}),
    "learning:study-look": Line(VIEWER, EDITOR),
    "learning:study-look-progress": Line(VIEWER, None),
    "learning:study-look-close": Line(None, EDITOR),
    "learning:blind-test-create": Line(EDITOR, EDITOR, RUN),
    "learning:blind-test": Line(VIEWER, None, BLIND),
    "learning:blind-test-progress": Line(VIEWER, None, BLIND),
    "learning:blind-test-cancel": Line(None, EDITOR, BLIND),
    "learning:adaptation-create": Line(None, EDITOR, RUN),
    "learning:adaptation": Line(VIEWER, None, ADAPTATION),
    "learning:adaptation-progress": Line(VIEWER, None, ADAPTATION),
    "learning:adaptation-cancel": Line(None, EDITOR, ADAPTATION),
    "evaluation:report-list": Line(ACCOUNT, None),
    "evaluation:report-create": Line(None, EDITOR, fields={"run": "run"}),
    "evaluation:report-compare": Line(ACCOUNT, None),
    "evaluation:run-compare": Line(ACCOUNT, None),
    "evaluation:report-detail": Line(VIEWER, None, REPORT),
    "evaluation:report-progress": Line(VIEWER, None, REPORT),
    "evaluation:report-cancel": Line(None, EDITOR, REPORT),
    "evaluation:report-html": Line(VIEWER, None, REPORT),
    "evaluation:report-pictures": Line(VIEWER, None, {"public_id": "report", "name": "page of pictures"}),
    "evaluation:report-json": Line(VIEWER, None, REPORT),
    "evaluation:report-csv": Line(VIEWER, None, REPORT),
    # accounts, by allauth
    "login": Line(ANYBODY, ANYBODY),
    "logout": Line(ANYBODY, ANYBODY),
    "account_login": Line(ANYBODY, ANYBODY),
    "account_logout": Line(ANYBODY, ANYBODY),
    "account_inactive": Line(ANYBODY, None),
    "account_signup": Line(ANYBODY, ANYBODY),
    "account_reauthenticate": Line(ACCOUNT, ACCOUNT),
    "account_email": Line(ACCOUNT, ACCOUNT),
    "account_email_verification_sent": Line(ANYBODY, None),
    "account_change_password": Line(ACCOUNT, ACCOUNT),
    "account_set_password": Line(ACCOUNT, ACCOUNT),
    "account_reset_password": Line(ANYBODY, ANYBODY),
    "account_confirm_login_code": Line(ANYBODY, ANYBODY),
    "account_confirm_email": Line(ANYBODY, ANYBODY, {"key": "word"}),
    "account_reset_password_from_key_done": Line(ANYBODY, None),
    "account_reset_password_from_key": Line(ANYBODY, ANYBODY, {"uidb36": "word", "key": "word"}),
    "account_reset_password_done": Line(ANYBODY, None),
    "mfa_index": Line(ACCOUNT, None),
    "mfa_authenticate": Line(ANYBODY, ANYBODY),
    "mfa_reauthenticate": Line(ACCOUNT, ACCOUNT),
    "mfa_activate_totp": Line(ACCOUNT, ACCOUNT),
    "mfa_deactivate_totp": Line(ACCOUNT, ACCOUNT),
    "mfa_view_recovery_codes": Line(ACCOUNT, None),
    "mfa_generate_recovery_codes": Line(ACCOUNT, ACCOUNT),
    "mfa_download_recovery_codes": Line(ACCOUNT, ACCOUNT),
    "admin:logout": Line(ANYBODY, ANYBODY),
    # the API; a program's token may do no more than its owner
    "api-schema": Line(ANYBODY, None),
    "api-docs": Line(ACCOUNT, None),
    "api-unknown": Line(ANYBODY, ANYBODY),
    "api-me": Line(ACCOUNT, None),
    "api-tokens": Line(ACCOUNT, None),
    "api-token": Line(None, None),
    "api-jobs": Line(ACCOUNT, None),
    "api-jobs-of-kind": Line(ACCOUNT, None, JOB),
    "api-job": Line(VIEWER, None, JOB),
    "api-job-cancel": Line(None, EDITOR, JOB),
    "api-job-retry": Line(None, EDITOR, JOB),
    # jobs of all kinds; each shows those that the user may see
    "job-list": Line(ACCOUNT, None),
    "job-live": Line(ACCOUNT, None),
    "job-cancel": Line(None, EDITOR, JOB),
    "job-retry": Line(None, EDITOR, JOB),
    "api-studies": Line(ACCOUNT, ACCOUNT),
    "api-study": Line(VIEWER, None),
    "api-study-file": Line(VIEWER, None),
    "api-study-open": Line(None, EDITOR),
    "api-study-pause": Line(None, EDITOR),
    "api-study-close": Line(None, OWNER),
    "api-study-clone": Line(None, VIEWER),
    "api-study-scenes": Line(VIEWER, None),
    "api-study-renditions": Line(VIEWER, EDITOR),
    "api-rendition-reject": Line(None, EDITOR, RENDITION),
    "api-rendition-restore": Line(None, EDITOR, RENDITION),
    "api-render": Line(VIEWER, None, {"public_id": "render"}),
    "api-rater-withdraw": Line(None, EDITOR, {"public_id": "rater"}),
    "api-study-retention": Line(VIEWER, OWNER),
    "api-study-delete": Line(None, OWNER),
    "api-deletion": Line(OWNER, None, {"public_id": "deletion"}),
    "api-export-delete": Line(None, OWNER, EXPORT),
    "api-member-role": Line(None, OWNER),
    "api-member-remove": Line(None, OWNER),
    "api-study-pairs": Line(VIEWER, None),
    "api-study-raters": Line(VIEWER, None),
    "api-study-rater": Line(VIEWER, None, {"public_id": "rater"}),
    "api-study-sessions": Line(VIEWER, None),
    "api-study-judgments": Line(VIEWER, None),
    "api-study-judgments-ndjson": Line(VIEWER, None),
    "api-study-verdicts": Line(VIEWER, EDITOR),
    "api-study-rule-sets": Line(VIEWER, EDITOR),
    "api-study-rule-sets-compare": Line(None, VIEWER),
    "api-study-statistics": Line(VIEWER, EDITOR),
    "api-study-exports": Line(VIEWER, EDITOR),
    "api-study-members": Line(VIEWER, None),
    "api-study-audit": Line(VIEWER, None),
    "api-statistics": Line(VIEWER, None, {"public_id": "statistics"}),
    "api-export": Line(VIEWER, None, EXPORT),
    "api-export-cancel": Line(None, EDITOR, EXPORT),
    "api-export-files": Line(VIEWER, None, EXPORT),
    "api-export-file": Line(VIEWER, None, EXPORT | {"name": "file"}),
    "api-export-archive": Line(VIEWER, None, EXPORT),
    "api-study-webhooks": Line(VIEWER, EDITOR),
    "api-webhook": Line(VIEWER, None, WEBHOOK),
    "api-webhook-secret": Line(None, EDITOR, WEBHOOK),
    "api-webhook-test": Line(None, EDITOR, WEBHOOK),
    "api-webhook-deliveries": Line(VIEWER, None, WEBHOOK),
    "api-webhook-delivery-resend": Line(None, EDITOR, {"public_id": "delivery"}),
    "api-runs": Line(ACCOUNT, ACCOUNT),
    "api-run": Line(VIEWER, None, RUN),
    "api-run-progress": Line(VIEWER, None, RUN),
    "api-run-cancel": Line(None, EDITOR, RUN),
    "api-run-resume": Line(None, EDITOR, RUN),
    "api-run-adaptations": Line(VIEWER, EDITOR, RUN),
    "api-adaptation": Line(VIEWER, None, ADAPTATION),
    "api-adaptation-raters": Line(VIEWER, None, ADAPTATION),
    "api-adaptation-cancel": Line(None, EDITOR, ADAPTATION),
    "api-study-look": Line(VIEWER, EDITOR),
    "api-study-look-close": Line(None, EDITOR),
    "api-run-photos": Line(VIEWER, VIEWER, RUN),
    "api-styles": Line(ACCOUNT, ACCOUNT),
    "api-photos": Line(MAKER, None, PHOTOS),
    "api-photos-change": Line(None, MAKER, PHOTOS),
    "api-photos-mix": Line(None, MAKER, PHOTOS),
    "api-photos-preset": Line(MAKER, None, PHOTOS),
    "api-photos-cancel": Line(None, MAKER, PHOTOS),
    "api-photo-picture": Line(MAKER, None, PHOTOS | {"index": "index", "picture": "picture"}),
    "api-photo-cube": Line(MAKER, None, PHOTOS | {"index": "index"}),
    "api-reports": Line(ACCOUNT, ACCOUNT),
    "api-report": Line(VIEWER, None, REPORT),
    "api-report-data": Line(VIEWER, None, REPORT),
    "api-report-cancel": Line(None, EDITOR, REPORT),
    "researcher:token-list": Line(ACCOUNT, ACCOUNT),
    "researcher:token-revoke": Line(None, None, {"public_id": "word"}),
    # participants, who are known by a link, a cookie and their session's token
    "participant:study-landing": Line(ANYBODY, ANYBODY, {"study": "slug"}),
    "participant:study-declined": Line(ANYBODY, ANYBODY, {"study": "slug"}),
    "participant:session-detail": Line(ANYBODY, ANYBODY, {"token": "token"}),
    "participant:session-withdraw": Line(ANYBODY, ANYBODY, {"token": "token"}),
    "participant:photo": Line(ANYBODY, None, {"question": "question"}),
    "look:page": Line(ANYBODY, None, LOOK),
    "look:begin": Line(None, ANYBODY, LOOK),
    "look:state": Line(ANYBODY, None, LOOK),
    "look:adjust": Line(None, ANYBODY, LOOK),
    "look:dial": Line(None, ANYBODY, LOOK),
    "look:photo-add": Line(None, ANYBODY, LOOK),
    "look:photo-delete": Line(None, ANYBODY, LOOK | {"index": "index"}),
    "look:picture": Line(ANYBODY, None, LOOK | {"index": "index", "name": "picture of a look"}),
    "look:file-order": Line(None, ANYBODY, LOOK),
    "look:file": Line(ANYBODY, None, LOOK | {"public_id": "file of a look"}),
    "variants:image": Line(ANYBODY, None, RENDITION),
}

PREFIXES: dict[str, Needs] = {
    "admin:": STAFF,
    "participant_api:": ANYBODY,
}
"""Families of one kind, by the first letters of their names; only GET is walked."""
