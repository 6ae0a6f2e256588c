"""Milliseconds from a choice until both photos of the next pair are painted, in Chromium in front of the site.

Photos of the default size, lossless, on PostgreSQL; once on this machine's own network, once on one of
10 Mbit/s with 100 ms of latency. In the same run, in turn: a plain page for each question, a form with the same photos and
nothing loaded ahead. Painted is what the browser's Element Timing says; its clock is the choice's own. Set
DATABASE_URL; the database is made for the measurement and dropped after it.
"""

import argparse
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.answer_loop import server
from bench.scratch import scratch_database
from bench.timing import print_rows, row

LIMIT_MS = 100
SLOW = {"latency": 100, "downloadThroughput": 10e6 / 8, "uploadThroughput": 10e6 / 8, "offline": False}
LOOKS = {"plain": 1.0, "slow": 4.0}
"""Network → seconds that a pair is looked at before the choice."""
WAIT_S = 60
# Both photos of a pair are told of with the choice before them, on the clock that pages share.
NOTE = """
const clock = (time) => performance.timeOrigin + time;
let painted = [];
addEventListener("click", (event) => {
  painted = [];
  sessionStorage.setItem("chosen", clock(event.timeStamp));
}, true);
new PerformanceObserver((list) => {
  painted.push(...list.getEntries().map(({ renderTime }) => clock(renderTime)));
  if (painted.length === 2) note(Math.max(...painted) - Number(sessionStorage.getItem("chosen")));
}).observe({ type: "element", buffered: true });
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.tagName === "IMG") node.setAttribute("elementtiming", "photo");
  }
}).observe(document, { childList: true, subtree: true });
"""


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.next_pair", description=__doc__)
    parser.add_argument("--questions", type=int, default=20, help="of one round")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with scratch_database():
        from playwright.sync_api import sync_playwright

        from tests.chromium import ADVICE, ARGUMENTS, find_chromium

        path = find_chromium() or sys.exit(ADVICE)
        study = study_make(options.questions)
        sessions = [session_make(study) for _ in range(options.rounds * len(LOOKS))]
        with server() as port, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            waits = measure(browser, f"http://127.0.0.1:{port}", study, sessions, options)
            browser.close()
    print_table(waits)
    print_rows([row for network in LOOKS for row in rows_of(network, waits)])


def measure(browser, home, study, sessions, options):
    """(network, contender) → milliseconds of each question but the first of a round."""
    waits = {(network, name): [] for network in LOOKS for name in ("ours", "plain page")}
    for _ in range(options.rounds):
        for network, name in waits:
            address = f"/s/{study.slug}/" if name == "ours" else f"/bare/ask/{sessions.pop().token}/"
            waits[network, name] += visit(browser, home + address, network, options.questions)
    return waits


def visit(browser, address, network, n):
    """What somebody waits who goes through a session of `n` questions."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, noted = context.new_page(), []
    context.expose_function("note", lambda wait: noted.append(wait))
    context.add_init_script(NOTE)
    if network == "slow":
        tools = context.new_cdp_session(page)
        tools.send("Network.enable")
        tools.send("Network.emulateNetworkConditions", SLOW)
    page.goto(address)
    if "/s/" in address:
        page.get_by_role("button", name="I agree").click()
    for done in range(1, n):
        wait_for(page, lambda done=done: len(noted) >= done)
        page.wait_for_timeout(1000 * LOOKS[network])
        page.locator("button", has=page.locator("img")).nth(done % 2).click()
    wait_for(page, lambda: len(noted) == n)
    context.close()
    return noted[1:]


def wait_for(page, truth):
    end = time.monotonic() + WAIT_S
    while not truth():
        if time.monotonic() > end:
            sys.exit(f"no pair was painted within {WAIT_S} s at {page.url}")
        page.wait_for_timeout(10)


def print_table(waits):
    print("network  page          p50 ms   p95 ms   longest   questions")
    for (network, name), taken in waits.items():
        p50, p95 = np.percentile(taken, [50, 95])
        print(f"{network:8} {name:12} {p50:7.0f} {p95:8.0f} {max(taken):9.0f} {len(taken):11}")


def rows_of(network, waits):
    ours, peer = (float(np.percentile(waits[network, name], 95)) for name in ("ours", "plain page"))
    shared = {"ours": ours, "better": "lower", "unit": "ms", "goal": 1}
    return [
        row(f"next pair painted, {network} network, p95", **shared, peer=LIMIT_MS, peer_name="limit"),
        row(f"next pair painted, {network} network, p95", **shared, peer=peer, peer_name="plain page"),
    ]


def study_make(n):
    """Pairs of the packages' photos, enlarged to the default size, with the grain of a camera's."""
    from django.core.files.base import ContentFile

    from collection.design.protocol import Protocol
    from collection.models import StudyPair
    from evaluation.simulation.photos import package_photos
    from tests.collection.factories import make_rendition, make_scene, make_study
    from variants.models import Pair
    from variants.tone.images import encode_image

    protocol = {"phases": ("consent", "main"), "n_main": n, "n_checks": 0, "block_size": 0}
    study = make_study(n_scenes=0, **protocol)
    sizes = []
    for photo in package_photos()[:4]:
        pixels = enlarged(photo.pixels, Protocol().long_side)
        scene = make_scene(size=(pixels.shape[1], pixels.shape[0]))
        renditions = [make_rendition(scene, step) for step in range(5)]
        for step, rendition in enumerate(renditions):
            data = encode_image(np.clip(pixels * (0.7 + 0.1 * step), 0, 1), Protocol().encoding)
            rendition.image.save(f"{rendition.public_id}.webp", ContentFile(data))
            sizes.append(len(data))
        pairs = [Pair(scene=scene, image_a=a, image_b=b, delta_e=5) for a, b in combinations(renditions, 2)]
        for pair in Pair.objects.bulk_create(pairs):
            StudyPair.objects.create(study=study, pair=pair)
    print(f"Photos of {Protocol().long_side} px and {np.median(sizes) / 1e6:.2f} MB in the middle")
    return study


def session_make(study):
    from tests.collection.factories import make_session

    return make_session(study, name=f"person {time.time_ns()}", seed=None)


def enlarged(pixels, long_side):
    from PIL import Image

    height, width = pixels.shape[:2]
    size = [round(side * long_side / max(width, height)) for side in (width, height)]
    image = Image.fromarray((255 * pixels).round().astype(np.uint8)).resize(size, Image.Resampling.LANCZOS)
    grain = np.random.default_rng(0).normal(0, 1.5, (size[1], size[0], 3))
    return np.clip((np.asarray(image) + grain) / 255, 0, 1).astype(np.float32)


if __name__ == "__main__":
    main()
