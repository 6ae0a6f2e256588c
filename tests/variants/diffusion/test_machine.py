"""What stands between an order and a model, and what is said of it; the hub is a server of our own that answers as it does."""

import importlib.util
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from variants.diffusion.machine import DiffusionError, Machine, Stopped, find_model, memory_watched, running

ASK = """
import sys
from variants.diffusion.machine import DiffusionError, find_model
for model in sys.argv[1:]:
    try:
        print(find_model(model, "", "model_index.json").revision)
    except DiffusionError as error:
        print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """Status and the code by which the hub says why."""

    answers = {
        "gated": (403, "GatedRepo"),
        "unknown": (401, "RepoNotFound"),
        "other": (404, "EntryNotFound"),
        "broken": (500, ""),
    }

    def do_HEAD(self):
        status, code = self.answers[self.path.split("/")[2]]
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", "no")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *args):
        pass


def ask(tmp_path, models, **variables):
    environment = {"PATH": "/usr/bin", "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1", **variables}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *models], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_the_hub_refuses_is_said_in_one_line_with_what_mends_it(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        gated, unknown, other, bad_name = ask(
            tmp_path, ["owner/gated", "owner/unknown", "owner/other", "a b/c"], HF_ENDPOINT=address
        )
    finally:
        server.shutdown()
        server.server_close()
    assert gated == (
        "owner/gated is behind a licence: accept it on https://huggingface.co/owner/gated, then log in here "
        "with: hf auth login"
    )
    assert unknown.startswith(
        "the hub knows no model owner/unknown, or does not show it to you; check the name"
    )
    assert other == "owner/other has no model_index.json: it is no model of the kind that is wanted here"
    assert bad_name == "'a b/c' is neither a folder nor a name of the hub, such as 'owner/name'"


def test_without_a_network_the_command_that_gets_the_weights_is_named(tmp_path):
    said = ask(tmp_path, ["owner/name"], HF_HUB_OFFLINE="1")
    assert said == [
        "the weights of owner/name are not on this machine, and the hub cannot be reached; where it can: "
        "hf download owner/name"
    ]


def test_a_model_in_the_cache_needs_no_network_and_tells_its_commit(tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--owner--name"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    assert ask(tmp_path, ["owner/name"], HF_HUB_OFFLINE="1") == [commit]


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    found = find_model(str(tmp_path), "", "model_index.json")
    assert (found.source, found.revision, found.index["_class_name"]) == (str(tmp_path), None, "FluxPipeline")


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(DiffusionError, match=r"holds no model_index.json; copy the model's folder"):
        find_model(str(tmp_path), "", "model_index.json")
    with pytest.raises(DiffusionError, match=r"nowhere does not exist; check the path"):
        find_model(str(tmp_path / "nowhere"), "", "model_index.json")


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "diffusers" else there(name)
    )
    with pytest.raises(
        DiffusionError, match=r'diffusers is not installed; run: pip install "tonalist\[diffusion\]"'
    ):
        Machine().check()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"device": "cpu", "offload": "model"}, "DIFFUSION_OFFLOAD is model, and there is no accelerator"),
        ({"device": "cuda:7"}, "DIFFUSION_DEVICE is cuda:7, which this machine lacks"),
    ],
)
def test_settings_that_the_machine_cannot_follow_are_named(fields, message):
    import torch

    if torch.cuda.is_available() and "cuda" in fields["device"]:
        pytest.skip("needs a machine without an accelerator")
    with pytest.raises(DiffusionError, match=message):
        Machine(**fields).check()


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")]
)
def test_want_of_memory_says_what_takes_less(error):
    told = pytest.raises(DiffusionError, match="out of memory with owner/name in float32 on cpu")
    with told, memory_watched("owner/name", Machine(device="cpu")):
        raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_watched("owner/name", Machine(device="cpu")):
        raise RuntimeError("shapes do not match")


@pytest.mark.parametrize(
    "error", [RuntimeError("no kernel\nfor this"), ValueError("no kernel"), KeyError("x")]
)
def test_whatever_a_model_raises_is_one_line_and_its_trace_is_logged(error, caplog):
    with (
        pytest.raises(DiffusionError) as caught,
        running("owner/name", Machine(device="cpu"), "96×64 with 'a'"),
    ):
        raise error
    first = str(error).splitlines()[0]
    assert str(caught.value) == f"owner/name failed at 96×64 with 'a': {type(error).__name__}: {first}."
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "error", [Stopped(), KeyboardInterrupt(), DiffusionError("it has its words already")]
)
def test_what_asks_for_the_end_passes(error, caplog):
    with pytest.raises(type(error)) as caught, running("owner/name", Machine(device="cpu"), "96×64"):
        raise error
    assert caught.value is error
    assert not caplog.records
