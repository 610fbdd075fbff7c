"""Zig-Zag Lab's core: train one neuron, or a small network, and measure how the run zig-zags. NumPy only."""
from zz_core.diagnosis import Diagnosis, diagnose
from zz_core.experiment import Experiment
from zz_core.network import NetworkExperiment, NetworkRun, train
from zz_core.simulation import Run, cost, simulate

__version__ = "0.1.0"
__all__ = ["Diagnosis", "Experiment", "NetworkExperiment", "NetworkRun", "Run", "cost", "diagnose", "simulate", "train"]
