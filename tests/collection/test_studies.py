from collections import Counter

import pytest
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Study, StudyPair, StudyScene
from collection.selectors.studies import StudyNotFound, study_find, study_pair_counts
from collection.services.studies import (
    StudyError,
    study_add_scenes,
    study_close,
    study_create,
    study_generate_variants,
    study_link_pairs,
    study_open,
    study_pause,
)
from tests.collection import factories
from variants.models import Rendition, Scene
from variants.tone.recipes import Recipe

pytestmark = pytest.mark.django_db


def splits(study):
    return dict(StudyScene.objects.filter(study=study).values_list("scene__public_id", "split"))


def test_a_study_is_a_draft_on_all_scenes():
    scenes = [factories.make_scene() for _ in range(8)]
    study = study_create("  Colours  of spring ")
    assert (study.name, study.slug, study.status) == ("Colours of spring", "colours-of-spring", "draft")
    assert set(study.scenes.all()) == set(scenes)
    assert Counter(splits(study).values()) == {"train": 6, "validation": 2}
    assert Protocol.from_json(study.protocol) == Protocol()


def test_it_is_on_the_scenes_that_it_is_told():
    one, _ = factories.make_scene(), factories.make_scene()
    assert list(study_create("One", scenes=[one]).scenes.all()) == [one]


def test_nothing_is_held_out_where_nothing_is_wanted():
    factories.make_scene(), factories.make_scene()
    study = study_create("All", protocol=Protocol(validation_scenes=0))
    assert set(splits(study).values()) == {"none"}


def test_the_split_hangs_on_the_seed_and_stays_when_scenes_are_added():
    scenes = [factories.make_scene() for _ in range(12)]
    first = study_create("First", scenes=scenes, protocol=Protocol(seed=1))
    second = study_create("Second", scenes=reversed(scenes), protocol=Protocol(seed=1))
    other = study_create("Other", scenes=scenes, protocol=Protocol(seed=2))
    assert splits(first) == splits(second) != splits(other)

    before = splits(first)
    more = [factories.make_scene() for _ in range(12)]
    assert study_add_scenes(first, [*scenes[:3], *more]) == 12
    after = splits(first)
    assert before.items() <= after.items()
    assert list(after.values()).count("validation") == 6


@pytest.mark.parametrize(
    ("name", "slug"), [("Ünïcode", "unicode"), ("研究", "study"), ("--", "study"), ("x" * 80, "x" * 50)]
)
def test_a_slug_is_made_of_any_name(name, slug):
    assert study_create(name).slug == slug


def test_a_slug_made_from_a_name_finds_a_free_one():
    assert [study_create("Same").slug for _ in range(3)] == ["same", "same-2", "same-3"]
    assert study_create("y" * 50).slug == "y" * 50
    assert study_create("y" * 50).slug == "y" * 48 + "-2"


def test_a_slug_that_was_chosen_and_is_taken_is_an_error():
    study_create("One", slug="mine")
    with pytest.raises(StudyError, match="'mine' is already here"):
        study_create("Two", slug="mine")
    assert Study.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "slug", "message"),
    [("", None, "1 to 200"), ("x" * 201, None, "has 201"), ("A", "Not a slug", "such as 'not-a-slug'")],
)
def test_impossible_names_are_errors(name, slug, message):
    with pytest.raises(StudyError, match=message):
        study_create(name, slug=slug)


def test_pairs_are_linked_once_and_only_of_the_studys_scenes():
    scene, stranger = factories.make_scene(), factories.make_scene()
    study = study_create("S", scenes=[scene])
    pairs = factories.make_pairs(scene, 5)
    assert study_link_pairs(study, pairs[:3]) == 3
    assert study_link_pairs(study, pairs) == 2
    with pytest.raises(StudyError, match="not in s"):
        study_link_pairs(study, factories.make_pairs(stranger, 1))
    assert StudyPair.objects.count() == 5


def test_variants_are_ordered_once_of_the_scenes_with_a_photo():
    photo, imported = factories.make_scene(), factories.make_scene()
    Scene.objects.filter(pk=photo.pk).update(original="originals/x.jpg")
    study = study_create("S", scenes=[photo, imported], protocol=Protocol(long_side=256))
    job = study_generate_variants(study)
    assert job.total == 16
    assert set(job.renditions.values_list("scene", "long_side", "encoding")) == {
        (photo.pk, 256, "webp_lossless")
    }
    assert job.renditions.filter(recipe={"steps": []}).count() == 1
    job.run(lambda job: None)
    Rendition.objects.update(state="rendered")
    assert study_generate_variants(study).total == 0
    assert study_generate_variants(study, [Recipe(steps=(("exposure", 0.33),))]).total == 1


def test_no_variants_without_photos_or_of_a_closed_study():
    study = study_create("S", scenes=[factories.make_scene()])
    with pytest.raises(StudyError, match="no scenes with a photo"):
        study_generate_variants(study)
    study_close(study)
    with pytest.raises(StudyError, match="closed"):
        study_generate_variants(study)


def test_a_study_with_enough_pairs_opens_pauses_opens_again_and_closes():
    study = factories.make_study(n_main=8, n_checks=2, status="draft")
    study_open(study)
    first = study.opened_at
    study_pause(study)
    assert Study.objects.get().status == "paused"
    study_open(study)
    assert (Study.objects.get().status, Study.objects.get().opened_at) == ("open", first)
    study_close(study)
    assert Study.objects.get().closed_at <= timezone.now()
    with pytest.raises(StudyError, match="stays closed"):
        study_open(study)
    with pytest.raises(StudyError, match="only an open study"):
        study_pause(study)


def test_it_does_not_open_without_scenes_pairs_or_images():
    study = study_create("Empty", protocol=Protocol(n_main=8, n_checks=2))
    with pytest.raises(StudyError, match="has no scenes; import some"):
        study_open(study)
    scene = factories.make_scene()
    study_add_scenes(study, [scene])
    with pytest.raises(
        StudyError, match=r"asks 8 different pairs \(n_main\) and the study has 0.*generate_variants"
    ):
        study_open(study)
    study_link_pairs(study, factories.make_pairs(scene, 10))
    Rendition.objects.filter(pk=Rendition.objects.first().pk).update(state="failed")
    with pytest.raises(StudyError, match="4 pairs of empty have images that are not rendered"):
        study_open(study)
    Rendition.objects.filter(state="failed").update(state="rejected")
    assert study_pair_counts(study).askable == 6
    with pytest.raises(StudyError, match="and the study has 6"):
        study_open(study)
    assert Study.objects.get().status == "draft"


def test_it_does_not_open_with_too_few_pairs_of_a_source_type():
    quotas = {"A": 0.25, "D": 0.75}
    study = factories.make_study(n_main=8, n_checks=2, status="draft", source_quotas=quotas)
    with pytest.raises(
        StudyError, match=r"asks 2 different pairs of source type A \(source_quotas\) .* has 0"
    ):
        study_open(study)


def test_it_does_not_open_with_a_broken_protocol():
    study = factories.make_study(status="draft")
    study.protocol["n_main"] = 0
    study.save()
    with pytest.raises(StudyError, match="n_main is 0"):
        study_open(study)


def test_a_study_is_found_by_slug_id_and_name():
    study = study_create("Colours of spring", slug="spring")
    for name in ("spring", study.public_id, "Colours of spring"):
        assert study_find(name) == study


def test_near_names_are_shown_for_an_unknown_one():
    with pytest.raises(StudyNotFound, match="there is none yet"):
        study_find("sprang")
    study_create("Spring")
    study_create("Autumn")
    with pytest.raises(StudyNotFound, match="did you mean spring"):
        study_find("sprang")
    with pytest.raises(StudyNotFound, match="there are autumn, spring"):
        study_find("zzzz")


def test_a_name_that_two_studies_have_is_asked_back():
    study_create("Twin"), study_create("Twin")
    with pytest.raises(StudyNotFound, match="2 studies are named 'Twin'; say which: twin-2, twin"):
        study_find("Twin")
