"""Find the Chromium that the browser tests drive, or install one: `python -m tests.chromium --install`."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = (
    "No Chromium was found. Set CHROME_BIN to one, or install one: `apt-get install chromium` "
    "(Debian, Ubuntu), `brew install --cask chromium` (macOS), or `.venv/bin/playwright install chromium`."
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """CHROME_BIN, a browser on PATH, or the one that Playwright installed."""
    if chosen := os.environ.get("CHROME_BIN"):
        return shutil.which(chosen)
    on_path = next((path for name in NAMES if (path := shutil.which(name))), None)
    return on_path or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return shutil.which(playwright.chromium.executable_path)


def install() -> str:
    """Try the system's packages, then Playwright's download; raise SystemExit with advice when neither works."""
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts[:0] = [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]]
    for command in attempts:
        if found := find_chromium():
            return found
        sys.stderr.write(f"No browser yet; trying: {' '.join(command)}\n")
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if found := find_chromium():
        return found
    raise SystemExit(ADVICE)


if __name__ == "__main__":
    if os.environ.get("CHROME_BIN") and not find_chromium():
        raise SystemExit(f"CHROME_BIN is {os.environ['CHROME_BIN']!r}, and no program is there.")
    found = find_chromium() or (install() if "--install" in sys.argv else None)
    if found is None:
        raise SystemExit(ADVICE)
    sys.stderr.write(f"Browser for the tests: {found}\n")
