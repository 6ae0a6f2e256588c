from collection.models.access import AuditEntry, MemberInvitation, Membership, Role
from collection.models.active import RaterModel, RenditionTone
from collection.models.api import ApiToken, KeptReply, Scope
from collection.models.exports import Export
from collection.models.people import Device, Invitation, Person, Rater
from collection.models.removal import DatasetRemoval, ExportedRater, StudyDeletion
from collection.models.sessions import ConflictingAnswer, DisplayRecord, PhaseRecord, Question, Session
from collection.models.statistics import StatisticsJob
from collection.models.studies import ProtocolVersion, Study, StudyPair, StudyScene
from collection.models.verdicts import RuleVersion, Verdict
from collection.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "ApiToken",
    "AuditEntry",
    "ConflictingAnswer",
    "DatasetRemoval",
    "Device",
    "DisplayRecord",
    "Export",
    "ExportedRater",
    "Invitation",
    "KeptReply",
    "MemberInvitation",
    "Membership",
    "Person",
    "PhaseRecord",
    "ProtocolVersion",
    "Question",
    "Rater",
    "RaterModel",
    "RenditionTone",
    "Role",
    "RuleVersion",
    "Scope",
    "Session",
    "StatisticsJob",
    "Study",
    "StudyDeletion",
    "StudyPair",
    "StudyScene",
    "Verdict",
    "Webhook",
    "WebhookDelivery",
]
