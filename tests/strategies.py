"""Hypothesis strategies for random experiments over all fields, small enough to run by the hundred."""
import numpy as np
from hypothesis import strategies as st

from zz_core import Experiment
from zz_core.experiment import CHOICES
from zz_core.inputs import INPUTS

MOSTLY = {  # the ends of the allowed range as well as ordinary values
    "input_mean": st.sampled_from([0.0, 1.0, -2.0, 100.0, -100.0]) | st.floats(-3, 3),
    "input_std": st.sampled_from([1.0, 0.001, 100.0]) | st.floats(0.1, 3),
    "dimensions": st.integers(1, 5),
    "samples": st.integers(2, 24),
    "target_angle": st.sampled_from([0.0, 90.0, 180.0, 360.0]) | st.floats(0, 360),
    "distance": st.sampled_from([0.0, 2.0, 100.0]) | st.floats(0, 5),
    "noise": st.sampled_from([0.0, 0.0, 0.3, 100.0]) | st.floats(0, 2),
    "bias": st.booleans(),
    "start_bias": st.sampled_from([0.0, 1.0, -100.0, 100.0]) | st.floats(-5, 5),
    "start_along": st.sampled_from([0.0, 0.0, 1.0, 100.0]) | st.floats(-3, 3),
    "start_across": st.sampled_from([0.0, 0.0, -1.0, 100.0]) | st.floats(-3, 3),
    "learning_rate": st.sampled_from([0.25, 0.0001, 1.0, 10.0]) | st.floats(0.001, 10),
    "momentum": st.sampled_from([0.0, 0.9, 0.9999]) | st.floats(0, 0.99),
    "decay": st.sampled_from([0.0, 0.999, 0.99999]) | st.floats(0, 0.999),
    "damping": st.sampled_from([0.1, 1e-6, 1000.0]) | st.floats(0.001, 10),
    "batch_size": st.sampled_from([1, 1, 2, 24]) | st.integers(1, 24),
    "steps": st.integers(1, 12) | st.just(60),
    "seed": st.integers(0, 2**31 - 1),
    "data_seed": st.integers(0, 2**31 - 1),
    **{name: st.sampled_from(options) for name, options in CHOICES.items()},
}


def fields(**fixed: st.SearchStrategy) -> st.SearchStrategy[dict]:
    """Keyword arguments for Experiment, each allowed by itself; together they may be impossible."""
    return st.fixed_dictionaries(MOSTLY | fixed)


@st.composite
def experiments(draw: st.DrawFn, **fixed: st.SearchStrategy) -> Experiment:
    """Valid experiments: the fields that must fit together are drawn to fit, the others as in `fields`."""
    values = draw(fields(**fixed))
    if values["treatment"] == "layer_norm":
        values["dimensions"] = max(2, values["dimensions"])
    if values["inputs"] == "one_hot":
        values["samples"] = max(values["samples"], values["dimensions"])
    if values["dimensions"] == 1:
        values["target_angle"] = draw(st.sampled_from([0.0, 180.0]))
    rows = INPUTS[values["inputs"]].rows(values["samples"], values["dimensions"])
    if rows <= values["dimensions"] + 1:
        values["noise"] = 0.0
    # the full batch has code of its own: draw it as often as all other sizes together
    values["batch_size"] = draw(st.just(rows) | st.just(min(values["batch_size"], rows)))
    return Experiment(**values)


def as_numpy(value: object) -> object:
    """The same value as a NumPy scalar."""
    kinds = {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_}
    return kinds[type(value)](value)
