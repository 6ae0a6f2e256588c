"""Loaded before Django's settings: tests keep their files in a folder of their own."""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="tonalist-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

os.environ["TONALIST_DATA"] = _folder
os.environ["TONALIST_CACHE"] = _folder
os.environ["SECRET_KEY"] = "only-for-tests"
os.environ["MPLBACKEND"] = "Agg"
# The browser driver's event loop runs in the thread that talks to the test database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
os.environ.setdefault("OMP_NUM_THREADS", "1" if os.environ.get("PYTEST_XDIST_WORKER") else "2")
