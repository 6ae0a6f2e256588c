"""Renditions that studies of several people ask about."""

import pytest

from collection.models import Role, StudyPair, StudyScene
from collection.services.audit import acting
from collection.services.members import member_set
from collection.services.renditions import rendition_reject
from collection.services.studies import StudyError
from tests.factories import make_researcher, make_study
from variants.models import Rendition

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_researcher("alice", is_superuser=False)


@pytest.fixture
def studies(alice):
    """Alice's, and Bob's of the same pairs."""
    ours, theirs = make_study(n_scenes=1), make_study(n_scenes=0, name="Secret")
    StudyScene.objects.create(study=theirs, scene=ours.scenes.get())
    StudyPair.objects.bulk_create(StudyPair(study=theirs, pair=pair) for pair in ours.pairs.all())
    member_set(ours, alice, Role.OWNER)
    member_set(theirs, make_researcher("bob", is_superuser=False), Role.OWNER)
    return ours, theirs


@pytest.mark.parametrize("role", [None, Role.VIEWER])
def test_nobody_takes_pairs_from_a_study_that_they_may_not_change(alice, studies, role):
    ours, theirs = studies
    if role:
        member_set(theirs, alice, role)
    rendition, n = ours.pairs.first().image_a, theirs.pairs.count()
    with acting(alice), pytest.raises(StudyError, match="that you may not change") as raised:
        rendition_reject(ours, rendition)
    assert "Secret" not in str(raised.value)
    assert theirs.pairs.count() == n
    assert Rendition.objects.get(pk=rendition.pk).state == Rendition.State.RENDERED


def test_an_editor_of_both_throws_it_out_of_both(alice, studies):
    ours, theirs = studies
    member_set(theirs, alice, Role.EDITOR)
    with acting(alice):
        lost = rendition_reject(ours, ours.pairs.first().image_a)
    assert lost == 3
    assert ours.pairs.count() == theirs.pairs.count() == 3
