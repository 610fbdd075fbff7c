"""The gallery page on its own, without a browser."""
import json
from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.charts import open_page
from zz_core.experiment import DEFAULTS
from zz_view import gallery, presets
from zz_view.presets import PRESETS

PAGE = Path(__file__).parents[2] / "pages" / "gallery.py"


def cards(app) -> list[dict]:
    (component,) = app.main.get("bidi_component")
    return [card for group in json.loads(component.proto.bytes)["groups"] for card in group["cards"]]


def test_every_preset_has_its_card_with_a_link_and_a_sentence():
    found = cards(open_page(PAGE))
    assert [card["key"] for card in found] == list(PRESETS)
    assert all(card["href"] == PRESETS[card["key"]].address and card["look"] for card in found)


def test_the_page_does_not_wait_for_all_pictures(monkeypatch):
    monkeypatch.setattr(gallery, "FIRST", 0.0)
    monkeypatch.setattr(gallery, "LATER", 0.0)
    presets._made()[0].clear()
    app = open_page(PAGE)
    for drawn in (1, 2, 3):  # each time that the browser asks for more there is at least one more
        pictures = [card["svg"] for card in cards(app)]
        assert sum(picture is not None for picture in pictures) == drawn
        assert all(picture is not None for picture in pictures[:drawn])
        app.run()


def test_the_page_s_prose_is_folded_below_the_cards():
    (component,) = open_page(PAGE).main.get("bidi_component")
    prose = dict(json.loads(component.proto.bytes)["prose"])
    assert list(prose) == ["How to read the small pictures", "How to share one"]
    # it is shown as it stands, without Markdown
    assert all(text and not set("*_`#[") & set(text) for texts in prose.values() for text in texts)


def test_without_the_dashboard_the_cards_are_plain_links():
    (component,) = open_page(PAGE).main.get("bidi_component")
    assert json.loads(component.proto.bytes)["within"] is False


def adopting_page():
    import streamlit as st

    from zz_view import controls
    from zz_view.presets import PRESETS

    experiment = controls.current()
    st.number_input("Others", 0, 20, key="other_seeds", bind="query-params")
    st.button("open", key="open", on_click=lambda: controls.adopt(PRESETS[st.session_state["wanted"]].experiment))
    st.json(experiment.to_query())


def test_opening_sets_every_control_and_forgets_what_was_set_before():
    app = AppTest.from_function(adopting_page, default_timeout=60)
    app.session_state["wanted"] = "parking"
    for name, value in {"noise": "0.5", "learning_rate": "0.4", "steps": "abc", "other_seeds": "3"}.items():
        app.query_params[name] = value
    app.run()
    assert app.info  # a sentence about the steps, which are another link's affair
    app.button(key="open").click().run()
    assert not app.exception and not app.info
    assert json.loads(app.json[0].value) == PRESETS["parking"].experiment.to_query()
    assert all(app.session_state[name] == getattr(PRESETS["parking"].experiment, name) for name in DEFAULTS)
    assert app.session_state["other_seeds"] == 3  # which is the page's own


def test_a_value_between_two_steps_of_a_slider_is_shown_in_a_box(monkeypatch):
    odd = PRESETS["bounce"]._replace(experiment=replace(PRESETS["bounce"].experiment, learning_rate=0.0123))
    monkeypatch.setitem(PRESETS, "odd", odd)
    app = AppTest.from_function(adopting_page, default_timeout=60)
    app.session_state["wanted"] = "odd"
    app.run()
    app.button(key="open").click().run()
    assert app.number_input(key="learning_rate").value == 0.0123
