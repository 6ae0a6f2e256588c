"""How much a study of so many raters takes: arithmetic on measured figures, for the table in docs/capacity.md.

`python -m bench.capacity` measures; what is put in here by hand says so. Prices are assumptions with a date:
give your own, such as `--gb-month 0.08`.
"""

import argparse
import math
from dataclasses import dataclass, fields

RATERS = (10**3, 10**5, 10**7)
DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """With PostgreSQL 15, by bench.capacity in November 2026, where nothing else is said."""

    questions: int = 90
    """In a session."""
    database_bytes: int = 132_000
    """A session leaves, with indexes."""
    image_bytes: int = 742_000
    """Of a rendition of 1080 pixels, WebP lossless: the median."""
    answers_per_second: int = 1_300
    """Derived: 0.6, which bench.answer_loop holds, of a bare view's 2,186 on 2 idle cores, database on them too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumed:
    """Of November 2026, in US dollars, by nobody's price list: round figures of large providers."""

    sessions_per_rater: float = 1.0
    days: int = 30
    """Over which raters come."""
    peak: float = 4.0
    """The busiest hour beside the mean one."""
    load: float = 0.3
    """Of what a machine can do is asked of it at the peak."""
    images_per_question: float = 2.0
    scenes: int = 1000
    renditions: int = 8
    """Of each scene."""
    core_hour: float = 0.04
    gb_month: float = 0.10
    """Of a database's disk, with its copy."""
    bucket_gb_month: float = 0.023
    egress_gb: float = 0.08
    """What a browser loads; a CDN or a flat rate costs far less."""
    pay: float = 3.0
    """To a rater for a session, with a panel's fee: most of all costs, and no machine's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    raters: int
    raters_a_day: float
    answers_a_second: float
    """At the peak."""
    web_cores: int
    database_gb: float
    images_gb: float
    egress_gb: float
    cost_per_1000: float
    """Sessions: machines, disks and traffic, without pay."""


def plan(raters: int, measured: Measured, assumed: Assumed) -> Plan:
    """What `raters` take. Above 10⁵ the database is no longer on the machine that was measured: extrapolated."""
    sessions = raters * assumed.sessions_per_rater
    answers = sessions * measured.questions / (assumed.days * DAY) * assumed.peak
    cores = max(2, 2 * math.ceil(answers / (measured.answers_per_second * assumed.load)))
    database = sessions * measured.database_bytes / 1e9
    images = assumed.scenes * assumed.renditions * measured.image_bytes / 1e9
    egress = sessions * measured.questions * assumed.images_per_question * measured.image_bytes / 1e9
    months = assumed.days / 30
    cost = (
        # As much again for workers, and for the database's own.
        3 * cores * assumed.core_hour * 24 * assumed.days
        + database * assumed.gb_month * months
        + images * assumed.bucket_gb_month * months
        + egress * assumed.egress_gb
    )
    return Plan(
        raters=raters,
        raters_a_day=raters / assumed.days,
        answers_a_second=answers,
        web_cores=cores,
        database_gb=database,
        images_gb=images,
        egress_gb=egress,
        cost_per_1000=1000 * cost / sessions,
    )


def table(measured: Measured, assumed: Assumed) -> str:
    lines = [
        "| raters | a day | answers/s at the peak | cores for web | database | images | sent to browsers | cost per 1,000 sessions |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for raters in RATERS:
        p = plan(raters, measured, assumed)
        lines.append(
            f"| {p.raters:,} | {p.raters_a_day:,.0f} | {p.answers_a_second:,.1f} | {p.web_cores} | {p.database_gb:,.1f} GB "
            f"| {p.images_gb:,.0f} GB | {p.egress_gb:,.0f} GB | ${p.cost_per_1000:,.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity_plan", description=__doc__)
    for each in (*fields(Measured), *fields(Assumed)):
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=each.default)
    given = vars(parser.parse_args())
    print(
        table(
            Measured(**{f.name: given[f.name] for f in fields(Measured)}),
            Assumed(**{f.name: given[f.name] for f in fields(Assumed)}),
        )
    )


if __name__ == "__main__":
    main()
