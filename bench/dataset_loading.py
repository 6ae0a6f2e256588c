"""A dataset of 10,000 raters and 1,000,000 judgments: seconds and memory to load it, and to draw training data of it.

The peer reads the same tables with pyarrow and makes a pandas frame of the judgments, as one would in a notebook;
it checks nothing and can draw nothing. Each is measured in a process of its own, whose peak memory the kernel tells.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.timing import memory_mb, print_rows, row
from collection.export import format as ppsd
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig, EpisodeSampler

RATERS, JUDGMENTS, SCENES, RENDITIONS = 10_000, 1_000_000, 1192, 6
ROUNDS = 3
DRAWS = 200
EMPTY = {"string": "", "bool": False}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["ours", "peer", "nothing"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what:
        print(json.dumps(measured(options.what, options.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder))
        rounds = [{what: run(what, folder) for what in ("nothing", "ours", "peer")} for _ in range(ROUNDS)]
    told = {
        what: {name: float(np.median([r[what][name] for r in rounds])) for name in rounds[0][what]}
        for what in rounds[0]
    }
    imports = told["nothing"]["peak_mb"]
    print(f"{RATERS:,} raters, {JUDGMENTS:,} judgments; the process itself takes {imports:.0f} MB")
    print(
        f"episodes of 16 raters: {told['ours']['draw_ms']:.2f} ms each, after {told['ours']['sampler_s']:.2f} s"
    )
    print_rows(
        [
            row("dataset loading, 1 M judgments", ours=told["ours"]["load_s"], peer=told["peer"]["load_s"],
                peer_name="pyarrow and pandas, unchecked", goal=1, better="lower", unit="s"),
            row("dataset loading, memory at its peak", ours=told["ours"]["peak_mb"] - imports,
                peer=told["peer"]["peak_mb"] - imports, peer_name="pyarrow and pandas", goal=1, better="lower",
                unit="MB"),
        ]
    )  # fmt: skip


def run(what, folder):
    done = subprocess.run(
        [sys.executable, __file__, what, folder], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def measured(what, folder):
    facts = {"load_s": 0.0, "sampler_s": 0.0, "draw_ms": 0.0}
    start = time.perf_counter()
    if what == "ours":
        dataset = PreferenceDataset.load(folder)
        facts["load_s"] = time.perf_counter() - start
        start = time.perf_counter()
        sampler = EpisodeSampler(dataset, EpisodeConfig(raters=16, targets=4))
        facts["sampler_s"] = time.perf_counter() - start
        rng = np.random.default_rng(0)
        start = time.perf_counter()
        for _ in range(DRAWS):
            sampler.draw(rng)
        facts["draw_ms"] = 1000 * (time.perf_counter() - start) / DRAWS
    elif what == "peer":
        kept = {name: pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ppsd.TABLES}
        facts["load_s"] = time.perf_counter() - start
        assert len(kept["judgments"]) == JUDGMENTS
    facts["peak_mb"] = memory_mb("VmHWM")
    return facts


def write_tables(folder):
    """As an export writes them; the image files are there and empty, for loading only looks whether they are."""
    rng = np.random.default_rng(0)
    scenes = np.array([f"s{n:031d}" for n in range(SCENES)])
    images = np.array([f"i{n:031d}" for n in range(SCENES * RENDITIONS)])
    raters = np.array([f"r{n:031d}" for n in range(RATERS)])
    (folder / "images").mkdir()
    for image in images:
        (folder / f"images/{image}.png").touch()
    write(folder, "scenes", SCENES, scene_id=scenes, category="", split="train")
    write(
        folder, "images", len(images), image_id=images, scene_id=np.repeat(scenes, RENDITIONS),
        file_name=[f"images/{image}.png" for image in images], recipe='{"steps": ["x"]}', width=64, height=64,
        sha256="0" * 64,
    )  # fmt: skip
    pairs = [
        (s * RENDITIONS + a, s * RENDITIONS + b)
        for s in range(SCENES)
        for a in range(RENDITIONS)
        for b in range(a)
    ]
    first, second = np.array(pairs).T
    pair_ids = np.array([f"p{n:031d}" for n in range(len(pairs))])
    write(
        folder, "pairs", len(pairs), pair_id=pair_ids, scene_id=scenes[first // RENDITIONS], image_a=images[first],
        image_b=images[second], delta_e=8.0,
    )  # fmt: skip
    write(
        folder, "raters", RATERS, rater_id=raters, person_id=raters, valid=True, split="train", simulated=True,
        simulation="{}",
    )  # fmt: skip
    asked = rng.integers(len(pairs), size=JUDGMENTS)
    swapped = rng.random(JUDGMENTS) < 0.5
    preferred = np.where(swapped, second[asked], first[asked])
    rejected = np.where(swapped, first[asked], second[asked])
    write(
        folder, "judgments", JUDGMENTS, judgment_id=[f"j{n:031d}" for n in range(JUDGMENTS)],
        rater_id=np.repeat(raters, JUDGMENTS // RATERS), pair_id=pair_ids[asked], preferred_image=images[preferred],
        rejected_image=images[rejected], left_image=images[preferred], right_image=images[rejected],
        chosen_side="left", response_ms=900, is_check=False,
        question_index=np.tile(np.arange(JUDGMENTS // RATERS), RATERS), answered_at=0,
    )  # fmt: skip


def write(folder, name, count, **columns):
    """The columns of the format, what is not named being empty; 100,000 rows a group."""
    schema = ppsd.TABLES[name]
    arrays = []
    for field in schema:
        value = columns.get(field.name, None if field.nullable else EMPTY.get(str(field.type), 0))
        if not isinstance(value, (np.ndarray, list)):
            value = [value] * count
        arrays.append(pa.array(value).cast(field.type))
    table = pa.table(arrays, schema=schema)
    pq.write_table(table, folder / f"{name}.parquet", compression="zstd", row_group_size=100_000)


if __name__ == "__main__":
    main()
