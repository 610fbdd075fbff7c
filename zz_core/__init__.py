"""Zig-Zag Lab's core: simulate training runs of one neuron and measure how they zig-zag. NumPy only."""
from zz_core.experiment import Experiment
from zz_core.simulation import Run, simulate

__all__ = ["Experiment", "Run", "simulate"]
