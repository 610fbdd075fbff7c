"""From a key press on a slider to the drawn page, in a real Chromium, as a ratio to an empty one-slider app.

    python -m benchmarks.interactive            needs playwright and an installed Chromium or Chrome

Both servers run on this machine and take turns, so that a busy machine slows both. The key press moves the learning
rate by one notch; a page counts as drawn when the charts that depend on it hold new data and have been plotted.
"""
import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
EMPTY = """import streamlit as st
value = st.slider("Learning rate", 0.0, 1.0, 0.25, 0.01)
st.markdown(f"The value is {value}.")
"""
PAGES = ("", "trajectories", "gradient-signs", "batch-averaging")
# What a key press changes: Plotly's charts and the boards of canvases
CHANGED = """() => ({
    charts: [...document.querySelectorAll('.js-plotly-plot')].filter(chart => !window.zzCharts.has(chart.data)).length,
    boards: (window.zigzagLab?.drawn ?? 0) - window.zzBoards })"""
REMEMBER = """() => {
    window.zzCharts = new Set([...document.querySelectorAll('.js-plotly-plot')].map(chart => chart.data))
    window.zzBoards = window.zigzagLab?.drawn ?? 0
}"""
# Milliseconds from the key press until as much has changed as `wanted` says, the script has ended, and it was painted
WATCH = f"""wanted => {{
    ({REMEMBER})()
    const words = () => document.querySelector('[data-testid="stMain"] [data-testid="stMarkdown"]')?.innerText
    const text = words()
    const changed = () => {{
        if (!wanted) return words() !== text
        const found = ({CHANGED})()
        return found.boards >= wanted.boards && found.charts >= wanted.charts
            && [...document.querySelectorAll('.js-plotly-plot')].every(c =>
                c._fullLayout && c.querySelector('.main-svg'))
    }}
    const done = () => changed() && document.querySelector('[data-test-script-state="notRunning"]')
    window.zzTook = new Promise(resolve => document.addEventListener('keydown', () => {{
        const start = performance.now()
        const painted = () => resolve(performance.now() - start)
        const look = () => requestAnimationFrame(done() ? painted : look)
        look()
    }}, {{ once: true, capture: true }}))
}}"""


def start(script: Path, folder: Path) -> tuple[subprocess.Popen, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port),
                               "--server.address", "127.0.0.1", "--server.headless", "true",
                               "--browser.gatherUsageStats", "false"], cwd=folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            if urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).status == 200:
                return server, url
        except OSError:
            time.sleep(0.25)
    raise SystemExit(f"{script} did not start")


def settle(page: Page) -> None:
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_selector('[data-testid="stSlider"] input, [data-testid="stSlider"] [role="slider"]')
    page.wait_for_timeout(800)


def press(page: Page, wanted: dict[str, int] | None, key: str) -> float:
    page.bring_to_front()  # a tab in the background is not painted
    page.get_by_role("slider", name="Learning rate").focus()
    page.evaluate(WATCH, wanted)
    page.keyboard.press(key)
    took = page.evaluate("Promise.race([window.zzTook, new Promise(r => setTimeout(() => r(null), 8000))])")
    if took is None:
        raise SystemExit(f"{page.url} was not drawn within 8 s")
    page.wait_for_timeout(400)
    return took


def measure(pages: Sequence[str], repeats: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of the empty app and of each page, and their ratio."""
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        script = Path(folder, "empty.py")
        script.write_text(EMPTY, encoding="utf-8")
        servers = [start(script, Path(folder)), start(ROOT / "dashboard.py", ROOT)]
        try:
            browser = playwright.chromium.launch(executable_path=binary, args=["--disable-gpu"])
            return {name or "overview": compare(browser, servers[0][1], f"{servers[1][1]}/{name}", repeats)
                    for name in pages}
        finally:
            for server, _ in servers:
                server.terminate()


def compare(browser, empty_url: str, url: str, repeats: int) -> dict[str, float]:
    empty, full = (browser.new_page(viewport={"width": 1440, "height": 900}) for _ in range(2))
    empty.goto(empty_url)
    full.goto(url)
    for page in (empty, full):
        settle(page)
    changing = changed(full)
    times = {"empty": [], "page": []}
    for _ in range(repeats):
        times["empty"].append(press(empty, None, "ArrowRight"))
        # always a rate that has not been computed before
        times["page"].append(press(full, changing, "ArrowRight"))
    empty.close()
    full.close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {**medians, "ratio": medians["page"] / medians["empty"], **changing}


def changed(page: Page, presses: int = 3) -> dict[str, int]:
    """How many charts and boards every key press changes: some pictures do not depend on the rate, or not always."""
    page.bring_to_front()
    found = []
    for _ in range(presses):
        page.evaluate(REMEMBER)
        page.get_by_role("slider", name="Learning rate").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(3000)
        found.append(page.evaluate(CHANGED))
    return {name: min(each[name] for each in found) for name in found[0]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--pages", nargs="+", default=PAGES, help="url paths; \"\" is the overview")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.pages, arguments.repeats)
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        for name, row in rows.items():
            print(f"{name:16s} {row['ratio']:5.2f} times the empty app ({row['page']:.0f} ms, {row['empty']:.0f} ms; "
                  f"{row['boards']} boards, {row['charts']} charts)")
