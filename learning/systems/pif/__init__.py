"""Personalized image filter: photographic concepts, learned from photos somebody likes."""
