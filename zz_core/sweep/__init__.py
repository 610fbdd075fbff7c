"""A grid of experiments to a table of summaries, on one core, on several, or on a cluster.

    from zz_core import Experiment
    from zz_core.sweep import Grid, run, table
    grid = Grid(Experiment(), {"batch_size": [1, 8, 64, 256], "treatment": ["none", "center"]}, replicates=50)
    rows = table(run(grid))

From a shell: python -m zz_core.sweep GRID.json --out results.csv
"""
from zz_core.sweep.grid import Grid
from zz_core.sweep.prediction import Prediction, largest_fitting, predicted, predicted_tasks
from zz_core.sweep.running import run
from zz_core.sweep.store import Store
from zz_core.sweep.task import MEASURES, Result, Summary, Task, summary, table

__all__ = ["MEASURES", "Grid", "Prediction", "Result", "Store", "Summary", "Task", "largest_fitting", "predicted",
           "predicted_tasks", "run", "summary", "table"]
