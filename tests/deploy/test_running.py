"""The command lines of docker-compose.yml, run as they stand, on this machine, with nginx before them."""

import http.client
import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from config.demo.processes import Child
from config.operations.dump import database_dump
from tests.catalogues import ROOT
from tests.collection.factories import make_session, make_study
from tests.deploy.test_files import COMPOSE, DEPLOY, ENVIRONMENT, plain
from variants.models import Rendition

HOST = "tonalist.example.org"
TOKEN = secrets.token_hex(16)
PIXELS = b"\x89PNG these are pixels" * 1000
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx", path=os.defpath + ":/usr/sbin") is None, reason="needs nginx"
)
BIN = Path(sys.executable).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(folder, **more):
    """deploy/env.example filled in, for the embedded database and broker in place of servers'."""
    filled = ENVIRONMENT | {"SECRET_KEY": secrets.token_urlsafe(50), "METRICS_TOKEN": TOKEN}
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "EMAIL_URL"):
        filled[name] = ""
    return {"PATH": f"{BIN}:{os.defpath}", "TONALIST_DATA": str(folder), **filled, **more}


def command(service, port=None):
    """As compose would run it."""
    words = plain(COMPOSE["services"][service]["command"])
    return [str(port) if word == "8000" else "127.0.0.1" if word == "0.0.0.0" else word for word in words]


class Site:
    """What is started for this file, once."""

    def __init__(self, folder, port, tls, children, session, question, image):
        self.folder, self.port, self.tls, self.children = folder, port, tls, children
        self.session, self.question, self.image = session, question, image

    def log(self, name):
        return self.children[name].log.read_text()


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    port, tls = free_port(), free_port()
    with django_db_blocker.unblock():
        session, question, image = fill(folder)
    shared = environment(folder, PROMETHEUS_MULTIPROC_DIR=str(folder / "metrics"), ACCEL_PREFIX="/protected/")
    alive = {"WORKER_ALIVE_FILE": str(folder / "alive")}
    children = {
        "web": Child("web", command("web", port), folder / "logs" / "web.log", shared),
        "worker": Child("worker", command("worker-quick"), folder / "logs" / "worker.log", shared | alive),
        "beat": Child("beat", command("beat"), folder / "logs" / "beat.log", shared),
    }
    try:
        if not needs_nginx.args[0]:
            children["nginx"] = nginx(folder, port, tls)
        until(lambda: listens(port), "web")
        yield Site(folder, port, tls, children, session, question, image)
    finally:
        for child in children.values():
            child.end()


def fill(folder):
    """A database with a session and an image of one of its questions, made in the tests' own and copied."""
    study = make_study(phases=("consent", "main"), n_main=8, n_checks=0)
    session = make_session(study)
    question = session.questions.first()
    name = f"renditions/{secrets.token_hex(16)}.png"
    Rendition.objects.filter(pk=question.left_id).update(image=name, sha256="0" * 64, encoding="png")
    (folder / "media" / "renditions").mkdir(parents=True)
    (folder / "media" / name).write_bytes(PIXELS)
    copy = database_dump(folder)
    call_command("flush", verbosity=0, interactive=False)
    (folder / copy).rename(folder / "tonalist.sqlite3")
    return session.token, question, folder / "media" / name


def nginx(folder, port, tls):
    """deploy/nginx.conf with this machine's paths and ports."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (DEPLOY / "nginx.conf").read_text()
    for was, now in {
        "/tmp/": f"{folder}/",  # the first, as what comes after may lie there
        "web:8000": f"127.0.0.1:{port}",
        "listen 443": f"listen 127.0.0.1:{tls}",
        "listen 80 ": f"listen 127.0.0.1:{free_port()} ",
        "/etc/nginx/tls": str(folder),
        "/data/media/": f"{folder}/media/",
        "/dev/stdout": f"{folder}/access.log",
        "/dev/stderr": f"{folder}/error.log",
    }.items():
        assert was in text
        text = text.replace(was, now)
    # Started by root it becomes nobody, who may not look into a test's folder.
    (folder / "nginx.conf").write_text(f"user root;\n{text}" if os.geteuid() == 0 else text)
    program = shutil.which("nginx", path=os.defpath + ":/usr/sbin")
    tried = subprocess.run(
        [program, "-t", "-c", folder / "nginx.conf"], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr
    assert "warn" not in tried.stderr
    return Child(
        "nginx",
        [program, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"],
        folder / "logs" / "nginx.log",
    )


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds, what, seconds=90):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} took longer than {seconds} s"
        time.sleep(0.1)


def ask(port, path, method="GET", tls=False, **headers):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind("127.0.0.1", port, timeout=30, **({"context": context} if tls else {}))
    connection.request(
        method, path, headers={"Host": HOST} | {k.replace("_", "-"): v for k, v in headers.items()}
    )
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply, body


def photo(site):
    return f"/photo/{site.question.public_id}/left/"


def test_web_answers_that_it_is_ready(site):
    reply, body = ask(site.port, "/health/ready")
    assert (reply.status, json.loads(body)["status"]) == (200, "ready")
    reply, _ = ask(site.port, "/accounts/login/")
    assert (reply.status, reply.headers["Location"]) == (301, f"https://{HOST}/accounts/login/")


def test_worker_and_beat_start_and_the_worker_says_that_it_lives(site):
    until(lambda: "beat: Starting" in site.log("beat"), "beat")
    until(lambda: (site.folder / "alive").exists(), "worker")

    def seen():
        with sqlite3.connect(site.folder / "tonalist.sqlite3") as rows:
            found = rows.execute("SELECT name, queues FROM config_worker").fetchall()
        rows.close()
        return [(name.split("@")[0], json.loads(queues)) for name, queues in found]

    until(seen, "the worker's row")
    assert seen() == [("quick", ["interactive", "upkeep"])]
    for name in ("worker", "beat", "web"):
        site.children[name].check()


def test_every_line_of_the_log_is_json(site):
    ask(site.port, photo(site), X_Forwarded_Proto="https")
    until(lambda: "participant:question-photo" in site.log("web") or "photo" in site.log("web"), "the log")
    ours = [line for line in site.log("web").splitlines() if line.startswith("{")]
    assert {"time", "level", "logger", "message", "request_id"} <= set(json.loads(ours[-1]))
    assert site.question.public_id not in site.log("web")


def test_both_processes_of_web_are_counted_together(site):
    for _ in range(20):
        ask(site.port, photo(site), X_Forwarded_Proto="https")
    reply, body = ask(site.port, "/metrics", Authorization=f"Bearer {TOKEN}")
    assert reply.status == 200
    counted = [line for line in body.decode().splitlines() if line.startswith("tonalist_requests_total{")]
    assert sum(float(line.split()[-1]) for line in counted if "photo" in line) >= 20
    assert "tonalist_worker_heartbeat_age_seconds" in body.decode()


@needs_nginx
def test_nginx_sends_the_image_after_the_site_has_allowed_it(site):
    reply, body = ask(site.tls, photo(site), tls=True)
    assert (reply.status, body) == (200, PIXELS)
    straight, empty = ask(site.port, photo(site), X_Forwarded_Proto="https")
    assert (empty, straight.headers["X-Accel-Redirect"]) == (b"", f"/protected/renditions/{site.image.name}")
    for name in ("Content-Type", "Cache-Control", "ETag", "X-Content-Type-Options"):
        assert reply.headers[name] == straight.headers[name], name
    # Neither path nor time of the file: two questions about one photo are not to look alike.
    for name in ("X-Accel-Redirect", "Last-Modified"):
        assert reply.headers[name] is None
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-ID"])
    assert reply.headers.get_all("ETag") == [straight.headers["ETag"]]

    again, body = ask(site.tls, photo(site), tls=True, If_None_Match=reply.headers["ETag"])
    assert (again.status, body) == (304, b"")
    part, body = ask(site.tls, photo(site), tls=True, Range="bytes=0-9")
    assert (part.status, body) == (206, PIXELS[:10])


@needs_nginx
@pytest.mark.parametrize(
    "path",
    ["/protected/", "/protected/renditions/{name}", "/protected/../tonalist.sqlite3", "/metrics", "/health/ready",
     "/media/renditions/{name}", "/images/" + "0" * 32],
)  # fmt: skip
def test_nginx_hands_out_nothing_else(site, path):
    reply, body = ask(site.tls, path.format(name=site.image.name), tls=True)
    assert reply.status == 404
    assert PIXELS not in body


@needs_nginx
def test_nginx_tells_the_site_who_asks_and_its_log_nobody(site):
    reply, _ = ask(site.tls, f"/session/{site.session}/", tls=True, X_Forwarded_For="203.0.113.9")
    assert reply.status == 200
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    until(lambda: reply.headers["X-Request-ID"] in site.log("web"), "the same ID in the site's log")
    written = (site.folder / "access.log").read_text() + (site.folder / "error.log").read_text()
    assert json.loads(written.splitlines()[-1])["request_id"] == reply.headers["X-Request-ID"]
    for personal in (site.session, "203.0.113.9", "127.0.0.1"):
        assert personal not in written


def test_check_deploy_finds_nothing_to_say(tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"],
        env=environment(tmp_path), capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr
