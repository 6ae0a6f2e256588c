import dataclasses

import pytest

from variants.sources.packaged import PHOTOS
from variants.tone.images import read_photo


def test_there_are_the_eight_photos_of_the_packages():
    names = [photo.name for photo in PHOTOS]
    assert names == [
        "astronaut",
        "chelsea",
        "coffee",
        "rocket",
        "motorcycle",
        "china",
        "flower",
        "grace_hopper",
    ]


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_every_photo_is_there_and_can_be_read(photo):
    found = read_photo(photo.path)
    assert min(found.pixels.shape[:2]) >= 300
    assert found.found["notes"] == []
    assert all((photo.category, photo.licence, photo.attribution))


def test_a_missing_file_names_its_package():
    lost = dataclasses.replace(PHOTOS[0], file="data/astronaut.gif")
    with pytest.raises(
        FileNotFoundError, match=r"astronaut: the installed skimage has no data/astronaut\.gif"
    ):
        _ = lost.path


def test_a_missing_package_is_named():
    lost = dataclasses.replace(PHOTOS[0], package="no_such_package")
    with pytest.raises(FileNotFoundError, match="the package no_such_package is not installed"):
        _ = lost.path
