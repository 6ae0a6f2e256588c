"""The form that lets a study's participants have their look."""

from typing import Any

from django import forms
from django.db.models import Q

from collection.access import User
from collection.models import Study
from learning.access import runs_of
from learning.models import Run, StudyLook
from learning.systems import LOOK_MAKERS


class RunField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic at run time
    def label_from_instance(self, obj: Run) -> str:
        name = f"{obj.system} {obj.preset}, {obj.public_id[:8]}, {obj.created_at:%Y-%m-%d}"
        return f"{name}{', of simulated raters' if obj.is_simulated else ''}"


class StudyLookForm(forms.Form):
    run = RunField(
        queryset=Run.objects.none(), to_field_name="public_id", label="Learnt by the run", empty_label=None
    )
    shows_early = forms.BooleanField(
        required=False, label="A first look also for who comes back half-way", initial=True
    )

    def __init__(self, user: User, study: Study, found: StudyLook | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        runs = runs_of(user).filter(state=Run.State.DONE, system__in=LOOK_MAKERS)
        # Those that learnt from this study first.
        runs = runs.annotate(is_ours=Q(export__study=study.pk)).order_by("-is_ours", "-pk")
        self.fields["run"].queryset = runs  # type: ignore[attr-defined]
        self.has_runs = runs.exists()
        if found is not None:
            self.initial["run"] = found.learner.public_id
            self.initial["shows_early"] = found.shows_early
