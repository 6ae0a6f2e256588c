"""Rows about the site itself: who works for it, and what the clock has set off."""

from django.db import models
from django.utils import timezone


class Worker(models.Model):
    """A worker process that was seen lately. It says so itself, and deletes its row when it ends in order."""

    name = models.CharField(max_length=200, unique=True)
    queues = models.JSONField(default=list)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Chore(models.Model):
    """What is done by the clock, and when it was last begun: two clocks begin it once."""

    name = models.CharField(max_length=100, unique=True)
    begun_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
