"""Secrets of second factors, which stood in the database as they are, are encrypted."""

from collections.abc import Callable

from django.db import migrations

from config.second_factors import FIELDS, closed, opened


def change(apps, how: Callable[[str], str]) -> None:
    for factor in apps.get_model("mfa", "Authenticator").objects.iterator():
        changed = {name: how(factor.data[name]) for name in FIELDS if name in factor.data}
        if changed:
            factor.data |= changed
            factor.save(update_fields=["data"])


def close_all(apps, schema_editor):
    change(apps, closed)


def open_all(apps, schema_editor):
    change(apps, opened)


class Migration(migrations.Migration):

    dependencies = [
        ("config", "0001_workers_and_chores"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [
        migrations.RunPython(close_all, open_all),
    ]
