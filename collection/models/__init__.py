from collection.models.exports import Export
from collection.models.people import Device, Person, Rater
from collection.models.sessions import ConflictingAnswer, DisplayRecord, Question, Session
from collection.models.studies import Study, StudyPair, StudyScene
from collection.models.verdicts import Verdict

__all__ = [
    "ConflictingAnswer",
    "Device",
    "DisplayRecord",
    "Export",
    "Person",
    "Question",
    "Rater",
    "Session",
    "Study",
    "StudyPair",
    "StudyScene",
    "Verdict",
]
