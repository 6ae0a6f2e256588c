"""Pages about what people will compare: edits ordered as a job, and the pairs that came of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from collection.access import study_for
from collection.design.protocol import Protocol
from collection.design.study_file import recipe_from_json
from collection.models import Role, Study, StudyPair
from collection.researcher.charts import Chart, Line, histogram
from collection.researcher.jobs import job_cancel, job_progress
from collection.researcher.pages import can_edit, page_of
from collection.selectors.pairs import study_scene_groups
from collection.services.studies import N_RECIPES, StudyError, study_generate_variants
from variants.models import LutFile, Rendition
from variants.services import OwnRecipe
from variants.sources.cameras import camera_recipes
from variants.sources.controlled import (
    MAX_RECIPES,
    RANGES,
    controlled_recipes,
    designed_recipes,
    lut_recipes,
)
from variants.tone.recipes import NEUTRAL

SCENES_PER_PAGE = 100
DESIGNS = {
    "listed": "Those that the study's file lists",
    "mixed": "A mixture: single concepts, finished looks and combinations, a third each",
    "sobol": "Samples that cover the space of the concepts evenly",
    "grid": "A grid: even strengths of each concept",
    "none": "No controlled edits",
}


class RenditionsForm(forms.Form):
    """Which edits; after `is_valid()` there are `recipes`."""

    design = forms.ChoiceField(
        choices=DESIGNS, initial="mixed", label="Controlled edits", widget=forms.RadioSelect
    )
    n = forms.IntegerField(
        min_value=1,
        max_value=MAX_RECIPES,
        initial=N_RECIPES,
        label="How many of each photo",
        help_text="The photo as it is counts as one. For a grid: strengths of each concept.",
    )
    concepts = forms.MultipleChoiceField(
        choices=[(name, name.replace("_", " ")) for name in RANGES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Of samples and grids; none ticked stands for all.",
    )
    one_at_a_time = forms.BooleanField(required=False, label="One concept in each rendition")
    simulated_cameras = forms.BooleanField(
        required=False,
        label="Twelve simulated cameras",
        help_text="Image processors that we made up, of no make.",
    )
    luts = forms.ModelMultipleChoiceField(
        LutFile.objects.all(),
        to_field_name="key",
        required=False,
        label="LUTs on this site",
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seed = Protocol.from_json(study.protocol).seed
        self.listed = [recipe_from_json(data) for data in study.recipes]
        design: Any = self.fields["design"]
        if self.listed:
            design.initial = "listed"
        else:
            design.choices = [choice for choice in design.choices if choice[0] != "listed"]
        if not LutFile.objects.exists():
            del self.fields["luts"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.recipes = self._recipes(cleaned)
            except ValueError as error:
                self.add_error("n", capfirst(str(error)))
        return cleaned

    def _recipes(self, cleaned: dict[str, Any]) -> list[OwnRecipe]:
        others: list[OwnRecipe] = []
        if cleaned["simulated_cameras"]:
            others += camera_recipes()
        others += lut_recipes(lut.key for lut in cleaned.get("luts") or ())
        if cleaned["design"] == "none":
            if not others:
                raise ValueError("nothing is chosen: take controlled edits, simulated cameras or LUTs")
            return [NEUTRAL, *others]
        if cleaned["design"] == "listed":
            return [*self.listed, *others]
        if cleaned["design"] == "mixed":
            return [*controlled_recipes(cleaned["n"], self.seed), *others]
        designed = designed_recipes(
            cleaned["design"],
            cleaned["n"],
            self.seed,
            concepts=cleaned["concepts"],
            one_at_a_time=cleaned["one_at_a_time"],
        )
        return [*designed, *others]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def study_renditions(request: HttpRequest, slug: str) -> HttpResponse:
    posted = request.method == "POST"
    study = study_for(request, slug, Role.EDITOR if posted else Role.VIEWER)
    form = RenditionsForm(request.POST if posted else None, study=study)
    if form.is_valid() and _order(request, study, form.recipes):
        return redirect("researcher:study-renditions", slug)
    states = Counter(
        dict(
            Rendition.objects.filter(scene__studies=study)
            .order_by()
            .values_list("state")
            .annotate(n=Count("pk"))
        )
    )
    job = study.render_jobs.order_by("-pk").first()
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "job": job,
        "n_scenes": study.scenes.count(),
        "states": [(states[state], state.label) for state in Rendition.State if states[state]],
        "failures": Rendition.objects.filter(scene__studies=study, state=Rendition.State.FAILED).exclude(
            error=""
        )[:20],
        "can_change": study.status != Study.Status.CLOSED and can_edit(study),
    }
    return render(request, "researcher/study_renditions.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def pairs_make(request: HttpRequest, slug: str) -> HttpResponse:
    """No new edits: the pairs that are missing."""
    _order(request, study_for(request, slug, Role.EDITOR), [])
    return redirect("researcher:study-pairs", slug)


def _order(request: HttpRequest, study: Study, recipes: list[OwnRecipe]) -> bool:
    try:
        job = study_generate_variants(study, recipes)
    except (StudyError, ValueError) as error:
        messages.error(request, capfirst(str(error)))
        return False
    job.enqueue()
    return True


@login_required
@require_safe
def render_progress(request: HttpRequest, slug: str, public_id: str) -> JsonResponse:
    return job_progress(get_object_or_404(study_for(request, slug).render_jobs, public_id=public_id))


@login_required
@require_POST
def render_cancel(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    job_cancel(request, get_object_or_404(study.render_jobs, public_id=public_id), "rendering")
    return redirect("researcher:study-renditions", slug)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenePairs:
    name: str
    public_id: str
    n: int
    n_groups: int
    low: float | None
    high: float | None


@login_required
@require_safe
def study_pairs(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    protocol = Protocol.from_json(study.protocol)
    groups = study_scene_groups(study)
    of_scene = StudyPair.objects.filter(study=study).order_by().values("pair__scene")
    measured = {
        row["pair__scene"]: row
        for row in of_scene.annotate(n=Count("pk"), low=Min("pair__delta_e"), high=Max("pair__delta_e"))
    }
    page = page_of(request, Paginator(study.scenes.order_by("pk"), SCENES_PER_PAGE))
    differences = list(
        StudyPair.objects.filter(study=study).order_by().values_list("pair__delta_e", flat=True)
    )
    job = study.render_jobs.order_by("-pk").first()
    context = {
        "area": "studies",
        "study": study,
        "protocol": protocol,
        "page": page,
        "rows": [_scene_pairs(scene, measured.get(scene.pk), groups.get(scene.pk, 0)) for scene in page],
        "n_pairs": len(differences),
        "n_apart": sum(n > 1 for n in groups.values()),
        "n_without": study.scenes.count() - len(measured),
        "chart": differences_chart(differences, protocol),
        "job": job if job and not job.is_over else None,
        "can_change": study.status != Study.Status.CLOSED and can_edit(study),
    }
    return render(request, "researcher/study_pairs.html", context)


def _scene_pairs(scene: Any, row: Mapping[str, Any] | None, n_groups: int) -> ScenePairs:
    return ScenePairs(
        name=scene.name,
        public_id=scene.public_id,
        n=row["n"] if row else 0,
        n_groups=n_groups,
        low=row["low"] if row else None,
        high=row["high"] if row else None,
    )


def differences_chart(differences: list[float], protocol: Protocol) -> Chart | None:
    """How far apart the two of a pair are, with the window that the protocol allows."""
    if not differences:
        return None
    top = int(max(*differences, protocol.max_delta_e, 2)) + 1
    edges = list(range(top + 1))
    counts = Counter(min(int(difference), top - 1) for difference in differences)
    step = max(1, -(-top // 8))
    return Chart(
        title="Difference of the two of a pair",
        note=f"{len(differences):,} pairs; mean ΔE00 of the whole photo",
        svg=histogram(
            edges=[float(edge) for edge in edges],
            counts=[counts[edge] for edge in edges[:-1]],
            ticks=[(float(edge), str(edge)) for edge in edges[::step]],
            lines=[
                Line(at=protocol.min_delta_e, label="from", kind="limit"),
                Line(at=protocol.max_delta_e, label="to", kind="limit"),
            ],
            x_label="mean ΔE00",
            y_label="pairs",
        ),
        columns=("ΔE00", "Pairs"),
        rows=tuple((f"{edge} to {edge + 1}", str(counts[edge])) for edge in edges[:-1] if counts[edge]),
    )
