"""What is asked of the apps above this one, which it does not know: they answer from their AppConfig.ready."""

from django.dispatch import Signal

look_asked = Signal()
"""Sent with `session`: an answer is the address of the person's own look, or "" where there is none for them."""
looks_asked = Signal()
"""Sent with `study`: an answer is whether its participants get their own look."""
session_data_asked = Signal()
"""Sent with `session`: an answer is what else is stored of it, as JSON under names of its own."""
