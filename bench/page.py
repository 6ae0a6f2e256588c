"""docs/benchmarks.md: one table of all measurements; each script's rows are replaced when it is measured again."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from learning.training.environment import cpu_name
from variants.cores import usable_cores

FILE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- bench: table -->\n", "<!-- bench: end of table -->\n"
HEAD = ("what", "ours", "beside", "ratio", "goal", "", "command", "measured on")


def page_write(name: str, rows: list[dict[str, Any]]) -> None:
    """Put the rows of `python -m bench NAME` where its earlier ones were, or in their place by the alphabet."""
    before, _, rest = FILE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    command = f"`python -m bench {name}`"
    kept = [line for line in rest.partition(END)[0].splitlines()[2:] if line and _command(line) != command]
    lines = sorted([*kept, *(_line(row, command) for row in rows)], key=_command)
    table = [_joined(HEAD), "|" + " --- |" * len(HEAD), *lines]
    FILE.write_text(before + BEGIN + "\n".join(table) + "\n" + END + after, encoding="utf-8")


def machine() -> str:
    """What figures depend on besides the code: cores, processor, load while measuring, system, and the day."""
    busy = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{usable_cores()} cores of {cpu_name()}{busy}, {platform.system()}, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )


def _line(row: dict[str, Any], command: str) -> str:
    sign = "≤" if row["better"] == "lower" else "≥"
    return _joined(
        (
            row["name"],
            f"{row['ours']:.4g} {row['unit']}",
            f"{row['peer']:.4g} {row['unit']}, {row['peer_name']}",
            f"{row['ratio']:.2f}",
            f"{sign} {row['goal']:g}",
            "ok" if row["ok"] else "**missed**",
            command,
            machine(),
        )
    )


def _joined(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _command(line: str) -> str:
    return line.split(" | ")[-2]
