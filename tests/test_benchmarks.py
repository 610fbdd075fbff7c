"""The benchmarks at tiny sizes: they run, and the results of the peers that are installed are ours. No times."""
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import costs, growth, rates, sweeps, timing
from benchmarks.comparison import CLOSE, difference, figure, run_of, sentences, unrecorded
from benchmarks.comparisons import COMPARISONS
from benchmarks.peers import PEERS
from zz_core import Experiment
from zz_core.sweep import Grid


def tiny(name: str):
    """Few steps of at most three replicates, and at most two tasks."""
    whole = COMPARISONS[name]
    tasks = [replace(task, steps=12) for task in (whole.tasks[0], whole.tasks[-1])]
    return replace(whole, tasks=tuple(dict.fromkeys(tasks)), replicates=min(3, whole.replicates))


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_peer_that_is_installed_gives_our_results(name):
    work = tiny(name)
    rows = work.measure(rounds=1)
    assert [row["peer"] for row in rows] == [PEERS[peer].label for peer in work.cases if PEERS[peer].installed]
    for row in rows:
        assert row["agrees"], f"{row['peer']} is {row['apart']} apart"
        assert row["seconds"] > 0 and row["our_seconds"] > 0


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_result_that_differs_is_noticed_and_said(name):
    work = tiny(name)
    run = run_of(work.tasks[-1], work.replicates)
    last = run.weights[:, -1:] if hasattr(run, "weights") else run.checkpoints[:, -1]
    assert difference(run, last.copy()) == 0.0
    for wrong in (last + 2 * CLOSE, np.full_like(last, np.nan)):
        assert difference(run, wrong) > CLOSE
    if work.replicates > 1 and not getattr(work.tasks[-1], "full_batch", False):
        assert difference(run, last[::-1]) > CLOSE  # replicates in another order
    row = {"peer": "p", "ratio": 2.0, "lowest": 1.0, "highest": 3.0, "training": 4.0, "wanted": 3.0, "seconds": 1.0,
           "our_seconds": 0.5, "apart": 1e-3, "agrees": False, "remark": ""}
    assert "no: 1e-03 apart" in sentences([row])[-1] and "3, missed but in training" in sentences([row])[-1]


def test_a_peer_timed_on_a_few_runs_is_scaled_and_the_row_says_so():
    work = replace(tiny("seeds"), cases={"loop": COMPARISONS["seeds"].cases["loop"]._replace(timed=1)})
    (row,) = work.measure(rounds=1)
    assert row["remark"] == "timed on 1 of 3 runs, scaled"
    assert row["ratio"] == pytest.approx(row["seconds"] / row["our_seconds"])


def test_a_network_trained_without_records_is_the_same_network():
    task = tiny("networks").tasks[0]
    before = run_of(task, 2)
    unrecorded(task, 2)
    after = run_of(task, 2)  # and records again
    np.testing.assert_array_equal(before.checkpoints, after.checkpoints)
    np.testing.assert_array_equal(before.positive[0], after.positive[0])
    assert np.isfinite(after.losses).all() and after.positive[0].any()


def test_ratios_come_from_turns(monkeypatch):
    """By a clock that only the works move: ours takes 2, the peer 6."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0])
    calls = []

    def work(name, takes):
        def call():
            calls.append(name)
            now[0] += takes
        return call

    found = timing.interleaved(work("ours", 2.0), {"peer": work("peer", 6.0)}, rounds=3)["peer"]
    assert found == {"ratio": 3.0, "lowest": 3.0, "highest": 3.0, "seconds": 6.0, "our_seconds": 2.0, "rounds": 3}
    assert calls[1:] == ["ours", "peer", "ours"] * 3


@pytest.mark.parametrize("series", growth.SERIES, ids=lambda series: series.name)
def test_growth_runs_at_every_size(series):
    tasks = [series.at(value) for value in series.values]
    assert len(set(tasks)) == len(series.values)
    if "full batch" in series.name:
        assert all(task.full_batch for task, _ in tasks)
    small = replace(series, values=series.values[:1], steps=4, task=replace(series.task, steps=4))
    row = growth.grown(small, rounds=1)
    assert row["growth"] == 1.0 and math.isfinite(row["step_seconds"][0])
    assert len(growth.sentences([row])) == 3


@pytest.fixture
def small_rates(monkeypatch):
    for name, value in (("SQUARE", 16), ("COPIED", 2**16), ("STEPS", 20), ("NETWORK", replace(rates.NETWORK, steps=1))):
        monkeypatch.setattr(rates, name, value)


def test_rates_are_shares_of_what_was_measured(small_rates):
    result = rates.measure(rounds=1)
    assert {row["of"] for row in result["rows"]} == {"product", "copy", "product of that shape"}
    assert all(row["share"] > 0 for row in result["rows"]) and set(result["rates"]) == {"product", "copy"}
    assert len(rates.sentences(result)) == 4 + len(result["rows"])


def test_rates_count_the_products_that_a_network_needs(small_rates):
    measure = rates.Measure("product", lambda: None, 1.0)
    # multiplications and additions of 16-32-32-1: forward, by weights, and by inputs but those of the first layer
    assert rates.network(measure, 1).amount == 2 * 32 * (3 * (16 * 32 + 32 * 32 + 32) - 16 * 32)
    rows = [{"work": "w", "share": 0.5, "our_seconds": 1.0, "of": "product", "wanted": 0.8}]
    assert "80%, missed" in rates.sentences({"rates": {"product": 1e9, "copy": 1e9}, "rows": rows})[-1]


def test_the_cost_model_is_compared_with_runs(monkeypatch):
    monkeypatch.setattr(costs, "RUNS", 4)
    monkeypatch.setattr(costs, "LONGEST", 0.01)
    result = costs.measure(rounds=1)
    assert result["groups"]["all"]["runs"] >= 1
    assert costs.sentences(result)


def test_a_sweep_in_processes_gives_the_same_table(monkeypatch):
    monkeypatch.setattr(sweeps, "GRID", Grid(Experiment(steps=5), {"batch_size": [1, 8]}, 2))
    result = sweeps.measure(rounds=1)  # asserts it
    assert result["rounds"] == 1 and result["ratio"] > 0
    assert "less than the 10 s" in sweeps.sentences(result)[1]


def test_the_command_prints_tables_or_json_and_writes_a_chart(monkeypatch, capsys, tmp_path):
    work = tiny("run")
    monkeypatch.setitem(COMPARISONS, "run", work)
    command.main(["--workload", "run", "--rounds", "1", "--plot", str(tmp_path / "chart.html")])
    printed = capsys.readouterr().out
    assert f"### run: {work.work}" in printed and "| NumPy loop |" in printed
    assert PEERS["loop"].label in (tmp_path / "chart.html").read_text(encoding="utf-8")
    command.main(["--workload", "run", "--rounds", "1", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["numpy"] == np.__version__ and found["workloads"]["run"][0]["agrees"] is True


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--workload", "none"], ["--plot", "chart.png"]])
def test_a_bad_call_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert arguments[0] in capsys.readouterr().err


def test_the_chart_holds_every_ratio_and_what_is_wanted():
    go = pytest.importorskip("plotly.graph_objects")
    from benchmarks.chart import ratios_figure

    row = {"peer": PEERS["torch"].label, "ratio": 27.0, "wanted": 10.0, "seconds": 0.27, "our_seconds": 0.01}
    drawn = ratios_figure({"run": [row], "run64": [row | {"wanted": None}]})
    assert isinstance(drawn, go.Figure) and [trace.name for trace in drawn.data] == [
        row["peer"], f"{row['peer']}: wanted"]
    assert list(drawn.data[0].x) == [27.0, 27.0] and list(drawn.data[1].x) == [10.0]
    assert list(drawn.data[1].y) == [COMPARISONS["run"].work]
    assert len(ratios_figure({}).data) == 0


def test_figures_have_two_digits():
    assert [figure(value) for value in (0.0123, 1.26, 27.4, 99.7, 1684.2)] == ["0.012", "1.3", "27", "100", "1,684"]


def test_single_samples_only_for_scikit_learn():
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="batch_size=2"):
        PEERS["sklearn"].prepare(run_of(Experiment(batch_size=2), 1), 1)
