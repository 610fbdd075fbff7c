"""Figures of signs, the sign series of a run, and the chain rule of one step."""
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core import Experiment, measures, simulate
from zz_core.treatments import normalize_batch
from zz_view import inspector, sign_series
from zz_view.figures import signs
from zz_view.figures.signs import running_share, sign_codes
from zz_view.theme import CENTERED, MINUS, PLUS, RAW, ZERO


def sign_heatmap_figure(*arguments, **options) -> go.Figure:
    return go.Figure(signs.sign_heatmap_figure(*arguments, **options))  # which checks every property


def same_sign_figure(*arguments, **options) -> go.Figure:
    return go.Figure(signs.same_sign_figure(*arguments, **options))


VECTORS = np.array([[1.0, -2.0, 0.0], [-1.0, -1e-13, 3.0], [0.0, 0.0, 0.0]])
CODES = np.array([[2, 0, 1], [0, 1, 2], [1, 1, 1]])  # 1e-13 of 3 is below the threshold
SPECS = [Experiment(), Experiment(batch_size=8, treatment="center", dimensions=5), Experiment(batch_size=256),
         Experiment(treatment="input_bias", bias=True, batch_size=4), Experiment(treatment="batch_norm", batch_size=16),
         Experiment(treatment="batch_norm", batch_size=256),
         Experiment(optimizer="adam", loss="logistic", batch_size=3)]


def test_codes_follow_the_rule_of_the_sign_measures():
    codes = sign_codes(VECTORS)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, CODES)
    positive, negative = measures.sign_counts(VECTORS)
    np.testing.assert_array_equal((codes == 2).sum(axis=-1), positive)
    np.testing.assert_array_equal((codes == 0).sum(axis=-1), negative)


def test_the_heatmap_shows_steps_across_and_weights_down():
    figure = sign_heatmap_figure(VECTORS, "Raw mixes its signs", "sample gradient", first_step=7)
    cells, = figure.data
    assert cells.name == "signs"
    np.testing.assert_array_equal(cells.z, CODES.T)
    np.testing.assert_array_equal(cells.text, [["+", "−", "0"], ["−", "0", "0"], ["0", "+", "0"]])
    assert (cells.x0, cells.y0) == (7, 1)
    assert figure.layout.title.text == "Raw mixes its signs"
    assert "sample gradient" in figure.layout.title.subtitle.text
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("step", "weight")
    assert list(figure.layout.yaxis.ticktext) == ["w₁", "w₂", "w₃"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # w1 on top


def test_the_heatmap_has_one_color_for_each_sign():
    cells, = sign_heatmap_figure(VECTORS, "", "update").data
    assert [color for _, color in cells.colorscale] == [MINUS, MINUS, ZERO, ZERO, PLUS, PLUS]
    assert (cells.zmin, cells.zmax) == (0, 2)


def test_glyphs_are_written_where_cells_are_few():
    few = sign_heatmap_figure(np.ones((25, 2)), "", "update").data[0]
    many = sign_heatmap_figure(np.ones((26, 2)), "", "update").data[0]
    assert few.texttemplate and not many.texttemplate


def test_steps_after_a_divergence_stay_empty_on_the_same_axis():
    vectors = np.array([[1.0, 2.0], [np.nan, np.nan], [np.nan, np.nan]])
    figure = sign_heatmap_figure(vectors, "", "update")
    assert np.shape(figure.data[0].z) == (2, 1)
    assert list(figure.layout.xaxis.range) == [0.5, 3.5]


@pytest.mark.parametrize(("arrived", "veil"), [(None, None), (50, None), (12, (12.5, 19.5)), (3, (9.5, 19.5))])
def test_steps_after_the_arrival_are_veiled(arrived, veil):
    figure = sign_heatmap_figure(np.ones((10, 2)), "", "update", first_step=10, arrived=arrived)
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == ([veil] if veil else [])


def test_many_weights_have_few_ticks():
    figure = sign_heatmap_figure(np.ones((5, 1024)), "", "update")
    assert len(figure.layout.yaxis.tickvals) <= 12 and figure.layout.height <= 480


def test_figures_of_nothing_are_drawn():
    assert np.size(sign_heatmap_figure(np.empty((0, 2)), "", "update").data[0].z) == 0
    assert len(same_sign_figure({}, 0.5, "update").data) == 0
    assert len(same_sign_figure({"raw": np.empty(0)}, 0.5, "update").data[0].x) == 0
    assert np.isnan(same_sign_figure({"raw": np.full(30, np.nan)}, 0.5, "update").data[0].y).all()


def test_the_running_share_is_the_mean_of_each_stretch():
    same = np.concatenate([np.ones(10), np.zeros(5), np.ones(5), np.full(10, np.nan)])
    ends, share, counts = running_share(same)
    np.testing.assert_array_equal(ends[:2], [10, 20])
    np.testing.assert_array_equal(share, [1.0, 0.5, np.nan])
    np.testing.assert_array_equal(counts, [10, 10, 0])


def test_a_stretch_with_less_than_half_of_its_steps_is_no_point():
    _, share, counts = running_share(np.append(np.ones(10), 0.0))
    np.testing.assert_array_equal(counts, [10, 1])
    np.testing.assert_array_equal(share, [1.0, np.nan])
    _, alone, _ = running_share(np.array([0.0]))  # unless there is nothing else
    np.testing.assert_array_equal(alone, [0.0])


def test_the_share_stands_beside_its_chance_level():
    series = {"raw": np.ones(200), "zero-centered": np.tile([0.0, 1.0], 100)}
    figure = same_sign_figure(series, 0.5, "sample gradient", {"zero-centered": 200})
    assert [(trace.name, trace.line.color) for trace in figure.data] == [("raw", RAW), ("zero-centered", CENTERED)]
    np.testing.assert_array_equal(figure.data[0].x, np.arange(10, 201, 10))
    np.testing.assert_array_equal(figure.data[1].y, np.full(20, 0.5))
    assert figure.layout.title.text == "One sign for all: raw 100\xa0%, zero-centered 50\xa0%"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("step", "share of steps")
    chance, = figure.layout.shapes
    assert (chance.y0, chance.y1, chance.line.dash) == (0.5, 0.5, "dot")
    assert [note.text for note in figure.layout.annotations] == ["arrived", "by chance"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "-".join(spec.to_query().values()) or "default")
def test_vectors_of_a_stretch_are_those_of_the_whole_run(spec):
    run = simulate(replace(spec, steps=12))
    np.testing.assert_allclose(sign_series.vectors_of(run, "batch", 3, 9), run.gradients()[0, 3:9], rtol=1e-12)
    np.testing.assert_array_equal(sign_series.vectors_of(run, "update", 3, 9), run.updates()[0, 3:9])
    first = [run.sample_gradients(0, step)[0] for step in range(3, 9)]
    np.testing.assert_allclose(sign_series.vectors_of(run, "sample", 3, 9), first, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "-".join(spec.to_query().values()) or "default")
def test_the_chain_rule_is_that_of_the_run(spec):
    run = simulate(replace(spec, steps=12))
    rule = inspector.chain_rule(run, 7)
    np.testing.assert_allclose(rule.gradient, run.sample_gradients(0, 6)[0], rtol=1e-9, atol=1e-15)
    assert rule.slope == pytest.approx(run.residuals()[0, 6, 0], rel=1e-9, abs=1e-15)
    np.testing.assert_allclose(rule.batch_gradient, run.gradients()[0, 6], rtol=1e-12)
    np.testing.assert_array_equal(rule.update, run.weights[0, 7] - run.weights[0, 6])


def test_the_chain_rule_by_hand():
    """x = (1, 2), y = -3, w = 0: dL/df = 3, dL/dw = (3, 6), and a step at rate 0.1 to w = (-0.3, -0.6); then again."""
    spec = Experiment(learning_rate=0.1, rate_unit="absolute", steps=2)
    run = simulate(spec, data=(np.tile([1.0, 2.0], (4, 1)), np.full(4, -3.0)))
    rule = inspector.chain_rule(run, 1)
    assert (rule.output, rule.target, rule.slope) == (0.0, -3.0, 3.0)
    np.testing.assert_array_equal(rule.gradient, [3.0, 6.0])
    np.testing.assert_allclose(rule.update, [-0.3, -0.6])
    second = inspector.chain_rule(run, 2)
    assert second.output == pytest.approx(-1.5) and second.slope == pytest.approx(1.5)
    np.testing.assert_allclose(second.update, [-0.15, -0.3])
    lead, consequence = inspector.chain_words(rule, spec)
    assert "∂L/∂f = f − y = **+3**" in lead and "every ∂L/∂wⱼ is positive" in consequence
    assert inspector.update_words(rule, run).startswith("The update is −0.1 times the gradient")


def test_batch_norm_multiplies_the_sample_as_normalized_in_its_batch():
    run = simulate(Experiment(treatment="batch_norm", batch_size=8, steps=3))
    expected = normalize_batch(run.inputs[run.batches[0, 1]])[0]
    np.testing.assert_allclose(inspector.chain_rule(run, 2).inputs, expected, rtol=1e-12)


def test_the_table_repeats_the_scalar_and_sums_up_what_it_leaves_out():
    rule = inspector.ChainRule(1, 0, 0.5, 1.0, -0.5, np.arange(20.0), np.zeros(20), np.full(20, -1.0))
    table = inspector.chain_table(rule, "xⱼ", batch_size=1)
    assert table.count("−0.5<") == 8 + 1  # eight rows, and -0.5 * 1
    assert "mean of" not in table and "mean of 4" in inspector.chain_table(rule, "xⱼ", batch_size=4)
    for cell in ("12 more", "all +", "all −", "19 +, 1 zero", "(20,)", "()", MINUS, PLUS, ZERO):
        assert cell in table


def test_a_run_is_counted_until_it_arrives():
    run = simulate(Experiment(treatment="center"))
    found = sign_series.counted(run, "batch")
    assert 0 < found.arrived < 200 and found.counted == found.arrived
    expected = measures.unanimous(run.gradients()[0, : found.arrived])
    np.testing.assert_array_equal(found.same[: found.arrived], expected)
    assert np.isnan(found.same[found.arrived :]).all() and found.share == expected.mean()


def test_flips_count_the_changes_of_the_one_shared_number():
    found = sign_series.Signs(np.ones(6), np.array([1.0, -1.0, -1.0, 0.0, 1.0, 1.0]), None)
    assert found.flips == 2
    text = inspector.flip_words(found, together=False)
    assert "positive in 3 steps and negative in 2, and changes sign 2 times." in text


def test_a_run_that_starts_at_its_target_has_not_arrived_but_says_nothing():
    run = simulate(Experiment(distance=0.0, steps=20))
    found = sign_series.counted(run, "sample")
    assert found.arrived is None and found.counted == 0 and np.isnan(found.share)
    assert sign_series.answer(run, {"raw": found, "zero-centered": found}, "sample").startswith("No step")


def test_long_runs_are_counted_in_chunks(monkeypatch):
    run = simulate(Experiment(dimensions=3, noise=0.3, batch_size=4, steps=50))
    whole = sign_series.counted(run, "update")
    monkeypatch.setattr(sign_series, "CHUNK_VALUES", 100)
    parts = sign_series.counted(run, "update")
    np.testing.assert_array_equal(parts.same, whole.same)
    np.testing.assert_array_equal(parts.slopes, whole.slopes)


def test_adam_is_not_said_to_step_against_the_gradient():
    run = simulate(Experiment(optimizer="adam", steps=30))
    share = sign_series.opposition(run, 0, 30)
    assert 0 < share < 1
    assert f"{100 * share:.0f}\xa0%" in sign_series.what_is_shown(run, "update", 0, 30)


@pytest.mark.parametrize(("dimensions", "words"), [(1, "100\xa0%"), (2, "50\xa0%"), (8, "1 in 128"), (64, "1 in 2⁶³")])
def test_chance_in_words(dimensions, words):
    assert sign_series.chance_words(dimensions) == words
