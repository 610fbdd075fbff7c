"""The network's own controls: one for each field of NetworkExperiment, bound to the URL under `net_` and the field."""
from collections.abc import Mapping

import streamlit as st

from zz_core.activations import ACTIVATIONS
from zz_core.network import NetworkExperiment
from zz_core.network.data import SOURCES
from zz_core.network.experiment import BOUNDS, CHOICES, DEFAULTS, FIELD_TYPES, PREFIX, parse
from zz_core.optimizers import OPTIMIZERS
from zz_view import runs
from zz_view.controls import BOUND, Value
from zz_view.fields import label

COMMON = ("data", "layers", "activation", "normalization", "batch_size", "learning_rate", "optimizer", "steps")
FOLDED = ("treatment", "shift", "samples", "loss", "initialization", "momentum", "decay", "normalization_place", "seed",
          "data_seed", "affine")
WIDTH = 163  # pixels, so that two fit beside each other on a phone
STEPS: dict[str, int | float] = {"samples": 50, "shift": 0.5, "learning_rate": 0.05, "momentum": 0.05, "decay": 0.01,
                                 "batch_size": 8, "steps": 200}
_LABELS: dict[str, Mapping] = {"data": SOURCES, "activation": ACTIVATIONS, "optimizer": OPTIMIZERS}

HELP: dict[str, str] = {
    "data": "What the network learns to classify: three real data sets, and two-dimensional classics. A quarter of the "
            "rows is held out.",
    "samples": "Rows of the generated data. Real data are used whole.",
    "treatment": "What is done to the data before the first layer. Standardized data are zero-centered, so that only "
                 "the later layers can zig-zag; `none` leaves real data as found, all positive.",
    "shift": "Added to every input, in standard deviations: a way to feed off-center data to the first layer.",
    "layers": "Widths of the hidden layers, joined by hyphens: `32-32` is two layers of 32 units, empty is none. Wider "
              "layers have a steeper mean direction behind them.",
    "activation": "Of the hidden layers. Their outputs are the next layer's inputs: all positive for sigmoid, centered "
                  "for tanh while the units are not driven to one side, half zeros for ReLU.",
    "normalization": "batch_norm subtracts each unit's mean over the batch, layer_norm each sample's mean over the "
                     "units. Neither is a zero-centered layer once an activation follows.",
    "normalization_place": "before the activation, as usual, or after it, where batch_norm zero-centers exactly what "
                           "the next layer sees.",
    "affine": "The normalization learns a scale and an offset per unit. The offset may move the mean away from zero "
              "again.",
    "loss": "cross_entropy of a softmax, or the squared distance to one-hot targets.",
    "initialization": "xavier suits sigmoid and tanh, he suits ReLU, plain is what PyTorch's linear layers do.",
    "optimizer": "The update rule, with PyTorch's definitions.",
    "learning_rate": "How far a step goes. There is no stability limit known beforehand: try a few. RMSprop and Adam "
                     "want about a hundredth of what plain SGD takes.",
    "momentum": "How much of the last step is kept; Adam's first beta.",
    "decay": "How slowly RMSprop and Adam forget old squared gradients.",
    "batch_size": "Samples averaged in each step. A single one gives every row of ∂L/∂W one sign wherever the layer's "
                  "inputs are all positive.",
    "steps": "How many updates the run makes.",
    "seed": "The start, and which rows are drawn in which order.",
    "data_seed": "Which rows are held out, and which data are generated.",
}


def current() -> NetworkExperiment:
    """Draw the controls and return what they say; where that is impossible, a sentence takes the picture's st."""
    before = {name: _value_before(name) for name in DEFAULTS}
    reasons, values = _ignored(before), {}
    values |= _rows(COMMON, reasons)
    with st.expander("More about the network"):
        values |= _rows(FOLDED, reasons)
    try:
        return NetworkExperiment(**values)
    except ValueError as error:
        runs.refuse(readable(error))


def _value_before(name: str) -> Value:
    """A field's value before its control is drawn, which on a first visit only the URL knows."""
    key = PREFIX + name
    if key in st.session_state:
        return st.session_state[key]
    try:
        return parse(name, st.query_params[key]) if key in st.query_params else DEFAULTS[name]
    except ValueError:
        return DEFAULTS[name]


def readable(error: ValueError) -> str:
    """The core's "field=value: must be ..." as a sentence for someone who sees the controls, not the code."""
    name, value, rule = runs.split_message(error)
    if name not in DEFAULTS:
        return f"This network is not possible: {error}."
    return f"**{label(name)}** is {value}, but it {rule}. Change it above; nothing else was touched."


def _ignored(values: Mapping[str, Value]) -> dict[str, str]:
    """Why a field does nothing at the moment, for those that do not."""
    reasons = {}
    if values["data"] in SOURCES and SOURCES[values["data"]].fixed_rows:
        reasons["samples"] = "Real data are used whole"
    if values["normalization"] == "none":
        reasons |= dict.fromkeys(("normalization_place", "affine"), "There is no normalization")
    optimizer = OPTIMIZERS.get(values["optimizer"])
    for name in ("momentum", "decay"):
        if optimizer is not None and name not in optimizer.uses:
            reasons[name] = f"{optimizer.label} does not use it"
    return reasons


def _rows(names: tuple[str, ...], reasons: Mapping[str, str]) -> dict[str, Value]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        return {name: _control(name, reasons.get(name)) for name in names}


def _control(name: str, ignored_because: str | None) -> Value:
    """Disabled, never hidden, where the field does not apply: a hidden control would leave the URL."""
    common = {"label": label(name), "key": PREFIX + name, "help": _help(name, ignored_because),
              "disabled": ignored_because is not None, "width": WIDTH, **BOUND}
    default, kind = DEFAULTS[name], FIELD_TYPES[name]
    if kind is bool:
        return st.toggle(value=default, **common)
    if name == "layers":
        return st.text_input(value=default, max_chars=40, **common).strip()
    if kind is str:
        options = CHOICES[name]
        return st.selectbox(options=options, index=options.index(default), **common)
    low, high = map(kind, BOUNDS[name])
    return st.number_input(min_value=low, max_value=high, value=default, step=kind(STEPS.get(name, 1)),
                              format="%d" if kind is int else "%.6g", **common)


def _help(name: str, ignored_because: str | None) -> str:
    parts = [f"**Not used now.** {ignored_because}."] if ignored_because else []
    parts.append(HELP[name])
    if name in _LABELS:
        parts.append("\n".join(f"- `{key}`: {_LABELS[name][key].label}" for key in CHOICES[name]))
    if name in BOUNDS:
        low, high = BOUNDS[name]
        parts.append(f"From {low:g} to {high:.10g}.")
    return "\n\n".join(parts)
