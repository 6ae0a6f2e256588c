"""How far a draft is: what is there, and what is missing before it can be opened."""

from dataclasses import dataclass

from django.db.models import Count, Q

from collection.design.preflight import preflight
from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.models import Invitation, Study
from collection.selectors.pairs import study_scene_groups
from collection.selectors.studies import study_pair_counts
from variants.models import Rendition

COMES = {
    "open": "Everybody with the address may come.",
    "panel": "Only whom the panel sends may come.",
    "invited": "Only who has a personal link may come.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    name: str
    is_done: bool
    says: str
    """What is there, or what is missing."""
    url_name: str = ""
    link: str = ""


def study_steps(study: Study) -> list[Step]:
    """From photos to opening, in their order."""
    protocol = Protocol.from_json(study.protocol)
    n_scenes = study.scenes.count()
    served = Q(long_side=protocol.long_side, encoding=protocol.encoding)
    states = Rendition.objects.filter(served, scene__studies=study).aggregate(
        rendered=Count("pk", filter=Q(state=Rendition.State.RENDERED)),
        planned=Count("pk", filter=Q(state=Rendition.State.PLANNED)),
        failed=Count("pk", filter=Q(state=Rendition.State.FAILED)),
    )
    counts = study_pair_counts(study)
    found = preflight(protocol, counts.askable_by_source)
    apart = sum(n > 1 for n in study_scene_groups(study).values())
    return [
        Step(
            name="Photos",
            is_done=n_scenes > 0,
            says=_n(n_scenes, "photo")
            if n_scenes
            else "None yet: upload some, or choose from those on the site.",
            url_name="researcher:study-photos",
            link="Add photos",
        ),
        Step(
            name="Renditions",
            is_done=states["rendered"] > 0 and not states["planned"],
            says=_renditions(states),
            url_name="researcher:study-renditions",
            link="Order edits",
        ),
        Step(
            name="Pairs",
            is_done=counts.askable > 0 and not found.missing and not counts.unrendered,
            says=_pairs(counts.askable, counts.unrendered, apart, found.missing),
            url_name="researcher:study-pairs",
            link="Look at the pairs",
        ),
        Step(
            name="Protocol",
            is_done=not any(caution.leaves_out_everybody for caution in found.warnings),
            says=_protocol(protocol, [caution.text for caution in found.warnings]),
            url_name="researcher:protocol-edit",
            link="Edit the protocol",
        ),
        _recruiting(study),
    ]


def _recruiting(study: Study) -> Step:
    recruiting = Recruiting.from_json(study.recruiting)
    says = COMES[recruiting.access]
    is_missing = recruiting.access == "invited" and not _has_links(study)
    if is_missing:
        says = "Only who has a personal link may come, and there is none."
    elif recruiting.panel and not recruiting.code("completion") and not recruiting.address("completion"):
        says += " No code or address for the panel at the end yet."
    return Step(
        name="Recruiting",
        is_done=not is_missing,
        says=says,
        url_name="researcher:study-recruiting",
        link="Set recruiting",
    )


def _has_links(study: Study) -> bool:
    return Invitation.objects.filter(study=study, revoked_at=None).exists()


def _renditions(states: dict[str, int]) -> str:
    if not any(states.values()):
        return "None yet: choose the edits that people will compare."
    said = [_n(states["rendered"], "rendition")]
    said += [
        f"{states[name]} {words}"
        for name, words in (("planned", "waiting"), ("failed", "failed"))
        if states[name]
    ]
    return ", ".join(said)


def _pairs(n: int, unrendered: int, apart: int, missing: str) -> str:
    if not n:
        return "None yet: they are made with the renditions."
    said = [_n(n, "pair")]
    if unrendered:
        said.append(f"{unrendered} more wait for their images")
    if apart:
        said.append(f"{_n(apart, 'photo')} with renditions that are never compared")
    return f"{', '.join(said)}. {missing[:1].upper()}{missing[1:]}".rstrip(". ") + ("." if missing else "")


def _protocol(protocol: Protocol, cautions: list[str]) -> str:
    return (
        " ".join(cautions)
        or f"{protocol.n_main} questions and {protocol.n_checks} checks; nothing speaks against it."
    )


def _n(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
