#!/usr/bin/env python
"""Tonalist's command line: `python manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"settings: {error}\n")
        sys.exit(2)
    except (OperationalError, ProgrammingError) as error:
        sys.stderr.write(
            f"database: {error}\nA new or older database is prepared by: manage.py migrate. "
            "manage.py doctor says what else may be wrong.\n"
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
