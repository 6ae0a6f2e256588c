"""Readers of strangers' files, and a fuzzer for each: `python -m tests.fuzz cube --seconds 600`.

Needs atheris, which is no dependency: `pip install --target FOLDER atheris` and PYTHONPATH=FOLDER. What a reader says of
a bad file is its own error; any other exception, or more than a few seconds, is found and kept as crash-… in the folder
given with --keep. tests/test_readers.py makes a few files for each reader without it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Target:
    read: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    """What it may say."""
    seeds: Sequence[bytes]


def cube() -> Target:
    from variants.tone.cube import format_cube, parse_cube
    from variants.tone.luts import Lut3D, LutError, identity

    table = identity(2).table
    shaped = b"LUT_1D_SIZE 2\nLUT_3D_SIZE 2\nLUT_1D_INPUT_RANGE 0 1\n0 0 0\n1 1 1\n"
    shaped += format_cube(Lut3D(table=table)).partition("DOMAIN_MAX 1 1 1\n")[2].encode()
    return Target(
        read=lambda data: parse_cube(data, "a.cube"),
        errors=(LutError,),
        seeds=[
            format_cube(Lut3D(table=table, title="a")).encode(),
            shaped,
            b"LUT_1D_SIZE 2\n0 0 0\n1e3 1 .1\n",
        ],
    )


def haldclut() -> Target:
    from tests.variants import pictures
    from variants.tone.haldclut import format_haldclut, parse_haldclut
    from variants.tone.luts import LutError, identity

    small = pictures.levels(8, 8)
    return Target(
        read=lambda data: parse_haldclut(data, "a.png"),
        errors=(LutError,),
        seeds=[
            format_haldclut(identity(4), 2),
            *(pictures.file(small, kind) for kind in ("PNG", "TIFF", "BMP")),
        ],
    )


def photo() -> Target:
    from tests.variants import pictures
    from variants.tone.images import ImageError, Limits, read_photo

    kinds = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
    limits = Limits(max_bytes=1_000_000, max_pixels=100_000)
    return Target(
        read=lambda data: read_photo(data, limits, "a.jpg"),
        errors=(ImageError,),
        seeds=[
            *(pictures.file(pictures.levels(), kind) for kind in kinds),
            pictures.tiff_16_bit(pictures.levels(maximum=65535)),
        ],
    )


def mask() -> Target:
    from learning.data.masks import read_mask
    from tests.variants import pictures
    from variants.tone.images import ImageError, Limits

    limits = Limits(max_bytes=1_000_000, max_pixels=100_000)
    return Target(
        read=lambda data: read_mask(data, limits, "a.png"),
        errors=(ImageError,),
        seeds=[pictures.file(pictures.levels() // 128 * 255, kind) for kind in ("PNG", "TIFF", "BMP", "GIF")],
    )


def manifest() -> Target:
    from variants.sources.manifest import ManifestError, read_manifest

    folder = Path(tempfile.mkdtemp(prefix="tonalist-fuzz-"))
    (folder / "lake.jpg").write_bytes(b"x")

    def read(data: bytes) -> None:
        path = folder / "manifest.csv"
        path.write_bytes(data)
        for sets in (False, True):
            for entry in read_manifest(path, folder, sets=sets).entries:
                assert entry.path == folder / "lake.jpg", f"{entry.path} is outside of the folder"

    return Target(
        read=read,
        errors=(ManifestError,),
        seeds=[b"file,scene,editor\nlake.jpg,lake,Ann\n", b'file,licence\n"lake.jpg","CC0"\n../lake.jpg,\n'],
    )


def study() -> Target:
    from collection.design.plain_yaml import YamlError
    from collection.design.study_file import read_study_file

    return Target(
        read=read_study_file,
        errors=(YamlError,),
        seeds=[
            b"name: Looks\nprotocol:\n  n_main: 8\n  n_checks: 2\n  phases: [consent, main]\nrecipes:\n"
            b"  - steps: [[exposure, 0.5]]\n  - {simulated_camera: a, numbers: b}\n",
            b"name: |\n  Looks\nslug: 'a'\nscenes: {categories: [food]}\nrecruiting: {panel: prolific}\n",
        ],
    )


def dataset() -> Target:
    """A whole dataset, of which one table or its protocol is what comes; all its faults are told, none is raised."""
    from collection.export.check import check_folder
    from tests.collection.export.small import write_small

    folder = Path(tempfile.mkdtemp(prefix="tonalist-fuzz-")) / "dataset"
    write_small(folder)
    names = ("judgments.parquet", "raters.parquet", "images.parquet", "protocol.json")
    whole = {name: (folder / name).read_bytes() for name in names}

    def read(data: bytes) -> None:
        name = names[data[0] % len(names)] if data else names[0]
        (folder / name).write_bytes(data[1:])
        try:
            check_folder(folder)
        finally:
            (folder / name).write_bytes(whole[name])

    return Target(read=read, errors=(), seeds=[bytes([n]) + whole[name] for n, name in enumerate(names)])


TARGETS: dict[str, Callable[[], Target]] = {
    make.__name__: make for make in (cube, haldclut, photo, mask, manifest, study, dataset)
}
INSTRUMENTED = [
    "variants.tone",
    "variants.sources",
    "learning.data.masks",
    "collection.design",
    "collection.export",
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir()), help="where what is found stays"
    )
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not here: pip install --target FOLDER atheris, and PYTHONPATH=FOLDER")
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = TARGETS[options.target]()
    corpus = Path(tempfile.mkdtemp(prefix="tonalist-corpus-"))
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)

    def one(data: bytes) -> None:
        try:
            target.read(data)
        except target.errors:
            pass

    bounds = [
        f"-max_total_time={options.seconds}",
        "-timeout=20",
        "-rss_limit_mb=3000",
        "-max_len=100000",
        "-len_control=0",
    ]
    atheris.Setup([sys.argv[0], *bounds, f"-artifact_prefix={options.keep}/", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
