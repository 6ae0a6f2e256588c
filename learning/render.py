"""Render photos to a taste: `python -m learning.render`."""

import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from learning import cli
from learning.color_maps import CUBE_POINTS, edited, guide_of
from learning.data.masks import Labels
from learning.systems import KEEP_PRESETS, MAX_STRENGTH
from learning.systems.interface import ColorMapper, Explainer, LongEditor, Pixels
from learning.taste_options import Taste, add_taste_options, masks_of, photos_in, read_taste
from variants.progress import Report, silent, terminal
from variants.tone.cube import write_cube
from variants.tone.images import ImageError, encode_image, from_8_bit, read_photo
from variants.tone.lut_engine import MAX_SIZE, Image
from variants.tone.luts import Lut3D

ENCODINGS = {".png": "png", ".webp": "webp_lossless", ".jpg": "jpeg_444", ".jpeg": "jpeg_444"}
PRESET_SUFFIXES = (".safetensors", ".npz")
EXAMPLE = """\
IN is a photo and OUT a .png, .jpg or .webp of its size; or IN is a folder of photos and OUT a folder for
the results. A taste is named by --rater, --like, --preset or --word. Without --dataset the profile that
learning.adapt has kept is the rater's. A .cube file holds the edit of one photo, for other programs.

A mask is a picture with the name of its photo (lake.png of lake.jpg) and one colour for each segment.
Segments of one colour go together. A long fit of --like (pif) is kept in RUN/tastes and goes on from there.

example
  python -m learning.render --run runs/first --dataset my-study --rater 4f0c2a... in.jpg out.jpg
  python -m learning.render --run runs/first --dataset my-study --rater 4f0c2a... --cube look.cube in.jpg out.png
  python -m learning.render --run runs/taste --dataset my-study --rater 4f0c2a... --mode taste --strength 1.2 in.jpg out.jpg
  python -m learning.render --like liked holiday holiday-like-them
  python -m learning.render --like warm --like cool --shares 2,1 --concept vignetting=0 in.jpg out.jpg
  python -m learning.render --system deep_photo --like dusk.jpg --masks masks in.jpg out.jpg
  python -m learning.render --run runs/preset --like dusk.jpg --save-preset dusk.safetensors in.jpg out.jpg
  python -m learning.render --run runs/preset --preset dusk.safetensors other.jpg out.jpg
  python -m learning.render --run runs/pif --word exposure=dark --word tint=warm in.jpg out.jpg
"""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser("render", "Render photos to a taste.", EXAMPLE)
    add_taste_options(parser)
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="X",
        help=f"0 changes nothing, 1 is full, at most {MAX_STRENGTH:g} (1)",
    )
    parser.add_argument("--cube", type=Path, metavar="OUT.cube", help="also write the edit as a LUT")
    parser.add_argument(
        "--lut-size",
        type=int,
        default=CUBE_POINTS,
        metavar="N",
        help=f"points of the LUT along each side; some viewers want 17 ({CUBE_POINTS})",
    )
    parser.add_argument(
        "--save-preset",
        type=Path,
        metavar="FILE",
        help=f"also write the taste as a preset, {' or '.join(PRESET_SUFFIXES)} ({', '.join(KEEP_PRESETS)})",
    )
    parser.add_argument(
        "--attention",
        type=Path,
        metavar="OUT.png",
        help="also draw which answers or liked photos the edit drew on (msm)",
    )
    parser.add_argument("--resume", action="store_true", help="of a folder, pass over what OUT has already")
    parser.add_argument("input", type=Path, metavar="IN", help="photo, or folder of photos, to render")
    parser.add_argument("output", type=Path, metavar="OUT", help="where the result goes")
    options = parser.parse_args(arguments)
    return cli.finish(lambda: _render(options), as_json=options.json)


def _render(options: Namespace) -> cli.Result:
    if not 0 <= options.strength <= MAX_STRENGTH:
        raise ValueError(f"--strength is {options.strength:g}; it must be from 0 to {MAX_STRENGTH:g}")
    if not 2 <= options.lut_size <= MAX_SIZE:
        raise ValueError(f"--lut-size is {options.lut_size}; it must be from 2 to {MAX_SIZE}")
    jobs = _jobs(options)
    _check_targets(options, jobs)
    with terminal(quiet=options.quiet) as report:
        # A single photo that cannot be read is known before a taste is read for minutes.
        first = read_photo(jobs[0][0]).image if options.input.is_file() else None
        taste = read_taste(options, report)
        _save_preset(taste, options.save_preset)
        said = list(taste.skipped)
        if first is not None:
            mask = masks_of(options, [options.input])[0]
            said += _render_one(taste, first, mask, options.output, options, report)
            made = 1
        else:
            made, told = _render_folder(taste, jobs, options, report)
            said += told
    return "\n".join([f"rendered: {options.output}", *said]), {
        "output": str(options.output),
        "rendered": made,
        "cube": str(options.cube) if options.cube else None,
        "taste": taste.title,
        "strength": options.strength,
        "notes": said,
    }


def _jobs(options: Namespace) -> list[tuple[Path, Path]]:
    """Photos, and where each goes."""
    if not options.input.is_dir():
        return [(options.input, options.output)]
    photos = photos_in(options.input)
    n = Counter(photo.stem for photo in photos)
    return [
        (
            photo,
            options.output
            / (
                photo.name
                if photo.suffix.lower() in ENCODINGS
                else f"{photo.stem}.jpg"
                if n[photo.stem] == 1
                else f"{photo.name}.jpg"
            ),
        )
        for photo in photos
    ]


def _check_targets(options: Namespace, jobs: list[tuple[Path, Path]]) -> None:
    if not options.input.exists():
        raise ValueError(f"{options.input} is not there; name a photo or a folder of photos")
    if options.output.resolve() == options.input.resolve():
        raise ValueError(f"{options.output} is the photo itself; name another file for the result")
    for option, path, suffixes in (
        ("--cube", options.cube, (".cube",)),
        ("--attention", options.attention, (".png",)),
        ("--save-preset", options.save_preset, PRESET_SUFFIXES),
    ):
        if path and path.suffix.lower() not in suffixes:
            raise ValueError(f"{path} must end with {' or '.join(suffixes)}")
        if path and option != "--save-preset" and options.input.is_dir():
            raise ValueError(f"{option} is of one photo; IN is a folder")
    if options.cube and options.masks:
        raise ValueError("with --masks each segment has its own edit; no LUT can hold them")
    if options.attention and options.rater and options.dataset is None:
        raise ValueError("--attention shows the rater's answers; name the --dataset that they are in")
    if options.input.is_dir():
        if options.output.exists() and not options.output.is_dir():
            raise ValueError(f"{options.output} is a file; IN is a folder, and so must OUT be")
        if not options.resume and any(out.exists() for _, out in jobs):
            raise ValueError(
                f"{options.output} has results already; name another folder, or --resume to pass over them"
            )
    elif options.output.suffix.lower() not in ENCODINGS:
        raise ValueError(
            f"{options.output} ends with {options.output.suffix!r}; OUT must be one of {', '.join(ENCODINGS)}"
        )
    for path in filter(None, (options.output, options.cube, options.attention, options.save_preset)):
        if not path.parent.is_dir():
            raise ValueError(f"{path}: the folder {path.parent} is not there")


def _render_folder(
    taste: Taste, jobs: list[tuple[Path, Path]], options: Namespace, report: Report
) -> tuple[int, list[str]]:
    """How many were rendered, and what there is to say; ValueError where none could be."""
    options.output.mkdir(exist_ok=True)
    masks = masks_of(options, [photo for photo, _ in jobs])
    said: list[str] = []
    made = had = failed = 0
    for done, ((photo, out), mask) in enumerate(zip(jobs, masks, strict=True)):
        report(done, len(jobs), "rendering")
        if out.exists():
            had += 1
            continue
        try:
            pixels = read_photo(photo).image
        except ImageError as error:
            failed += 1
            said.append(f"passed over: {error}")
            continue
        said += [f"{photo.name}: {note}" for note in _render_one(taste, pixels, mask, out, options, silent)]
        made += 1
    report(len(jobs), len(jobs), "rendering")
    if not made and not had:
        raise ValueError(f"none of the {len(jobs)} photos of {options.input} could be read; {said[-1]}")
    there = f", {had} were there" if had else ""
    return made, [*said, f"{made} photos rendered{there}, {failed} passed over"]


def _render_one(
    taste: Taste, photo: Image, mask: Labels | None, out: Path, options: Namespace, report: Report
) -> tuple[str, ...]:
    """Write what the options ask for; what there is to say of it."""
    system = taste.system
    notes: tuple[str, ...] = ()
    # Baked first: where the edit cannot be baked, nothing is written.
    cube = _bake(taste, photo, options) if options.cube else None
    weights = _attention(taste, _pixels(photo)) if options.attention else None
    rendered: Image
    if isinstance(system, LongEditor):
        made = system.transfer(
            _pixels(photo), taste.profile, labels=mask, strength=options.strength, report=report
        )
        rendered, notes = made.image, made.notes
    else:
        rendered = edited(system, photo, taste.profile, strength=options.strength)
    part = out.with_name(f".{out.name}.part")
    part.write_bytes(encode_image(rendered, ENCODINGS[out.suffix.lower()]))
    part.replace(out)
    if cube is not None:
        write_cube(cube, options.cube)
    if weights is not None:
        _draw_attention(taste, _pixels(photo), _pixels(rendered), weights, options.attention)
    return notes


def _pixels(photo: Image) -> Pixels:
    return from_8_bit(photo) if photo.dtype == np.uint8 else photo


def _bake(taste: Taste, photo: Image, options: Namespace) -> Lut3D:
    if not isinstance(taste.system, ColorMapper):
        raise ValueError(f"{taste.system.name} edits each place differently; no LUT can hold its edit")
    table = taste.system.bake(
        guide_of(photo), taste.profile, size=options.lut_size, strength=options.strength
    )
    return Lut3D(table=table, title=taste.title)


def _save_preset(taste: Taste, path: Path | None) -> None:
    if path is None:
        return
    from learning.systems.neural_preset import NeuralPreset, write_preset

    if not isinstance(taste.system, NeuralPreset):
        raise ValueError(f"{taste.system.name} has no presets; {', '.join(KEEP_PRESETS)} has")
    write_preset(taste.system.preset(path.stem, taste.profile), path)


def _attention(taste: Taste, photo: Pixels) -> npt.NDArray[np.float32]:
    if not isinstance(taste.system, Explainer):
        raise ValueError(f"{taste.system.name} cannot say which references an edit drew on; msm can")
    return taste.system.attention(taste.profile, photo)


def _draw_attention(
    taste: Taste, photo: Pixels, rendered: Pixels, weights: npt.NDArray[np.float32], path: Path
) -> None:
    from learning.systems.style_parts.attention import attention_picture

    sheet = attention_picture(photo, rendered, taste.references, weights)
    path.write_bytes(encode_image(sheet, "png"))


if __name__ == "__main__":
    sys.exit(main())
