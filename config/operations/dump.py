"""The database as one file, at one moment, and back: by SQLite's online backup, or PostgreSQL's own programs."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

DUMPS = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}


class DumpError(Exception):
    """The database cannot be read or written as a whole; the message says what mends it."""


def database_dump(folder: Path) -> str:
    """Write the database as it is at this moment; the file's name. Nobody waits meanwhile."""
    path = folder / DUMPS[connection.vendor]
    if connection.in_atomic_block:
        raise DumpError("a transaction is under way here; a copy would wait for its end for ever")
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with sqlite3.connect(path) as copy:
            connection.connection.backup(copy)
        copy.close()
    else:
        _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={path}"], is_read=True)
    return path.name


def database_is_empty() -> bool:
    return not connection.introspection.table_names()


def database_load(folder: Path) -> None:
    """Fill an empty database; all of it, or nothing."""
    path = folder / DUMPS[connection.vendor]
    if connection.vendor != "sqlite":
        options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
        _run("pg_restore", options, is_read=False, file=path)
        return
    target = Path(str(connection.settings_dict["NAME"]))
    connection.close()
    for tail in ("-wal", "-shm"):
        target.with_name(target.name + tail).unlink(missing_ok=True)
    partial = target.with_name(target.name + ".restored")
    shutil.copyfile(path, partial)
    partial.replace(target)


def _run(program: str, options: list[str], *, is_read: bool, file: Path | None = None) -> None:
    if shutil.which(program) is None:
        raise DumpError(f"{program} is not installed; it comes with PostgreSQL's client (postgresql-client)")
    (_, *where), variables = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    where[-1:] = [where[-1]] if is_read else [f"--dbname={where[-1]}"]
    command = [program, *options, *where, *([str(file)] if file else [])]
    done = subprocess.run(
        command, env=os.environ | (variables or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DumpError(f"{program} failed: {done.stderr.strip()[-500:]}")
