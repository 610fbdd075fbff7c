"""Where the numbers of the page Your data come from: an example, a shipped data set, an upload, or pasted text.

What a visitor brings stays in that visitor's session, and ends with it: it enters no cache that others share, and no
address.
"""
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from zz_core import datasets
from zz_core.network import NetworkExperiment, train
from zz_core.reading import Recording, UnfitColumns, UnknownEncoding, with_target
from zz_core.reading.checks import listed
from zz_core.reading.recording import TARGETS
from zz_view.controls import BOUND
from zz_view.hosting import heavy
from zz_view.page import plain
from zz_view.uploads import TYPES, parse_upload

EXAMPLE, UPLOAD, PASTE = "example network", "your file", "pasted numbers"
SOURCES = (EXAMPLE, *datasets.REAL, UPLOAD, PASTE)
EXAMPLE_NETWORK = NetworkExperiment(data="digits", layers="32-32", activation="sigmoid", steps=300)
EXAMPLE_STEPS = 60  # of which the example has the gradients
NO_TARGET = "none: random teachers"
OTHER_ENCODING = "cp1252"  # what Windows spreadsheets write unless told otherwise
MOST_PASTED = 1_000_000  # characters; a file may hold more
PARSED = 2e7  # bytes of text a second
SHIPPED_TARGET = "first class"
LIKELY_TARGETS = {*TARGETS, "class", "outcome", SHIPPED_TARGET}


class Held(NamedTuple):
    """The numbers on the page. `key` tells them from all others; `private` ones stay in the session."""

    key: Hashable
    name: str
    recording: Recording
    private: bool


def current(place: DeltaGenerator) -> Held | None:
    """Draw the choice of the source, and in `place` what it asks for, and return its numbers; None where there are
    none, after saying why."""
    chosen = st.selectbox("Numbers", SOURCES, key="own_source", **BOUND,
                          help="A network trained here on digits, whose layers suffer; three real data sets, raw; or "
                               "your own. What you bring is analyzed on this server, kept for this session only, and "
                               "shown to nobody else.")
    with place:
        if chosen == UPLOAD:
            return _uploaded()
        if chosen == PASTE:
            return _pasted()
    return Held(chosen, chosen, example() if chosen == EXAMPLE else shipped(chosen), private=False)


@st.cache_resource(show_spinner="Training the example network …")
def example() -> Recording:
    """What a recorder would have written of a small sigmoid network on digits."""
    run = train(EXAMPLE_NETWORK)
    steps = np.linspace(0, run.steps - 1, EXAMPLE_STEPS).round().astype(int)
    names = [f"layer {k + 1}" for k in range(run.architecture.hidden + 1)]
    inputs = run.layer_inputs(0, -1)
    gradients = [np.stack([run.gradients(layer, int(step)) for step in steps]) for layer in range(len(names))]
    return Recording(dict(zip(names, inputs, strict=True)), dict(zip(names, gradients, strict=True)))


@st.cache_resource(show_spinner=False)
def shipped(name: str) -> Recording:
    """A real data set as found, its class beside it: 1 for the first one."""
    values, labels = datasets.load(name)
    columns = (*datasets.feature_names(name), SHIPPED_TARGET)
    return Recording({name: np.column_stack([values, labels == 0])}, names={name: columns})


def _uploaded() -> Held | None:
    most = int(st.get_option("server.maxUploadSize"))
    file = st.file_uploader(
        f"Activations or a table of inputs, up to {most} MB", TYPES, key="own_file", max_upload_size=most,
        help="NPZ with inputs/LAYER (samples, features) and gradients/LAYER (steps, units, inputs), as the recorders "
             "below write it; NPY or safetensors with activations; CSV, TSV or Parquet with a row for each sample.")
    if file is None:
        return _nothing_yet("Choose a file; until then this is the example network.")
    return _read(("file", file.file_id), file.name, file.getvalue, most * 2**20, file.size / PARSED)


def _pasted() -> Held | None:
    text = st.text_area("Rows of numbers, one a sample, as a spreadsheet copies them", key="own_text", height=140,
                        max_chars=MOST_PASTED, persist_state="session",
                        placeholder="height, width, weight\n1.2, 0.8, 31\n1.1, 0.9, 28\n...")
    if not text.strip():
        return _nothing_yet("Paste numbers; until then this is the example network.")
    return _read(("text", text), "pasted numbers", lambda: text.encode(), MOST_PASTED * 4, 0.0)


def _nothing_yet(sentence: str) -> Held:
    st.info(sentence, icon=":material/info:")
    return Held(EXAMPLE, EXAMPLE, example(), private=False)


def _read(key: Hashable, name: str, content: Callable[[], bytes], most: int, seconds: float) -> Held | None:
    """Parse what a visitor brings, once, in `seconds`; where it cannot be used a sentence says why, and a button what
    to do."""
    left_out, encoding = tuple(st.session_state.get(_key("left", key), ())), st.session_state.get(_key("enc", key))
    whole = (key, left_out, encoding)
    offer_back(key)
    kept = st.session_state.get("_own_held")
    if kept is not None and kept.key == whole:
        return kept
    try:
        waits = seconds > heavy.NOTICEABLE_SECONDS
        with heavy.slot_if(waits, "Reading this file", seconds), st.spinner(f"Reading {plain(name)} …"):
            recording = parse_upload(content(), name, most, left_out, encoding or "utf-8")
    except ValueError as error:
        refuse(error, key)
        return None
    held = Held(whole, name, recording, private=True)
    st.session_state["_own_held"] = held  # the latest only
    return held


def refuse(error: ValueError, key: Hashable) -> None:
    """The core's sentence in place of the picture, with a button where leaving columns out would do."""
    st.warning(plain(str(error)), icon=":material/tune:")
    if isinstance(error, UnfitColumns):
        count = len(error.columns)
        st.button(f"Leave out {'this column' if count == 1 else f'these {count:,} columns'}",
                  icon=":material/playlist_remove:", key="own_leave_out", on_click=_leave_out,
                  args=(key, error.columns))
    if isinstance(error, UnknownEncoding):
        st.button("Read it as Windows-1252", icon=":material/translate:", key="own_encoding",
                  on_click=st.session_state.update, args=({_key("enc", key): OTHER_ENCODING},))


def _leave_out(key: Hashable, columns: Sequence[str]) -> None:
    before = st.session_state.get(_key("left", key), ())
    st.session_state[_key("left", key)] = [*before, *(name for name in columns if name not in before)]


def left_out(key: Hashable) -> list[str]:
    return list(st.session_state.get(_key("left", key), ()))


def offer_back(key: Hashable) -> None:
    """Say what was left out, with a button that takes it back."""
    columns = left_out(key)
    if columns:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Left out: {plain(listed(columns))}.")
            st.button("Use again", icon=":material/undo:", key=f"own_take_back_{hash(key)}",
                      on_click=st.session_state.pop, args=(_key("left", key), None))


def _key(what: str, key: Hashable) -> str:
    return f"_own_{what}_{hash(key)}"


def choose_target(held: Held, layer: str) -> tuple[Recording, str]:
    """Draw the choice of a column to be predicted; the recording with it taken for the targets."""
    names = held.recording.names.get(layer, ())
    if len(names) < 2:
        return held.recording, NO_TARGET
    guess = next((k for k, name in enumerate(names, 1) if name.lower() in LIKELY_TARGETS), 0)
    chosen = st.selectbox("Target", [NO_TARGET, *names], guess, key=_key("target", (held.key, layer)),
                          help="The column that the others are to predict. Without one the runs learn random targets "
                               "that are linear in the inputs.")
    if chosen == NO_TARGET:
        return held.recording, chosen
    return with_target(held.recording, layer, chosen, held.name), chosen


def without(recording: Recording, layer: str, columns: Sequence[str]) -> Recording:
    """The recording without some columns of a layer; for arrays, whose columns are named x1, x2, ..."""
    values = recording.layers[layer]
    names = recording.names.get(layer) or tuple(f"x{k + 1}" for k in range(values.shape[1]))
    kept = [k for k, name in enumerate(names) if name not in columns]
    if len(kept) == len(names):
        return recording
    return replace(recording, layers={**recording.layers, layer: values[:, kept]},
                   names={**recording.names, layer: tuple(names[k] for k in kept)})
