"""Style from one and from five photos, as the tables of PIF and its like have it: on real photos with known edits.

An edit (three sets of concepts, three film LUTs) is applied to a photo and to others, the references. A
system sees the references and the photo without the edit, and is measured against the photo with it. Contents
and references are Kodak photos, none both; what is trained is trained on gb82's, with simulated raters where a
system learns from raters. Floors: the photo untouched, and Reinhard's transfer of the references' colour means
and deviations. Intervals: bootstrap over the photos.

    python bench/styles.py [SYSTEM ...] [--store FOLDER] [--pictures FOLDER] [--write-docs]

What is in the store is not measured again, so a run that was stopped goes on.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import print_rows, row
from evaluation.metrics.emd import emd_metric
from evaluation.metrics.intervals import bootstrap_weights, interval
from evaluation.metrics.metric import load_metrics, measure
from evaluation.simulation.dataset import ScenePhoto, write_simulated_dataset
from learning.backbones import WeightsMissing
from learning.data.dataset import PreferenceDataset
from learning.renderers.color_transfer import reinhard
from learning.systems import PHOTO_READERS, SYSTEMS, system_module
from learning.training.run_folder import is_finished
from variants.progress import silent
from variants.tone import lut_engine
from variants.tone.cube import read_cube
from variants.tone.images import fit_long_side, read_photo, to_8_bit
from variants.tone.recipes import Recipe, apply_recipe

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data"
DOCS = ROOT / "docs/styles.md"
BEGIN, END = "<!-- styles: table -->", "<!-- styles: end of table -->"
CONTENT, REFERENCE = 256, 448
"""Long sides in pixels."""
CONTENTS, NUMBERS, DRAWS = 10, (1, 5), 2
CONCEPTS = {
    "warm and dark": (("exposure", -0.5), ("temperature", 0.7)),
    "faded": (("contrast", -0.5), ("shadow", 0.6), ("saturation", -0.4)),
    "vivid and cool": (("contrast", 0.4), ("saturation", 0.5), ("temperature", -0.5)),
}
LUTS = (
    "colorslide__fuji_velvia_100_generic",
    "instant_consumer__polaroid_px-70",
    "negative_color__kodak_elite_100_xpro",
)
FLOORS = {"untouched": "the photo untouched", "reinhard": "colour means and deviations (Reinhard)"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("systems", nargs="*", help="which systems (default: all that read liked photos)")
    parser.add_argument(
        "--store", type=Path, default=ROOT / "build/styles", help="folder of results and runs"
    )
    parser.add_argument(
        "--pictures", type=Path, help="write what was made for the first photo of each edit here"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/styles.md")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit("This is measured on ../shared/data, which is not beside this project.")
    torch.set_num_threads(1)
    options.store.mkdir(parents=True, exist_ok=True)
    names = options.systems or [name for name in PHOTO_READERS if name in SYSTEMS]
    protocol = Protocol()
    results = {}
    for name in [*FLOORS, *names]:
        try:
            results[name] = measured(name, protocol, options)
        except WeightsMissing as error:
            print(f"{name}: not measured. {error}")
    # What was measured before is shown too, so that the table can be made system by system.
    for name in PHOTO_READERS:
        if name not in results and (options.store / f"{name}.json").is_file():
            results[name] = measured(name, protocol, options)
    text = table(results, protocol)
    print(text)
    if options.write_docs:
        page = DOCS.read_text(encoding="utf-8")
        before, begin, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            sys.exit(f"{DOCS} has no place for the table: it needs the lines {BEGIN} and {END}")
        DOCS.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    if "pif_lite" in results:
        print_rows(rows(results))


class Protocol:
    """Photos, edits, and which references go with which photo."""

    def __init__(self):
        photos = [read_photo(path).pixels for path in sorted((DATA / "photos/kodak").glob("*.png"))]
        order = np.random.default_rng(7).permutation(len(photos))
        self.contents = [fit_long_side(photos[i], CONTENT) for i in order[:CONTENTS]]
        self.pool = [fit_long_side(photos[i], REFERENCE) for i in order[CONTENTS:]]
        self.edits = {
            name: lambda x, s=steps: apply_recipe(x, Recipe(steps=s)) for name, steps in CONCEPTS.items()
        }
        for name in LUTS:
            lut = read_cube(DATA / f"luts/{name}.cube")
            self.edits[name.partition("__")[2].replace("_", " ")] = lambda x, lut=lut: np.clip(
                lut_engine.apply(x, lut), 0, 1
            )
        metrics, self.missing = load_metrics(("psnr", "ssim", "lpips"))
        self.metrics = [*metrics, emd_metric()]

    def cases(self):
        """(edit's name, edit, number of references, references, contents); each photo comes once with each number."""
        for number, (name, edit) in enumerate(self.edits.items()):
            for n in NUMBERS:
                for draw in range(DRAWS):
                    chosen = np.random.default_rng([number, n, draw]).permutation(len(self.pool))[:n]
                    yield name, edit, n, [edit(self.pool[i]) for i in chosen], range(draw, CONTENTS, DRAWS)

    @property
    def facts(self):
        """What results in the store must have been made with."""
        return {
            "contents": [float(c.mean()) for c in self.contents],
            "edits": list(self.edits),
            "metrics": [m.name for m in self.metrics],
            "numbers": list(NUMBERS),
        }


def measured(name, protocol, options):
    path = options.store / f"{name}.json"
    if path.is_file():
        stored = json.loads(path.read_text())
        if stored["facts"] == json.loads(json.dumps(protocol.facts)):
            return stored
    print(f"{name} …", flush=True)
    system = None if name in FLOORS else trained(name, options.store)
    found, seconds = [], {"read": [], "edit": []}
    for edit_name, edit, n, references, which in protocol.cases():
        contents = [protocol.contents[i] for i in which]
        started = time.process_time()
        if name == "untouched":
            made = contents
        elif name == "reinhard":
            colors = np.concatenate([r[::4, ::4].reshape(-1, 3) for r in references])
            made = [
                np.clip(reinhard(c.reshape(-1, 3), colors)(c.reshape(-1, 3)).reshape(c.shape), 0, 1).astype(
                    np.float32
                )
                for c in contents
            ]
        else:
            profile = system.adapt_to_photos(references)
            seconds["read"].append(time.process_time() - started)
            started = time.process_time()
            made = system.render(contents, profile)
        seconds["edit"].append((time.process_time() - started) / len(contents))
        wanted = [edit(content) for content in contents]
        for i, one, two in zip(which, made, wanted, strict=True):
            values = {m.name: measure(m, one, two) for m in protocol.metrics}
            found.append({"edit": edit_name, "n": n, "content": i, **values})
        if options.pictures:
            save_sheet(
                options.pictures / f"{edit_name.replace(' ', '-')}-{n}-{which[0]}-{name}.png",
                contents,
                made,
                wanted,
                references,
            )
    result = {
        "facts": protocol.facts,
        "rows": found,
        "seconds": {what: float(np.median(taken)) for what, taken in seconds.items() if taken},
    }
    path.write_text(json.dumps(result))
    return result


def trained(name, store):
    """The system's tiny preset, trained on gb82's photos once; a run that was stopped goes on."""
    module = system_module(name)
    run = store / "runs" / name
    if is_finished(run):
        return module.load(run)
    started = time.process_time()
    system = module.fit(dataset_of(store), module.PRESETS["tiny"](), run, silent, resume=run.exists())
    print(f"{name}: trained in {time.process_time() - started:.0f} s of CPU")
    return system


def dataset_of(store):
    folder = store / "gb82"
    if not (folder / "judgments.parquet").is_file():
        photos = [
            ScenePhoto(
                name=path.stem,
                pixels=fit_long_side(read_photo(path).pixels, REFERENCE),
                category="gb82",
                licence="CC0",
                attribution="gb82",
            )
            for path in sorted((DATA / "photos/gb82").glob("*.png"))
        ]
        write_simulated_dataset(
            folder, photos, n_raters=16, n_main=60, n_checks=2, n_renditions=6, long_side=REFERENCE,
            validation_scenes=0.0,
        )  # fmt: skip
    return PreferenceDataset.load(folder)


def table(results, protocol):
    heads = [
        f"{m.title}{f', {m.unit}' if m.unit else ''} {'↓' if m.lower_is_better else '↑'}"
        for m in protocol.metrics
    ]
    lines = []
    for n in NUMBERS:
        photos = "photo" if n == 1 else "photos"
        lines += [f"**{n} reference {photos}**, {len(protocol.edits)} edits of {CONTENTS} photos:", ""]
        lines += [f"| | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
        for name, result in results.items():
            cells = [cell(result, n, m.name, 2 if m.name == "psnr" else 4) for m in protocol.metrics]
            lines.append(f"| {FLOORS.get(name, f'`{name}`, tiny')} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["PSNR by edit, one and five references:", "", f"| | {' | '.join(protocol.edits)} |"]
    lines.append("| --- |" + " --- |" * len(protocol.edits))
    for name, result in results.items():
        cells = [
            " / ".join(
                f"{np.mean([r['psnr'] for r in result['rows'] if r['edit'] == e and r['n'] == n]):.1f}"
                for n in NUMBERS
            )
            for e in protocol.edits
        ]
        lines.append(f"| {FLOORS.get(name, f'`{name}`, tiny')} | {' | '.join(cells)} |")
    lines += ["", "In brackets: 95 % intervals, bootstrap over the photos."]
    lines += [f"{m.name.upper()} is not there: {m.why}." for m in protocol.missing]
    return "\n".join(lines)


def cell(result, n, metric, digits):
    values = by_photo(result, n, metric)
    weights = bootstrap_weights(len(values), seed=0)
    low, high = interval(weights @ values / len(values))
    return f"{values.mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def by_photo(result, n, metric):
    """Mean over the edits of each photo."""
    return np.array(
        [
            np.mean([r[metric] for r in result["rows"] if r["content"] == i and r["n"] == n])
            for i in range(CONTENTS)
        ]
    )


def rows(results):
    return [
        row(
            f"PIF-lite, {n} reference{'s' if n > 1 else ''}, {metric}",
            ours=float(by_photo(results["pif_lite"], n, metric).mean()),
            peer=float(by_photo(results["reinhard"], n, metric).mean()),
            peer_name="Reinhard",
            goal=1,
            better=better,
            unit=unit,
        )
        for n in NUMBERS
        for metric, better, unit in (("psnr", "higher", "dB"), ("emd", "lower", ""))
    ]


def save_sheet(path, contents, made, wanted, references):
    """Rows: three photos untouched, as made, as wanted; the references below."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [[to_8_bit(np.ascontiguousarray(p)) for p in shown[:3]] for shown in (contents, made, wanted)]
    width, height = CONTENT, CONTENT
    sheet = Image.new("RGB", (3 * width, 4 * height), "white")
    for down, line in enumerate([*columns, [to_8_bit(fit_long_side(r, CONTENT)) for r in references[:3]]]):
        for across, pixels in enumerate(line):
            sheet.paste(Image.fromarray(pixels), (across * width, down * height))
    sheet.save(path)


if __name__ == "__main__":
    main()
