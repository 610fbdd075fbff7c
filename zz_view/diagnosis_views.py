"""The parts of the page Your data: the choice of the layer, the pictures, recorded gradients, recorders, the report."""
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from zz_core import Diagnosis
from zz_core.diagnosis import THRESHOLDS, GradientSigns
from zz_core.diagnosis.report import feature_rows, table_row
from zz_core.diagnosis.verdict import SOME
from zz_core.reading.text import REQUESTED
from zz_core.theory import spectrum
from zz_view import diagnosis_report as report
from zz_view import diagnosis_runs as runs
from zz_view import diagnosis_sources as sources
from zz_view import diagnosis_words as words
from zz_view import page
from zz_view.board import Chart, board
from zz_view.controls import BOUND
from zz_view.diagnosis_sources import Held
from zz_view.figures import diagnosis as figures
from zz_view.page import plain

EXAMPLES = Path(__file__).parents[1] / "examples"
RECORDERS = {"PyTorch": "recorder_pytorch.py", "Keras": "recorder_keras.py", "JAX and Flax": "recorder_jax.py"}
MOST_ROWS = 1000  # of the table of features


def left_out(held: Held) -> None:
    """What the file also holds, and why it is not used; what to bring where it has no inputs."""
    notes = {name: why for name, why in held.recording.left_out.items() if why != REQUESTED}
    if notes:
        shown = "; ".join(f"{plain(name)}, since {plain(why)}" for name, why in list(notes.items())[:5])
        st.caption(f"Not used: {shown}." + (f" And {len(notes) - 5} more." if len(notes) > 5 else ""))
    if not held.recording.layers:
        st.info("There are gradients in this file, and no inputs: their signs are below. With inputs/LAYER (samples, "
                "features) beside them it would also say what the mean costs.", icon=":material/info:")
    elif held.recording.targets is not None and not any(len(values) == len(held.recording.targets)
                                                        for values in held.recording.layers.values()):
        st.caption(f"The {len(held.recording.targets):,} targets belong to no layer, since none has as many samples.")


class Shown(NamedTuple):
    """What the page is about; `found` is None where the layer cannot be diagnosed."""

    layers: dict[str, Diagnosis | None]
    layer: str
    found: Diagnosis | None


def shown(held: Held, batch: int, layer_place: DeltaGenerator, target_place: DeltaGenerator) -> Shown | None:
    """The diagnosis of the chosen layer; None where there is none to choose, or the visitor did not want to wait."""
    if not held.recording.layers:
        return None
    try:
        layers = runs.overview(held)
        with layer_place:
            layer = choose_layer(held, layers)
        return Shown(layers, layer, diagnosis(held, layer, batch, target_place if len(layers) > 1 else layer_place))
    except runs.Stopped:
        return None


def batch_size() -> int:
    return int(st.number_input("Your batch size", 1, 65536, 32, key="own_batch", **BOUND,
                               help="Of your own training: zero-centering pays more, the larger it is."))


def choose_layer(held: Held, layers: Mapping[str, Diagnosis | None]) -> str:
    """Draw the choice of the layer; at first the one that suffers most."""
    names = list(layers)
    if len(names) == 1:
        return names[0]
    rooms = [found.head_room if found else 0.0 for found in layers.values()]
    return st.selectbox("Layer", names, int(np.argmax(rooms)), key=f"own_layer_{hash(held.key)}",
                        help="The layer whose inputs are diagnosed; at first the one with the largest head-room.")


def diagnosis(held: Held, layer: str, batch: int, target_place: DeltaGenerator) -> Diagnosis | None:
    """The diagnosis of the chosen layer; None where it cannot be made, after saying why and offering what would do."""
    with target_place:
        recording, target = sources.choose_target(held, layer)
    key = (held.key, layer)
    sources.offer_back(key)
    left_out = sources.left_out(key)
    try:
        chosen = (target, tuple(left_out))
        return runs.diagnosed(held, sources.without(recording, layer, left_out), layer, chosen, batch)
    except ValueError as error:
        sources.refuse(error, key)
        return None


def pictures(found: Diagnosis) -> None:
    """Both harms side by side: the signs, and what the mean costs in steps."""
    drawn = [(figures.signs_figure(found.signs_by_batch["raw"], found.signs_by_batch["centered"],
                                   2.0 ** (1 - found.features), found.batch_size, words.signs_title(found)),
              "signs", "Share of gradients with one sign against the batch size, raw and zero-centered"),
             (figures.steps_figure(found.training, words.steps_title(found.training)), "steps",
              "Steps to 1 % of the excess loss, raw, zero-centered and standardized, every seed")]
    board([_chart(*parts) for parts in drawn], "own_pictures", narrowest=340)


def _chart(figure: dict, key: str, what: str) -> Chart:
    return Chart(figure, key, f"{what}. {figure['layout']['title']['text']}.")


def verdict(found: Diagnosis) -> None:
    """The figures in sentences, the thresholds under them."""
    st.caption("This page has its own controls, above; those of the sidebar are the single neuron's and change nothing "
               "here.")
    unbroken = [plain(sentence).replace(" %", "\N{NO-BREAK SPACE}%") for sentence in found.words.figures]
    st.markdown("\n".join(f"- {sentence}" for sentence in unbroken))
    if found.words.advice:
        st.markdown(f"**What to do.** {found.words.advice}")
    training = found.training
    made_of = ""
    if training is not None:
        reduced = (f", in the {training.directions} directions that hold {page.percent(training.captured)} of their "
                   "variance" if training.directions < found.features else "")
        made_of = (f" The runs are those of {training.rows:,} of {found.rows:,} rows{reduced}; intervals hold the "
                   "median with 95\N{NO-BREAK SPACE}% confidence.")
    st.caption(f"{THRESHOLDS}{made_of}")


def reasons(found: Diagnosis) -> None:
    """Where it comes from: the features' means, and the curvatures that they make; every feature in a table."""
    st.header("Where it comes from", anchor=False)
    kept = np.flatnonzero(found.kept)
    mean, variance = found.mean[kept], found.variance[kept]
    spectra = {"raw": found.spectra.raw, "zero-centered": found.spectra.centered,
               "standardized": found.spectra.standardized}
    with_bias = {"raw": found.spectra.raw_bias, "zero-centered": found.spectra.centered_bias}
    independent = spectrum(found.features, float(np.sqrt(np.square(mean).mean())), float(variance.mean()))
    drawn = [(figures.features_figure([found.names[k] for k in kept], mean, np.sqrt(variance),
                                      words.features_title(found)), "features",
              "Size of the mean against the spread, a dot a feature"),
             (figures.spectrum_figure(spectra, with_bias, independent, words.spectrum_title(found)), "spectrum",
              "Curvatures from the steepest direction on, raw, zero-centered and standardized")]
    board([_chart(*parts) for parts in drawn], "own_reasons", narrowest=340)
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.dataframe(pd.DataFrame(words.spectra_rows(found)), hide_index=True, width="stretch")
    right.markdown(words.condition_sentence(found))
    with st.expander("Feature by feature", icon=":material/table:", key="own_features", on_change="rerun") as fold:
        if fold.open:
            _feature_table(found)


def _feature_table(found: Diagnosis) -> None:
    rows = feature_rows(found)
    st.dataframe(pd.DataFrame(rows[:MOST_ROWS]), hide_index=True, width="stretch", column_config={
        "positive": st.column_config.NumberColumn("share positive", format="percent"),
        **{name: st.column_config.NumberColumn(name, format="%.3g") for name in ("mean", "variance", "m²/v")}})
    if len(rows) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS:,} of {len(rows):,} features; the report has all.")


def layers(found: Mapping[str, Diagnosis | None], chosen: str) -> None:
    """All layers at a glance."""
    known = {name: each for name, each in found.items() if each is not None}
    if len(known) < 2:
        return
    st.header("Layer by layer", anchor=False)
    names, rooms = list(known), [each.head_room for each in known.values()]
    title = words.layers_title(rooms)
    figure = figures.layers_figure(names, rooms, names.index(chosen) if chosen in known else -1, SOME, title)
    left, right = st.columns([2, 3], vertical_alignment="center")
    with left:
        board([_chart(figure, "layers", "Head-room of every layer, the one shown above filled")], "own_layers")
    columns = ["layer", "features", "m²/v", "head-room", "κ raw", "κ centered", "one sign"]
    rows = [table_row(name, each) for name, each in known.items()]
    right.dataframe(pd.DataFrame(rows)[columns], hide_index=True, width="stretch")
    unknown = [plain(name) for name in found if name not in known]
    if unknown:
        more = ", …" if len(unknown) > 5 else ""
        st.caption(f"Not among them: {', '.join(unknown[:5])}{more}. Choose one above to read why.")


def signs(held: Held, say: bool = False) -> dict[str, GradientSigns]:
    """Of every layer with recorded gradients; what cannot be used is left out, and the reason shown where `say` is."""
    found = {}
    for name in held.recording.gradients:
        try:
            found[name] = runs.signs_of(held, name)
        except ValueError as error:
            if say:
                st.warning(plain(str(error)), icon=":material/tune:")
    return found


@st.fragment
def gradients(held: Held) -> None:
    """The signs of the visitor's own training."""
    if not held.recording.gradients:
        return
    st.header("The signs of the recorded gradients", anchor=False)
    found = signs(held, say=True)
    if not found:
        return
    names = list(found)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    worst = max(names, key=lambda name: np.nan_to_num(found[name].overall - found[name].chance))
    layer = left.selectbox("Layer of the gradients", names, names.index(worst), key=f"own_grad_{hash(held.key)}")
    units = found[layer].signs.shape[1]
    unit = 1 if units == 1 else int(right.number_input(f"Unit, of {units:,}", 1, units, 1,
                                                       key=f"own_unit_{hash((held.key, layer))}"))
    shown, rows = found[layer], {layer: found[layer], **found}
    own = shown.signs[:, unit - 1]
    same = np.abs(own.sum(axis=1)) == np.abs(own).sum(axis=1)
    title = f"Unit {unit}: one sign in {page.percent(float(same[own.any(axis=1)].mean()) if own.any() else np.nan)}"
    board([Chart(figures.unit_figure(shown.signs, unit - 1, f"{title} of its steps"), "own_signs",
                 f"Signs of the gradient of a unit of {layer}, a column a step, a row a weight. {title} of its steps."),
           Chart(figures.rows_figure(rows, words.rows_title(found)), "own_rows",
                 f"Share of rows with one sign over the recorded steps, a line a layer. {words.rows_title(found)}.")],
          "own_gradients", narrowest=340)
    st.markdown(words.gradients_sentence(found, layer))
    st.caption("Shown are the signs of the *gradient*; the weights move the opposite way.")


def recorders() -> None:
    """Hooks to copy into a training."""
    st.header("Record your own training", anchor=False)
    st.markdown("Copy one of these files into your project, call it where it says, and open the NPZ file it writes "
                "above. In a shell, `python -m zz_core.diagnose run.npz` says the same, of files of any size; in "
                "Python, `from zz_core import diagnose`.")
    with st.expander("The recorder", icon=":material/code:", key="own_recorder", on_change="rerun") as fold:
        if not fold.open:
            return
        for tab, file in zip(st.tabs(list(RECORDERS)), RECORDERS.values(), strict=True):
            text = (EXAMPLES / file).read_text(encoding="utf-8")
            tab.download_button(file, text, file, "text/x-python", icon=":material/download:", on_click="ignore",
                                key=f"own_{file}")
            tab.code(text, "python")


def share(held: Held, shown: Shown | None) -> None:
    """The report to take away: every layer, that on the screen with its runs. What a visitor brought has no link."""
    with st.popover("Report", icon=":material/download:", key="own_report", on_change="rerun") as popover:
        if not popover.open:
            return
        layers = {name: shown.found if name == shown.layer else each
                  for name, each in (shown.layers if shown else {}).items()}
        known, recorded = {name: each for name, each in layers.items() if each is not None}, signs(held)
        stem = f"zig-zag-diagnosis-{report.stem(held.name)}"
        st.download_button("As HTML", lambda: report.html(held.name, known, recorded).encode(), f"{stem}.html",
                           "text/html", icon=":material/article:", on_click="ignore", key="own_html",
                           help="One file with the verdict, the numbers and the pictures; it needs no network.")
        unused = held.recording.left_out
        st.download_button("As JSON", lambda: report.text(held.name, known, recorded, unused).encode(),
                           f"{stem}.json", "application/json", icon=":material/data_object:", on_click="ignore",
                           key="own_json", help="Everything that was measured, as the command writes it.")
        if len(known) > 1:
            st.caption(f"All {len(known)} layers, with the runs of {plain(shown.layer)}.")
        if held.private:
            st.caption("There is no link to this page with your numbers: they stay in this session.")

