"""Who took what home, and who ordered what a worker did, stands in the trail."""

import numpy as np
import pytest
from celery import shared_task
from django.urls import reverse
from PIL import Image

from collection.models import AuditEntry, Study
from collection.services.audit import audit_record
from collection.services.photos import photos_begin
from collection.services.studies import study_create
from collection.tasks import study_photos_task
from evaluation.services.simulations import study_claim_for_simulation
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("page", "action"),
    [
        ("panel-download", "payments.download"),
        ("study-download", "protocol.download"),
    ],
)
def test_a_download_is_a_line_and_a_look_at_its_head_is_none(client, page, action):
    alice, study = make_researcher("alice"), make_study()
    client.force_login(alice)
    address = reverse(f"researcher:{page}", args=[study.slug])
    assert client.head(address).status_code == 200
    assert not AuditEntry.objects.filter(action=action).exists()
    assert client.get(address).status_code == 200
    entry = AuditEntry.objects.get(action=action)
    assert (entry.actor, entry.study) == (alice, study)


def test_a_worker_acts_for_whoever_ordered(tmp_path, settings):
    alice, study = make_researcher("alice"), study_create("Draft", scenes=())
    settings.IMPORT_FOLDER = str(tmp_path)
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos" / "a.png")
    job = photos_begin(study, alice, folder="photos")
    study_photos_task(job.pk)
    assert AuditEntry.objects.get(action="scenes.add").actor == alice


def test_a_worker_that_nobody_ordered_is_called_so():
    study = make_study()

    @shared_task
    def work():
        audit_record("webhook.stop", study)

    work()
    audit_record("study.open", study)
    names = dict(AuditEntry.objects.values_list("action", "actor_name"))
    assert names["webhook.stop"] == "worker"
    assert names["study.open"].startswith("command line")


def test_that_a_study_is_simulated_for_good_is_a_line():
    study = make_study(status=Study.Status.OPEN)
    study_claim_for_simulation(study)
    study_claim_for_simulation(study)
    assert AuditEntry.objects.filter(action="study.simulated", study=study).count() == 1
