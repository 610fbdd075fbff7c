"""Makes network_figures.npz: where PyTorch takes the networks of tests/test_network_torch.py.

    python tests/data/make_network_figures.py
"""
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.test_network_torch import CASES, torch_run  # noqa: E402
from zz_core.network import train  # noqa: E402

if __name__ == "__main__":
    figures = {}
    for name, experiment in CASES.items():
        for part, values in torch_run(train(experiment)).items():
            figures[f"{name}/{part}"] = values
    np.savez_compressed(Path(__file__).with_name("network_figures.npz"), **figures)
