"""Fully connected networks in NumPy, trained with every step's gradient signs recorded, layer by layer."""
from zz_core.network.experiment import NetworkExperiment
from zz_core.network.memory import history_bytes
from zz_core.network.run import NetworkRun
from zz_core.network.training import Progress, train

__all__ = ["NetworkExperiment", "NetworkRun", "Progress", "history_bytes", "train"]
