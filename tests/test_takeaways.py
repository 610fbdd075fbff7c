"""The overview's sentences say what was measured, also where the experiment does not show the textbook picture."""
from zz_view.takeaways import Measured, takeaways

CLASSIC = Measured("raw", "zero-centered", "1 sample a step", (3.4, 1.1, 1.0, 1.0), (1.0, 0.42, 0.0, 0.0),
                   (161, 20, 116, 8), (12.7, 1.1), 0.5, 0.01, 0.99)


def test_the_classic_picture_gets_all_headlines():
    one, two, three, four = takeaways(CLASSIC)
    assert "inputs are all positive" in one and "100\xa0%" in one and "by chance 50\xa0%" in one
    assert "3.4x, more than the signs ask for" in two
    assert three.startswith("**The full batch removes the zig-zag, not the slowness.**") and "116 steps" in three
    assert four.startswith("**What is slow is the shape of the valley.**") and "13 times" in four


def test_a_batch_that_makes_it_fast_is_not_called_slow():
    three = takeaways(CLASSIC._replace(steps=(161, 20, 30, 8)))[2]
    assert three.startswith("**The full batch removes the zig-zag.**")


def test_twins_that_do_not_differ_are_not_told_apart():
    same = CLASSIC._replace(path_ratio=(1.1, 1.1, 1.0, 1.0), steps=(20, 20, 8, 8), smallest=-0.2)
    one, two, three, four = takeaways(same)
    assert "are not all positive" in one and "overshoot" not in two
    assert three.startswith("**The full batch changes less here.**")
    assert four.startswith("**Here zero-centered inputs are not much faster.**")


def test_what_was_not_reached_is_said():
    inf = float("inf")
    three = takeaways(CLASSIC._replace(steps=(inf, 20, inf, 8)))[2]
    assert "1.0x the straight line, target not reached; with 1 sample a step: 3.4x, target not reached." in three


def test_the_two_batch_sizes_are_told_apart():
    inf, nan = float("inf"), float("nan")
    four = takeaways(CLASSIC._replace(steps=(inf, inf, inf, 47), condition=(1550.0, 8.9)))[3]
    assert four.startswith("**What is slow is the shape of the valley.**") and "1,600 times" in four
    assert "much faster with the full batch only" in takeaways(CLASSIC._replace(steps=(75, inf, 58, 4)))[3]
    assert "much faster with 1 sample a step only" in takeaways(CLASSIC._replace(steps=(36, 10, 24, 21)))[3]
    for never in (inf, nan):
        assert "cannot be compared" in takeaways(CLASSIC._replace(steps=(never,) * 4))[3]


def test_runs_that_do_not_move_and_inputs_that_are_zero_get_sentences_too():
    nan = float("nan")
    still = " ".join(takeaways(CLASSIC._replace(path_ratio=(nan,) * 4, same_sign=(nan,) * 4, steps=(0,) * 4)))
    assert "undefined" not in still and "does not move" in still and "no gradient to count" in still
    assert "are never negative" in takeaways(CLASSIC._replace(smallest=0.0))[0]
    assert "are all negative" in takeaways(CLASSIC._replace(smallest=-2.0, largest=-1.0))[0]
