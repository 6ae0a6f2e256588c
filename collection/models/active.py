"""What active questions are chosen by: tones of the renditions, and what a study's raters have told so far."""

from django.db import models

from collection.models.studies import Study
from variants.models import Rendition


class RenditionTone(models.Model):
    """Tone statistics of a rendition, measured once by a worker."""

    rendition = models.OneToOneField(
        Rendition, on_delete=models.CASCADE, primary_key=True, related_name="tone"
    )
    version = models.PositiveSmallIntegerField(help_text="Of the statistics' definition.")
    statistics = models.BinaryField(help_text="44 numbers of float32, little endian.")

    def __str__(self) -> str:
        return f"{self.rendition}"


class RaterModel(models.Model):
    """The rater model of a study, learnt from its own answers by a worker, and learnt again as they grow."""

    study = models.OneToOneField(
        Study, on_delete=models.CASCADE, primary_key=True, related_name="rater_model"
    )
    arrays = models.JSONField(
        null=True,
        blank=True,
        help_text="Tone space and taste model; nothing before there are enough answers.",
    )
    n_raters = models.PositiveIntegerField(default=0, help_text="That the model was learnt from.")
    n_answers = models.PositiveIntegerField(default=0)
    learnt_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(
        null=True, blank=True, help_text="A worker is learning it since; stale after a while."
    )

    def __str__(self) -> str:
        return f"{self.study}: {self.n_answers} answers"
