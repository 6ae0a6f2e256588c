"""The photos that scikit-image, scikit-learn and matplotlib carry, as scenes for simulated datasets."""

from evaluation.simulation.dataset import ScenePhoto
from variants.sources.packaged import PHOTOS
from variants.tone.images import fit_long_side, read_photo


def package_photos(long_side: int = 384) -> list[ScenePhoto]:
    """Eight photos that are on every machine that has the project installed."""
    return [
        ScenePhoto(
            name=photo.name,
            pixels=fit_long_side(read_photo(photo.path, name=photo.name).pixels, long_side),
            category=photo.category,
            licence=photo.licence,
            attribution=photo.attribution,
        )
        for photo in PHOTOS
    ]
