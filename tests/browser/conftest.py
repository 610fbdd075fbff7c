"""The running dashboard and a real Chromium, for tests of what only a browser shows.

    def test_something(page, settle):
        page.goto("/trajectories?batch_size=8")
        settle(page)
        assert page.zz_errors == []

The browser is the one named by CHROME_PATH, an installed Chromium or Chrome, or one fetched on first use. Where there
is none, the tests skip and say what to install; with CI=true they fail.
"""
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, sync_playwright

from tests.servers import serving

ROOT = Path(__file__).parents[2]
SETTLE_SECONDS = 60
QUIET_MILLISECONDS = 400  # longer than the 200 ms for which a slider waits before it tells the server
INSTALLED = [
    "chromium-headless-shell",  # a package of Debian's: without the browser's own windows it takes a quarter less time
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    *(os.path.join(os.environ[folder], r"Google\Chrome\Application\chrome.exe")
      for folder in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA") if folder in os.environ),
]
ADVICE = "install Chromium or Google Chrome, or run `playwright install --with-deps chromium`, or set CHROME_PATH"
# Playwright adds what headless runs need, --no-sandbox (root, containers) among it; these two spare machines
# without a graphics card, or with no way to the internet, a wait
FLAGS = ["--disable-gpu", "--disable-quic"]
SETTLED = f"""() => {{
    const one = selector => document.querySelector(selector)
    const quiet = one('[data-testid="stApp"][data-test-script-state="notRunning"]') &&
        one('[data-testid="stMainBlockContainer"]') &&
        !one('[data-testid="stSkeleton"], [data-testid="stSpinner"], [data-stale="true"]') &&
        [...document.querySelectorAll('[data-testid="stPlotlyChart"]')].every(c => c.querySelector('.main-svg')) &&
        [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].every(board => {{
            const charts = board.shadowRoot?.querySelectorAll('.board .chart') ?? []
            return charts.length && [...charts].every(chart => chart.querySelector('canvas')?.width > 0)
        }})
    if (!quiet) window.zzQuietSince = null
    else window.zzQuietSince ??= performance.now()
    return quiet && performance.now() - window.zzQuietSince >= {QUIET_MILLISECONDS}
}}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what the server had to say, tracebacks of pages above all."""
    report = yield
    log = getattr(item, "funcargs", {}).get("server_log")
    if report.failed and log:
        report.sections.append(("end of the Streamlit log", _end_of(log)))
    return report


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


@pytest.fixture(scope="session")
def server_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "streamlit.log"


@pytest.fixture(scope="session")
def server(server_log: Path) -> Iterator[str]:
    """The address of the dashboard, started for these tests on a free port of this machine only."""
    with serving(server_log) as running:
        yield running.http


# Package scope, not session: while Playwright is open an asyncio loop runs in this thread, and tests of other folders
# that this process runs later could not start their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        yield browser
        browser.close()


def _launch(playwright: Playwright) -> Browser:
    """The first browser that really starts: a download may lack system libraries, a package may be a stub."""
    problems = []
    # who names a browser means that one, and nothing is to be installed in its place
    sources = [_named] if "CHROME_PATH" in os.environ else [_installed, _downloaded, _debian_package]
    for candidates in sources:
        try:
            for path in candidates(playwright):
                try:
                    return playwright.chromium.launch(executable_path=path, args=FLAGS)
                except Error as error:
                    problems.append(f"{path}: {error}")
        except (OSError, subprocess.SubprocessError) as error:
            problems.append(str(error))
    report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    report("\n".join([f"no browser to test with: {ADVICE}", *problems]))


def _named(playwright: Playwright) -> list[str]:
    return [os.environ["CHROME_PATH"]]


def _installed(playwright: Playwright) -> list[str]:
    own = playwright.chromium.executable_path
    return [*filter(None, map(shutil.which, INSTALLED)), *([own] if os.path.exists(own) else [])]


def _downloaded(playwright: Playwright) -> list[str]:
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True, timeout=300,
                   capture_output=True)
    return [playwright.chromium.executable_path]


def _debian_package(playwright: Playwright) -> list[str]:
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        return []
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "chromium"]):
        subprocess.run(command, check=True, timeout=600, capture_output=True, env=environment)
    return [*filter(None, map(shutil.which, INSTALLED))]


@pytest.fixture
def context(browser: Browser, server: str) -> Iterator[BrowserContext]:
    """A new visitor on an ordinary laptop; addresses are relative to the dashboard."""
    context = browser.new_context(base_url=server, viewport={"width": 1440, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, server: str, server_log: Path) -> Page:
    """An empty tab. `page.zz_errors` collects what goes wrong in it: console, page errors, requests that fail or leave
    this server."""
    page = context.new_page()
    page.zz_errors = errors = []
    # Streamlit looks for /PAGE/_stcore/... on a deep link before it finds the root; those 404s are its own. The console
    # repeats each failed request without its address.
    page.on("console", lambda message: errors.append(f"console: {message.text}")
            if message.type == "error" and "Failed to load resource" not in message.text else None)
    page.on("pageerror", lambda error: errors.append(f"page: {error}"))
    page.on("response", lambda response: errors.append(f"{response.status}: {response.url}")
            if response.status >= 400 and "/_stcore/" not in response.url else None)
    page.on("requestfailed", lambda request: errors.append(f"{request.failure}: {request.url}")
            if request.failure != "net::ERR_ABORTED" else None)  # aborted: the tab went elsewhere
    # what the security policy blocks is in the console already
    page.on("request", lambda request: errors.append(f"asked another server: {request.url}")
            if not request.url.startswith((server, "data:", "blob:")) else None)
    return page


def downloaded(page: Page, button: str, folder: Path) -> tuple[str, str]:
    """Press a button that downloads a text; (name, text)."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    waiting.value.save_as(folder / "file")
    return waiting.value.suggested_filename, (folder / "file").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def settle() -> Callable[[Page], None]:
    """settle(page) waits until the script has run, every chart is drawn and nothing has changed for a moment."""
    def wait(page: Page) -> None:
        page.evaluate("window.zzQuietSince = null")
        page.wait_for_function(SETTLED, timeout=SETTLE_SECONDS * 1000)
    return wait
