"""The photos that scikit-image, scikit-learn and matplotlib carry in their packages."""

from importlib.resources import as_file, files

from variants.tone.images import fit_long_side, read_photo

from evaluation.simulation.dataset import ScenePhoto

# (package, file, name, category)
PACKAGE_PHOTOS = (
    ("skimage", "data/astronaut.png", "astronaut", "people"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "grace_hopper", "people"),
    ("skimage", "data/chelsea.png", "chelsea", "nature"),
    ("sklearn", "datasets/images/flower.jpg", "flower", "nature"),
    ("skimage", "data/coffee.png", "coffee", "things"),
    ("skimage", "data/motorcycle_left.png", "motorcycle", "things"),
    ("skimage", "data/rocket.jpg", "rocket", "places"),
    ("sklearn", "datasets/images/china.jpg", "china", "places"),
)


def package_photos(long_side: int = 384) -> list[ScenePhoto]:
    """Eight photos that are on every machine that has the project installed."""
    photos = []
    for package, file, name, category in PACKAGE_PHOTOS:
        with as_file(files(package) / file) as path:
            pixels = fit_long_side(read_photo(path).pixels, long_side)
        photos.append(ScenePhoto(name=name, pixels=pixels, category=category))
    return photos
