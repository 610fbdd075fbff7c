"""From letting go of the target on a plane to the drawn page, in a real Chromium, as a ratio to a one-slider app.

    python -m benchmarks.dragging [--repeats N]    needs playwright and Chromium or Chrome

While the handle is held the browser draws the run itself: that is measured, too, from the movement to the painted path.
The empty app's slider, a notch of the learning rate and a drag of the target take turns, so that a busy machine slows
all three; all figures are medians. What is measured is told in benchmarks/interactive.py.
"""
import argparse
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from benchmarks.browser import ROOT, Server, Visitor, launch
from benchmarks.interactive import SLIDER, WANTED

HANDLES = {"trajectories": ".st-key-plane_raw .handle[data-name=target]",
           "geometry": ".st-key-plane .handle[data-name=target]"}
# Milliseconds from the next movement until what it drew, at once, has been painted
MOVED = """() => { window.zzMoved = new Promise(end => document.addEventListener('pointermove', () => {
    const start = performance.now()
    requestAnimationFrame(() => requestAnimationFrame(() => end(performance.now() - start)))
}, { once: true, capture: true })) }"""
ASIDE = 12  # pixels; to and fro, so that the target stays in the picture


def measure(repeats: int) -> dict[str, dict[str, dict[str, float]]]:
    """Medians of what each act takes, by page."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        script = Path(folder, "empty.py")
        script.write_text(SLIDER, encoding="utf-8")
        browser = launch(playwright)
        with Server(script) as empty, Server(ROOT / "dashboard.py") as full:
            return {name: compare(Visitor(browser, empty), Visitor(browser, full, name), handle, repeats)
                    for name, handle in HANDLES.items()}


def compare(empty: Visitor, full: Visitor, handle: str, repeats: int) -> dict[str, dict[str, float]]:
    for visitor in (empty, full):
        visitor.arrived()
        visitor.page.wait_for_timeout(800)
    changing, rows = full.changed(), []
    for k in range(repeats + 1):
        by = (ASIDE + k % 5) * (1 if k % 2 else -1)  # a place that was not computed before
        rows.append({"empty": empty.press(None), "notch": full.press(changing),
                     "drag": full.drop({"boards": 1, "charts": 0}, handle, (by, -by // 2))})
    held = [hold(full, handle, ASIDE + k) for k in range(repeats)]
    for visitor in (empty, full):
        visitor.close()
    rows = [{**row, "held": {"drawn": took}} for row, took in zip(rows, [0.0, *held], strict=True)]
    return {act: {part: median(row[act][part] for row in rows[1:]) for part in rows[0][act]} for act in rows[0]}


def hold(visitor: Visitor, handle: str, by: float) -> float:
    """One movement of a handle that is held, and then put back."""
    page, box = visitor.page, visitor.page.locator(handle).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by / 2, y)
    page.wait_for_timeout(100)
    page.evaluate(MOVED)
    page.mouse.move(x + by, y)
    took = page.evaluate("window.zzMoved")
    if not page.locator(".following").count():
        raise SystemExit("the run does not follow the hand")
    page.keyboard.press("Escape")
    page.mouse.up()
    return took


def sentence(name: str, found: dict[str, dict[str, float]]) -> str:
    empty, notch, drag = found["empty"], found["notch"], found["drag"]
    ratio = drag["drawn"] / empty["drawn"]
    held = found["held"]["drawn"]
    return (f"{name.capitalize()}: the run follows the hand in {held:.0f} ms, {held / empty['drawn']:.2f} times the "
            f"empty app. {ratio:.2f} times from letting go to all that the server measures of it (wanted "
            f"{WANTED['drawn']:g}; {drag['drawn']:.0f} ms, {empty['drawn']:.0f} ms), a notch of the learning rate "
            f"{notch['drawn'] / empty['drawn']:.2f}. CPU time: server {drag['server']:.0f} ms, "
            f"{drag['server'] / empty['server']:.2f} times; browser {drag['browser']:.0f} ms, "
            f"{drag['browser'] / empty['browser']:.2f} times")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dragging", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="drags a page (default %(default)s)")
    for page, row in measure(parser.parse_args().repeats).items():
        print(sentence(page, row))
