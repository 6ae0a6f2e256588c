"""Run every measurement in this folder and print one table: `python -m bench [NAME …]`.

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

FOLDER = Path(__file__).parent
SUPPORT = {
    "__init__",
    "__main__",
    "bare_site",
    "capacity",
    "capacity_plan",
    "faults",
    "large_study",
    "scratch",
    "timing",
}


def main() -> int:
    scripts = {p.stem: p for p in sorted(FOLDER.glob("*.py")) if p.stem not in SUPPORT}
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure ours beside a peer.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which ones (default all: {', '.join(scripts)})"
    )
    names = parser.parse_args().names or list(scripts)
    if unknown := [name for name in names if name not in scripts]:
        parser.error(f"no measurement is called {', '.join(unknown)}; there are {', '.join(scripts)}")
    rows: list[dict[str, Any]] = []
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        found, code = measured(scripts[name])
        rows += found
        failed += [name] if code else []
    print("\n" + table(rows))
    for name in failed:
        print(f"{name} did not run to its end.", file=sys.stderr)
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


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| what | ours | peer | ratio | goal | |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [
        f"| {r['name']} | {r['ours']:.4g} {r['unit']} | {r['peer']:.4g} {r['unit']} ({r['peer_name']}) "
        f"| {r['ratio']:.2f} | {'≤' if r['better'] == 'lower' else '≥'} {r['goal']} | {'ok' if r['ok'] else 'MISSED'} |"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
