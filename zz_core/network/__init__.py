"""Fully connected networks in NumPy, trained with every step's gradient signs recorded, layer by layer."""
from zz_core.network.experiment import NetworkExperiment
from zz_core.network.run import NetworkRun
from zz_core.network.training import Progress, history_bytes, train

__all__ = ["NetworkExperiment", "NetworkRun", "Progress", "history_bytes", "train"]
