"""The gallery: all presets as cards, whose pictures appear as the server has run them."""
import time
from functools import lru_cache

import streamlit as st

from zz_view import assets, controls, presets

FIRST, LATER = 0.1, 0.4  # seconds of running before the cards are sent, the first time and after
_component = assets.component("gallery", '<div class="zz-gallery"></div>', "gallery.css", "gallery.js",
                              isolate_styles=False)


@st.fragment  # a further picture changes nothing else on the page
def draw(prose: dict[str, str]) -> None:
    """Draw the cards. Opening one sets all controls and changes the page within the visit.

    prose: sections by title, plain paragraphs, folded below the cards. They belong to the same element: it grows when
    the browser has loaded it, and would push away whatever stood below.
    """
    if (opened := st.session_state.pop("_opened_preset", None)) is not None:
        file, query = opened
        st.switch_page(file, query_params=query)
    _make_some(LATER if st.session_state.get("_gallery_seen") else FIRST)
    st.session_state["_gallery_seen"] = True
    data = _data(frozenset(presets.ready().items()), controls.in_dashboard(), tuple(prose.items()))
    _component(key="gallery", data=data, on_open_change=_open, on_more_change=lambda: None)


def _make_some(seconds: float) -> None:
    """Make missing previews until the time is up; at least one, so that asking again comes to an end."""
    end = time.monotonic() + seconds
    made = presets.ready()
    for key in [key for key in presets.PRESETS if key not in made]:
        presets.preview(key)
        if time.monotonic() > end:
            return


@lru_cache(4)  # once all pictures are made, it is the same at every change
def _data(ready: frozenset[tuple[str, presets.Preview]], within: bool, prose: tuple[tuple[str, str], ...]) -> bytes:
    made = dict(ready)

    def card(key: str, preset: presets.Preset) -> dict:
        found = made.get(key)
        return {"key": key, "name": preset.name, "look": preset.look, "href": preset.address,
                "svg": found and found.svg, "measured": found and f"{found.measured}."}

    groups = [{"title": title, "cards": [card(key, preset) for key, preset in group.items()]}
              for title, group in presets.GROUPS.items()]
    return assets.sent({"groups": groups, "within": within,
                        "prose": [[title, text.split("\n\n")] for title, text in prose]})


def _open() -> None:
    key = st.session_state["gallery"]["open"]
    if key in presets.PRESETS:  # what a browser sends may be anything
        preset = presets.PRESETS[key]
        st.session_state["_opened_preset"] = preset.file, controls.adopt(preset.experiment, preset.params)
