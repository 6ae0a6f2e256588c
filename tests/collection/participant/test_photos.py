"""The photos of questions, each at an address of its own."""

import io

import pytest
from django.urls import reverse
from PIL import Image

from tests.collection.factories import make_session, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return make_session(make_study(n_scenes=2, n_practice=0, n_main=4, n_checks=1, check_lag=2, files=True))


def at(question, side):
    return reverse("participant:photo", kwargs={"question": question.public_id, "side": side})


def test_each_side_is_the_renditions_file(client, session):
    question = session.questions.first()
    for side in ("left", "right"):
        reply = client.get(at(question, side))
        with getattr(question, side).image.open("rb") as file:
            assert reply.content == file.read()
        assert reply.headers["Content-Type"] == "image/webp"


def test_a_photo_is_kept_for_good_by_its_content(client, session):
    question = session.questions.first()
    reply = client.get(at(question, "left"))
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert question.left.sha256 not in reply.headers["ETag"]
    again = client.get(at(question, "left"), headers={"if-none-match": reply.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_check_has_the_same_photos_at_other_addresses(client, session):
    """And no header by which two of them could be known as one."""
    check = session.questions.get(kind="check")
    first = check.repeats
    one, other = client.get(at(check, "left")), client.get(at(first, "right"))
    assert one.content == other.content
    assert one.headers["ETag"] != other.headers["ETag"]
    assert len({at(question, side) for question in (check, first) for side in ("left", "right")}) == 4


def test_addresses_cannot_be_guessed():
    """128 random bits each: neither the plan's seed nor what is shown makes them."""
    study = make_study(n_scenes=2, n_practice=0, n_main=4, n_checks=1, check_lag=2)
    sessions = [make_session(study, name, seed=7) for name in ("alice", "bob")]
    names = [question.public_id for session in sessions for question in session.questions.all()]
    assert len(set(names)) == 2 * 5
    assert {len(bytes.fromhex(name)) for name in names} == {16}
    bits = "".join(f"{int(name, 16):0128b}" for name in names)
    assert 0.4 < bits.count("1") / len(bits) < 0.6


def test_headers_tell_nothing_of_a_photo(client, session):
    """The same names in all, and values that differ only where the content does."""
    replies = [client.get(at(q, side)) for q in session.questions.all() for side in ("left", "right")]
    assert len({tuple(reply.headers) for reply in replies}) == 1
    for name in set(replies[0].headers) - {"ETag", "Content-Length", "X-Request-ID"}:
        assert len({reply.headers[name] for reply in replies}) == 1
    assert replies[0].headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Set-Cookie", "Content-Disposition", "Last-Modified"} & set(replies[0].headers)


def test_a_photo_has_no_metadata(client, session):
    image = Image.open(io.BytesIO(client.get(at(session.questions.first(), "left")).content))
    assert not image.getexif()
    assert not {"exif", "xmp", "comment"} & set(image.info)


@pytest.mark.parametrize(
    "address", ["/photo/{}/middle/", "/photo/{}/", "/photo/" + "f" * 32 + "/left/", "/photo/x/left/"]
)
def test_other_addresses_lead_nowhere(client, session, address):
    assert client.get(address.format(session.questions.first().public_id)).status_code == 404


def test_a_rendition_without_a_file_is_not_found(client):
    session = make_session(make_study(n_practice=0, n_main=4, n_checks=0))
    assert client.get(at(session.questions.first(), "left")).status_code == 404


def test_a_photo_costs_one_query(client, session, django_assert_num_queries):
    question = session.questions.first()
    with django_assert_num_queries(1):
        client.get(at(question, "left"))
