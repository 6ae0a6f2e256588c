"""The forms about photos: to be rendered to a rater's taste, or to a style."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.text import capfirst

from collection.access import User
from learning.access import runs_of
from learning.forms import rater_choices
from learning.models import PhotoRequest
from learning.raters import DatasetRater
from learning.services.photos import KEEP, MAX_BYTES, MAX_PHOTOS, MAX_PIXELS
from learning.services.styles import MAX_LIKED, MAX_LIKED_BYTES, PRESET_SUFFIXES
from learning.systems import KEEP_PRESETS, MAX_STRENGTH, PHOTO_READERS, TAKE_WORDS, TITLES, UNTRAINED
from learning.systems.concepts import SLIDERS, WORDS
from variants.jobs import Job


class RangeInput(forms.NumberInput):
    input_type = "range"


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """Several files; their number and sizes are the service's to judge."""

    default_error_messages = {"required": "Choose at least one photo."}

    def clean(self, data: Any, initial: Any = None) -> list["UploadedFile[bytes]"]:
        if not data and not self.required:
            return []
        return [super(PhotosField, self).clean(one, initial) for one in data or [None]]


class PhotosForm(forms.Form):
    rater = forms.ChoiceField(label="To whose taste")
    strength = forms.FloatField(
        initial=1.0,
        min_value=0,
        max_value=MAX_STRENGTH,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text="0 leaves the photo as it is, 1 is the system's own measure.",
    )
    photos = PhotosField(
        widget=ManyFiles(attrs={"accept": "image/*", "data-most": MAX_PHOTOS, "data-most-each": MAX_BYTES}),
        help_text=f"Up to {MAX_PHOTOS} photos of {MAX_BYTES // 10**6} MB and {MAX_PIXELS // 10**6} megapixels each. "
        f"Only you see them; they are deleted after {KEEP.days} days, or when you say so.",
    )

    def __init__(self, raters: Sequence[DatasetRater], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rater"].choices = rater_choices(raters)  # type: ignore[attr-defined]


WAY_WORDS = {
    "pif_lite": (
        "Named sliders",
        "Exposure, contrast, tint and so on, each adjustable. pif_lite, needs no training.",
    ),
    "deep_photo": (
        "The colours themselves",
        "Your photo takes the palette of the liked photos, mixed, whatever they show. Strong, so begin with a "
        "strength of 0.5. deep_photo, needs no training.",
    ),
}
WORD = "word_"
"""Before a concept: the name of its field."""


class StyleForm(forms.Form):
    liked = PhotosField(
        label="Photos whose tone you like",
        required=False,
        widget=ManyFiles(
            attrs={
                "accept": "image/*",
                "data-most": MAX_LIKED,
                "data-most-each": MAX_BYTES,
                "data-most-bytes": MAX_LIKED_BYTES,
            }
        ),
        help_text=f"One to {MAX_LIKED}. Sliders learn what several photos of one look share; the colours are best taken from one.",
    )
    photos = PhotosField(
        label="Your photos",
        widget=ManyFiles(attrs={"accept": "image/*", "data-most": MAX_PHOTOS, "data-most-each": MAX_BYTES}),
        help_text=f"One to {MAX_PHOTOS}, to be given that look; at most {MAX_BYTES // 10**6} MB and "
        f"{MAX_PIXELS // 10**6} megapixels each.",
    )
    way = forms.ChoiceField(label="How it is learned", widget=forms.RadioSelect, initial=UNTRAINED[0])
    strength = forms.FloatField(
        initial=1.0,
        min_value=0,
        max_value=MAX_STRENGTH,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text="0 leaves the photos as they are, 1 is the system's own measure.",
    )
    name = forms.CharField(
        required=False, max_length=80, label="Name of the style", help_text="Empty: after the first photo."
    )
    masks = PhotosField(
        required=False,
        widget=ManyFiles(attrs={"accept": ".png,.tif,.tiff,.bmp,.gif", "data-most": MAX_LIKED + MAX_PHOTOS}),
        help_text="For the colours themselves, segment by segment: pictures with the names of the photos (lake.png "
        "of lake.jpg) and one flat colour for each segment. Equal colours go together; every liked photo needs one.",
    )
    preset = forms.FileField(
        required=False,
        widget=forms.FileInput(attrs={"accept": ",".join(PRESET_SUFFIXES)}),
        help_text="Instead of liked photos: a preset downloaded here before, with the run that made it.",
    )
    keep_days = KEEP.days
    main = ("liked", "photos", "way", "strength", "name")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        done = runs_of(user).filter(system__in=PHOTO_READERS, state=Job.State.DONE)
        self._runs = {run.public_id: run for run in done}
        systems = {run.system for run in done}
        if not systems.intersection(KEEP_PRESETS):
            del self.fields["preset"]
        if systems.intersection(TAKE_WORDS):
            for concept, words in WORDS.items():
                self.fields[f"{WORD}{concept}"] = forms.ChoiceField(
                    label=concept, required=False, choices=[("", "as it is"), *zip(words, words, strict=True)]
                )
        runs = {
            key: (
                capfirst(TITLES[run.system]),
                f"Your run {key[:8]} of {run.system}{', of simulated raters' if run.is_simulated else ''}.",
            )
            for key, run in self._runs.items()
        }
        self.fields["way"].choices = [  # type: ignore[attr-defined]
            (key, format_html("<strong>{}</strong> {}", *said)) for key, said in (WAY_WORDS | runs).items()
        ]

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.main]

    @property
    def files_beside(self) -> list[forms.BoundField]:
        """Masks, and a preset where a run takes one: what few need."""
        return [self[name] for name in ("masks", "preset") if name in self.fields]

    @property
    def word_fields(self) -> list[forms.BoundField]:
        """A choice of words for each concept, where a run takes them."""
        return [self[f"{WORD}{concept}"] for concept in WORDS if f"{WORD}{concept}" in self.fields]

    @property
    def words(self) -> dict[str, str]:
        """Those that were chosen, by concept."""
        chosen = {concept: self.cleaned_data.get(f"{WORD}{concept}") for concept in WORDS}
        return {concept: word for concept, word in chosen.items() if word}

    @property
    def has_words(self) -> bool:
        return self.is_bound and any(self.data.get(field.html_name) for field in self.word_fields)

    @property
    def has_file_errors(self) -> bool:
        return any(field.errors for field in self.files_beside)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        source = data.get("liked") or data.get("preset") or self.words
        if not source and "liked" not in self.errors:
            self.add_error("liked", "Choose at least one photo.")
        return data

    @property
    def beside(self) -> dict[str, Any]:
        """What else `style_request` takes, where it was given."""
        given = self.cleaned_data | {"words": self.words}
        return {name: given[name] for name in ("name", "masks", "preset", "words") if given.get(name)}

    @property
    def taste_reader(self) -> dict[str, Any]:
        """What `style_request` takes: a run, or a system that needs no training."""
        way = self.cleaned_data["way"]
        return {"run": self._runs[way]} if way in self._runs else {"system": way}


class ConceptsForm(forms.Form):
    """The strength, and a slider for each concept of the style, where it was learned."""

    strength = forms.FloatField(
        min_value=0, max_value=MAX_STRENGTH, widget=RangeInput(attrs={"step": "0.05"})
    )

    def __init__(self, asked: PhotoRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._learned: dict[str, float] = asked.learned or {}
        self.initial["strength"] = asked.strength
        for name, learned in self._learned.items():
            slider = SLIDERS[asked.reader][name]
            now = asked.strengths.get(name, learned)
            self.fields[name] = forms.FloatField(
                initial=round(now, 3),
                min_value=slider.low,
                max_value=slider.high,
                widget=RangeInput(attrs={"step": "0.01", "data-learned": f"{learned:.3f}"}),
                help_text=slider.unit,
            )

    @property
    def changed_strengths(self) -> dict[str, float]:
        """Concepts that are not where they were learned, to what a slider can tell."""
        given = {name: self.cleaned_data[name] for name in self._learned}
        return {name: value for name, value in given.items() if abs(value - self._learned[name]) > 0.005}


class MixForm(forms.Form):
    """Beside a style: another one of the same reader, to be mixed with it."""

    other = forms.ModelChoiceField(
        queryset=PhotoRequest.objects.none(), to_field_name="public_id", label="With", empty_label=None
    )
    share = forms.FloatField(
        label="Of it",
        initial=50,
        min_value=0,
        max_value=100,
        widget=RangeInput(attrs={"step": "5"}),
        help_text="%",
    )

    def __init__(self, others: "QuerySet[PhotoRequest]", *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["other"]
        field.queryset = others
        field.label_from_instance = lambda style: style.taste_words
