"""A study that several open, close, export and leave at once, on a real PostgreSQL."""

import hashlib

import pytest
from django.utils import timezone
from pyarrow.parquet import read_table

from collection.export.write import export_run
from collection.models import Export, Question, Session, Study
from collection.selectors.marks import export_mark
from collection.services.answers import answer_record
from collection.services.exports import export_create
from collection.services.studies import StudyError, study_close, study_open, study_pause
from collection.services.withdrawal import rater_withdraw
from tests.collection.factories import answer_all, make_session, make_study
from tests.services.test_races import at_once
from variants.models import Rendition

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("postgres")]
ROUNDS = 4
SMALL = {"n_practice": 0, "n_main": 4, "n_checks": 0}


def attempt(name, key):
    """Each with a study of its own, as two requests have it."""
    do = {"open": study_open, "pause": study_pause, "close": study_close}[name]
    try:
        do(Study.objects.get(pk=key))
    except StudyError as error:
        return str(error)
    return "done"


def test_two_researchers_open_a_study_once():
    for _ in range(ROUNDS):
        study = make_study(status="draft", **SMALL)
        assert at_once(lambda _, key=study.pk: attempt("open", key), range(4)) == ["done"] * 4
        study.refresh_from_db()
        assert study.status == "open"
        assert study.audit_entries.filter(action="study.open").count() == 1


def test_a_study_that_is_closed_while_others_open_and_pause_it_stays_closed():
    for _ in range(ROUNDS):
        study = make_study(status="draft", **SMALL)
        study_open(study)
        study_pause(study)
        results = at_once(lambda name, key=study.pk: attempt(name, key), ["open", "close", "pause", "open"])
        assert results[1] == "done"
        study.refresh_from_db()
        assert (study.status, study.closed_at is None) == ("closed", False)


def test_answers_while_a_study_is_closed_are_stored_or_told_of():
    for round_ in range(ROUNDS):
        study = make_study(**SMALL)
        sessions = [make_session(study, f"{round_} {n}") for n in range(3)]
        questions = [question for session in sessions for question in session.questions.all()[:2]]

        def act(question, study=study):
            if question is None:
                return attempt("close", study.pk)
            token = Session.objects.get(pk=question.session_id).token
            return answer_record(token, question.token, "left", 900, {}, timezone.now()).status

        told = dict(zip(questions, at_once(act, [*questions, None]), strict=False))
        assert set(told.values()) <= {"stored", "refused"}
        stored = {question for question, status in told.items() if status == "stored"}
        kept = set(Question.objects.filter(session__study=study, answered_at__isnull=False))
        assert kept == stored
        late = next(question for question in sessions[0].questions.all() if question not in kept)
        assert act(late) == "refused"


def test_a_dataset_knows_of_whoever_withdraws_while_it_is_written(tmp_path):
    for round_ in range(ROUNDS):
        study = make_study(n_scenes=1, per_scene=3, files=True, n_practice=0, n_main=2, n_checks=0)
        for rendition in Rendition.objects.filter(scene__studies=study):
            with rendition.image.open() as file:
                Rendition.objects.filter(pk=rendition.pk).update(
                    sha256=hashlib.sha256(file.read()).hexdigest()
                )
        sessions = [make_session(study, f"{round_} {n}") for n in range(2)]
        for session in sessions:
            answer_all(session)
        leaving = sessions[0]
        rater = leaving.rater.public_id
        export = export_create(study, tmp_path / f"dataset-{round_}")

        def act(who, export=export):
            if who is None:
                return Export.objects.get(pk=export.pk).run(export_run)
            return rater_withdraw(who, timezone.now())

        at_once(act, [None, leaving])
        export.refresh_from_db()
        assert export.state == "done", export.error
        there = read_table(tmp_path / f"dataset-{round_}" / "raters.parquet").column("rater_id").to_pylist()
        assert export_mark(export).n_withdrawn == int(rater in there)
        assert not Session.objects.filter(pk=leaving.pk).exists()
