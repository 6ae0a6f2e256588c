"""Photos that come with scikit-image, scikit-learn and matplotlib: real ones, with no download."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PackagedPhoto:
    name: str
    category: str
    package: str
    """Import name of the package that carries the file."""
    file: str
    """Path inside the package."""
    licence: str
    attribution: str

    @property
    def path(self) -> Path:
        """Where the file lies; FileNotFoundError says which package to install."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(
                f"{self.name}: the package {self.package} is not installed; run make demo or pip install -e ."
            )
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.name}: the installed {self.package} has no {self.file}; install the version that "
                "pyproject.toml asks for"
            )
        return path


# Facts from the packages' own data documentation (skimage.data, sklearn/datasets/images/README.txt) and,
# for grace_hopper.jpg, from the record of the official portrait that matplotlib's file was taken from.
PHOTOS = (
    PackagedPhoto(
        name="astronaut",
        category="people",
        package="skimage",
        file="data/astronaut.png",
        licence="public domain",
        attribution="NASA: portrait of Eileen Collins",
    ),
    PackagedPhoto(
        name="chelsea",
        category="animals",
        package="skimage",
        file="data/chelsea.png",
        licence="CC0",
        attribution="Stefan van der Walt",
    ),
    PackagedPhoto(
        name="coffee",
        category="food",
        package="skimage",
        file="data/coffee.png",
        licence="CC0",
        attribution="Rachel Michetti, courtesy of Pikolo Espresso Bar",
    ),
    PackagedPhoto(
        name="rocket",
        category="night",
        package="skimage",
        file="data/rocket.jpg",
        licence="public domain",
        attribution="SpaceX: launch of DSCOVR on Falcon 9",
    ),
    PackagedPhoto(
        name="motorcycle",
        category="indoor",
        package="skimage",
        file="data/motorcycle_left.png",
        licence="CC0",
        attribution="Middlebury 2014 stereo benchmark (Nesic, Westling, Wang, Kitajima, Krathwohl, Scharstein)",
    ),
    PackagedPhoto(
        name="china",
        category="architecture",
        package="sklearn",
        file="datasets/images/china.jpg",
        licence="CC BY 2.0",
        attribution="danielbuechele, flickr.com/photos/danielbuechele/6061409035",
    ),
    PackagedPhoto(
        name="flower",
        category="nature",
        package="sklearn",
        file="datasets/images/flower.jpg",
        licence="CC BY 2.0",
        attribution="vultilion, flickr.com/photos/vultilion/6056698931",
    ),
    PackagedPhoto(
        name="grace_hopper",
        category="people",
        package="matplotlib",
        file="mpl-data/sample_data/grace_hopper.jpg",
        licence="public domain",
        attribution="James S. Davis, United States Navy: portrait of Grace Hopper",
    ),
)
