"""Parts of addresses."""

from django.urls.converters import StringConverter


class PublicIdConverter(StringConverter):
    """A row's public ID: what the dataset folder allows as one, so that no database is asked for more."""

    regex = r"[A-Za-z0-9._-]{1,32}"
