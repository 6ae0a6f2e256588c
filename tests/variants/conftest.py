import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261107)


@pytest.fixture
def media(settings, tmp_path_factory):
    """An empty storage for the test's files."""
    options = {"location": tmp_path_factory.mktemp("media")}
    default = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    return options["location"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a tiny model by its name (flux, kontext, pix2pix, qwen, qwen_edit, llava, clip), saved at its first use."""
    from tests.variants.diffusion import tiny_models

    folder, saved = tmp_path_factory.mktemp("models"), {}

    def path(name):
        if name not in saved:
            saved[name] = getattr(tiny_models, f"save_{name}")(folder / name)
        return saved[name]

    return path


@pytest.fixture
def fails_on(monkeypatch):
    """Let a real pipeline raise an error inside its call, at one prompt."""
    import diffusers

    def set_up(pipeline, prompt, error):
        kind = getattr(diffusers, pipeline)
        encode_prompt = kind.encode_prompt

        def failing(self, **arguments):
            if arguments["prompt"] == prompt:
                raise error
            return encode_prompt(self, **arguments)

        monkeypatch.setattr(kind, "encode_prompt", failing)

    return set_up
