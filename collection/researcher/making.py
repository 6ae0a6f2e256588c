"""Pages that make a study: new, from a file, from another; its particulars."""

import dataclasses
import json
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods

from collection.access import scenes_to_use, studies_of, study_for
from collection.design.plain_yaml import MAX_BYTES, YamlError
from collection.design.study_file import read_study_file
from collection.models import Role, Study
from collection.services.copies import study_clone
from collection.services.studies import SlugTaken, StudyChanged, StudyError, study_create, study_describe
from collection.services.study_files import study_create_from

LICENCES = ("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "other")


class ParticularsForm(forms.Form):
    name = forms.CharField(
        max_length=200, label="Name", help_text="For researchers; participants see the protocol's title."
    )
    purpose = forms.CharField(
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Why the study is made; the first lines of its datasheet.",
    )
    licence = forms.CharField(
        max_length=50,
        required=False,
        empty_value="other",
        widget=forms.TextInput(attrs={"list": "licences"}),
        help_text="Of its datasets, as Hugging Face names it, such as cc-by-4.0; other where none fits, or left empty.",
    )
    citation = forms.CharField(
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="How others should cite its datasets.",
    )


class FileForm(forms.Form):
    file = forms.FileField(
        label="YAML file",
        allow_empty_file=True,
        help_text="As the page of a protocol writes it. Unknown settings are named with their line.",
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml"}),
    )
    name = forms.CharField(
        max_length=200,
        required=False,
        label="Another name",
        help_text="Empty for the file's. Needed where a study here has the file's slug already.",
    )


class CloneForm(forms.Form):
    name = forms.CharField(max_length=200, label="Name of the new study")


class CloneOfForm(CloneForm):
    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = forms.ModelChoiceField(
            studies_of(user), to_field_name="slug", label="Study", empty_label="Choose …"
        )
        self.fields = {"study": field} | self.fields


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    how = request.POST.get("how", "") if request.method == "POST" else ""
    forms_of: dict[str, Any] = {
        "plain": ParticularsForm(request.POST if how == "plain" else None, prefix="plain"),
        "file": FileForm(
            request.POST if how == "file" else None, request.FILES if how == "file" else None, prefix="file"
        ),
        "clone": CloneOfForm(request.POST if how == "clone" else None, prefix="clone", user=request.user),
    }
    form = forms_of.get(how)
    if form is not None and form.is_valid():
        try:
            study = MAKERS[how](request, form)
        except SlugTaken as error:
            form.add_error("name", f"{capfirst(str(error))}: write another name, and choose the file again.")
        except (StudyError, YamlError) as error:
            form.add_error(None, capfirst(str(error)))
        else:
            messages.success(
                request,
                f"{study.name} is there, as a draft. Its short name in addresses and commands is {study.slug}.",
            )
            return redirect(study)
    context = {"area": "studies", "forms": forms_of, "licences": LICENCES}
    return render(request, "researcher/study_new.html", context, status=422 if form is not None else 200)


def _make_plain(request: HttpRequest, form: Any) -> Study:
    return study_create(**form.cleaned_data, scenes=())


def _make_from_file(request: HttpRequest, form: Any) -> Study:
    content = form.cleaned_data["file"].read(MAX_BYTES + 1)
    file = read_study_file(content)
    if name := form.cleaned_data["name"]:
        file = dataclasses.replace(file, name=name, slug="")
    return study_create_from(file, among=scenes_to_use(request.user))


def _make_clone(request: HttpRequest, form: Any) -> Study:
    return study_clone(form.cleaned_data["study"], form.cleaned_data["name"])


MAKERS = {"plain": _make_plain, "file": _make_from_file, "clone": _make_clone}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def study_clone_page(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    form = CloneForm(request.POST or None, initial={"name": f"{study.name[:190]}, again"})
    if form.is_valid():
        try:
            clone = study_clone(study, form.cleaned_data["name"])
        except StudyError as error:
            form.add_error("name", capfirst(str(error)))
        else:
            messages.success(request, f"{clone.name} is a draft of its own now.")
            return redirect(clone)
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "n_scenes": study.scenes.count(),
        "n_pairs": study.pairs.count(),
    }
    return render(request, "researcher/study_clone.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def study_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Name, purpose, licence, citation: of the study's datasets, so that they may change at any time."""
    study = study_for(request, slug, Role.EDITOR)
    form = ParticularsForm(request.POST or None, initial=_particulars(study))
    merged: Merged | None = None
    if form.is_valid():
        edition = request.POST.get("edition", "")
        try:
            study_describe(study, edition=int(edition) if edition.isdecimal() else 0, **form.cleaned_data)
        except StudyChanged as changed:
            study = changed.study
            merged = _merge(form, request.POST.get("begun_from", ""), _particulars(study))
            form = ParticularsForm(merged.data)
        except StudyError as error:
            form.add_error("name", capfirst(str(error)))
        else:
            messages.success(request, "Saved.")
            return redirect(study)
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "begun_from": json.dumps(_particulars(study)),
        "merged": merged,
        "licences": LICENCES,
    }
    status = 409 if merged else 422 if form.errors else 200
    return render(request, "researcher/study_edit.html", context, status=status)


def _particulars(study: Study) -> dict[str, str]:
    return {name: getattr(study, name) for name in ParticularsForm.base_fields}


class Merged(NamedTuple):
    """What somebody typed, put together with what somebody else has saved meanwhile."""

    data: dict[str, str]
    """For the form: theirs where nothing else was typed, what was typed everywhere else."""
    taken: list[tuple[str, str, str]]
    """Label, before and theirs, of fields that follow theirs."""
    clashes: list[tuple[str, str, str]]
    """Label, theirs and ours, of fields that both have changed. Ours stand in the form."""


def _merge(form: forms.Form, begun_from: str, saved: dict[str, str]) -> Merged:
    """Put a valid form together with what was saved since it was filled with `begun_from`."""
    before = _begun_from(begun_from)
    merged = Merged(data=dict(form.cleaned_data), taken=[], clashes=[])
    for name, typed in form.cleaned_data.items():
        label, theirs, was = str(form[name].label), saved[name], before.get(name)
        if was is not None and _is_same(theirs, was):
            continue
        if was is not None and _is_same(typed, was):
            merged.data[name] = theirs
            merged.taken.append((label, was, theirs))
        elif not _is_same(typed, theirs):
            merged.clashes.append((label, theirs, typed))
    return merged


def _begun_from(text: str) -> dict[str, str]:
    """Nothing where it was changed on its way: all that differs is a clash then."""
    try:
        begun = json.loads(text)
    except ValueError:
        return {}
    return {name: str(value) for name, value in begun.items()} if isinstance(begun, dict) else {}


def _is_same(one: str, other: str) -> bool:
    """Browsers send line ends as CR LF, and forms trim."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
