"""What all pages share: they run alone, refuse what is too large, and hand out links and files."""
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import figures
from zz_core import Experiment, simulate
from zz_core.costs import cost
from zz_view import runs
from zz_view.share import experiment_json, file_stem, table

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "pages").glob("*.py"))
TOO_LONG = {"inputs": "digits", "dimensions": "60", "samples": "1700", "batch_size": "1600", "steps": "100000"}


def a_page_with_a_run():
    import streamlit as st

    from zz_view import controls, runs, share

    experiment = controls.current()
    run = runs.get(experiment)
    st.text(f"{experiment.steps} {run.weights.shape}")
    share.share(run, experiment)


def visit(script=a_page_with_a_run, **query: str) -> AppTest:
    make = AppTest.from_file if isinstance(script, Path) else AppTest.from_function
    at = make(script, default_timeout=60)
    at.session_state["share"] = True  # the popover is open
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def test_the_very_first_visitor_gets_the_menu_of_the_dashboard():
    """Streamlit would serve the folder of pages with a menu of its own until someone has run the dashboard once."""
    script = "import dashboard; from streamlit.runtime.pages_manager import PagesManager as manager; " \
             "print(manager.uses_pages_directory, type(dashboard.app).__name__)"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "App"]
    assert result.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_alone_with_its_own_controls(page):
    at = visit(page, batch_size="4", steps="30")
    assert not at.exception
    assert at.number_input(key="batch_size").value == 4
    assert at.title


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_is_impossible_and_stops(page):
    at = visit(page, samples="16", batch_size="64")
    assert not at.exception
    assert "it must be at most 16" in at.warning[0].value
    assert not figures(at)


def test_what_would_take_too_long_is_refused_with_the_largest_that_fits():
    at = visit(**TOO_LONG)
    assert not at.exception and not at.text
    largest = int(at.warning[0].value.split("**Steps** to ")[1].split()[0])
    experiment = Experiment.from_query(TOO_LONG)
    fits, next_one = (cost(replace(experiment, steps=steps)) for steps in (largest, round(largest * 1.11) + 1))
    assert fits.seconds <= runs.BUDGET_SECONDS and fits.bytes <= runs.BUDGET_BYTES
    assert next_one.seconds > runs.BUDGET_SECONDS or next_one.bytes > runs.BUDGET_BYTES


def test_an_error_of_the_core_becomes_a_sentence():
    at = visit(noise="1", inputs="one_hot", dimensions="4", samples="6")
    assert not at.exception
    assert at.warning and "must be" in at.warning[0].value


def test_the_same_experiment_is_simulated_once_and_cannot_be_changed():
    experiment = Experiment(steps=20, seed=41)
    run = runs.get(experiment)
    assert runs.get(Experiment(steps=20, seed=41)) is run
    assert runs.get(experiment, 3) is not run
    with pytest.raises(ValueError, match="read-only"):
        run.weights[0, 0] = 1.0
    assert np.array_equal(run.weights, simulate(experiment).weights)


def test_the_stability_limit_does_not_ask_for_the_rate():
    limit = runs.limit(Experiment())
    assert runs.limit(Experiment(learning_rate=1.7, steps=5, seed=3)) == limit
    assert simulate(Experiment(learning_rate=0.5)).learning_rate == pytest.approx(0.5 * limit)


@pytest.mark.parametrize("treatment, names, treatments", [
    ("none", ("raw", "zero-centered"), ("none", "center")), ("center", ("raw", "zero-centered"), ("none", "center")),
    ("batch_norm", ("raw", "batch norm"), ("none", "batch_norm")),
])
def test_twins_are_the_raw_inputs_and_the_treated_ones(treatment, names, treatments):
    experiment = Experiment(treatment=treatment, seed=5)
    assert runs.twin_names(experiment) == names
    assert tuple(twin.treatment for twin in runs.twins(experiment)) == treatments
    assert all(replace(twin, treatment="none") == Experiment(seed=5) for twin in runs.twins(experiment))


def test_a_diverged_run_says_when_and_what_to_change():
    assert runs.divergence_note(simulate(Experiment(steps=50))) is None
    run = simulate(Experiment(learning_rate=3.0, batch_size=256, steps=1000))
    note = runs.divergence_note(run)
    assert note == f"Diverged at step {run.diverged_at[0]}: lower the learning rate (now 3 times the stability limit)."
    several = runs.divergence_note(simulate(Experiment(learning_rate=5.0, steps=2000), 4))
    assert several.startswith("4 of 4 seeds diverged, the first at step ")


def test_the_link_holds_the_experiment_and_the_pages_own_parameters():
    at = visit(batch_size="8", activation="tanh", view="update", steps="abc")
    link = at.code[0].value
    assert link.split("?")[1].split("&") == ["activation=tanh", "batch_size=8", "view=update"]


@pytest.mark.parametrize("more", [{}, {"bias": True}, {"treatment": "input_bias"}])
def test_the_table_holds_every_step_of_every_seed(more):
    run = simulate(Experiment(dimensions=3, steps=5, seed=7, **more), 2)
    rows = table({"raw": run, "other": run})
    assert len(rows) == 2 * 2 * 6
    assert list(rows["step"][:6]) == list(range(6))
    assert set(rows["seed"]) == {7, 8} and set(rows["run"]) == {"raw", "other"}
    assert np.array_equal(rows[["w1", "w2", "w3"]][6:12], run.weights[1])
    assert np.array_equal(rows["loss"][:6], run.losses()[0])
    assert list(rows["gradient_has_one_sign"][:5]) == [1.0] * 5 and np.isnan(rows["gradient_has_one_sign"][5])
    assert ("bias" in rows) == ("bias" in more) and ("input_bias3" in rows) == ("treatment" in more)


def test_the_experiment_file_holds_all_fields_and_the_version():
    experiment = Experiment(inputs="wine", dimensions=13, bias=True)
    written = json.loads(experiment_json(experiment))
    assert written["experiment"] == asdict(experiment) and Experiment(**written["experiment"]) == experiment
    assert written["version"]
    assert file_stem(experiment) == "zig-zag-wine-13d-batch1-seed0"


def test_choosing_real_data_by_hand_raises_the_steps_and_back():
    at = visit()
    at.selectbox(key="inputs").select("digits").run()
    assert at.number_input(key="steps").value == 2000
    at.selectbox(key="inputs").select("gaussian").run()
    assert at.number_input(key="steps").value == 200


def test_steps_that_a_visitor_or_a_link_has_set_stay():
    at = visit(steps="300")
    at.selectbox(key="inputs").select("wine").run()
    assert at.number_input(key="steps").value == 300
    assert visit(inputs="wine").number_input(key="steps").value == 200
