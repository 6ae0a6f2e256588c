"""What a study is answered on: tables of displays and browsers, with who may be used on each."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from collection.design.intervals import proportion_interval
from collection.design.wording import percents
from collection.researcher.charts import interval_bar
from collection.selectors.research import SeenDisplay, ShownDisplay

MAX_ROWS = 6
UNKNOWN = "not known"
PHONE_PX, TABLET_PX = 600, 1000
"""Shorter side of the screen in CSS pixels: phones are below 600, tablets mostly below 1,000."""
POINTERS = {"fine": "mouse or pen", "coarse": "finger", "none": "none"}
GAMUTS = {"srgb": "sRGB", "p3": "Display P3", "rec2020": "Rec. 2020"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceRow:
    value: str
    n: int
    used: str
    """k of n judged raters whose answers may be used; empty where nobody is judged."""
    interval: str
    bar: SafeString | str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceTable:
    title: str
    rows: list[DeviceRow]


def device_tables(displays: Sequence[SeenDisplay]) -> list[DeviceTable]:
    """One for each property, the most frequent values first; none without displays."""
    if not displays:
        return []
    judged = [each.may_be_used for each in displays if each.may_be_used is not None]
    overall = sum(judged) / len(judged) if judged else 0.0
    return [
        DeviceTable(title=title, rows=_rows(displays, value, overall)) for title, value in PROPERTIES.items()
    ]


def _rows(
    displays: Sequence[SeenDisplay], value: Callable[[ShownDisplay], str], overall: float
) -> list[DeviceRow]:
    groups: defaultdict[str, list[bool | None]] = defaultdict(list)
    for each in displays:
        groups[value(each.record) or UNKNOWN].append(each.may_be_used)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    others = [used for _, group in ordered[MAX_ROWS:] for used in group]
    shown = ordered[:MAX_ROWS] + ([(f"{len(ordered) - MAX_ROWS} others", others)] if others else [])
    return [_row(name, group, overall) for name, group in shown]


def _row(name: str, group: Sequence[bool | None], overall: float) -> DeviceRow:
    judged = [used for used in group if used is not None]
    k, n = sum(judged), len(judged)
    interval = proportion_interval(k, n)
    return DeviceRow(
        value=name,
        n=len(group),
        used=f"{k} of {n}" if n else "",
        interval=percents(interval) if n else "",
        bar=interval_bar(k, n, interval, limit=overall) if n else "",
    )


def _size(record: ShownDisplay) -> str:
    if not record.screen_width or not record.screen_height:
        return ""
    side = min(record.screen_width, record.screen_height)
    if side < PHONE_PX:
        return f"under {PHONE_PX} px"
    return f"{PHONE_PX} to {TABLET_PX} px" if side < TABLET_PX else f"{TABLET_PX} px or more"


def _browser(record: ShownDisplay) -> str:
    """The last brand without its version: the ones before are the engine's. Safari calls itself Version."""
    name = re.split(r"[/ ]\d", str(record.details.get("browser", "")).split(", ")[-1])[0]
    return "Safari" if name == "Version" else name


PROPERTIES: dict[str, Callable[[ShownDisplay], str]] = {
    "Platform": lambda record: record.platform,
    "Browser": _browser,
    "Pointer": lambda record: POINTERS.get(record.details.get("pointer", ""), ""),
    "Shorter side of the screen": _size,
    "Device pixels per CSS pixel": lambda record: f"{record.pixel_ratio:g}" if record.pixel_ratio else "",
    "Colours": lambda record: GAMUTS.get(record.color_gamut, ""),
    "Dynamic range": lambda record: record.dynamic_range,
}
