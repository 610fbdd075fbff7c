"""Diagnoses for the page Your data, made under a bar that can be stopped.

Those of visitors' numbers are kept in their session alone, and only of the latest that they brought.
"""
import time
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import streamlit as st

from zz_core import Diagnosis, diagnose
from zz_core.diagnosis import GradientSigns, gradient_signs
from zz_core.reading import Recording
from zz_view.diagnosis_sources import Held
from zz_view.hosting import heavy
from zz_view.hosting.caches import Cache
from zz_view.page import plain

PATIENCE = 0.4  # seconds before a bar is worth showing
SEEDS = 8
KEPT = 64  # findings of one session
SHARED_BYTES = 16 * 2**20  # of findings about what the server ships, for all visitors
SPEED = 5e9  # multiplications a second
RUNS_SECONDS = 2.0
STOPPED, OWN = "_own_stopped", "_own_found"


class Stopped(Exception):
    """The visitor did not want to wait."""


@st.cache_resource(show_spinner=False)
def _shared() -> Cache[Any]:
    return Cache("diagnoses", SHARED_BYTES)


def _own(key: Hashable) -> dict[Hashable, Any]:
    """This visitor's, without those of what was brought before."""
    if st.session_state.get(OWN, (None,))[0] != key:
        st.session_state[OWN] = key, {}
    return st.session_state[OWN][1]


def _offer_to_go_on() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info("The analysis was stopped.", icon=":material/stop:")
        st.button("Analyze it after all", key="own_go_on", on_click=st.session_state.pop, args=(STOPPED, None))


def _find(held: Held, whole: Hashable) -> Any:
    return _own(held.key).get(whole) if held.private else _shared().find(whole)


def _keep(held: Held, whole: Hashable, made: Any) -> None:
    if not held.private:
        return _shared().put(whole, made)
    found = _own(held.key)
    if len(found) >= KEPT:
        found.pop(next(iter(found)))
    found[whole] = made


def _kept(held: Held, key: Hashable, seconds: float, make: Callable[["Bar"], Any]) -> Any:
    """What `make` returns, made once: for this visitor, or for all where the numbers are the server's own. What is
    predicted to take long waits its turn.

    Raises Stopped, after saying so, where the visitor has stopped it.
    """
    whole = (held.key, key)
    if (found := _find(held, whole)) is not None:
        return found
    if st.session_state.get(STOPPED) == whole:
        _offer_to_go_on()
        raise Stopped
    with heavy.slot_if(seconds > heavy.NOTICEABLE_SECONDS, "This analysis", seconds):
        if (found := _find(held, whole)) is not None:  # another visitor's, made while this one waited
            return found
        bar = Bar(whole)
        try:
            made = make(bar)
        finally:
            bar.close()
    _keep(held, whole, made)
    return made


def _work(values: np.ndarray) -> float:
    """Seconds for the moments and the eigenvalues of a layer, and its signs."""
    rows, columns = values.shape
    return (2 * rows * columns**2 + 6 * columns**3) / SPEED + 0.2


def overview(held: Held) -> dict[str, Diagnosis | None]:
    """Every layer without runs: which one to look at first. None where a layer cannot be diagnosed, and where it is
    the only one."""
    if len(held.recording.layers) < 2:
        return dict.fromkeys(held.recording.layers)
    seconds = sum(map(_work, held.recording.layers.values()))
    return _kept(held, "overview", seconds, lambda bar: _overview(held.recording, bar))


def _overview(recording: Recording, bar: "Bar") -> dict[str, Diagnosis | None]:
    found = {}
    for k, (name, values) in enumerate(recording.layers.items()):
        bar.show(k / len(recording.layers), "Looking at the layers")
        try:
            found[name] = diagnose(values, names=recording.names.get(name), seeds=0, what=name)
        except ValueError:  # said where this layer is chosen
            found[name] = None
    return found


def diagnosed(held: Held, recording: Recording, layer: str, chosen: Hashable, batch_size: int) -> Diagnosis:
    """The diagnosis of a layer with its runs. chosen: what else decides it, the target and the columns left out.

    ValueError says what cannot be diagnosed.
    """
    return _kept(held, (layer, chosen, batch_size), _work(recording.layers[layer]) + RUNS_SECONDS,
                 lambda bar: _diagnosed(recording, layer, batch_size, bar))


def _diagnosed(recording: Recording, layer: str, batch_size: int, bar: "Bar") -> Diagnosis:
    values, targets = recording.layers[layer], recording.targets
    return diagnose(values, targets if targets is not None and len(targets) == len(values) else None,
                    names=recording.names.get(layer), batch_size=batch_size, seeds=SEEDS, what=layer,
                    progress=bar.show)


def signs_of(held: Held, layer: str) -> GradientSigns:
    """The signs of a layer's recorded gradients; their energy along the mean where its inputs are there, too."""
    values = held.recording.layers.get(layer)

    def counted(_bar: Bar) -> GradientSigns:
        with st.spinner(f"Counting the signs of {plain(layer)} …"):
            mean = None if values is None else np.asarray(values.mean(axis=0, dtype=float))
            return gradient_signs(held.recording.gradients[layer], mean, f"gradients of {layer}")

    return _kept(held, ("signs", layer), held.recording.gradients[layer].size / 1e8, counted)


class Bar:
    """A bar, and a button that stops, which appear only where there is something to wait for."""

    def __init__(self, key: Hashable) -> None:
        self.key, self.started, self.offered = key, time.monotonic(), False
        self.place, self.button = st.empty(), st.empty()

    def show(self, share: float, what: str) -> None:
        if time.monotonic() - self.started < PATIENCE:
            return
        self.place.progress(min(share, 1.0), f"{what} …")  # raises where the script is to end
        if not self.offered:
            self.button.button("Stop the analysis", icon=":material/stop:", key=f"own_stop_{hash(self.key)}",
                               on_click=st.session_state.update, args=({STOPPED: self.key},))
            self.offered = True

    def close(self) -> None:
        self.place.empty()
        self.button.empty()
