"""Render a photo to a rater's taste: `python -m learning.render`."""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from learning import cli
from learning.data.dataset import PreferenceDataset
from learning.systems.interface import ColorMapper, Explainer, Pixels, Profile, System
from learning.systems.load import load_run
from learning.tastes import references_of
from learning.training.run_folder import read_profile
from variants.tone.cube import write_cube
from variants.tone.images import encode_image, read_photo
from variants.tone.luts import Lut3D

ENCODINGS = {".png": "png", ".webp": "webp_lossless", ".jpg": "jpeg_444", ".jpeg": "jpeg_444"}
EXAMPLE = """\
example
  python -m learning.render --run runs/first --dataset my-study --rater 4f0c2a... in.jpg out.jpg
  python -m learning.render --run runs/first --dataset my-study --rater 4f0c2a... --cube look.cube in.jpg out.png

OUT is .png, .jpg or .webp, at the size of IN. Without --dataset the profile that learning.adapt
has kept is used. A .cube file holds the edit of this photo, for other programs.
"""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser("render", "Render a photo to a rater's taste.", EXAMPLE)
    parser.add_argument("--run", required=True, type=Path, metavar="RUN", help="run folder of a training")
    parser.add_argument("--dataset", type=Path, metavar="DIR", help="folder with the rater's answers")
    parser.add_argument("--rater", required=True, metavar="ID", help="rater_id in raters.parquet")
    parser.add_argument(
        "--references", type=cli.positive, default=16, metavar="N", help="read the first N answers (16)"
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="X", help="0 changes nothing, 1 is full, at most 2 (1)"
    )
    parser.add_argument("--cube", type=Path, metavar="OUT.cube", help="also write the edit as a 33-point LUT")
    parser.add_argument(
        "--attention",
        type=Path,
        metavar="OUT.png",
        help="also draw which of the rater's answers the edit drew on (msm, with --dataset)",
    )
    parser.add_argument("input", type=Path, metavar="IN", help="photo to render")
    parser.add_argument("output", type=Path, metavar="OUT", help="where the result goes")
    options = parser.parse_args(arguments)
    return cli.finish(lambda: _render(options), as_json=options.json)


def _render(options: Namespace) -> cli.Result:
    encoding = _encoding_of(options.output)
    if not 0 <= options.strength <= 2:
        raise ValueError(f"--strength is {options.strength:g}; it must be from 0 to 2")
    _check_targets(options)
    photo = read_photo(options.input).pixels
    system = load_run(options.run)
    profile = _profile(system, options)
    # Baked first: where the edit cannot be baked, nothing is written.
    cube = _bake(system, photo, profile, options.strength, options.rater) if options.cube else None
    weights = _attention(system, photo, profile) if options.attention else None
    rendered = system.render([photo], profile, strength=options.strength)[0]
    options.output.write_bytes(encode_image(rendered, encoding))
    if cube is not None:
        write_cube(cube, options.cube)
    if weights is not None:
        _draw_attention(system, photo, rendered, weights, options)
    return f"rendered: {options.output}", {
        "output": str(options.output),
        "cube": str(options.cube) if options.cube else None,
        "rater": options.rater,
        "strength": options.strength,
    }


def _check_targets(options: Namespace) -> None:
    if options.output.resolve() == options.input.resolve():
        raise ValueError(f"{options.output} is the photo itself; name another file for the result")
    if options.cube and options.cube.suffix.lower() != ".cube":
        raise ValueError(f"{options.cube} must end with .cube")
    if options.attention and options.attention.suffix.lower() != ".png":
        raise ValueError(f"{options.attention} must end with .png")
    if options.attention and options.dataset is None:
        raise ValueError("--attention shows the rater's answers; name the --dataset that they are in")
    for path in filter(None, (options.output, options.cube, options.attention)):
        if not path.parent.is_dir():
            raise ValueError(f"{path}: the folder {path.parent} is not there")


def _encoding_of(path: Path) -> str:
    if path.suffix.lower() not in ENCODINGS:
        raise ValueError(f"{path} ends with {path.suffix!r}; OUT must be one of {', '.join(ENCODINGS)}")
    return ENCODINGS[path.suffix.lower()]


def _profile(system: System, options: Namespace) -> Profile:
    if options.dataset is None:
        return read_profile(options.run, options.rater, system=system.name)
    dataset = PreferenceDataset.load(options.dataset)
    return cli.read_rater(system, dataset, options.rater, n=options.references, quiet=options.quiet)[0]


def _bake(system: System, photo: Pixels, profile: Profile, strength: float, rater: str) -> Lut3D:
    if not isinstance(system, ColorMapper):
        raise ValueError(f"{system.name} edits each place differently; no LUT can hold its edit")
    return Lut3D(table=system.bake(photo, profile, strength=strength), title=f"taste of {rater[:12]}")


def _attention(system: System, photo: Pixels, profile: Profile) -> npt.NDArray[np.float32]:
    if not isinstance(system, Explainer):
        raise ValueError(f"{system.name} cannot say which answers an edit drew on; msm can")
    return system.attention(profile, photo)


def _draw_attention(
    system: System, photo: Pixels, rendered: Pixels, weights: npt.NDArray[np.float32], options: Namespace
) -> None:
    from learning.systems.exemplars.attention import attention_picture

    references = references_of(
        PreferenceDataset.load(options.dataset),
        options.rater,
        n=options.references,
        long_side=system.reference_size,
    )
    sheet = attention_picture(photo, rendered, [pair.preferred for pair in references], weights)
    options.attention.write_bytes(encode_image(sheet, "png"))


if __name__ == "__main__":
    sys.exit(main())
