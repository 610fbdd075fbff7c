"""The parts of the Deep network page that are drawn again on their own: signs, the comparison, the calculator."""
import numpy as np
import streamlit as st

from zz_core.activations import ACTIVATIONS
from zz_core.network import NetworkExperiment, NetworkRun
from zz_core.network.experiment import CHOICES
from zz_core.network_sweeps import layer_pieces, reasons, shares_by_batch
from zz_view import network_runs
from zz_view import network_words as words
from zz_view.board import Chart, board
from zz_view.figures import network as figures

URL = {"bind": "query-params"}


def curves(run: NetworkRun) -> None:
    """Loss and accuracy over the steps, with the rows held out."""
    titles, chance = (words.loss_title(run), words.accuracy_title(run)), words.largest_class(run)
    drawn = (figures.loss_figure(run.losses[0], run.checkpoint_steps, run.training_losses[0], run.test_losses[0],
                                 titles[0], run.evaluated_rows),
             figures.accuracy_figure(run.accuracies[0], run.checkpoint_steps, run.training_accuracies[0],
                                     run.test_accuracies[0], titles[1], run.evaluated_rows, chance))
    board([Chart(figure, key, f"{title}. Lines: all training rows, and the rows held out.")
           for figure, key, title in zip(drawn, ("loss", "accuracy"), titles, strict=True)], "net_curves",
          narrowest=340)


def inputs(run: NetworkRun, head_room: np.ndarray, at_steps: np.ndarray) -> None:
    """What each layer is fed over the training, and what that costs it."""
    titles = words.inputs_titles(run, head_room)
    drawn = figures.inputs_figures(run.input_mean[0], run.input_std[0], at_steps, head_room, titles)
    board([Chart(figure, key, f"{title}. A line a layer, over the steps of the training.")
           for figure, key, title in zip(drawn, ("mean", "spread", "head_room"), titles, strict=True)], "net_inputs",
          narrowest=290)


@st.fragment
def signs_and_batches(run: NetworkRun, experiment: NetworkExperiment) -> None:
    """One sample beside the batch in one layer, and all layers against the batch size; at the step of a slider."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    percent = left.slider("Step shown, in % of the training", 0, 100, 50, step=5, key="net_shown", **URL)
    layers = [str(k + 1) for k in range(run.architecture.hidden + 1)]
    layer = int(right.segmented_control("Layer shown", layers, default=layers[min(1, len(layers) - 1)], required=True,
                                        key="net_layer", **URL)) - 1
    step = int(run.checkpoint_steps[np.abs(run.checkpoint_steps - percent / 100 * run.steps).argmin()])
    if not np.isfinite(run.parameters(step)).all():
        st.info(f"At step {step:,} the run has diverged: choose an earlier one.", icon=":material/warning:")
        return
    used = run.batches[0, min(step, run.steps - 1)]
    pieces = layer_pieces(run, run.parameters(step), used[None])[layer]
    single = pieces._replace(residuals=pieces.residuals[..., :1], inputs=pieces.inputs[..., :1])
    maps = [np.sign(part.gradients()[0]) for part in (single, pieces)]
    where = f"{words.layer_name(run, layer)}, step {step:,}"
    named = dict(zip(("One sample", f"Its batch of {len(used)}"), maps, strict=True))
    board([Chart(figures.sign_map_figure(signs, words.signs_title(signs, name), f"∂L/∂W, {where}"), name,
                 f"Signs of the gradient of {where}, rows are units. {words.signs_title(signs, name)}.")
           for name, signs in named.items()], "net_signs", narrowest=340)
    st.caption("Shown are the signs of the *gradient*; the weights move the opposite way. One sample's gradient is a "
               "column of residuals times a row of inputs: with positive inputs, every row is a stripe.")
    start, shown = (network_runs.kept("shares", (experiment, run.steps, at), lambda at=at: shares_by_batch(run, at))
                    for at in (0, step))
    why = network_runs.kept("reasons", (experiment, run.steps, step), lambda: reasons(run, step))
    st.markdown(words.batch_sentence(shown, why[layer], layer, step, run.architecture.sizes[layer]))
    if step:
        first = network_runs.kept("reasons", (experiment, run.steps, 0), lambda: reasons(run, 0))
        st.markdown(words.start_sentence(start, shown, first, step))
    inputs = run.architecture.sizes[:-1]
    titles = words.share_title(shown), words.energy_title(shown, inputs)
    drawn = figures.batch_figures(start, shown, inputs, step, titles)
    board([Chart(figure, key, f"{what} against the batch size, a line a layer, at step {step}. {title}.")
           for figure, key, what, title in zip(drawn, ("unanimous", "energy"), (
               "Share of rows with one sign", "Share of the gradient along the inputs' mean"), titles, strict=True)],
          "net_batches", narrowest=340)


@st.fragment
def comparison(experiment: NetworkExperiment) -> None:
    """Sigmoid with and without its mean, tanh and ReLU, each at its own best rate."""
    st.header("Each activation at its own best rate", anchor=False)
    spec = network_runs.comparable(experiment)
    found = network_runs.compared(spec)
    if found is None:
        offer = st.empty()
        with offer.container():
            st.markdown(network_runs.comparison_plan(spec))
            if network_runs.comparison_refused(spec) or not st.button("Compare the activations",
                                                                       icon=":material/stacked_line_chart:"):
                return
            found = network_runs.compare(spec)
        offer.empty()
    st.markdown(words.comparison_sentence(found))
    titles = words.comparison_titles(found)
    board([Chart(figure, key, f"{title}. {words.comparison_sentence(found)}") for figure, key, title in
           zip(figures.comparison_figures(found, titles), ("curves", "search"), titles, strict=True)], "net_compared",
          narrowest=340)
    st.dataframe(words.comparison_table(found), hide_index=True, width="stretch")


@st.fragment
def calculator() -> None:
    st.header("And in yours?", anchor=False)
    columns = st.columns(4)
    width = columns[0].number_input("Width of the layer", 2, 4096, 256, key="calc_width", **URL)
    batch = columns[1].number_input("Batch size of yours", 1, 65536, 32, key="calc_batch", **URL)
    options = list(ACTIVATIONS), CHOICES["optimizer"]
    activation = columns[2].selectbox("Activation before it", options[0], 1, key="calc_activation", **URL)
    optimizer = columns[3].selectbox("Optimizer of yours", options[1], key="calc_optimizer", **URL)
    st.markdown(words.calculated(width, batch, activation, optimizer))
    st.caption("This assumes independent features, the activations of standard normal sums, and the squared loss of "
               "one linear unit; a trained layer's units are correlated, which is why the head-room above is measured.")
