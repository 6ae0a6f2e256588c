"""The forms about runs: starting one, photos to render, outputs to show to people."""

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from collection.access import User
from collection.models import Export
from learning.access import exports_to_train_on, runs_of
from learning.models import Adaptation, BlindTest, PhotoRequest, Run
from learning.raters import DatasetRater
from learning.services.adaptations import MOST_REFERENCES
from learning.services.blind_tests import MAX_TASTES, SCENES
from learning.services.photos import KEEP, MAX_BYTES, MAX_LIKED, MAX_PHOTOS, MAX_PIXELS
from learning.systems import (
    BACKBONES_OF,
    PHOTO_READERS,
    PRESETS,
    SYSTEMS,
    TITLES,
    UNTRAINED,
    backbone_refusal,
    backbones_offered,
    check_names,
)
from learning.weights import backbone_of, weights_missing
from variants.tone.concepts import CONCEPTS

PRESET_WORDS = {
    "tiny": "tiny: minutes on a CPU",
    "paper": "paper: as published, for a GPU",
    "full": "full: the larger published configuration, for a GPU",
    "plus": "plus: with our own features beside the published ones",
}


ALL_BACKBONES = list(dict.fromkeys(name for names in BACKBONES_OF.values() for name in names))


class ExportField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic at run time
    def label_from_instance(self, obj: Export) -> str:
        simulated = ", simulated" if obj.study.is_simulated else ""
        return f"{PurePath(obj.folder).name}: {obj.study.name}, {obj.created_at:%Y-%m-%d}{simulated}"


class RunForm(forms.Form):
    export = ExportField(
        queryset=Export.objects.none(),
        to_field_name="public_id",
        label="Dataset",
        empty_label=None,
    )
    system = forms.ChoiceField(
        choices=[(name, f"{name}: {TITLES[name]}") for name in SYSTEMS], help_text="What learns the taste."
    )
    preset = forms.ChoiceField(
        choices=[
            (name, PRESET_WORDS.get(name, name))
            for name in dict.fromkeys(name for names in PRESETS.values() for name in names)
        ],
        help_text="The system's size and its settings.",
    )
    backbone = forms.ChoiceField(
        choices=[("", "the preset's"), *((name, name) for name in ALL_BACKBONES)],
        required=False,
        help_text="The network that it stands on or starts from. tone_statistics, of upe, needs no download.",
    )
    steps = forms.IntegerField(
        required=False, min_value=1, max_value=10_000_000, help_text="Empty: as many as the preset says."
    )
    seed = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=2**63 - 1,
        help_text="Of everything random. Several seeds show what is chance.",
    )
    elsewhere = forms.BooleanField(
        required=False, label="Start all the same: the machine that trains has the weights"
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exports = exports_to_train_on(user)
        self.fields["export"].queryset = self.exports  # type: ignore[attr-defined]
        self.asks_elsewhere = False
        # For static/js/researcher/run-form.js.
        self.presets = json.dumps(
            {s: {p: backbone_of(s, p) for p in presets} for s, presets in PRESETS.items()}
        )
        self.offered = json.dumps(
            {s: {p: backbones_offered(s, p) for p in presets} for s, presets in PRESETS.items()}
        )
        self.missing = json.dumps({name: why for name in ALL_BACKBONES if (why := weights_missing(name))})
        for name, field in self.fields.items():
            if self.is_bound and name in self.errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "system" in data and "preset" in data:
            try:
                check_names(data["system"], data["preset"], data.get("backbone"))
            except ValueError as error:
                self.add_error("backbone" if "backbone" in str(error) else "preset", str(error))
            else:
                self._check_backbone(data)
        return data

    def _check_backbone(self, data: dict[str, Any]) -> None:
        """That the preset can have it."""
        if why := backbone_refusal(data["system"], data["preset"], data.get("backbone", "")):
            self.add_error("backbone", why)
        else:
            self._check_weights(data)

    def _check_weights(self, data: dict[str, Any]) -> None:
        """Said before the run starts rather than by the run; another machine may have what this one lacks."""
        backbone = backbone_of(data["system"], data["preset"], data.get("backbone", ""))
        why = weights_missing(backbone) if backbone else ""
        self.asks_elsewhere = bool(why)
        if why and not data.get("elsewhere"):
            self.add_error("backbone", f"{why[0].upper()}{why[1:]}.")

    @property
    def settings(self) -> dict[str, Any]:
        """What `run_create` takes."""
        return {name: value for name, value in self.cleaned_data.items() if name != "elsewhere"}


class AdaptationForm(forms.Form):
    """Beside the button on a run's page: whose profiles are made, and from how many answers."""

    whose = forms.ChoiceField(choices=Adaptation.Whose.choices, initial=Adaptation.Whose.ALL)
    references = forms.IntegerField(
        initial=16, min_value=1, max_value=MOST_REFERENCES, label="answers of each"
    )


class RangeInput(forms.NumberInput):
    input_type = "range"


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """Several files; their number and sizes are the service's to judge."""

    def clean(self, data: Any, initial: Any = None) -> list["UploadedFile[bytes]"]:
        return [super(PhotosField, self).clean(one, initial) for one in data or [None]]


class PhotosForm(forms.Form):
    rater = forms.ChoiceField(label="To whose taste")
    strength = forms.FloatField(
        initial=1.0,
        min_value=0,
        max_value=2,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text="0 leaves the photo as it is, 1 is the system's own measure.",
    )
    photos = PhotosField(
        widget=ManyFiles(attrs={"accept": "image/*"}),
        help_text=f"Up to {MAX_PHOTOS} photos of {MAX_BYTES // 10**6} MB and {MAX_PIXELS // 10**6} megapixels each. "
        f"Only you see them; they are deleted after {KEEP.days} days, or when you say so.",
    )

    def __init__(self, raters: Sequence[DatasetRater], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rater"].choices = rater_choices(raters)  # type: ignore[attr-defined]


WAY_WORDS = {
    "pif_lite": "Named sliders (pif_lite): exposure, contrast, tint and so on, each adjustable. Needs no training.",
    "deep_photo": "The colours themselves (deep_photo): your photo takes the palette of the liked photos, mixed, "
    "whatever they show. Strong, so begin with a strength of 0.5. Needs no training.",
}


class StyleForm(forms.Form):
    liked = PhotosField(
        label="Photos whose tone you like",
        widget=ManyFiles(attrs={"accept": "image/*"}),
        help_text=f"One to {MAX_LIKED}. Sliders learn what several photos of one look share; the colours are best taken from one.",
    )
    photos = PhotosField(
        label="Your photos",
        widget=ManyFiles(attrs={"accept": "image/*"}),
        help_text=f"One to {MAX_PHOTOS}, to be given that look; at most {MAX_BYTES // 10**6} MB and "
        f"{MAX_PIXELS // 10**6} megapixels each.",
    )
    way = forms.ChoiceField(label="How it is learned", widget=forms.RadioSelect, initial=UNTRAINED[0])
    strength = forms.FloatField(
        initial=1.0,
        min_value=0,
        max_value=2,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text="0 leaves the photos as they are, 1 is the system's own measure.",
    )
    keep_days = KEEP.days

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        done = runs_of(user).filter(system__in=PHOTO_READERS, state=Run.State.DONE)
        self._runs = {run.public_id: run for run in done}
        self.fields["way"].choices = [  # type: ignore[attr-defined]
            *((name, WAY_WORDS[name]) for name in UNTRAINED),
            *(
                (key, f"The run {run.system} {key[:8]}{', of simulated raters' if run.is_simulated else ''}")
                for key, run in self._runs.items()
            ),
        ]

    @property
    def taste_reader(self) -> dict[str, Any]:
        """What `style_request` takes: a run, or a system that needs no training."""
        way = self.cleaned_data["way"]
        return {"run": self._runs[way]} if way in self._runs else {"system": way}


class ConceptsForm(forms.Form):
    """The strength, and a slider for each concept of the style, where it was learned."""

    strength = forms.FloatField(min_value=0, max_value=2, widget=RangeInput(attrs={"step": "0.05"}))

    def __init__(self, asked: PhotoRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._learned: dict[str, float] = asked.learned or {}
        self.initial["strength"] = asked.strength
        for name, learned in self._learned.items():
            concept = CONCEPTS[name]
            now = asked.strengths.get(name, learned)
            self.fields[name] = forms.FloatField(
                initial=round(now, 3),
                min_value=concept.low,
                max_value=concept.high,
                widget=RangeInput(attrs={"step": "0.01", "data-learned": f"{learned:.3f}"}),
                help_text=concept.unit,
            )

    @property
    def changed_strengths(self) -> dict[str, float]:
        """Concepts that are not where they were learned, to what a slider can tell."""
        given = {name: self.cleaned_data[name] for name in self._learned}
        return {name: value for name, value in given.items() if abs(value - self._learned[name]) > 0.005}


class BlindTestForm(forms.Form):
    against = forms.ChoiceField(
        label="Against", widget=forms.RadioSelect, initial=BlindTest.Against.UNTOUCHED
    )
    rival = forms.ModelChoiceField(
        queryset=Run.objects.none(),
        to_field_name="public_id",
        required=False,
        label="The other run",
        empty_label="–",
        help_text="Of the same dataset; only where the test is against another run.",
    )
    raters = forms.MultipleChoiceField(
        label="Whose tastes",
        widget=forms.SelectMultiple(attrs={"size": 8}),
        help_text=f"A study is made of each, at most {MAX_TASTES}. Raters held out of training come first.",
    )
    n_scenes = forms.IntegerField(label="Scenes in each study", min_value=SCENES[0], max_value=SCENES[-1])
    seed = forms.IntegerField(initial=0, min_value=0, max_value=2**63 - 1, help_text="Chooses the scenes.")

    def __init__(
        self, raters: Sequence[DatasetRater], rivals: Any, n_scenes: int, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rival"].queryset = rivals  # type: ignore[attr-defined]
        has_rivals = rivals.exists()
        self.fields["against"].choices = [  # type: ignore[attr-defined]
            (value, label)
            for value, label in BlindTest.Against.choices
            if has_rivals or value != BlindTest.Against.RUN
        ]
        if not has_rivals:
            del self.fields["rival"]
        self.fields["raters"].choices = rater_choices(raters)  # type: ignore[attr-defined]
        self.fields["n_scenes"].initial = min(n_scenes, 24)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        # Without the choice of a run there is none: a page without script leaves the select as it was.
        if data.get("against") != BlindTest.Against.RUN:
            data["rival"] = None
        return data


def rater_choices(raters: Sequence[DatasetRater]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Raters in two groups: held out of training, and trained on."""
    groups = {"Held out of training": True, "Trained on": False}
    return [
        (label, [(rater.id, _rater_words(rater)) for rater in raters if rater.is_held_out is held_out])
        for label, held_out in groups.items()
    ]


def _rater_words(rater: DatasetRater) -> str:
    simulated = ", simulated" if rater.is_simulated else ""
    return f"{rater.id[:12]}: {rater.n_answers} answers{simulated}"
