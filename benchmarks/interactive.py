"""What a visitor waits for, in a real Chromium, as a ratio to an empty app on the same machine.

    python -m benchmarks.interactive [--pages ...] [--repeats N] [--json]    needs playwright and Chromium or Chrome

A **rerun** is one notch of a slider. *drawn* runs from the key press until what depends on it has been drawn and
painted and the script has ended; *server* is the CPU time of the server's process from the key press until it rests
again, the forced garbage collection after each run included. Both are divided by the same of an app of one slider.
A **first visit** runs from the request to the drawn page, with an empty browser cache: *fresh* is the first one after
the server's start, which imports whatever the app imports, *warm* is any later one. Both are divided by the same of an
app that imports Plotly and has one slider. *shift* is the cumulative layout shift, beside that of an empty app with a
sidebar.
Dashboard and empty app take turns, so that a busy machine slows both; all figures are medians.
"""
import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from benchmarks.browser import ROOT, Server, Visitor, launch

SLIDER = """import streamlit as st
value = st.slider("Learning rate", 0.0, 1.0, 0.25, 0.01, key="learning_rate")
st.markdown(f"The value is {value}.")
"""
WITH_PLOTLY = "import plotly.graph_objects\n" + SLIDER
WITH_SIDEBAR = SLIDER.replace("st.slider", "st.sidebar.slider")
PAGES = {name: "" if name == "overview" else name.replace("_", "-")
         for name in sorted(file.stem for file in (ROOT / "pages").glob("*.py"))}
CONTROLS = {"deep_network": "net_learning_rate"}  # the sidebar's changes nothing there
KEYS = {"deep_network": "ArrowUp"}
WANTED = {"server": 2.5, "drawn": 1.8, "visit": 2.2}
PROMISED = ("trajectories", "gradient_signs", "batch_averaging")


def reruns(browser: Browser, empty: Server, full: Server, name: str, repeats: int) -> dict[str, float]:
    """Medians of one page's rerun, and its ratios to the empty app's."""
    visitors = [Visitor(browser, empty), Visitor(browser, full, PAGES[name], CONTROLS.get(name, "learning_rate"))]
    for visitor in visitors:
        visitor.arrived()
        visitor.page.wait_for_timeout(800)
    key = KEYS.get(name, "ArrowRight")
    changing = visitors[1].changed(key)
    rows = [(visitors[0].press(None), visitors[1].press(changing, key))  # a value that was not computed before
            for _ in range(repeats + 1)][1:]
    for visitor in visitors:
        visitor.close()
    ours = {part: median(row[1][part] for row in rows) for part in rows[0][1]}
    theirs = {part: median(row[0][part] for row in rows) for part in rows[0][0]}
    return {**ours, **changing, "empty": theirs, "server_ratio": ours["server"] / theirs["server"],
            "drawn_ratio": ours["drawn"] / theirs["drawn"]}


def visits(browser: Browser, empty: Path, full: Path, repeats: int) -> dict[str, float]:
    """Medians of the first and the second visit to a server that just started, of both apps."""
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for app, script in {"empty": empty, "page": full}.items():
            with Server(script) as server:
                for visit in ("fresh", "warm"):
                    found.setdefault(f"{app}_{visit}", []).append(arrival(browser, server))
    medians = {name: median(values) for name, values in found.items()}
    return {**medians, **{f"{visit}_ratio": medians[f"page_{visit}"] / medians[f"empty_{visit}"]
                          for visit in ("fresh", "warm")}}


def arrival(browser: Browser, server: Server, path: str = "") -> float:
    visitor = Visitor(browser, server, path)
    took = visitor.arrived()
    visitor.close()
    return took


def shifts(browser: Browser, empty: Server, full: Server, names: Sequence[str], repeats: int) -> dict[str, float]:
    """The cumulative layout shift of a first visit; of the empty app with a sidebar under the name `empty`."""
    found = {}
    for name, server, path in [("empty", empty, ""), *((name, full, PAGES[name]) for name in names)]:
        seen = []
        for _ in range(repeats):
            visitor = Visitor(browser, server, path)
            visitor.arrived()
            visitor.page.wait_for_timeout(1000)
            seen.append(visitor.shift())
            visitor.close()
        found[name] = median(seen)
    return found


def measure(names: Sequence[str], repeats: int = 15, starts: int = 5) -> dict[str, dict]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, ExitStack() as stack:
        scripts = {}
        for name, text in {"slider": SLIDER, "plotly": WITH_PLOTLY, "sidebar": WITH_SIDEBAR}.items():
            scripts[name] = Path(folder, f"empty_{name}.py")
            scripts[name].write_text(text, encoding="utf-8")
        browser = launch(playwright)
        arrivals = visits(browser, scripts["plotly"], ROOT / "dashboard.py", starts) if starts else {}
        full = stack.enter_context(Server(ROOT / "dashboard.py"))
        with Server(scripts["slider"]) as empty:
            found = {name: reruns(browser, empty, full, name, repeats) for name in names}
        with Server(scripts["sidebar"]) as empty:
            jumps = shifts(browser, empty, full, names, 3)
    return {"visit": arrivals, "reruns": found, "shift": jumps}


def sentences(result: dict[str, dict]) -> list[str]:
    """A table of all pages, and a line about the first visit."""
    lines = ["| page | drawn | server | ms drawn (server, browser, both CPU) | messages, KiB | shift |",
             "|---|---|---|---|---|---|"]
    for name, row in result["reruns"].items():
        drawn, server = (_judged(row[f"{part}_ratio"], WANTED[part] if name in PROMISED else None)
                         for part in ("drawn", "server"))
        lines.append(f"| {name.replace('_', ' ').capitalize()} | {drawn} | {server} | {row['drawn']:.0f} "
                     f"({row['server']:.0f}, {row['browser']:.0f}) | {row['messages']:.0f}, {row['kilobytes']:.0f} | "
                     f"{result['shift'][name]:.3f} |")
    for row in list(result["reruns"].values())[:1]:
        empty = row["empty"]
        lines.append(f"| empty app | 1 | 1 | {empty['drawn']:.0f} ({empty['server']:.0f}, {empty['browser']:.0f}) | "
                     f"{empty['messages']:.0f}, {empty['kilobytes']:.0f} | {result['shift']['empty']:.3f} |")
    if visit := result["visit"]:
        lines += ["", *(f"First visit, {what}: {_judged(visit[f'{kind}_ratio'], WANTED['visit'])} times the app that "
                        f"imports Plotly ({visit[f'page_{kind}']:.0f} ms, {visit[f'empty_{kind}']:.0f} ms)"
                        for kind, what in {"fresh": "server just started", "warm": "server warm"}.items())]
    return lines


def _judged(ratio: float, wanted: float | None) -> str:
    return f"{ratio:.2f}" + ("" if wanted is None or ratio <= wanted else f" (wanted {wanted:g})")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interactive", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES), metavar="PAGE",
                        help=f"of {', '.join(PAGES)} (default: all)")
    parser.add_argument("--repeats", type=int, default=15, help="key presses a page (default %(default)s)")
    parser.add_argument("--starts", type=int, default=5, help="server starts for the first visit, 0 for none "
                        "(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.repeats < 1 or options.starts < 0:
        parser.error("--repeats must be at least 1, --starts at least 0")
    result = measure(options.pages, options.repeats, options.starts)
    print(json.dumps(result, indent=2) if options.json else "\n".join(sentences(result)))


if __name__ == "__main__":
    main()
