"""Networks for the page: trained under a bar that can be stopped, kept for everyone, refused where it would take long.
"""
import json
import time
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, field, replace
from threading import Event
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from zz_core.experiment import DEFAULTS
from zz_core.network import NetworkExperiment, NetworkRun, Progress, history_bytes, train
from zz_core.network.data import SOURCES
from zz_core.network.experiment import FIELD_TYPES, PREFIX
from zz_core.network.layers import Architecture
from zz_core.network_sweeps import Compared, at_checkpoints, compare_activations, rates_for
from zz_view import network_controls, runs
from zz_view.hosting import heavy
from zz_view.hosting.caches import Cache

BUDGET_SECONDS, BUDGET_BYTES = 60.0, 128 * 2**20
KEPT_BYTES = 32 * 2**20  # of a run's checkpoints
MOST_CHECKPOINTS = 33
RUNS_BYTES, REST_BYTES = 192 * 2**20, 16 * 2**20  # of trained networks that are kept, and of each smaller thing
HEAD_ROOM_PLACES = 9
BLOCK_SECONDS = 20.0  # after which a stopped training has certainly ended its block of steps
PATIENCE = 0.6  # seconds before the button that stops a training is worth showing
COMPARED = ("sigmoid", "centered_sigmoid", "tanh", "relu")
COMPARED_STEPS, SEARCH_SEEDS, SEEDS = 400, 2, 5


@st.cache_resource(show_spinner=False)
def _kept(name: str) -> Cache[Any]:
    return Cache(f"network_{name}", RUNS_BYTES if name == "runs" else REST_BYTES)


def kept(name: str, key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` returns, kept for everyone. Nothing is kept where it is interrupted, and nobody waits for another
    visitor's training, which may be stopped."""
    if (found := _kept(name).find(key)) is None:
        found = make()
        _kept(name).put(key, found)
    return found


def seconds(experiment: NetworkExperiment, replicates: int = 1) -> float:
    """About how long a training takes here: overhead, forward and backward, the evaluation, the signs."""
    source = SOURCES[experiment.data]
    size = Architecture.of(experiment, source.inputs, source.classes).size
    per_step = 1e-4 + size * (5e-11 * 6 * experiment.batch_size + 5e-8)
    return replicates * experiment.steps * per_step


@dataclass(eq=False)
class Ticket:
    """A visitor's training. The script that trains and the one that a click starts run side by side, and the first can
    no longer write into the session: they meet here."""

    experiment: NetworkExperiment
    stopped: bool = False
    run: NetworkRun | None = None  # as far as it came
    ended: Event = field(default_factory=Event)

    def stop(self) -> None:
        self.stopped = True

    def resume(self) -> None:
        self.stopped = False


def trained(experiment: NetworkExperiment) -> NetworkRun:
    """The run, shared by all visitors; what is there of it, where this visitor has stopped it."""
    ticket = st.session_state.get("_net_ticket")
    if ticket is not None and ticket.stopped and ticket.experiment == experiment:
        return _stopped(ticket)
    _refuse_cost(experiment)
    needed = seconds(experiment)
    waits = needed > heavy.NOTICEABLE_SECONDS and experiment not in _kept("runs")
    with heavy.slot_if(waits, "This training", needed):
        return kept("runs", experiment, lambda: _train(experiment))


def _refuse_cost(experiment: NetworkExperiment) -> None:
    """With the largest number of steps that fits, where it is too much."""
    if _within_budget(experiment, experiment.steps):
        return
    fits, too_many = 0, experiment.steps
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if _within_budget(experiment, middle) else (fits, middle)
    over = [f"about {seconds(experiment):.0f} s of {BUDGET_SECONDS:.0f}"] * (seconds(experiment) > BUDGET_SECONDS)
    needed = history_bytes(experiment)
    over += [f"{needed / 2**20:.0f} MiB of {BUDGET_BYTES / 2**20:.0f}"] * (needed > BUDGET_BYTES)
    unit = 10 ** max(len(str(fits)) - 2, 0)
    largest = fits // unit * unit
    advice = f"Set **Steps** to {largest} or fewer, or lower" if largest else "Lower"
    runs.refuse(f"This network would take {' and '.join(over)} that one visitor gets here. {advice} **Batch size** or "
                "the widths in **Layers**.")


def _within_budget(experiment: NetworkExperiment, steps: int) -> bool:
    shorter = replace(experiment, steps=steps)
    return seconds(shorter) <= BUDGET_SECONDS and history_bytes(shorter) <= BUDGET_BYTES


def _train(experiment: NetworkExperiment) -> NetworkRun:
    """Under a bar, with a button that stops it where it takes long."""
    ticket = st.session_state["_net_ticket"] = Ticket(experiment)
    bar, button = st.empty(), st.empty()
    started, interruption, shown = time.monotonic(), [], False

    def told(step: int, so_far: Progress) -> bool:
        nonlocal shown
        try:
            if not shown and time.monotonic() - started > PATIENCE:
                button.button("Stop the training", icon=":material/stop:", key="_net_stop", on_click=ticket.stop)
                shown = True
            bar.progress(step / experiment.steps,
                         f"Step {step:,} of {experiment.steps:,}: loss {so_far.losses[0, -1]:.3g}")
        except BaseException as ended:  # how Streamlit ends a script: what is trained by then is kept
            interruption.append(ended)
        return not interruption

    try:
        run = _thinned(train(experiment, progress=told))
        if interruption:
            ticket.run = run
            raise interruption[0]
    except ValueError as error:
        runs.refuse(network_controls.readable(error))
    finally:
        ticket.ended.set()
    bar.empty()
    button.empty()
    return run


def _thinned(run: NetworkRun) -> NetworkRun:
    """With fewer checkpoints: each is evaluated on all rows, and kept in memory."""
    total = len(run.checkpoint_steps)
    fit = KEPT_BYTES // (8 * run.architecture.size * (1 + len(run.checkpoint_states)))
    most = max(5, min(MOST_CHECKPOINTS, total, fit))
    return at_checkpoints(run, np.linspace(0, total - 1, min(most, total)).round().astype(int).tolist())


def _stopped(ticket: Ticket) -> NetworkRun:
    with st.spinner("Ending the training …"):
        ticket.ended.wait(BLOCK_SECONDS)
    run, planned = ticket.run, ticket.experiment.steps
    with st.container(horizontal=True, vertical_alignment="center"):
        if run is None:
            st.info("The training was stopped before its first steps.", icon=":material/stop:")
        else:
            st.info(f"The training was stopped at step {run.steps:,} of {planned:,}: what follows is about these.",
                    icon=":material/stop:")
        st.button("Train to the end", key="_net_resume", on_click=ticket.resume)
    if run is None:
        st.stop()
    return run


def comparison_seconds(experiment: NetworkExperiment) -> float:
    trainings = len(COMPARED) * (len(rates_for(experiment.optimizer)) * SEARCH_SEEDS + SEEDS)
    return seconds(experiment, trainings)


def compared(experiment: NetworkExperiment) -> list[Compared] | None:
    """The comparison where someone has asked for it, None before."""
    return _kept("compared").find(experiment)


def compare(experiment: NetworkExperiment) -> list[Compared]:
    with heavy.slot("This comparison", comparison_seconds(experiment)):
        bar = st.progress(0.0)

        def told(share: float, what: str) -> None:
            bar.progress(share, f"Training {what} …")

        found = kept("compared", experiment,
                     lambda: compare_activations(experiment, COMPARED, SEEDS, SEARCH_SEEDS, told))
        bar.empty()
    return found


def permalink(experiment: NetworkExperiment) -> str:
    """The page's absolute address with the network and the page's own parameters; the sidebar's are left out."""
    fields_of_both = {*DEFAULTS, *(PREFIX + name for name in FIELD_TYPES)}
    page = [(name, value) for name in st.query_params if name not in fields_of_both
            for value in st.query_params.get_all(name)]
    query = urlencode([*experiment.to_query().items(), *page])
    return (st.context.url or "/") + (f"?{query}" if query else "")


def code(experiment: NetworkExperiment) -> str:
    """The run as a program."""
    fields = ", ".join(f"{name}={value!r}" for name, value in asdict(experiment).items()
                       if value != getattr(NetworkExperiment, name))
    return (f"from zz_core.network import NetworkExperiment, train\n\nrun = train(NetworkExperiment({fields}))\n"
            "run.losses, run.unanimous_rows, run.head_room")


def table(run: NetworkRun) -> pd.DataFrame:
    """One row a step: loss, accuracy, and per layer what the gradient and the inputs were."""
    columns = {"step": np.arange(run.steps), "loss": run.losses[0, :-1], "accuracy": run.accuracies[0, :-1]}
    for k in range(run.architecture.hidden + 1):
        columns |= {f"layer{k + 1}_{name}": getattr(run, name)[0, :, k] for name in
                    ("unanimous_rows", "mean_direction_energy", "coherence", "input_mean", "input_std")}
    return pd.DataFrame(columns)


def comparable(experiment: NetworkExperiment) -> NetworkExperiment:
    """What the comparison depends on: its activations and rates are its own, and its steps are few."""
    return replace(experiment, activation="sigmoid", learning_rate=NetworkExperiment.learning_rate,
                   steps=min(experiment.steps, COMPARED_STEPS))


def comparison_plan(experiment: NetworkExperiment) -> str:
    rates = rates_for(experiment.optimizer)
    steps = f"{experiment.steps:,} step{'s' * (experiment.steps > 1)}"
    return (f"Sigmoid, the same sigmoid minus ½, tanh and ReLU in this network, {steps} each. The rate of each is "
            f"the best of {len(rates)} from {rates[0]:.2g} to {rates[-1]:.2g} on {SEARCH_SEEDS} seeds, and is "
            f"reported on {SEEDS} others: {len(COMPARED) * (len(rates) * SEARCH_SEEDS + SEEDS)} trainings, "
            f"about {max(1, comparison_seconds(experiment)):.0f} s.")


def comparison_refused(experiment: NetworkExperiment) -> bool:
    """Says so where it would take too long."""
    needed = history_bytes(experiment, SEEDS)
    if comparison_seconds(experiment) <= BUDGET_SECONDS and needed <= BUDGET_BYTES:
        return False
    st.info("That is more than one visitor gets here: make the layers narrower, the batch smaller or the steps fewer.",
            icon=":material/tune:")
    return True


def warn(run: NetworkRun) -> None:
    """What of this run is no training."""
    experiment = run.experiment
    if run.diverged_at[0] >= 0:
        st.warning(f"Diverged at step {run.diverged_at[0]:,}: lower the learning rate (now "
                   f"{experiment.learning_rate:g}).", icon=":material/warning:")
    if experiment.normalization == "batch_norm" and experiment.batch_size == 1 and experiment.widths:
        st.warning("Batch normalization of a single sample leaves nothing of it: to the later layers all samples look "
                   "alike. Choose a batch of 8 or more.", icon=":material/warning:")


def head_room(run: NetworkRun) -> tuple[np.ndarray, np.ndarray]:
    """(K, L) of the run at a few of its checkpoints, since eigenvalues take their time, and their steps (K,)."""
    places = np.linspace(0, len(run.checkpoint_steps) - 1, HEAD_ROOM_PLACES).round().astype(int).tolist()
    few = at_checkpoints(run, places)
    return kept("head_room", (run.experiment, run.steps), lambda: few.head_room[0]), few.checkpoint_steps


def share(run: NetworkRun, experiment: NetworkExperiment) -> None:
    """The popover: link, files and code, made when it is opened."""
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as popover:
        if not popover.open:
            return
        st.markdown("This link opens the same network with the same settings of this page:")
        st.code(permalink(experiment), language=None, wrap_lines=True)
        st.download_button("Every step as CSV", lambda: table(run).to_csv(index=False).encode(),
                           "zig-zag-network.csv", "text/csv", icon=":material/table:", on_click="ignore",
                           key="share_csv")
        st.download_button("The network as JSON", lambda: json.dumps(asdict(experiment), indent=2).encode(),
                           "zig-zag-network.json", "application/json", icon=":material/data_object:",
                           on_click="ignore", key="share_json")
        st.code(code(experiment), language="python", wrap_lines=True)
