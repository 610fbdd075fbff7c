"""The Share popover: a link that reproduces what is on the screen, and the run to take away."""
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

import zz_core
from zz_core import Experiment, Run
from zz_core.experiment import DEFAULTS
from zz_core.measures import unanimous


def share(runs: Run | Mapping[str, Run], experiment: Experiment) -> None:
    """Draw the popover. The files are made when someone asks for them, not on every rerun."""
    named = {"run": runs} if isinstance(runs, Run) else dict(runs)
    # drawn when it is opened: a closed one would cost every rerun of every visitor as much as five controls
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as popover:
        if not popover.open:
            return
        st.markdown("This link opens the same experiment with the same settings of this page:")
        st.code(permalink(experiment), language=None, wrap_lines=True)
        st.download_button("Every step as CSV", lambda: table(named).to_csv(index=False).encode(),
                           f"{file_stem(experiment)}.csv", "text/csv", icon=":material/table:", on_click="ignore",
                           key="share_csv", help="One row a step and run: weights, loss, and whether the gradient of "
                                                 "that step had one sign.")
        st.download_button("The experiment as JSON", lambda: experiment_json(experiment).encode(),
                           f"{file_stem(experiment)}.json", "application/json", icon=":material/data_object:",
                           on_click="ignore", key="share_json", help="All fields, the defaults too.")


def permalink(experiment: Experiment) -> str:
    """The page's absolute address with the experiment and the page's own parameters."""
    page = [(name, value) for name in st.query_params if name not in DEFAULTS
            for value in st.query_params.get_all(name)]
    query = urlencode([*experiment.to_query().items(), *page])
    return (st.context.url or "/") + (f"?{query}" if query else "")


def file_stem(experiment: Experiment) -> str:
    return f"zig-zag-{experiment.inputs}-{experiment.dimensions}d-batch{experiment.batch_size}-seed{experiment.seed}"


def table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """One row for each run, seed and step; the gradient is that of the step which leaves the row's weights."""
    return pd.concat([rows for name, run in runs.items() for rows in _tables(name, run)], ignore_index=True)


def _tables(name: str, run: Run) -> Iterator[pd.DataFrame]:
    """One table a seed."""
    losses, one_sign = run.losses(), unanimous(run.gradients())
    for replicate, weights in enumerate(run.weights):
        columns = {"run": name, "seed": run.experiment.seed + replicate, "step": run.step_index}
        columns |= {f"w{k + 1}": weights[:, k] for k in range(weights.shape[1])}
        if run.biases is not None:
            columns["bias"] = run.biases[replicate]
        if run.input_biases is not None:
            columns |= {f"input_bias{k + 1}": run.input_biases[replicate, :, k] for k in range(weights.shape[1])}
        columns["loss"] = losses[replicate]
        columns["gradient_has_one_sign"] = np.append(one_sign[replicate], np.nan)  # no step leaves the last row
        yield pd.DataFrame(columns)


def experiment_json(experiment: Experiment) -> str:
    version = getattr(zz_core, "__version__", "unknown")
    return json.dumps({"program": "Zig-Zag Lab", "version": version, "experiment": asdict(experiment)}, indent=2)
