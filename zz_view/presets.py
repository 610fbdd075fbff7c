"""Named experiments: what each shows, where it opens, and the link to it."""
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode

import streamlit as st

from zz_core import Experiment
from zz_core.specs import Value, written
from zz_view import previews
from zz_view.previews import Draw, Preview


class Preset(NamedTuple):
    """A named experiment. `params` are the page's own, `look` says in one sentence what to look at."""

    name: str
    look: str
    page: str  # its address; its file has underscores where this has hyphens
    experiment: Experiment
    draw: Draw
    params: Mapping[str, Value] = MappingProxyType({})

    @property
    def file(self) -> str:
        return f"pages/{self.page.replace('-', '_')}.py"

    @property
    def address(self) -> str:
        """Relative to the dashboard's pages."""
        query = urlencode(self.experiment.to_query() | {name: written(value) for name, value in self.params.items()})
        return self.page + (f"?{query}" if query else "")


FULL = {"batch_size": 256}  # all samples of the synthetic inputs
ONE_SIGN = {
    "cs231n": Preset(
        "The CS231n picture", "The raw path goes north-east and south-west by turns, though its target lies "
        "north-west.", "trajectories", Experiment(), previews.twin_paths),
    "parking": Preset(
        "Parallel parking", "Two samples, each move exactly right for one of them: every move is wrong for the other.",
        "trajectories", Experiment(activation="identity", input_mean=1.0, input_std=0.5, samples=2, data_seed=4,
                                   optimizer="gauss_newton", learning_rate=1.0, sampling="epoch", steps=250),
        previews.path(previews.moves)),
    "north_east": Preset(
        "The north-east exception", "A target along the mean asks for one sign only: hardly any zig-zag.",
        "trajectories", Experiment(target_angle=0.0, seed=1), previews.path(previews.beside_north_west)),
    "one_hot": Preset(
        "Positive, yet fast", "One-hot inputs are never negative, so every gradient has one sign. It does no harm.",
        "trajectories", Experiment(inputs="one_hot"), previews.path(previews.one_sign_yet_fast)),
    "flipped": Preset(
        "A flipped feature", "Flip one input's sign: the one-sign pattern is gone, and the path is only mirrored.",
        "geometry", Experiment(), previews.flipped),
    "relu": Preset(
        "ReLU's zeros", "About half of the inputs are zero, and so are their weights' gradients; the rest agree.",
        "gradient-signs", Experiment(activation="relu", dimensions=8), previews.signs(previews.zeros)),
}
SLOW = {
    "valley": Preset(
        "The long valley", "All samples in every step: the path is straight, and it still takes long.",
        "trajectories", Experiment(**FULL), previews.path(previews.valley)),
    "dimensions": Preset(
        "Sixty-four weights", "The more weights share the mean, the steeper its direction beside all others.",
        "trajectories", Experiment(dimensions=64, samples=1024, batch_size=1024, steps=1000), previews.twin_losses),
    "digits": Preset(
        "Digits, raw pixels", "Real pixels are never negative. Subtract their mean, and training speeds up.",
        "trajectories", Experiment(inputs="digits", dimensions=16, learning_rate=0.5, steps=2000),
        previews.twin_losses),
    "bounce": Preset(
        "To and fro on the diagonal", "South-west needs no change of sign. Too bold a rate bounces all the same.",
        "trajectories", Experiment(**FULL, target_angle=180.0, learning_rate=0.95, steps=100),
        previews.path(previews.ratio_and_steps)),
    "saturated": Preset(
        "A saturated start", "The output sticks near 1 and then drops all at once: a wait, without any zig-zag.",
        "saturation", Experiment(inputs="factorial", dimensions=8, distance=6.0, target_angle=45.0,
                                 learning_rate=0.62), previews.waiting),
    "noise": Preset(
        "Noise that never settles", "With noisy targets, single samples disagree forever, and the path keeps jumping.",
        "trajectories", Experiment(noise=0.5), previews.path(previews.jitter)),
}
TRIED = {
    "batch": Preset(
        "A batch of two", "Averaging two gradients lets signs differ, but rarely: two do not make a batch.",
        "batch-averaging", Experiment(batch_size=2),
        previews.path(previews.one_sign, lambda experiment: Experiment(seed=experiment.seed))),
    "momentum": Preset(
        "Momentum swings past", "Speed gathered along the steep direction carries the path past its goal, and back.",
        "trajectories", Experiment(**FULL, optimizer="momentum", target_angle=45.0),
        previews.path(previews.ratio_and_steps)),
    "adam": Preset(
        "Adam's diagonal", "Adam divides each weight's step by its size: from one positive sample, exactly diagonal.",
        "trajectories", Experiment(optimizer="adam", learning_rate=0.05, steps=400),
        previews.path(previews.first_step)),
    "line_search": Preset(
        "Line search, right angles", "The best step along each gradient ends at a right angle to the next one.",
        "trajectories", Experiment(**FULL, optimizer="steepest_descent", target_angle=85.0, steps=60),
        previews.path(previews.right_angles)),
    "gauss_newton": Preset(
        "One leap", "Gauss-Newton on all samples knows the valley's shape and takes it in a single step.",
        "trajectories", Experiment(**FULL, optimizer="gauss_newton", learning_rate=1.0, steps=20),
        previews.path(previews.ratio_and_steps)),
    "layer_norm": Preset(
        "Layer norm mixes the signs", "Each sample's inputs sum to zero, so its gradient can never have one sign.",
        "gradient-signs", Experiment(treatment="layer_norm", dimensions=8), previews.signs(previews.one_sign)),
    "tanh": Preset(
        "Tanh in the sigmoid's place", "Its outputs lie around zero, so that the valley is round from the start.",
        "trajectories", Experiment(activation="tanh", dimensions=16, **FULL),
        previews.changed_losses("tanh", "activation", "sigmoid")),
    "input_bias": Preset(
        "A bias per input", "It could learn to subtract the mean. It learns something else, and helps little.",
        "trajectories", Experiment(**FULL, treatment="input_bias", steps=1000),
        previews.changed_losses("input bias", "treatment", "none")),
    "hidden": Preset(
        "A hidden layer on digits", "One sample gives each unit's weights one sign: the rows of the picture.",
        "deep-network", Experiment(), previews.hidden_layer, {"net_batch_size": 1, "net_steps": 200}),
}
GROUPS = {"One sample, one sign": ONE_SIGN, "What is really slow": SLOW, "What people try": TRIED}
PRESETS: dict[str, Preset] = {key: preset for group in GROUPS.values() for key, preset in group.items()}


@st.cache_resource(show_spinner=False)
def _made() -> tuple[dict[str, Preview], threading.Lock]:
    return {}, threading.Lock()


def ready() -> dict[str, Preview]:
    """The previews that this server has made so far."""
    return dict(_made()[0])


def preview(key: str) -> Preview:
    """The preset's picture and number: made once a server, by one visitor at a time."""
    made, lock = _made()
    if key not in made:
        with lock:
            if key not in made:
                made[key] = PRESETS[key].draw(PRESETS[key].experiment)
    return made[key]
