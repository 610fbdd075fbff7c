"""The exported PyTorch programs are run where PyTorch is installed, and arrive at the same weights."""
from dataclasses import replace

import pytest

from tests.programs import assert_repeats, data_sets  # noqa: F401
from zz_core import Experiment
from zz_core.optimizers import OPTIMIZERS
from zz_view.exports.programs import torch_script

pytestmark = pytest.mark.usefixtures("data_sets")
GRID = [{}, {"batch_size": 5}, {"batch_size": 24}, {"bias": True, "start_bias": 0.5}, {"loss": "logistic"},
              {"loss": "sigmoid_squared", "batch_size": 5}, {"schedule": "cosine"}, {"schedule": "inverse_sqrt"},
              {"sampling": "epoch", "batch_size": 5}, {"treatment": "input_bias", "bias": True, "batch_size": 5},
              {"treatment": "input_bias", "batch_size": 24}, {"treatment": "batch_norm", "batch_size": 5, "bias": True},
              {"treatment": "batch_norm"}, {"treatment": "batch_norm", "batch_size": 24}, {"treatment": "layer_norm"},
              {"treatment": "input_bias", "loss": "sigmoid_squared"}, {"treatment": "whiten", "loss": "logistic"}]


@pytest.fixture
def one_thread():
    """PyTorch with one thread; and back to its own defaults, of which the programs change one."""
    torch = pytest.importorskip("torch")
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("more", GRID, ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pytorch_arrives_at_the_same_weights(optimizer, more, one_thread):
    experiment = Experiment(dimensions=3, samples=24, steps=25, optimizer=optimizer, noise=0.2,
                            learning_rate=0.25 if OPTIMIZERS[optimizer].critical else 0.05)
    assert_repeats(replace(experiment, **more), torch_script, forgiving=optimizer == "gauss_newton")


@pytest.mark.parametrize("more", [{"momentum": 0.0, "optimizer": "nesterov"}, {"momentum": 0.0, "optimizer": "adam"},
                                  {"learning_rate": 3.0, "batch_size": 256, "steps": 1000}], ids=str)
def test_pytorch_s_edges(more, one_thread):
    assert_repeats(Experiment(**more), torch_script)
