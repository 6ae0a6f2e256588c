"""The Python client: against the live site, and against a site that misbehaves."""

import datetime as dt
import hashlib
import io
import json
import tarfile
from pathlib import Path

import httpx
import pytest

from collection.export.manifest import manifest_write
from collection.models import Export, KeptReply, Question, Scope, Webhook
from collection.services.tokens import token_create
from learning.models import PhotoRequest, Run
from tests.collection.api.v1.world import make_world
from tests.factories import make_researcher
from tonalist_client import (
    ApiError,
    ChangedMeanwhile,
    Client,
    Conflict,
    DownloadChanged,
    Invalid,
    JobFailed,
    JobTimeout,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ServerError,
    Throttled,
    Unreachable,
)
from tonalist_client.tries import AWAY_PATIENCE, PATIENCE
from variants.jobs import Job

NOTEBOOK = Path(__file__).resolve().parents[2] / "client" / "quickstart.ipynb"


@pytest.fixture
def site(live_server):
    """A study on the live site, and a client with all scopes."""
    study = make_world()
    _, secret = token_create(make_researcher(), "tests", list(Scope.values))
    with Client(live_server.url, secret, sleep=lambda seconds: None) as client:
        yield client, study, live_server.url, secret


def test_the_live_site(site, monkeypatch, tmp_path):
    monkeypatch.setattr(Job, "enqueue", lambda job: None)
    client, study, url, secret = site
    ours = client.study(study.slug)
    assert client.me()["username"] == "alice"
    assert [each["slug"] for each in client.studies()] == [study.slug]

    # lists follow their pages
    read = [row["id"] for row in ours.judgments(limit=3)]
    assert read == list(Question.objects.order_by("-pk").values_list("public_id", flat=True))
    assert [row["id"] for row in ours.judgments_stream()] == read[::-1]
    frame = ours.raters().to_dataframe()
    assert list(frame["measures.main"]) == [3, 3]
    assert str(frame["created_at"].dtype).startswith("datetime64")
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    assert len(ours.sessions(since=yesterday, state="finished").to_list()) == 2
    assert ours.verdicts(may_be_used=False).first() is None

    # errors are typed, with the site's sentence
    with pytest.raises(Invalid) as wrong:
        ours.judgments(knd="main").to_list()
    assert "did you mean 'kind'" in wrong.value.errors["knd"]
    with pytest.raises(NotFound):
        client.study("none").read()
    ours.close()
    with pytest.raises(Conflict, match="closed"):
        ours.open()
    with Client(url, "ton_wrong") as stranger, pytest.raises(NotAuthenticated):
        stranger.me()

    # jobs
    export = ours.export()
    row = Export.objects.filter(public_id=export["id"])
    with pytest.raises(JobTimeout):
        client.wait(export, timeout=3)
    row.update(state=Job.State.FAILED, error="the disk is full")
    with pytest.raises(JobFailed, match="the disk is full"):
        client.wait(export)

    # a download
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "README.md").write_text("# Ours\n" * 20_000)
    finished = dt.datetime.now(dt.UTC)
    row.update(
        state=Job.State.DONE,
        error="",
        folder=folder,
        manifest_sha256=manifest_write(folder),
        finished_at=finished,
    )
    done = client.wait(export)
    whole = client.download(done, tmp_path / "whole.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert any(name.endswith("README.md") for name in tar.getnames())
    # … a part of it that there is not
    with pytest.raises(ApiError, match=f"has {len(whole)} bytes") as behind:
        client.request("GET", f"exports/{done['id']}/archive/", headers={"Range": "bytes=99999999-"})
    assert (behind.value.status, behind.value.code) == (416, "range_not_satisfiable")
    # … that broke off in an earlier call
    part = tmp_path / "again.tar.part"
    part.write_bytes(whole[:5000])
    etag = client.request("GET", f"exports/{done['id']}/archive/").headers["ETag"]
    (tmp_path / "again.tar.etag").write_text(etag)
    assert client.download(done, tmp_path / "again.tar").read_bytes() == whole
    part.write_bytes(whole[:5000])
    (tmp_path / "again.tar.etag").write_text('"of another file"')
    with pytest.raises(DownloadChanged):
        client.download(done, tmp_path / "again.tar")

    # the notebook
    spaces = {}
    monkeypatch.setenv("TONALIST_URL", url)
    monkeypatch.setenv("TONALIST_TOKEN", secret)
    monkeypatch.setenv("TONALIST_STUDY", study.slug)
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), spaces)
    assert len(spaces["judgments"]) == 6
    assert len(spaces["usable"]) == 6
    spaces["tonalist"].close()


def test_from_token_to_dataframe_in_five_lines():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    [lines] = [cell["source"] for cell in cells if "import Client" in "".join(cell["source"])]
    assert len([line for line in lines if line.strip()]) == 5


def answering(*replies):
    """A client of a site that answers so, in turn; what was asked; how long was waited."""
    asked, waited, left = [], [], list(replies)

    def answer(request):
        asked.append(request)
        reply = left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    client = Client(
        "http://site", "ton_x", transport=httpx.MockTransport(answer), sleep=waited.append, tries=3
    )
    return client, asked, waited


def problem(status, **members):
    return httpx.Response(status, json={"detail": "why", "code": "c", **members})


def test_a_post_is_tried_again_under_one_key():
    client, asked, waited = answering(
        httpx.ConnectError("away"), problem(503), httpx.Response(201, json={"id": "1"})
    )
    assert client.post("studies/", {"name": "x"}) == {"id": "1"}
    keys = [request.headers["Idempotency-Key"] for request in asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert 0.5 <= waited[0] <= 1
    assert 1 <= waited[1] <= 2
    assert asked[0].headers["Authorization"] == "Bearer ton_x"
    client, asked, _ = answering(*[httpx.Response(201, json={})] * 2)
    client.post("studies/")
    client.post("studies/")
    assert asked[0].headers["Idempotency-Key"] != asked[1].headers["Idempotency-Key"]


def test_retry_after_is_kept_and_bounded():
    client, _, waited = answering(
        httpx.Response(429, headers={"Retry-After": "12"}, json={}),
        httpx.Response(429, headers={"Retry-After": "99999"}, json={}),
        httpx.Response(200, json={}),
    )
    client.me()
    assert waited == [12, 60]


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([httpx.ReadTimeout("slow")] * 3, Unreachable),
        ([problem(429)] * 3, Throttled),
        ([problem(503)] * 3, ServerError),
        ([problem(500)], ServerError),
        ([problem(412)], ChangedMeanwhile),
        ([problem(403)], NotAllowed),
        ([httpx.Response(404, text="<html>a proxy's page</html>")], NotFound),
        ([httpx.Response(500, json=["no", "object"])], ServerError),
    ],
)
def test_what_cannot_be_done_says_so_after_all_tries(replies, error):
    client, asked, _ = answering(*replies)
    with pytest.raises(error):
        client.me()
    assert len(asked) == len(replies)


def test_the_token_goes_to_the_site_alone():
    page = {"next": "http://elsewhere/api/v1/studies/?cursor=abc", "results": [{"slug": "a"}]}
    client, asked, _ = answering(
        httpx.Response(200, json=page), httpx.Response(200, json={"next": None, "results": [{"slug": "b"}]})
    )
    assert [row["slug"] for row in client.studies()] == ["a", "b"]
    assert str(asked[1].url) == "http://site/api/v1/studies/?cursor=abc"


class Breaking(httpx.SyncByteStream):
    """A body that ends in the middle."""

    def __init__(self, content):
        self.content = content

    def __iter__(self):
        yield self.content
        raise httpx.ReadError("gone")


def test_a_download_goes_on_where_it_broke_off(tmp_path):
    whole = bytes(range(256)) * 40
    client, asked, _ = answering(
        httpx.Response(200, headers={"ETag": '"v1"'}, stream=Breaking(whole[:3000])),
        httpx.Response(206, headers={"ETag": '"v1"'}, stream=Breaking(whole[3000:7000])),
        httpx.Response(206, headers={"ETag": '"v1"'}, content=whole[7000:]),
    )
    path = client.download("1", tmp_path / "data.tar")
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(whole).digest()
    ranges = [(request.headers.get("Range"), request.headers.get("If-Range")) for request in asked]
    assert ranges == [(None, None), ("bytes=3000-", '"v1"'), ("bytes=7000-", '"v1"')]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data.tar"]


def test_photos_are_sent_with_their_names_again_where_it_has_to_be(tmp_path):
    for name in ("a.jpg", "mine.jpg"):
        (tmp_path / name).write_bytes(f"photo {name}".encode())
    client, asked, _ = answering(problem(503), *[httpx.Response(201, json={"id": "1"})] * 3)
    liked, photos = [tmp_path / "a.jpg"], [str(tmp_path / "mine.jpg")]
    assert client.style(liked, photos, strength=0.5) == {"id": "1"}
    client.render("abc", "rater1", photos)
    client.style(
        [], photos, run="abc", preset=tmp_path / "a.jpg", words=["tint=warm", "exposure=dark"], name="Dusk"
    )
    first, again, render, worded = (request.content for request in asked)
    assert b'name="liked"; filename="a.jpg"' in first
    assert b'name="photos"; filename="mine.jpg"' in first
    assert all(text in again for text in (b"photo a.jpg", b"photo mine.jpg", b"pif_lite", b"0.5"))
    assert asked[0].headers["Idempotency-Key"] == asked[1].headers["Idempotency-Key"]
    assert asked[2].url.path == "/api/v1/runs/abc/photos/"
    assert b"rater1" in render
    assert all(
        text in worded
        for text in (b'name="preset"; filename="a.jpg"', b"tint=warm", b"exposure=dark", b"Dusk")
    )
    assert worded.count(b'name="words"') == 2
    assert b'name="system"' not in worded


def test_a_style_on_the_live_site(site, monkeypatch, settings, tmp_path):
    settings.TONALIST_DATA = tmp_path
    monkeypatch.setattr(Job, "enqueue", lambda job: None)
    client, _, _, _ = site
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(b"photo")
    style = client.style([mine], [mine])
    asked = PhotoRequest.objects.get()
    assert (style["state"], asked.system, asked.photos.count()) == ("queued", "pif_lite", 2)
    asked.photos.filter(is_liked=False).update(state="rendered")
    PhotoRequest.objects.update(state=Job.State.DONE)
    (Path(asked.folder) / "0" / "result.jpg").write_bytes(b"result")
    done = client.wait(style)
    kept = client.save(done["photos"][0]["files"]["result"], tmp_path / "result.jpg")
    assert kept.read_bytes() == b"result"
    assert client.change_style(style, strength=0.5)["strength"] == 0.5
    other = client.style([mine], [mine], name="other")
    PhotoRequest.objects.update(state=Job.State.DONE)
    for each in PhotoRequest.objects.all():
        (Path(each.folder) / "profile.safetensors").write_bytes(b"a profile")
    mixed = client.mix_styles(style, other["id"], share=0.25, name="both")
    assert (mixed["name"], mixed["mixture"][1]["share"]) == ("both", 0.25)
    for each in (style, other, mixed):
        client.delete_photos(each)
    assert not PhotoRequest.objects.exists()
    run = Run.objects.get()
    Run.objects.update(state=Job.State.RUNNING)
    with pytest.raises(Conflict, match="wait until it is done"):
        client.read_raters(run.public_id, whose="all")


def test_a_webhook_and_its_secrets(site):
    client, study, _, _ = site
    made = client.study(study.slug).add_webhook("https://93.184.216.34/hook", ["export.ready"])
    webhook = Webhook.objects.get()
    assert made["id"] == webhook.public_id
    assert made["secret"] == webhook.secret
    renewed = client.new_secret(made)
    webhook.refresh_from_db()
    assert renewed == webhook.secret != made["secret"]
    assert not KeptReply.objects.exists()
    assert "secret" not in client.study(study.slug).webhooks().first()


def test_what_tells_a_secret_is_sent_once_without_a_key():
    client, asked, waited = answering(httpx.ReadError("gone"))
    with pytest.raises(Unreachable):
        client.post("webhooks/abc/secret/")
    assert "Idempotency-Key" not in asked[0].headers
    assert waited == []


@pytest.mark.parametrize("token", ["", " ", "ton_x\n", "tön_x"])
def test_what_is_no_token_is_refused_at_once(token):
    with pytest.raises(ValueError, match="API tokens"):
        Client("https://site", token)


def test_waiting_has_an_end():
    """Hand: waits of at most 1, 2, 4, 8 s come to at least half of it, and the fourth may go beyond 10 s."""
    client, asked, waited = answering(*[httpx.ConnectError("refused")] * 20)
    client._tries = 20
    with pytest.raises(Unreachable, match="s of waiting"):
        client.me()
    assert sum(waited) <= AWAY_PATIENCE
    assert 4 <= len(asked) <= 5
    client, _, waited = answering(*[problem(503)] * 40)
    client._tries = 40
    with pytest.raises(ServerError):
        client.me()
    assert PATIENCE / 2 <= sum(waited) <= PATIENCE
    client, asked, waited = answering(httpx.LocalProtocolError("a header that is none"))
    with pytest.raises(Unreachable):
        client.me()
    assert waited == []
