"""Zig-Zag Lab's core: simulate training runs of one neuron and measure how they zig-zag. NumPy only."""
from zz_core.experiment import Experiment
from zz_core.simulation import Run, cost, simulate

__version__ = "0.1.0"
__all__ = ["Experiment", "Run", "cost", "simulate"]
