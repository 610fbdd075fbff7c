"""Runs as files: every format holds the run's own numbers, and the experiment that makes them again."""
import io
import json
from dataclasses import asdict, fields

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from tests.strategies import experiments
from zz_core import Experiment, __version__, simulate
from zz_core.experiment import DEFAULTS
from zz_view.exports import data_files

PAIR = {"raw": Experiment(dimensions=3, steps=12, seed=4),
        "zero-centered, full batch": Experiment(dimensions=3, steps=12, treatment="center", batch_size=256, bias=True)}


@pytest.fixture(scope="module")
def runs():
    return {name: simulate(experiment, 2) for name, experiment in PAIR.items()}


def test_csv_gives_the_weights_back_exactly(runs):
    rows = pd.read_csv(io.BytesIO(data_files.csv(runs)), dtype=str)  # pandas 2 rounds the numbers that it reads itself
    for name, run in runs.items():
        one = rows[(rows["run"] == name) & (rows["seed"] == str(run.experiment.seed + 1))]
        assert np.array_equal(one[["w1", "w2", "w3"]].to_numpy(object).astype(float), run.weights[1])
        assert np.array_equal(one["loss"].to_numpy(object).astype(float), run.losses()[1])


def test_parquet_holds_the_same_table_and_its_experiments(runs):
    file = pq.read_table(io.BytesIO(data_files.parquet(runs)))
    pd.testing.assert_frame_equal(file.to_pandas(), data_files.table(runs))
    stamp = json.loads(file.schema.metadata[b"zig_zag_lab"])
    assert stamp["version"] == __version__
    assert {name: Experiment(**found) for name, found in stamp["experiments"].items()} == PAIR


def test_npz_holds_every_array_and_its_experiments(runs):
    with np.load(io.BytesIO(data_files.npz(runs))) as file:
        raw, full = runs.values()
        assert np.array_equal(file["raw-weights"], raw.weights)
        assert np.array_equal(file["raw-batches"], raw.batches)
        assert np.array_equal(file["raw-gradients"], raw.gradients())
        assert np.array_equal(file["zero_centered_full_batch-biases"], full.biases)
        assert "zero_centered_full_batch-batches" not in file and "raw-biases" not in file
        assert float(file["raw-learning_rate"]) == raw.learning_rate
        assert json.loads(str(file["zig_zag_lab"]))["experiments"]["raw"] == asdict(PAIR["raw"])


@given(experiments())
def test_json_gives_any_experiment_back(experiment):
    opened = data_files.read_json(data_files.experiment_json(experiment))
    assert opened.experiment == experiment and opened.notes == [] and opened.runs == {}


def test_json_says_where_the_runs_ended(runs):
    written = data_files.experiment_json(PAIR["raw"], runs, "http://localhost:8501/?seed=4")
    assert json.loads(written)["link"] == "http://localhost:8501/?seed=4"
    opened = data_files.read_json(written)
    assert list(opened.runs) == list(runs)
    for name, (experiment, final_weights) in opened.runs.items():
        assert experiment == PAIR[name] and final_weights == runs[name].weights[0, -1].tolist()
        assert data_files.comparison(final_weights, runs[name]) == "It ends at the same weights as then."


def test_a_run_that_ends_elsewhere_is_told_from_one_that_does_not(runs):
    run = runs["raw"]
    final = run.weights[0, -1]
    assert "same weights" in data_files.comparison((final + 1e-12).tolist(), run)
    assert "differ by up to 0.0" in data_files.comparison((final * 1.02).tolist(), run)
    assert "does not say" in data_files.comparison(final.tolist()[:2], run)
    assert "did then, and not both" in data_files.comparison([None] * 3, run)


def test_a_diverged_run_is_written_as_valid_json():
    experiment = Experiment(learning_rate=5.0, batch_size=256, steps=2000)
    run = simulate(experiment)
    written = json.loads(data_files.experiment_json(experiment, {"run": run}),
                         parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert written["runs"]["run"]["final_weights"] == [None, None]
    assert written["runs"]["run"]["diverged_at"] == run.diverged_at[0] > 0
    assert "diverges, as it did then" in data_files.comparison([None, None], run)


def test_the_rate_of_a_line_search_is_null():
    experiment = Experiment(optimizer="steepest_descent", steps=5)
    written = json.loads(data_files.experiment_json(experiment, {"run": simulate(experiment)}))
    assert written["runs"]["run"]["learning_rate"] is None


def test_a_file_of_an_older_version_is_read_and_says_what_is_new():
    written = json.loads(data_files.experiment_json(Experiment(steps=77)))
    written["version"] = "0.0.3"
    del written["experiment"]["schedule"]
    written["experiment"]["learning_speed"] = 3
    opened = data_files.read_json(json.dumps(written))
    assert opened.experiment == Experiment(steps=77)
    version, unknown, missing = opened.notes
    assert "0.0.3" in version and __version__ in version
    assert "learning_speed" in unknown and f"schedule = {DEFAULTS['schedule']}" in missing


@pytest.mark.parametrize("text, words", [
    (b"\xff\xfe\x00", "no JSON"), ("", "no JSON"), ("[1, 2]", "no experiment"), ('{"experiment": 3}', "no experiment"),
    ('{"experiment": {"steps": 0}}', "steps=0: must be"), ('{"experiment": {"steps": "many"}}', "steps=many"),
    ('{"experiment": {"optimizer": ["sgd"]}}', "optimizer="), ('{"experiment": {"noise": NaN}}', "noise=nan"),
    ('{"experiment": {"samples": 16, "batch_size": 64}}', "must be at most 16"), ("[" * 100_000, "no JSON"),
])
def test_what_is_no_experiment_gets_a_sentence(text, words):
    with pytest.raises(ValueError) as error:
        data_files.read_json(text)
    assert words in str(error.value)


@pytest.mark.parametrize("runs", [None, [], 7, {"raw": 7}, {"raw": {"experiment": 3}}])
def test_a_file_with_strange_runs_still_gives_its_experiment(runs):
    written = {"version": __version__, "experiment": asdict(Experiment()), "runs": runs}
    assert data_files.read_json(json.dumps(written)) == data_files.Opened(Experiment(), [], {})


def test_every_field_is_written_defaults_included():
    written = json.loads(data_files.experiment_json(Experiment()))
    assert list(written["experiment"]) == [field.name for field in fields(Experiment)]
