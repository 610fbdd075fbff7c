"""What is taken away from a page, and how a page looks within another one and on a projector."""
import json
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tests.browser.conftest import downloaded
from tests.browser.test_axe import violations
from tests.browser.test_url import open_page, path_of, query_of
from zz_core import Experiment, simulate

SIDEBAR = '[data-testid="stSidebar"]'


def share(page, settle, tab: str) -> None:
    page.get_by_role("button", name="Share").click()
    settle(page)
    page.get_by_role("tab", name=tab).click()
    settle(page)


def shown_code(page) -> str:
    return page.get_by_test_id("stPopoverBody").locator("code").first.inner_text()


def test_the_whole_panel_has_room_and_keeps_its_size(page, settle):
    open_page(page, settle, "/trajectories")
    sizes = []
    for k, tab in enumerate(("Link", "Data", "Code", "Teach", "Embed")):
        if k == 0:
            page.get_by_role("button", name="Share").click()
        page.get_by_role("tab", name=tab).click()
        settle(page)
        box = page.get_by_test_id("stPopoverBody").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900
        sizes.append((round(box["width"]), round(box["height"])))
        assert violations(page) == [], tab
    assert len(set(sizes)) == 1 and sizes[0][1] > 400
    assert page.zz_errors == []


def test_the_script_that_is_downloaded_repeats_the_run(page, settle, tmp_path):
    open_page(page, settle, "/trajectories?steps=30&batch_size=4")
    share(page, settle, "Code")
    _, script = downloaded(page, "Download this script", tmp_path)
    assert "steps=30" in script  # the link back
    names: dict = {}
    exec(script, names)
    assert np.abs(names["path"] - simulate(Experiment(steps=30, batch_size=4)).weights[0]).max() < 1e-10


def test_the_notebook_can_be_chosen_without_the_page_running_again(page, settle, tmp_path):
    open_page(page, settle, "/trajectories?steps=30")
    share(page, settle, "Code")
    page.get_by_role("radio", name="Notebook").click()
    settle(page)
    assert json.loads(downloaded(page, "Download this notebook", tmp_path)[1])["nbformat"] == 4


@pytest.mark.parametrize("path", ["/", "/trajectories?dimensions=16&inputs=digits&steps=400&target=labels&bias=true"])
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_handout_prints_on_one_page(page, settle, context, tmp_path, path, paper):
    open_page(page, settle, path)
    share(page, settle, "Teach")
    _, html = downloaded(page, "Handout as HTML", tmp_path)
    sheet = context.new_page()
    sheet.set_content(html)
    assert sheet.locator("svg").count() >= 2
    pdf = sheet.pdf(format=paper)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 1
    sheet.locator("summary").click()
    assert violations(sheet) == []


def test_the_frame_shows_one_clean_view_within_another_page(page, settle, context):
    open_page(page, settle, "/trajectories?batch_size=8&seed=3&other_seeds=2")
    share(page, settle, "Embed")
    frame = shown_code(page)
    host = context.new_page()
    host.goto("/_stcore/health")  # any page will do
    host.set_content(f"<h1>Lecture notes</h1>{frame}")
    inside = host.frame_locator("iframe")
    inside.locator(".board canvas.base").first.wait_for(timeout=30_000)
    inside.get_by_test_id("stMetric").first.wait_for()
    host.wait_for_timeout(500)
    for hidden in (SIDEBAR, '[data-testid="stHeader"]', '[data-testid="stPopover"]', "details"):
        assert all(not found.is_visible() for found in inside.locator(hidden).all()), hidden
    assert inside.locator("h1").is_visible() and inside.locator("canvas.base").nth(1).is_visible()
    assert all(metric.is_visible() for metric in inside.get_by_test_id("stMetric").all())
    back = inside.get_by_role("link", name="open this experiment with its controls").get_attribute("href")
    assert parse_qs(urlsplit(back).query) == {"batch_size": ["8"], "seed": ["3"], "other_seeds": ["2"]}


@pytest.mark.parametrize("path", ["/?embed=true", "/geometry?embed=true&seed=4"])
@pytest.mark.parametrize("width", [390, 900])
def test_an_embedded_page_is_accessible_keeps_its_address_and_fits(page, settle, path, width):
    page.set_viewport_size({"width": width, "height": 700})
    open_page(page, settle, path)
    assert page.url.endswith(path) and not page.locator(SIDEBAR).is_visible()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    assert violations(page) == [] and page.zz_errors == []


def title_size(page) -> float:
    return page.locator("h1").evaluate("title => parseFloat(getComputedStyle(title).fontSize)")


def test_a_presentation_is_large_has_no_controls_and_is_left_as_it_was_entered(page, settle):
    open_page(page, settle, "/trajectories?batch_size=8&other_seeds=2")
    small, canvas = title_size(page), page.locator("canvas.base").first
    before = canvas.bounding_box()
    page.get_by_text("Presentation", exact=True).click()
    settle(page)
    assert query_of(page) == {"batch_size": "8", "other_seeds": "2", "present": "true"}
    assert title_size(page) == pytest.approx(1.3 * small)
    assert not page.locator(SIDEBAR).is_visible() and not page.get_by_role("button", name="Share").is_visible()
    assert all(not slider.is_visible() for slider in page.locator('[data-testid="stSlider"]').all())
    after = canvas.bounding_box()
    assert after["height"] > 1.1 * before["height"]
    assert canvas.evaluate("c => c.width / c.getBoundingClientRect().width") == pytest.approx(1, abs=0.01)  # crisp
    assert page.locator('[class*="st-key-guess"]').first.is_visible()  # the audience is asked
    assert violations(page) == []
    page.get_by_role("button", name="Leave presentation").click()
    settle(page)
    assert query_of(page) == {"batch_size": "8", "other_seeds": "2"} and title_size(page) == small
    assert page.locator(SIDEBAR).is_visible() and page.zz_errors == []


def test_a_presentation_stays_one_from_page_to_page_and_after_a_reload(page, settle):
    open_page(page, settle, "/?present=true&batch_size=4")
    page.get_by_role("button", name="See it").click()
    page.get_by_role("link", name="Gradient signs").click()
    page.wait_for_url("**/gradient-signs**")
    settle(page)
    assert path_of(page) == "/gradient-signs" and query_of(page) == {"batch_size": "4", "present": "true"}
    assert not page.locator(SIDEBAR).is_visible()
    page.reload()
    settle(page)
    assert query_of(page) == {"batch_size": "4", "present": "true"} and not page.locator(SIDEBAR).is_visible()
    assert page.zz_errors == []


def test_a_picture_can_still_be_zoomed_in_a_presentation(page, settle):
    """The pointer is in the page's pixels, the picture in its own, larger ones."""
    open_page(page, settle, "/trajectories?present=true")
    canvas = page.locator("canvas.base").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    empty = canvas.evaluate("c => c.toDataURL()")
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    assert page.locator('[data-tool="reset"]').first.is_visible()
    assert canvas.evaluate("c => c.toDataURL()") != empty
    page.keyboard.press("Escape")


def test_a_presentation_s_bad_value_gets_a_sentence(page, settle):
    open_page(page, settle, "/trajectories?present=maybe")
    assert page.locator(SIDEBAR).is_visible() and query_of(page) == {}
    assert "maybe" in page.get_by_test_id("stAlert").first.inner_text()
