"""Accessibility by axe-core: every page, in both themes, on a laptop and on a phone."""
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ROOT

ALL_PAGES = ["/", *(f"/{path}" for path in re.findall(r'url_path="([\w-]+)"', (ROOT / "dashboard.py").read_text()))]
AXE = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
# Streamlit's own list of pages, which a phone shows in the sidebar: <li> under <ul> with something else between
STREAMLITS_OWN = {"list": "stSidebarNavItems", "listitem": "stSidebarNavItems"}


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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ALL_PAGES)
def test_axe_finds_nothing(browser: Browser, server: str, settle: Callable[[Page], None], path: str, theme: str):
    context = browser.new_context(base_url=server, color_scheme=theme, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(path)
    settle(page)
    found = {1440: violations(page)}
    page.set_viewport_size({"width": 390, "height": 844})
    settle(page)
    found[390] = violations(page)
    context.close()
    assert found == {1440: [], 390: []}
