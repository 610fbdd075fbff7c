"""Diagnoses for the page Your data, made under a bar: those of visitors' numbers are kept in their session alone."""
import time
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import streamlit as st

from zz_core import Diagnosis, diagnose
from zz_core.diagnosis import GradientSigns, gradient_signs
from zz_core.reading import Recording
from zz_view.diagnosis_sources import Held

PATIENCE = 0.4  # seconds before a bar is worth showing
SEEDS = 8
KEPT = 64  # of one session, and of all visitors together for what the server ships


@st.cache_resource(show_spinner=False)
def _shared() -> dict[Hashable, Any]:
    return {}


def _kept(held: Held, key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` returns, made once: for this visitor, or for all where the numbers are the server's own."""
    found = st.session_state.setdefault("_own_found", {}) if held.private else _shared()
    whole = (held.key, key)
    if whole not in found:
        made = make()
        while len(found) >= KEPT:
            found.pop(next(iter(found)), None)  # another visitor may have been faster
        found[whole] = made
    return found[whole]


def overview(held: Held) -> dict[str, Diagnosis | None]:
    """Every layer without runs: which one to look at first. None where a layer cannot be diagnosed."""
    return _kept(held, "overview", lambda: _overview(held.recording))


def _overview(recording: Recording) -> dict[str, Diagnosis | None]:
    found, bar = {}, Bar()
    for k, (name, values) in enumerate(recording.layers.items()):
        bar.show(k / len(recording.layers), "Looking at the layers")
        try:
            found[name] = diagnose(values, names=recording.names.get(name), seeds=0, what=name)
        except ValueError:  # said where this layer is chosen
            found[name] = None
    bar.close()
    return found


def diagnosed(held: Held, recording: Recording, layer: str, chosen: Hashable, batch_size: int) -> Diagnosis:
    """The diagnosis of a layer with its runs. chosen: what else decides it, the target and the columns left out.

    ValueError says what cannot be diagnosed.
    """
    return _kept(held, (layer, chosen, batch_size), lambda: _diagnosed(recording, layer, batch_size))


def _diagnosed(recording: Recording, layer: str, batch_size: int) -> Diagnosis:
    values, targets = recording.layers[layer], recording.targets
    bar = Bar()
    try:
        return diagnose(values, targets if targets is not None and len(targets) == len(values) else None,
                        names=recording.names.get(layer), batch_size=batch_size, seeds=SEEDS, what=layer,
                        progress=bar.show)
    finally:
        bar.close()


def signs_of(held: Held, layer: str) -> GradientSigns:
    """The signs of a layer's recorded gradients; their energy along the mean where its inputs are there, too."""
    values = held.recording.layers.get(layer)
    return _kept(held, ("signs", layer), lambda: gradient_signs(
        held.recording.gradients[layer], None if values is None else np.asarray(values.mean(axis=0), float),
        f"gradients of {layer}"))


class Bar:
    """A bar that appears only where there is something to wait for."""

    def __init__(self) -> None:
        self.place, self.started = st.empty(), time.monotonic()

    def show(self, share: float, what: str) -> None:
        if time.monotonic() - self.started > PATIENCE:
            self.place.progress(min(share, 1.0), f"{what} …")

    def close(self) -> None:
        self.place.empty()
