"""Run every measurement in this folder: `python -m bench [NAME …]`; the table is docs/benchmarks.md.

A measurement is a script that can be run by itself, prints a table for people and, as
its last lines, one JSON object a row: name, ours, peer, peer_name, ratio, goal, better,
ok, unit. Ours and the peer are measured in the same run, in interleaved rounds.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.page import FILE, page_write

FOLDER = Path(__file__).parent
SUPPORT = {
    "__init__",
    "__main__",
    "bare_site",
    "capacity",
    "capacity_plan",
    "faults",
    "large_study",
    "page",
    "scratch",
    "timing",
}


def main() -> int:
    scripts = {p.stem: p for p in sorted(FOLDER.glob("*.py")) if p.stem not in SUPPORT}
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure ours beside a peer.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which ones (default all: {', '.join(scripts)})"
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help=f"put what was measured into {FILE.relative_to(FOLDER.parent)}",
    )
    options = parser.parse_args()
    names = options.names or list(scripts)
    if unknown := [name for name in names if name not in scripts]:
        parser.error(f"no measurement is called {', '.join(unknown)}; there are {', '.join(scripts)}")
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        rows, code = measured(scripts[name])
        for row in rows:
            print("ok     " if row["ok"] else "MISSED ", row["name"], f"{row['ratio']:.2f}", flush=True)
        failed += [name] if code else []
        if options.write_docs and rows and not code:
            page_write(name, rows)  # at once: the rest may be stopped
    for name in failed:
        print(f"{name} did not run to its end; its last lines say why.", file=sys.stderr)
    return 1 if failed else 0


def measured(script: Path) -> tuple[list[dict[str, Any]], int]:
    """The script's rows and exit code; what it prints for people passes through."""
    rows = []
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=FOLDER.parent
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{"name"'):
                rows.append(json.loads(line))
            else:
                print(line, end="", flush=True)
    return rows, process.returncode


if __name__ == "__main__":
    sys.exit(main())
