"""Pins and presets in a real browser: controls and address follow, changes of page keep, links open the same."""
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from tests.browser.conftest import downloaded
from tests.browser.test_axe import NOTHING, at_widths, in_themes
from zz_core import Experiment
from zz_view.presets import PRESETS


def query_of(url: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}


def experiment_of(page) -> Experiment:
    return Experiment.from_query(query_of(page.url))


def type_number(page, settle, field: str, text: str) -> None:
    box = page.locator(f".st-key-{field} input[type=number]")
    box.fill(text)
    box.press("Enter")
    settle(page)


def go_to(page, settle, title: str) -> None:
    page.get_by_test_id("stTopNavSection").first.click()
    page.get_by_role("menuitem", name=title).click()
    page.wait_for_function("title => document.title.startsWith(title)", arg=title)
    settle(page)


def open_gallery(page, settle) -> None:
    page.goto("/gallery")
    settle(page)
    page.wait_for_selector('.zz-gallery[data-missing="0"]')
    settle(page)


def open_card(page, settle, key: str) -> None:
    page.locator(f'.zz-gallery a[data-key="{key}"]').click()
    page.wait_for_url(f"**/{PRESETS[key].page}**")
    settle(page)


def pin(page, settle) -> None:
    page.get_by_role("button", name="Pin this run").click()
    settle(page)


def letters(page) -> list[str]:
    return page.locator(".zz-pins tbody tr").evaluate_all("rows => rows.map(row => row.dataset.letter)")


def test_the_gallery_draws_every_card(page, settle):
    open_gallery(page, settle)
    assert page.locator(".zz-gallery a svg").count() == len(PRESETS)
    heights = page.locator(".zz-gallery .picture").evaluate_all("nodes => nodes.map(n => n.getBoundingClientRect())")
    assert all(box["width"] / box["height"] == pytest.approx(16 / 9, rel=0.02) for box in heights)
    assert page.zz_errors == []


@pytest.mark.parametrize("key", ["parking", "noise", "saturated", "digits"])  # each sets a control that is folded away
def test_a_card_sets_the_controls_and_the_address(page, settle, key):
    open_gallery(page, settle)
    open_card(page, settle, key)
    assert experiment_of(page) == PRESETS[key].experiment
    for field in ("noise", "distance", "samples", "steps"):
        box = page.locator(f".st-key-{field} input[type=number]")
        if box.count():
            assert float(box.input_value()) == getattr(PRESETS[key].experiment, field)
    assert page.locator('[data-testid="stAlert"]').count() == 0 and page.zz_errors == []


def test_a_card_opened_again_after_changes_is_the_card_again(page, settle):
    """Nothing of the visit may cling to it: neither the sidebar's changes nor those of the page."""
    page.goto("/gradient-signs?first_step=50&noise=0.7&momentum=0.3")
    settle(page)
    go_to(page, settle, "Gallery")
    page.wait_for_selector('.zz-gallery[data-missing="0"]')
    open_card(page, settle, "layer_norm")
    assert query_of(page.url) == PRESETS["layer_norm"].experiment.to_query()
    assert page.locator(".st-key-first_step input").input_value() == "1"
    type_number(page, settle, "seed", "3")  # a later run must not bring anything back
    assert query_of(page.url) == PRESETS["layer_norm"].experiment.to_query() | {"seed": "3"}


def test_the_network_s_card_sets_the_network(page, settle):
    open_gallery(page, settle)
    open_card(page, settle, "hidden")
    assert query_of(page.url) == {name: str(value) for name, value in PRESETS["hidden"].params.items()}
    assert page.locator(".st-key-net_batch_size input").input_value() == "1"


def test_a_card_s_address_opens_the_same_for_someone_else(page, context, settle):
    open_gallery(page, settle)
    address = urljoin(page.url, page.locator('a[data-key="line_search"]').get_attribute("href"))
    other = context.new_page()
    other.goto(address)
    settle(other)
    assert experiment_of(other) == PRESETS["line_search"].experiment and "/trajectories" in other.url
    assert other.locator('[data-testid="stAlert"]').count() == 0


def test_a_card_works_from_the_keyboard(page, settle):
    open_gallery(page, settle)
    page.locator('a[data-key="valley"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/trajectories**")
    settle(page)
    assert experiment_of(page) == PRESETS["valley"].experiment


def test_pins_are_compared_returned_to_and_removed(page, settle):
    page.goto("/trajectories?noise=0.3")
    settle(page)
    pin(page, settle)
    type_number(page, settle, "batch_size", "8")
    pin(page, settle)
    type_number(page, settle, "seed", "4")
    assert letters(page) == ["Now", "A", "B"]
    first = page.locator('.zz-pins tr[data-letter="A"]')
    assert "batch size 1, now 8" in first.inner_text() and "seed 0, now 4" in first.inner_text()
    for chart in ("pinned_paths", "pinned_losses"):
        name = page.locator(f".st-key-{chart} canvas.base").get_attribute("aria-label")
        assert "Now" in name and "A" in name and "B" in name
    page.get_by_role("button", name="Return to A").press("Enter")
    settle(page)
    assert experiment_of(page) == Experiment(noise=0.3) and letters(page) == ["A", "B"]
    assert page.locator(".st-key-batch_size input").input_value() == "1"
    page.get_by_role("button", name="Remove B").click()
    settle(page)
    assert letters(page) == ["A"]
    page.get_by_role("button", name="Remove all pins").click()
    settle(page)
    assert page.locator(".zz-pins").count() == 0 and page.zz_errors == []


def test_returning_brings_back_a_control_that_was_folded_away(page, settle):
    page.goto("/trajectories?noise=0.3&learning_rate=0.0123")
    settle(page)
    pin(page, settle)
    page.get_by_role("button", name="Reset all controls").click()
    page.wait_for_function("() => location.search === ''")
    settle(page)
    assert page.locator(".st-key-noise input").count() == 0 and letters(page) == ["Now", "A"]
    page.get_by_role("button", name="Return to A").click()
    settle(page)
    assert experiment_of(page) == Experiment(noise=0.3, learning_rate=0.0123)
    assert page.locator(".st-key-noise input").input_value() == "0.3"
    assert page.locator(".st-key-learning_rate input[type=number]").input_value() == "0.0123"


def test_pins_survive_a_change_of_page_and_a_card_but_not_a_reload(page, settle):
    page.goto("/trajectories")
    settle(page)
    pin(page, settle)
    go_to(page, settle, "Gallery")
    page.wait_for_selector('.zz-gallery[data-missing="0"]')
    open_card(page, settle, "valley")
    assert letters(page) == ["Now", "A"]
    page.reload()
    settle(page)
    assert letters(page) == []


def test_a_path_can_be_hidden_and_drawn_again(page, settle):
    page.goto("/trajectories")
    settle(page)
    pin(page, settle)
    type_number(page, settle, "seed", "4")
    page.get_by_role("button", name="Do not draw A").click()
    settle(page)
    assert "A" not in page.locator(".st-key-pinned_paths canvas.base").get_attribute("aria-label").split(": ")[1]
    page.get_by_role("button", name="Draw A").click()
    settle(page)
    assert "A 3.4x" in page.locator(".st-key-pinned_paths canvas.base").get_attribute("aria-label")


def test_the_pinned_runs_can_be_taken_away(page, settle, tmp_path):
    page.goto("/trajectories?seed=3")
    settle(page)
    pin(page, settle)
    head, line = downloaded(page, "All pinned runs as CSV", tmp_path)[1].splitlines()
    assert head.startswith("run,inputs,") and line.startswith("A,gaussian,") and "path_ratio" in head


def test_the_table_of_pins_fits_a_phone_and_keeps_its_roles(page, settle):
    page.goto("/trajectories")
    settle(page)
    pin(page, settle)
    type_number(page, settle, "seed", "4")
    page.set_viewport_size({"width": 390, "height": 844})
    settle(page)
    table = page.locator(".zz-pins table")
    box = table.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.get_by_role("row").count() >= 3 and page.get_by_role("rowheader", name="A", exact=False).count() >= 1


def test_axe_finds_nothing_in_the_table_and_pictures_of_pins(page, settle):
    page.goto("/trajectories")
    settle(page)
    pin(page, settle)
    type_number(page, settle, "seed", "4")
    assert in_themes(page, settle, lambda: at_widths(page, settle)) == NOTHING
