"""The files of a deployment: they parse, say the same, and hold no secrets."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from config.queues import QUEUES
from tests.catalogues import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir() if path.is_file())
DROP_INS = sorted((DEPLOY / "systemd").glob("*.d/*.conf"))
WORKERS = ("worker-quick", "worker-cpu", "worker-gpu")
KINDS = ("ConfigMap", "Deployment", "Ingress", "Job", "Namespace", "PersistentVolumeClaim",
         "PodDisruptionBudget", "Service")  # fmt: skip


def documents():
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            yield pytest.param(document, id=f"{path.stem}-{document['kind']}")


def pods():
    return [
        pytest.param(each.values[0]["spec"]["template"]["spec"], id=each.id)
        for each in documents()
        if each.values[0]["kind"] in ("Deployment", "Job")
    ]


def variables(text):
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z_]+=", line))


ENVIRONMENT = variables((DEPLOY / "env.example").read_text())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("document", [d for d in documents() if not d.id.startswith("kustomization")])
def test_a_manifest_is_what_kubernetes_takes(document):
    assert document["kind"] in KINDS
    kubernetes_validate.validate(document, "1.33", strict=True)


@pytest.mark.parametrize("pod", pods())
def test_a_pod_has_few_rights_bounds_and_probes(pod):
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["limits"]["memory"]
    if container["name"] in ("web", "worker"):
        assert {"startupProbe", "livenessProbe"} <= set(container)


def test_kustomization_names_every_manifest_but_the_one_for_cards():
    (listed,) = [d.values[0]["resources"] for d in documents() if d.id.startswith("kustomization")]
    there = {path.name for path in MANIFESTS} - {"kustomization.yaml", "worker-gpu.yaml"}
    assert set(listed) == there


def test_images_run_as_nobody_in_particular():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001:10001" in lines
    assert not [line for line in lines if line.startswith("ADD ") or ":latest" in line]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line.removeprefix("!").rstrip("/") for line in ignored if line.startswith("!")]
    assert ignored[1] == "*"
    assert [name for name in kept if not (ROOT / name).exists()] == []


def test_every_service_is_bounded_kept_up_and_pinned():
    for name, service in COMPOSE["services"].items():
        assert re.search(r":[\w.-]+$", service["image"]), name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        assert "ports" not in service or name == "nginx"
        volumes = [volume.split(":")[0] for volume in service.get("volumes", [])]
        assert {v for v in volumes if not v.startswith(".")} <= set(COMPOSE["volumes"]), name
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"]), name


def test_web_workers_and_beat_are_started_alike_everywhere():
    compose = {name: COMPOSE["services"][name]["command"] for name in ("web", *WORKERS, "beat")}
    cluster = {
        pod.id.removesuffix("-Deployment"): pod.values[0]["containers"][0]["command"]
        for pod in pods()
        if pod.id.endswith("-Deployment")
    }
    (image,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert compose["web"] == cluster["web"] == yaml.safe_load(image)
    served = " ".join(compose["web"])
    assert served.replace("0.0.0.0", "127.0.0.1") in unit("web")
    local = served.replace("0.0.0.0", "127.0.0.1").replace("8000", "$(PORT)")
    assert local in makefile
    for name in WORKERS:
        assert plain(compose[name]) == cluster[name]
        (drop_in,) = [path for path in DROP_INS if f"@{name.removeprefix('worker-')}." in path.parent.name]
        queues, concurrency = re.findall(r"QUEUES=(\S+) CONCURRENCY=(\d)", drop_in.read_text())[0]
        assert plain(compose[name])[7:10] == [queues, "--concurrency", concurrency]
    assert compose["beat"][:4] == cluster["beat"][:4] == shlex.split(unit("beat"))[:4]


def plain(command):
    """With the defaults of compose's variables."""
    return [re.sub(r"\$\{\w+:-([\w,]+)\}", r"\1", word) for word in command]


def test_quick_and_cpu_take_each_queue_once_and_the_card_takes_the_training():
    quick, cpu, gpu = (plain(COMPOSE["services"][name]["command"])[7].split(",") for name in WORKERS)
    assert sorted(quick + cpu) == sorted(QUEUES)
    assert gpu == ["train"]
    assert {"interactive", "upkeep"} == set(quick)
    taken = re.search(r"Environment=QUEUES=(\S+)", (DEPLOY / "systemd/tonalist-worker@.service").read_text())
    assert sorted(taken[1].split(",")) == sorted(QUEUES)


def unit(name):
    text = (DEPLOY / "systemd" / f"tonalist-{name}.service").read_text()
    (start,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    return start.replace("/opt/tonalist/.venv/bin/", "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path):
    for path in UNITS:
        text = path.read_text().replace("/opt/tonalist", str(ROOT))
        (tmp_path / path.name).write_text(text)
    units = [str(tmp_path / ("tonalist-worker@cpu.service" if "@" in p.name else p.name)) for p in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
    )
    ours = [line for line in done.stderr.splitlines() if "tonalist" in line]
    assert ours == []


@pytest.mark.parametrize(
    "path", [ROOT / "docker-compose.yml", ROOT / "Dockerfile", *MANIFESTS, *UNITS, *DROP_INS]
)
def test_no_secret_stands_in_a_file(path: Path):
    text = path.read_text()
    found = re.findall(r"(?im)^[^#\n]*(?:password|secret_key|token|dsn)\w*[=:] *(\S+)", text)
    assert [value for value in found if value not in ("only-for-the-build", "false")] == []


def test_the_example_leaves_secrets_to_be_filled_in():
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "METRICS_TOKEN", "SENTRY_DSN"):
        assert ENVIRONMENT[name] == ""
    readable = (ROOT / "README.md").read_text() + (ROOT / "docs" / "deployment.md").read_text()
    own = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
    assert [name for name in ENVIRONMENT if name not in own and f"`{name}`" not in readable] == []
