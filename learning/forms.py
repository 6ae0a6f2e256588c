"""The forms about runs: starting one, photos to render, outputs to show to people."""

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from django import forms

from collection.access import User
from collection.models import Export
from learning.access import exports_to_train_on
from learning.models import Adaptation, BlindTest, Run
from learning.raters import DatasetRater
from learning.services.adaptations import MOST_REFERENCES
from learning.services.blind_tests import MAX_TASTES, SCENES
from learning.systems import (
    BACKBONES_OF,
    PRESETS,
    SYSTEMS,
    TITLES,
    backbone_refusal,
    backbones_offered,
    check_names,
)
from learning.weights import backbone_of, weights_missing

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
