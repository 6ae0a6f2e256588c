"""The form that starts a run."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.db.models import QuerySet

from collection.models import Export
from learning.backbones import BACKBONES
from learning.systems import PRESETS, SYSTEMS, check_names
from variants.jobs import Job


def exports_to_train_on() -> QuerySet[Export]:
    return Export.objects.filter(state=Job.State.DONE).select_related("study")


class ExportField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic at run time
    def label_from_instance(self, obj: Export) -> str:
        simulated = ", simulated" if obj.study.is_simulated else ""
        return f"{PurePath(obj.folder).name}: {obj.study.name}, {obj.created_at:%Y-%m-%d}{simulated}"


class RunForm(forms.Form):
    export = ExportField(
        queryset=exports_to_train_on(),
        to_field_name="public_id",
        label="Dataset",
        empty_label=None,
    )
    system = forms.ChoiceField(choices=[(name, name) for name in SYSTEMS], help_text="What learns the taste.")
    preset = forms.ChoiceField(
        choices=[
            (name, name) for name in dict.fromkeys(name for names in PRESETS.values() for name in names)
        ],
        help_text="tiny: minutes on a CPU. full: as published, for a GPU.",
    )
    backbone = forms.ChoiceField(
        choices=[("", "the preset's"), *((name, name) for name in BACKBONES)],
        required=False,
        help_text="tone_statistics needs no download; the others' weights come by python -m learning.fetch NAME.",
    )
    steps = forms.IntegerField(
        required=False, min_value=1, max_value=10_000_000, help_text="Empty: as many as the preset says."
    )
    seed = forms.IntegerField(initial=0, min_value=0, max_value=2**63 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if self.is_bound and name in self.errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "system" in data and "preset" in data:
            try:
                check_names(data["system"], data["preset"])
            except ValueError as error:
                self.add_error("preset", str(error))
        return data
