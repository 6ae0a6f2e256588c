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
