"""Overview: four paths in one linked picture, and what to take away."""
from dataclasses import replace

import streamlit as st

from zz_core.measures import unanimous_by_chance
from zz_core.stability import condition, eigenvalues
from zz_core.summary import summarize_twins
from zz_view import cards, controls, page, runs, scenes, share
from zz_view.board import Chart, board
from zz_view.figures.trajectories import plane_figure
from zz_view.pictures import plane_marks, plane_pictures, positions, step_words
from zz_view.takeaways import Measured, takeaways
from zz_view.theme import CENTERED, RAW

experiment = controls.current()
if experiment.dimensions == 1:
    st.title("What is the zig-zag?", anchor=False)
    st.info("One weight has no plane to zig-zag on: set dimensions to 2 or more.", icon=":material/info:")
    st.stop()

small = 1 if experiment.full_batch else experiment.batch_size
each = "1 sample a step" if small == 1 else f"{small} samples a step"
names, twins = runs.twin_names(experiment), runs.twins(experiment)
four = {f"{name}, {how}": runs.get(replace(twin, batch_size=size))
        for how, size in ((each, small), ("full batch", experiment.rows))
        for name, twin in zip(names, twins, strict=True)}
colors = dict(zip(four, (RAW, CENTERED) * 2, strict=True))
sums = summarize_twins(*four.values())
ratio = [page.two_digits(s.path_ratio[0], "x") for s in sums]
walked = [page.walk(s.path_ratio[0], run.diverged_at[0]) for s, run in zip(sums, four.values(), strict=True)]
steps = [page.in_steps(s.steps[0]) for s in sums]
same = [page.percent(s.same_sign[0]) for s in sums]
raw, twin = names
chance = page.percent(unanimous_by_chance(experiment.dimensions))
goal = "1 % of the excess loss" if sums[0].by_loss else "1 % of the distance"

page.header("What is the zig-zag, and what is really slow?",
            f"With {each}, the path on {raw} inputs {walked[0]}; to {goal}: **{steps[0]}**. With the full batch it "
            f"{walked[2]}: **{steps[2]}**. "
            f"{twin.capitalize()}, the same two runs: **{steps[1]}** and **{steps[3]}**.")
runs.warn_of_divergence(four)
runs.note_lone_batch_norm(experiment)

short = [page.in_title(words).removesuffix(" the straight line") for words in walked]
pictures, rows = plane_pictures(four, colors), positions(next(iter(four.values())))
board([Chart(plane_figure(pictures[name], f"{name[0].upper()}{name[1:]}<br>{short[k]}, {steps[k]}", height=330,
                          margin={"l": 50, "r": 4, "t": 52, "b": 46}), f"overview_{k}",
             f"Path of the weights on the loss contours, {name}: {page.in_title(walked[k])}, {same[k]} of the "
             f"gradients with one sign, {goal}: {steps[k]}.", plane_marks(run, pictures[name], rows), link="overview")
       for k, (name, run) in enumerate(four.items())],
      "overview", step_words(dict(list(four.items())[:2]), rows), narrowest=210)

scenes.scenes(scenes.Story(raw, twin, each, tuple(four.values()), tuple(sums)))
st.header("Four sentences to take away", anchor=False)
page.numbers([
    page.Number(f"Path / straight line, {each}", ratio[0], f"{twin} {ratio[1]}"),
    page.Number(f"Gradients with one sign, {each}", same[0], f"{twin} {same[1]}, chance {chance}"),
    page.Number(f"Steps to {goal}, full batch", page.count(sums[2].steps[0]),
                f"{twin} {page.count(sums[3].steps[0])}")])
inputs = next(iter(four.values())).task.raw
measured = Measured(raw, twin, each, *(tuple(float(s[k][0]) for s in sums) for k in range(3)),
                    tuple(condition(eigenvalues(run.experiment, run.task)) for run in list(four.values())[:2]),
                    unanimous_by_chance(experiment.dimensions),
                    float(inputs.min()), float(inputs.max()))
st.markdown("\n".join(f"{k}. {sentence}" for k, sentence in enumerate(takeaways(measured), start=1)))
cards.cards()
page.explanations(__file__)
share.share(four, experiment)
