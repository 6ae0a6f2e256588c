"""A site of its own in a folder, for tests that start its commands and processes."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from config.operations.dump import database_dump


class Site:
    """On SQLite, with the embedded broker unless another is named."""

    def __init__(self, data: Path, broker: str = "") -> None:
        """The tables are copied from the tests' own database, as migrating takes longer than most tests."""
        data.mkdir()
        (data / database_dump(data)).rename(data / "tonalist.sqlite3")
        own = {"TONALIST_DATA": str(data), "CELERY_BROKER_URL": broker}
        self.data = data
        self.environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | own

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, code: str) -> None:
        """Python in one process, where several commands would each load Django anew."""
        self.manage(
            "shell", "--verbosity", "0", "-c", f"from django.core.management import call_command\n{code}"
        )

    def start_worker(self, log: Path, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency", "1", *options]
        with log.open("a") as output:
            return subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        path = f"file:{self.data / 'tonalist.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=10)) as database:
            return database.execute(sql).fetchall()
