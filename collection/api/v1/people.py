"""Who answered, in which sessions, and how well."""

import statistics
from typing import Any

from django.db.models import Count
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Query
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, public_id
from collection.api.v1.pages import PageQuery
from collection.api.v1.verdicts import VerdictReply, rules_named
from collection.design.wording import REASONS
from collection.models import Question, Session
from collection.models.studies import Split
from collection.selectors.research import (
    SESSION_STATES,
    RaterRow,
    rater_rows,
    raters_of_study,
    session_state_name,
)


class RuleSetQuery(Query):
    rule_set = serializers.CharField(
        max_length=80, required=False, help_text="Whose verdict to tell; the one in force where left out."
    )


class RaterQuery(RuleSetQuery, PageQuery):
    failed = serializers.ChoiceField(
        choices=list(REASONS), required=False, help_text="Only those who failed this rule."
    )
    simulated = serializers.BooleanField(required=False, help_text="Simulated raters, or people.")
    withdrawn = serializers.BooleanField(required=False, help_text="Those who withdrew, or all others.")


class MeasuresReply(serializers.Serializer[Any]):
    """From the raw answers as they are now."""

    main = serializers.IntegerField(source="n_main", help_text="Main answers.")
    left = serializers.IntegerField(help_text="Of them, on the left.")
    right = serializers.IntegerField(help_text="Of them, on the right; the rest are ties.")
    checks_agreed = serializers.IntegerField(source="agreed")
    checks_answered = serializers.IntegerField(source="checked", help_text="Without ties.")
    median_response_ms = serializers.SerializerMethodField()

    def get_median_response_ms(self, measures: Any) -> float | None:
        return float(statistics.median(measures.times)) if len(measures.times) else None


class RaterReply(serializers.Serializer[Any]):
    """A person on a device, in one study."""

    id = public_id("rater.public_id")
    is_simulated = serializers.SerializerMethodField()
    split = serializers.ChoiceField(source="rater.split", choices=Split.values)
    session_state = serializers.SerializerMethodField(
        help_text="Of the latest session; null before the first."
    )
    measures = MeasuresReply()
    screenings = FreeObject(help_text="Screening → passed, failed or unknown, the last time.")
    verdict = VerdictReply(allow_null=True, help_text="By the rule set asked for; null where there is none.")
    created_at = serializers.DateTimeField(source="rater.created_at")
    withdrawn_at = serializers.DateTimeField(source="rater.withdrawn_at", allow_null=True)

    def get_is_simulated(self, row: RaterRow) -> bool:
        return row.rater.simulation is not None

    def get_session_state(self, row: RaterRow) -> str | None:
        return session_state_name(row.session) if row.session else None


class Raters(Endpoint):
    tag = "Raters"
    resource = "raters"

    @operation("List a study's raters", query=RaterQuery, reply=RaterReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        """With what was measured of each, and the verdict."""
        study = self.study()
        rules = rules_named(study, self.query.get("rule_set", ""))
        found = raters_of_study(study, rule_set=rules.name, failed=self.query.get("failed", ""))
        if "simulated" in self.query:
            found = found.filter(simulation__isnull=not self.query["simulated"])
        if "withdrawn" in self.query:
            found = found.filter(withdrawn_at__isnull=not self.query["withdrawn"])
        return self.page(found, lambda raters: rater_rows(study, raters))

    @operation("Read a rater", query=RuleSetQuery, reply=RaterReply)
    def read(self, request: Request, slug: str, public_id: str) -> Response:
        study = self.study()
        rules = rules_named(study, self.query.get("rule_set", ""))
        found = raters_of_study(study, rule_set=rules.name).filter(public_id=public_id)
        rows = rater_rows(study, found)
        if not rows:
            raise Http404("The study has no such rater.")
        return self.reply(rows[0])


class SessionQuery(PageQuery):
    state = serializers.ChoiceField(choices=list(SESSION_STATES), required=False)
    rater = serializers.CharField(max_length=32, required=False, help_text="Of this rater.")
    since = serializers.DateTimeField(required=False, help_text="Begun at this time or later.")


class SessionReply(serializers.Serializer[Any]):
    id = public_id()
    rater = public_id("rater.public_id")
    is_simulated = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField(help_text="finished, screened_out, abandoned or under_way.")
    language = serializers.CharField()
    protocol_sha256 = serializers.CharField(
        source="protocol_hash", help_text="Of the protocol that it was planned by."
    )
    consent_version = serializers.CharField()
    answered = serializers.IntegerField(source="n_answered", help_text="Main questions and checks.")
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_is_simulated(self, session: Session) -> bool:
        return session.rater.simulation is not None

    def get_state(self, session: Session) -> str:
        return session_state_name(session)


class Sessions(Endpoint):
    tag = "Raters"
    resource = "sessions"

    @operation("List a study's sessions", query=SessionQuery, reply=SessionReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        study = self.study()
        self.chosen("rater", study.raters.all())
        found = Session.objects.filter(study=study).select_related("rater")
        if "state" in self.query:
            found = found.filter(SESSION_STATES[self.query["state"]])
        if "rater" in self.query:
            found = found.filter(rater__public_id=self.query["rater"])
        if "since" in self.query:
            found = found.filter(started_at__gte=self.query["since"])
        return self.page(found, _with_answers)


def _with_answers(page: list[Session]) -> list[Session]:
    """Counted for a page at a time: for all sessions of a study it takes several times as long."""
    answered = Question.objects.filter(session__in=page, answered_at__isnull=False)
    counted = answered.exclude(kind=Question.Kind.PRACTICE).order_by().values_list("session")
    n_answered = dict(counted.annotate(n=Count("pk")))
    for session in page:
        session.n_answered = n_answered.get(session.pk, 0)  # type: ignore[attr-defined]
    return page
