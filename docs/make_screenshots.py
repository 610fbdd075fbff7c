"""Pictures of every page in both themes, for docs/screenshots: `python docs/make_screenshots.py`.

Starts the dashboard on a free port, opens each page at 1440 x 900 in a light and a dark browser, and writes what the
first screen shows at half its size: docs/screenshots/NAME-THEME.webp. Needs requirements-dev.txt and Chromium or
Chrome; the browser named by CHROME_PATH, an installed one, or Playwright's own. Names as arguments take these pages
only: `python docs/make_screenshots.py trajectories gallery`.
"""
import argparse
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "screenshots"
SIZE = {"width": 1440, "height": 900}
WIDTH = 720  # of a picture
QUALITY, LOWEST_QUALITY, MOST_BYTES = 80, 40, 60_000
START_SECONDS, PAGE_SECONDS = 60, 180  # claims are decided and races are run on a first visit
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
            "chromium-headless-shell")
SETTLED = """() => {
    const one = selector => document.querySelector(selector)
    const quiet = one('[data-testid="stApp"][data-test-script-state="notRunning"]') &&
        one('[data-testid="stMainBlockContainer"]') &&
        !one('[data-testid="stSkeleton"], [data-testid="stSpinner"], [data-stale="true"]') &&
        !one('.zz-gallery:not([data-missing="0"])') &&
        [...document.querySelectorAll('[data-testid="stPlotlyChart"]')].every(c => c.querySelector('.main-svg'))
    if (!quiet) window.zzQuietSince = null
    else window.zzQuietSince ??= performance.now()
    return quiet && performance.now() - window.zzQuietSince >= 1000
}"""


def pages() -> dict[str, str]:
    """Name and path of every page that the dashboard's menus hold."""
    text = (ROOT / "dashboard.py").read_text(encoding="utf-8")
    paths = re.findall(r'url_path="([\w-]+)"', text)
    return {"overview": "/", **{path: f"/{path}" for path in paths}}


@contextmanager
def dashboard() -> Iterator[str]:
    """The address of the dashboard, for as long as this is open."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "dashboard.py", "--server.address", "127.0.0.1", "--server.port",
         str(port), "--server.headless", "true", "--server.fileWatcherType", "none",
         "--browser.gatherUsageStats", "false"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(process: subprocess.Popen, url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
                if answer.read() == b"ok":
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise SystemExit("the dashboard did not start")


def browser_path() -> str | None:
    """An installed browser, or None for the one that Playwright brings along."""
    return os.environ.get("CHROME_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


def shoot(page: Page, address: str) -> bytes:
    """A PNG of the first screen, when everything on it is drawn."""
    page.goto(address)
    page.wait_for_function(SETTLED, timeout=PAGE_SECONDS * 1000)
    return page.screenshot()


def small(png: bytes) -> bytes:
    """The picture at WIDTH pixels as WebP, in fewer bytes where it would be too large."""
    full = Image.open(io.BytesIO(png)).convert("RGB")
    image = full.resize((WIDTH, round(full.height * WIDTH / full.width)), Image.Resampling.LANCZOS)
    for quality in range(QUALITY, LOWEST_QUALITY - 1, -10):
        packed = io.BytesIO()
        image.save(packed, "WEBP", quality=quality, method=6)
        if packed.tell() <= MOST_BYTES:
            break
    return packed.getvalue()


def main() -> None:
    known = pages()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all of them without a name")
    parser.add_argument("--out", type=Path, default=TARGET)
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(known):
        parser.error(f"no page is called {', '.join(sorted(unknown))}")
    asked.out.mkdir(parents=True, exist_ok=True)
    total = 0
    with dashboard() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--disable-gpu"])
        for name, theme in [(name, theme) for name in asked.names or known for theme in ("light", "dark")]:
            page = browser.new_page(viewport=SIZE, color_scheme=theme, reduced_motion="reduce")
            picture = small(shoot(page, url + known[name]))
            page.close()
            (asked.out / f"{name}-{theme}.webp").write_bytes(picture)
            total += len(picture)
            print(f"{name}-{theme}.webp  {len(picture) / 1000:.0f} kB")
        browser.close()
    print(f"{total / 1000:.0f} kB in all")


if __name__ == "__main__":
    main()
