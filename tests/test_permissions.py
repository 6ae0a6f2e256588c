"""Everybody walks every address: tests/permissions.py says who may use it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from collection.export.manifest import manifest_write
from collection.headers import PERMISSIONS_POLICY
from collection.models import (
    Invitation,
    Membership,
    ProtocolVersion,
    Role,
    StatisticsJob,
    StudyDeletion,
    Webhook,
    WebhookDelivery,
)
from collection.researcher.statistics import DOWNLOADS
from collection.services.members import member_invite
from learning.models import Adaptation, BlindTest, Look, LookOrder, LookPhoto, Photo, PhotoRequest, StudyLook
from learning.photo_files import FILES, PRESET
from learning.services.looks import look_file_path
from tests.factories import (
    make_export,
    make_rater,
    make_report,
    make_researcher,
    make_run,
    make_session,
    make_study,
)
from tests.permissions import ACTORS, ANYBODY, MAY, PREFIXES, TABLE, Line, Needs
from variants.jobs import Job
from variants.models import PhotoJob, RenderJob

pytestmark = pytest.mark.django_db

Address = tuple[str, str, tuple[str, ...]]


SANDBOXED = {"evaluation:report-html", "evaluation:report-pictures"}
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def addresses() -> list[Address]:
    """Name (or route), route and gaps of each address of the site."""
    return list(_walk(get_resolver(), "", "", ()))


def _walk(resolver: URLResolver, space: str, route: str, gaps: tuple[str, ...]) -> Iterator[Address]:
    for each in resolver.url_patterns:
        here = route + str(each.pattern)
        named = getattr(getattr(each.pattern, "regex", None), "groupindex", {})
        all_gaps = tuple(dict.fromkeys((*gaps, *each.pattern.converters, *named)))
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from _walk(each, inner, here, all_gaps)
        else:
            assert isinstance(each, URLPattern)
            yield f"{space}{each.name}" if each.name else space + here, here, all_gaps


def family(name: str) -> str:
    return next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")


AREAS: dict[str, Callable[[str], bool]] = {
    "studies": lambda name: name.startswith("researcher:"),
    "learning": lambda name: name.startswith(("learning:", "evaluation:")),
    "api": lambda name: name.startswith("api"),
    "families": lambda name: bool(family(name)),
}


def area_of(name: str) -> str:
    return next((area for area, holds in AREAS.items() if holds(name)), "others")


def test_every_address_has_its_line():
    names = {name for name, _, _ in addresses()}
    without = sorted(name for name in names if name not in TABLE and not family(name))
    left_over = sorted(set(TABLE) - names)
    if without or left_over:
        pytest.fail(f"no line for {without}; no address for {left_over}", pytrace=False)


@pytest.fixture
def people(db):
    users = {
        name: make_researcher(
            name, password="x", is_superuser=name == "superuser", is_staff=name == "superuser"
        )
        for name in ACTORS[1:]
    }
    sessions = {"nobody": ""}
    for name, user in users.items():
        TOTP.activate(user, generate_totp_secret())
        RecoveryCodes.activate(user)
        client = Client()
        client.force_login(user)
        sessions[name] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return users, sessions


@pytest.fixture
def world(people, tmp_path, monkeypatch):
    """A study with one of everything; the values fill the gaps of addresses."""
    monkeypatch.setattr(Job, "enqueue", lambda job: None)
    users, _ = people
    theirs = make_study(name="Theirs", n_scenes=1)
    Membership.objects.create(study=theirs, user=users["stranger"], role=Role.OWNER)
    study = make_study(name="Ours", with_images=True)
    for role in Role:
        Membership.objects.create(study=study, user=users[role.value], role=role)
    session = make_session(make_rater(study), [("main", "left", 900)])
    for name in ("export", "run", "report"):
        (tmp_path / name).mkdir()
    for name in ("report.html", "report.json", "pictures-1-best.html"):
        (tmp_path / "report" / name).write_text('{"rows": []}')
    (tmp_path / "export" / "README.md").write_text("# Ours")
    export = make_export(
        study,
        tmp_path / "export",
        manifest_sha256=manifest_write(tmp_path / "export"),
        finished_at=timezone.now(),
    )
    statistics = StatisticsJob.objects.create(
        study=study,
        computed_from={"rule_set": "", "answers": 1, "last_answer": None},
        result={},
    )
    run = make_run(export, tmp_path / "run")
    report = make_report(run, folder=tmp_path / "report")
    webhook = Webhook.objects.create(study=study, address="https://example.org/")
    delivery = WebhookDelivery.objects.create(webhook=webhook, event=WebhookDelivery.TEST, payload="{}")
    scene = study.scenes.first()
    scene.thumbnail.save("x.jpg", ContentFile(b"x"))
    upload = PhotoJob.objects.create(owner=users["editor"])
    study.photo_jobs.add(upload)
    render = RenderJob.objects.create()
    study.render_jobs.add(render)
    deletion = StudyDeletion.objects.create(study=study, study_slug=study.slug, study_name=study.name)
    version = ProtocolVersion.objects.create(study=study, number=1, protocol=study.protocol, sha256="0" * 64)
    photos = PhotoRequest.objects.create(
        learner=run,
        rater_id="abc",
        uploaded_by=users["editor"],
        folder=tmp_path / "photos",
        keep_until=timezone.now() + timedelta(days=1),
    )
    Photo.objects.create(request=photos, index=1, name="x.jpg", state=Photo.State.RENDERED)
    (tmp_path / "photos" / "1").mkdir(parents=True)
    (tmp_path / "photos" / PRESET).write_text("")
    for name in FILES.values():
        (tmp_path / "photos" / "1" / name[0]).write_text("")
    blind = BlindTest.objects.create(learner=run, against=BlindTest.Against.UNTOUCHED, n_scenes=1)
    adaptation = Adaptation.objects.create(learner=run)
    StudyLook.objects.create(study=study, learner=run, folder=tmp_path / "small", state=Job.State.DONE)
    look = Look.objects.create(session=session, learner=run, folder=tmp_path / "look", n_answers=1, version=1)
    shown = LookPhoto.objects.create(look=look, index=1, is_own=True, version=1)
    cube = LookOrder.objects.create(look=look, what=LookOrder.What.CUBE, photo=shown, state=Job.State.DONE)
    shown.folder.mkdir(parents=True)
    (shown.folder / "1-after.jpg").write_bytes(b"x")
    (tmp_path / "look" / "files").mkdir()
    look_file_path(look, cube).write_text("x")
    invitation, code = member_invite(study, "dora@example.org", Role.VIEWER)
    return {
        "slug": study.slug,
        "session": session.public_id,
        "rater": session.rater.public_id,
        "token": session.token,
        "question": session.questions.get().public_id,
        "rendition": study.pairs.first().image_a.public_id,
        "export": export.public_id,
        "file": "README.md",
        "run": run.public_id,
        "report": report.public_id,
        "webhook": webhook.public_id,
        "message": delivery.message_id,
        "delivery": delivery.message_id.removeprefix("msg_"),
        "member": Membership.objects.create(
            study=study, user=make_researcher("colleague"), role=Role.VIEWER
        ).pk,
        "invitation": invitation.pk,
        "link": Invitation.objects.create(study=study).pk,
        "scene": scene.public_id,
        "upload": upload.public_id,
        "render": render.public_id,
        "kind of job": "render",
        "deletion": deletion.public_id,
        "version": version.number,
        "statistics": statistics.public_id,
        "table": next(iter(DOWNLOADS)),
        "sha256": "0" * 64,
        "page of pictures": "pictures-1-best.html",
        "photos": photos.public_id,
        "index": 1,
        "picture": next(iter(FILES)),
        "blind": blind.public_id,
        "adaptation": adaptation.public_id,
        "picture of a look": "after",
        "file of a look": cube.public_id,
        "code": code,
        "word": "abc",
        "app_label": "auth",
        "url": "auth/",
    }


def test_who_has_the_address_of_a_session_has_its_look(client, world):
    """Without that, nothing of a look but "not there" would be walked."""
    token, index, name = world["token"], world["index"], world["picture of a look"]
    for address, gaps in (
        ("page", [token]),
        ("state", [token]),
        ("picture", [token, index, name]),
        ("file", [token, world["file of a look"]]),
    ):
        reply = client.get(reverse(f"look:{address}", args=gaps))
        assert reply.status_code == 200, address
        assert reply.getvalue(), address  # read to its end, a file closes itself


@pytest.mark.parametrize("area", [*AREAS, "others"])
def test_who_may_use_what(area, people, world):
    _, sessions = people
    wrong = []
    if area == "api":  # which hands the result on as it is; the page would draw it
        StatisticsJob.objects.update(state=Job.State.DONE)
    known = {}
    for name, route, gaps in addresses():
        if line := TABLE.get(name):
            at = _address(name, route, gaps, line, world)
            known |= {("GET", at): (name, line.get), ("POST", at): (name, line.post)}
    # First all that look, then all that change: files that are deleted do not come back.
    for method in ("GET", "POST"):
        for name, route, gaps in addresses():
            if (
                area_of(name) != area
                or not (name in TABLE or family(name))
                or (family(name) and method == "POST")
            ):
                continue
            line = TABLE.get(name) or Line(PREFIXES[family(name)], None)
            needs = line.get if method == "GET" else line.post
            address = _address(name, route, gaps, line, world)
            fields = {field: world[key] for field, key in line.fields.items()}
            for actor in _asked(name, needs):
                reply = _ask(sessions[actor], method, address, fields)
                offers = {known[each] for each in _offered(reply, address) if each in known}
                wrong += [
                    f"{name} offers {actor} {offer}, which needs {least.name}"
                    for offer, least in offers
                    if least is not None and least not in MAY[actor] and actor != "nobody"
                ]
                if fault := _fault(reply, actor, needs) or _loose(reply, name):
                    wrong.append(f"{method} {name} as {actor}: {reply.status_code}, {fault}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def _asked(name: str, needs: Needs | None) -> tuple[str, ...]:
    """Everybody, but where who asks makes no difference to the code."""
    if family(name):
        return ("nobody", "owner")
    return ("nobody", "superuser") if needs is None or needs is ANYBODY else ACTORS


def _address(name: str, route: str, gaps: tuple[str, ...], line: Line, world: dict[str, object]) -> str:
    values = {gap: world.get(line.gaps.get(gap, gap), 1 if gap in ("pk", "index") else "abc") for gap in gaps}
    if not name.endswith(route):
        return reverse(name, kwargs=values)
    return "/" + re.sub(r"<\w+:(\w+)>", lambda gap: str(values[gap[1]]), route)


def _ask(session: str, method: str, address: str, fields: dict[str, object]) -> HttpResponseBase:
    """The reply; whatever it did to the database is undone."""
    client = Client(raise_request_exception=False)
    if session:
        client.cookies[settings.SESSION_COOKIE_NAME] = session
    with transaction.atomic():
        point = transaction.savepoint()
        if method == "GET":
            reply = client.get(address)
        elif address.startswith("/api/v1/"):
            reply = client.post(address, fields, content_type="application/json")
        else:
            reply = client.post(address, fields)
        transaction.savepoint_rollback(point)
    if reply.streaming:
        list(reply)  # to its end, so that its file is closed
    return reply


def _offered(reply: HttpResponseBase, address: str) -> set[tuple[str, str]]:
    """Methods and addresses that the page's forms and links lead to; who is not signed in may be led to that."""
    if not isinstance(reply, HttpResponse) or not reply.headers["Content-Type"].startswith("text/html"):
        return set()
    forms = [form for form in re.findall(r"<form\b[^>]*>", reply.text) if 'method="post"' in form]
    actions = [re.search(r'action="([^"?#]*)', form) for form in forms]
    links = re.findall(r'<a\b[^>]*href="(/[^"?#]*)', reply.text)
    return {("POST", found[1] if found else address) for found in actions} | {("GET", each) for each in links}


def _loose(reply: HttpResponseBase, name: str) -> str:
    """What a browser is not told; a report has its style and script inside, in a sandbox of no origin."""
    policy = reply.headers.get("Content-Security-Policy", "")
    if "default-src 'none'" not in policy or "frame-ancestors 'none'" not in policy:
        return "no content policy"
    if "unsafe" in policy and not (name in SANDBOXED and "sandbox allow-scripts allow-forms" in policy):
        return f"a loose content policy: {policy}"
    for header, value in HEADERS.items():
        if reply.headers.get(header) != value:
            return f"{header} is {reply.headers.get(header)!r}"
    return ""


def _fault(reply: HttpResponseBase, actor: str, needs: Needs | None) -> str:
    """What is wrong with the reply; empty where nothing is."""
    status = reply.status_code
    is_sent_to_sign_in = status == 302 and reply.headers["Location"].startswith(
        (reverse("login"), reverse("admin:login"))
    )
    is_refused = status in (401, 403, 404, 405) or is_sent_to_sign_in
    if status == 500:
        return "a server error"
    if needs is ANYBODY:
        return ""
    if needs is None:
        return "" if is_refused else "a method that it does not take"
    if needs in MAY[actor]:
        return "should be let in" if is_refused else ""
    if not is_refused:
        return "should be refused"
    if actor == "stranger" and needs in MAY["owner"] and status not in (404, 405):
        return "should not learn that it is there"
    return ""
