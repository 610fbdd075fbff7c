"""The URL and the controls in a real browser: links, reloads, changes of page, resets, shared links and files."""
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import downloaded


def query_of(page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def path_of(page) -> str:
    return urlsplit(page.url).path


def slider(page, field: str):
    return page.locator(f".st-key-{field} input[type=range]")


def number(page, field: str):
    return page.locator(f".st-key-{field} input[type=number]")


def type_number(page, field: str, text: str) -> None:
    number(page, field).fill(text)
    number(page, field).press("Enter")


def option(page, field: str) -> str:
    """What a selectbox of the sidebar shows."""
    return page.locator(f".st-key-{field} input").input_value()


def go_to(page, settle, title: str) -> None:
    page.get_by_test_id("stTopNavSection").first.click()
    page.get_by_role("menuitem", name=title).click()
    page.wait_for_function("title => document.title.startsWith(title)", arg=title)
    settle(page)


def sentences(page) -> str:
    return "\n".join(page.locator('[data-testid="stAlert"]').all_inner_texts())


def open_page(page, settle, address: str) -> None:
    page.goto(address)
    settle(page)


def test_a_link_sets_the_controls_and_stays_in_the_address(page, settle):
    open_page(page, settle, "/trajectories?batch_size=8&learning_rate=0.6&activation=tanh&bias=true")
    assert number(page, "batch_size").input_value() == "8"
    assert float(slider(page, "learning_rate").get_attribute("value")) == pytest.approx(0.6)
    assert option(page, "activation") == "tanh"
    assert query_of(page) == {"batch_size": "8", "learning_rate": "0.6", "activation": "tanh", "bias": "true"}
    assert path_of(page) == "/trajectories" and page.zz_errors == []


def test_a_value_between_two_steps_of_a_slider_is_kept_exactly(page, settle):
    open_page(page, settle, "/trajectories?learning_rate=0.0123&optimizer=adam")
    assert float(number(page, "learning_rate").input_value()) == 0.0123
    assert query_of(page)["learning_rate"] == "0.0123"


def test_a_change_shows_in_the_address_and_its_default_does_not(page, settle):
    open_page(page, settle, "/trajectories")
    slider(page, "learning_rate").press("ArrowRight")
    settle(page)
    assert query_of(page) == {"learning_rate": "0.26"}
    slider(page, "learning_rate").press("ArrowLeft")
    settle(page)
    assert query_of(page) == {}


def test_three_fast_key_presses_are_three_steps(page, settle):
    open_page(page, settle, "/trajectories?learning_rate=0.4&seed=3")
    slider(page, "learning_rate").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(40)
    settle(page)
    assert query_of(page) == {"learning_rate": "0.43", "seed": "3"}
    type_number(page, "seed", "4")  # another run must not bring an older value back
    settle(page)
    assert float(slider(page, "learning_rate").get_attribute("value")) == pytest.approx(0.43)
    assert query_of(page) == {"learning_rate": "0.43", "seed": "4"}


def test_a_change_of_page_keeps_the_experiment(page, settle):
    open_page(page, settle, "/trajectories?batch_size=8&other_seeds=2")
    go_to(page, settle, "Gradient signs")
    assert path_of(page) == "/gradient-signs" and query_of(page) == {"batch_size": "8"}
    assert number(page, "batch_size").input_value() == "8"
    type_number(page, "seed", "5")
    settle(page)
    go_to(page, settle, "Trajectories")
    assert path_of(page) == "/trajectories"
    assert query_of(page) == {"batch_size": "8", "seed": "5", "other_seeds": "2"}
    go_to(page, settle, "Overview")
    assert path_of(page) == "/" and query_of(page) == {"batch_size": "8", "seed": "5"}
    assert page.zz_errors == []


def test_a_reload_keeps_everything(page, settle):
    open_page(page, settle, "/gradient-signs")
    type_number(page, "batch_size", "16")
    slider(page, "target_angle").press("ArrowRight")
    settle(page)
    page.reload()
    settle(page)
    assert number(page, "batch_size").input_value() == "16"
    assert query_of(page) == {"batch_size": "16", "target_angle": "95"}


def test_going_back_returns_to_the_page_with_the_experiment(page, settle):
    open_page(page, settle, "/trajectories?batch_size=8")
    go_to(page, settle, "Gradient signs")
    page.go_back()
    page.wait_for_url("**/trajectories**")
    settle(page)
    assert query_of(page)["batch_size"] == "8" and number(page, "batch_size").input_value() == "8"


@pytest.mark.parametrize("query, taken, words", [
    ("steps=abc&batch_size=8", {"batch_size": "8"}, ["steps abc", "200 is used instead"]),
    ("learning_rate=99", {}, ["learning rate 99", "between 0.0001 and 10", "0.25 is used instead"]),
    ("activation=foo", {}, ["activation foo", "sigmoid is used instead"]),
])
def test_a_bad_value_falls_back_and_says_so(page, settle, query, taken, words):
    open_page(page, settle, f"/trajectories?{query}")
    assert all(part in sentences(page) for part in words)
    assert query_of(page) == taken
    assert page.zz_errors == []


def test_an_impossible_combination_is_a_sentence_and_no_field_changes(page, settle):
    open_page(page, settle, "/trajectories?samples=16&batch_size=64")
    assert "Batch size is 64, but it must be at most 16" in sentences(page)
    assert page.locator('[data-testid="stPlotlyChart"]').count() == 0
    assert query_of(page) == {"samples": "16", "batch_size": "64"}
    type_number(page, "batch_size", "16")
    settle(page)
    assert sentences(page) == "" and query_of(page) == {"samples": "16", "batch_size": "16"}


def test_a_control_that_does_not_apply_keeps_its_value_and_its_place_in_the_address(page, settle):
    open_page(page, settle, "/trajectories?activation=tanh&momentum=0.5&optimizer=adam")
    page.locator(".st-key-inputs").get_by_role("combobox").click()
    page.get_by_role("option", name="wine").click()
    settle(page)
    assert option(page, "activation") == "tanh" and query_of(page)["activation"] == "tanh"
    type_number(page, "seed", "5")
    settle(page)
    assert query_of(page) == {"activation": "tanh", "momentum": "0.5", "optimizer": "adam", "inputs": "wine",
                              "steps": "2000", "seed": "5"}


def test_one_button_resets_everything_for_good(page, settle):
    open_page(page, settle, "/trajectories?batch_size=8&learning_rate=0.0123&activation=tanh&other_seeds=3"
                            "&foo=1&steps=x")
    page.get_by_role("button", name="Reset all controls").click()
    page.wait_for_function("() => location.search === ''")
    settle(page)
    assert path_of(page) == "/trajectories" and sentences(page) == ""
    assert number(page, "batch_size").input_value() == "1" and option(page, "activation") == "sigmoid"
    assert float(slider(page, "learning_rate").get_attribute("value")) == 0.25  # a slider again
    type_number(page, "seed", "2")  # the browser may not send an old value back
    settle(page)
    assert query_of(page) == {"seed": "2"}
    assert page.zz_errors == []


def test_numbers_can_be_typed_and_dragged_in_turn(page, settle):
    open_page(page, settle, "/trajectories?learning_rate=0.4")
    page.get_by_text("Type exact numbers").click()
    settle(page)
    assert float(number(page, "learning_rate").input_value()) == 0.4
    type_number(page, "learning_rate", "0.5")
    settle(page)
    assert query_of(page) == {"learning_rate": "0.5"}
    page.get_by_text("Type exact numbers").click()
    settle(page)
    assert float(slider(page, "learning_rate").get_attribute("value")) == 0.5


def test_the_shared_link_opens_the_same_experiment(page, context, settle):
    open_page(page, settle, "/trajectories?batch_size=8&other_seeds=2")
    type_number(page, "seed", "9")
    settle(page)
    page.get_by_role("button", name="Share").click()
    link = page.get_by_test_id("stPopoverBody").locator("code").first.inner_text().strip()
    other = context.new_page()
    open_page(other, settle, link)
    assert path_of(other) == "/trajectories"
    assert query_of(other) == query_of(page) == {"batch_size": "8", "other_seeds": "2", "seed": "9"}


def test_the_run_and_the_experiment_can_be_downloaded(page, settle, tmp_path):
    open_page(page, settle, "/trajectories?steps=20&batch_size=4")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("tab", name="Data").click()
    files = dict(downloaded(page, label, tmp_path) for label in ("Every step as CSV", "The experiment as JSON"))
    lines = files["zig-zag-gaussian-2d-batch4-seed0.csv"].splitlines()
    assert lines[0] == "run,seed,step,w1,w2,loss,gradient_has_one_sign" and len(lines) == 1 + 2 * 21
    assert json.loads(files["zig-zag-gaussian-2d-batch4-seed0.json"])["experiment"]["batch_size"] == 4


def test_a_bad_value_of_a_page_s_own_control_gets_a_sentence(page, settle):
    open_page(page, settle, "/trajectories?other_seeds=999")
    assert "other seeds `999`".replace("`", "") in sentences(page) and "0 is used instead" in sentences(page)
    assert page.zz_errors == []


def test_what_is_used_instead_of_several_choices_is_listed_in_words(page, settle):
    open_page(page, settle, "/remedies?lanes=foo")
    assert "nothing, center, whiten" in sentences(page) and "[" not in sentences(page)
