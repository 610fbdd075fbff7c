"""Streamlit servers and a Chromium beside them: when a page is drawn, and what that took of both."""
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Playwright

ROOT = Path(__file__).parents[1]
LONGEST = 60  # seconds for one drawing
SILENT = 150  # milliseconds without a message: the server has told all
CHARTS = "[...document.querySelectorAll('.js-plotly-plot')]"
PLOTTED = f"{CHARTS}.every(chart => chart._fullLayout && chart.querySelector('.main-svg'))"
IDLE = """document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]')"""
# What a key press changes: Plotly's charts and the boards of canvases
CHANGED = f"""() => ({{
    charts: {CHARTS}.filter(chart => !window.zzCharts.has(chart.data)).length,
    boards: (window.zigzagLab?.drawn ?? 0) - window.zzBoards }})"""
REMEMBER = f"""() => {{
    window.zzCharts = new Set({CHARTS}.map(chart => chart.data))
    window.zzBoards = window.zigzagLab?.drawn ?? 0
}}"""
# Milliseconds from the key press, or from letting go of the mouse, until as much has changed as `wanted` says, the
# script has ended, and it was painted; where nothing is drawn anew, until the server has told all
WATCH = f"""wanted => {{
    ({REMEMBER})()
    const words = () => document.querySelector('[data-testid="stMain"] [data-testid="stMarkdown"]')?.innerText
    const text = words(), nothing = wanted && !wanted.boards && !wanted.charts
    const changed = () => {{
        if (!wanted) return words() !== text
        if (nothing) return window.zzHeard && performance.now() - window.zzHeard > {SILENT}
        const found = ({CHANGED})()
        return found.boards >= wanted.boards && found.charts >= wanted.charts && {PLOTTED}
    }}
    const done = () => changed() && {IDLE}
    window.zzTook = new Promise(resolve => {{
        const began = () => {{
            const start = performance.now()
            window.zzHeard = null
            const painted = () => resolve((nothing ? window.zzHeard : performance.now()) - start)
            const look = () => requestAnimationFrame(done() ? painted : look)
            look()
        }}
        for (const act of ['keydown', 'pointerup'])
            document.addEventListener(act, began, {{ once: true, capture: true }})
    }})
}}"""
# In a new document: milliseconds from the request to the painted page with its controls, and how far things jumped
ARRIVE = f"""
    window.WebSocket = class extends WebSocket {{
        constructor(...given) {{
            super(...given)
            this.addEventListener('message', () => {{ window.zzHeard = performance.now() }})
        }}
    }}
    window.zzShift = 0
    new PerformanceObserver(list => list.getEntries().forEach(entry => {{
        if (!entry.hadRecentInput) window.zzShift += entry.value
    }})).observe({{ type: 'layout-shift', buffered: true }})
    const ready = () => {IDLE} && document.querySelector('[data-testid="stSlider"]') && {PLOTTED} &&
        document.querySelector('[data-testid="stMain"] [data-testid="stMarkdown"]') &&
        [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].every(
            board => board.shadowRoot?.querySelector('canvas')?.width > 0)
    window.zzArrived = new Promise(resolve => {{
        const painted = () => resolve(performance.now())
        const look = () => requestAnimationFrame(ready() ? painted : look)
        look()
    }})"""


class Server:
    """An app served on a free port of this machine, for as long as the `with` lasts."""

    def __init__(self, script: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), "--server.address",
             "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none",
             "--browser.gatherUsageStats", "false"],
            cwd=script.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> "Server":
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return self
            time.sleep(0.1)
        self.process.kill()
        raise SystemExit(f"{self.process.args[4]} did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)

    def cpu(self) -> float:
        """Milliseconds of CPU time of all threads so far, those that have ended included; NaN where not Linux."""
        try:
            return 1000 * time.clock_gettime((~self.process.pid << 3) | 2)  # clock_getcpuclockid(3)
        except (AttributeError, OSError):
            return float("nan")


class Visitor:
    """One tab: it opens an address, presses keys on a control, and reads what that took."""

    def __init__(self, browser: Browser, server: Server, path: str = "", control: str = "learning_rate") -> None:
        self.context = browser.new_context(viewport={"width": 1440, "height": 900})  # with a cache of its own
        self.page, self.server, self.control = self.context.new_page(), server, control
        self.page.set_default_timeout(1000 * LONGEST)
        self.page.add_init_script(ARRIVE)
        self.received: list[int] = []
        self.page.on("websocket", lambda wire: wire.on("framereceived", lambda frame: self.received.append(len(frame))))
        self.page.goto(f"{server.url}/{path}")

    def arrived(self) -> float:
        """Milliseconds from the request of the page until it was drawn."""
        return self._within("window.zzArrived")

    def shift(self) -> float:
        """The cumulative layout shift so far."""
        return self.page.evaluate("window.zzShift")

    def press(self, wanted: dict[str, int] | None, key: str = "ArrowRight") -> dict[str, float]:
        """What one notch takes: drawn (ms), the server's CPU time (ms), the browser's tasks (ms), messages, KiB."""
        self._focus()
        return self.timed(wanted, lambda: self.page.keyboard.press(key))

    def drop(self, wanted: dict[str, int] | None, handle: str, by: tuple[float, float]) -> dict[str, float]:
        """What it takes to drag a handle by some pixels, from letting go of it; the same measures as of a notch."""
        self.page.bring_to_front()
        box = self.page.locator(handle).first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + by[0], y + by[1], steps=3)
        return self.timed(wanted, self.page.mouse.up)

    def timed(self, wanted: dict[str, int] | None, act: Callable[[], None]) -> dict[str, float]:
        """What follows an act of the visitor: a key press or the end of a drag."""
        tools = self.page.context.new_cdp_session(self.page)
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        busy, cpu = _tasks(tools), self.server.cpu()
        self.received.clear()
        self.page.evaluate(WATCH, wanted)
        act()
        drawn = self._within("window.zzTook")
        cpu = self._rested() - cpu
        found = {"drawn": drawn, "server": cpu, "browser": _tasks(tools) - busy, "messages": len(self.received),
                 "kilobytes": sum(self.received) / 1024}
        tools.detach()
        return found

    def changed(self, key: str = "ArrowRight", presses: int = 3) -> dict[str, int]:
        """How many charts and boards every key press changes: some do not depend on the value, or not always."""
        found = []
        for _ in range(presses):
            self._focus()
            self.page.evaluate(REMEMBER)
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(500)
            self.page.wait_for_function(f"() => {IDLE} && {PLOTTED}")
            self._rested()
            self.page.wait_for_timeout(500)
            found.append(self.page.evaluate(CHANGED))
        return {name: min(each[name] for each in found) for name in found[0]}

    def close(self) -> None:
        self.context.close()

    def _within(self, promise: str) -> float:
        limit = f"new Promise(end => setTimeout(() => end(null), {1000 * LONGEST}))"
        took = self.page.evaluate(f"Promise.race([{promise}, {limit}])")
        if took is None:
            raise SystemExit(f"{self.page.url} was not drawn within {LONGEST} s")
        return took

    def _focus(self) -> None:
        self.page.bring_to_front()  # a tab in the background is not painted
        self.page.locator(f".st-key-{self.control} input").first.focus()

    def _rested(self) -> float:
        """The server's clock once it has nothing more to do for this visitor: garbage is collected after the run."""
        before, still = self.server.cpu(), 0
        for _ in range(200):
            self.page.wait_for_timeout(50)
            now = self.server.cpu()
            still = still + 1 if not now - before > 1.5 else 0
            before = now
            if still == 6:
                break
        return before


def _tasks(tools: CDPSession) -> float:
    found = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
    return 1000 * found["TaskDuration"]


def launch(playwright: Playwright) -> Browser:
    names = "chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"
    binary = next(filter(None, map(shutil.which, names)), None)
    return playwright.chromium.launch(executable_path=binary, args=["--disable-gpu"])
