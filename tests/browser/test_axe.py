"""Accessibility by axe-core: every page, in both themes, on a laptop and on a phone."""
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import ROOT

ALL_PAGES = ["/", *(f"/{path}" for path in re.findall(r'url_path="([\w-]+)"', (ROOT / "dashboard.py").read_text()))]
AXE = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
# Streamlit's own markup: its list of pages, which a phone shows in the sidebar, has something between <ul> and <li>;
# where files are dropped can be reached by keyboard, and has the role of a presentation
STREAMLITS_OWN = {"list": "stSidebarNavItems", "listitem": "stSidebarNavItems",
                  "presentation-role-conflict": "stFileUploaderDropzone"}


def violations(page: Page) -> list[str]:
    """What axe finds, of any impact, but for what is Streamlit's own."""
    page.mouse.move(0, 0)  # a tooltip left open stands outside of all landmarks
    page.wait_for_function("() => !document.querySelector('[data-testid=stTooltipContent]')")
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:200]}"
            for rule in found for node in rule["nodes"] if not own(page, rule["id"], node["target"][0])]


def own(page: Page, rule: str, target: str) -> bool:
    if rule not in STREAMLITS_OWN:
        return False
    inside = f'[data-testid="{STREAMLITS_OWN[rule]}"]'
    return page.evaluate("([target, inside]) => !!document.querySelector(target)?.closest(inside)", [target, inside])


def in_themes(page: Page, settle: Callable[[Page], None], found: Callable[[], list]) -> dict[str, list]:
    """What is found in each theme. The page is opened once, and follows the system's theme as it changes."""
    results = {}
    for theme, paper in {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 22, 20)"}.items():
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(
            "paper => getComputedStyle(document.querySelector('.stApp')).backgroundColor === paper", arg=paper)
        settle(page)
        results[theme] = found()
    return results


def at_widths(page: Page, settle: Callable[[Page], None]) -> dict[int, list[str]]:
    """The violations on a laptop and on a phone."""
    found = {}
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        found[width] = violations(page)
    return found


NOTHING = {"light": {1440: [], 390: []}, "dark": {1440: [], 390: []}}


@pytest.mark.parametrize("path", ALL_PAGES)
def test_axe_finds_nothing(page: Page, settle: Callable[[Page], None], path: str):
    page.goto(path)
    settle(page)
    assert in_themes(page, settle, lambda: at_widths(page, settle)) == NOTHING
