import pytest

from config.demo import stages
from tests.factories import make_scene


@pytest.mark.django_db
def test_its_researcher_owns_its_studies(settings, tmp_path):
    settings.TONALIST_DATA = tmp_path
    stages.researcher_password()
    for _ in range(2):
        study = stages.people_study([make_scene()], seed=1)
    assert [(m.user.get_username(), m.role) for m in study.memberships.all()] == [("researcher", "owner")]
