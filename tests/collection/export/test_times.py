import datetime as dt

import pytest

from collection.export.judgments import _Milliseconds
from collection.models import Question
from tests.factories import make_rater, make_session, make_study

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:20:30",
        "2026-11-21T10:20:30.999999",
        "2026-12-31T23:59:59.999500",
        "2000-02-29T00:00:00.001",
        "2026-03-29T01:30:00.000999",
        "2099-12-31T23:59:59.12",
    ],
)
def test_times_are_cut_to_whole_milliseconds(text):
    make_session(make_rater(make_study()), [("main", "left", 900)])
    time = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    Question.objects.update(answered_at=time)
    [(found,)] = Question.objects.values_list(_Milliseconds("answered_at"))
    assert found == (time - EPOCH) // dt.timedelta(milliseconds=1)
