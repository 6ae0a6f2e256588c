"""A database of one measurement's own, on the PostgreSQL server of DATABASE_URL."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from urllib.parse import urlsplit

HOW = "This is measured on PostgreSQL: set DATABASE_URL, such as postgres://postgres@127.0.0.1:5432/postgres"


@contextlib.contextmanager
def scratch_database() -> Iterator[None]:
    """Django is set up on it, and so are processes that are started meanwhile. It is dropped at the end."""
    url = os.environ.get("DATABASE_URL", "")
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        sys.exit(HOW)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "TONALIST_DATA": folder,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": "only-for-measuring",
            "DEBUG": "off",
        }
        import django
        from django.db import DatabaseError, connection

        django.setup()
        name, elsewhere = f"tonalist_bench_{os.getpid()}", connection.settings_dict["NAME"]
        connection.settings_dict["TEST"]["NAME"] = name
        try:
            connection.creation.create_test_db(verbosity=0, autoclobber=True)
        except DatabaseError as error:
            sys.exit(f"{HOW}\n{error}")
        os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{name}").geturl()
        try:
            yield
        finally:
            connection.creation.destroy_test_db(elsewhere, verbosity=0)
            os.environ["DATABASE_URL"] = url
