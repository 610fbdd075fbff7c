"""Whole runs against PyTorch: live where it is installed, else against what it gave (tests/data, with its script)."""
from pathlib import Path

import numpy as np
import pytest

from zz_core.activations import ACTIVATIONS
from zz_core.network import NetworkExperiment, NetworkRun, train
from zz_core.network.experiment import CHOICES

try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)

STORED = Path(__file__).parent / "data" / "network_figures.npz"
RATES = {"sgd": 0.2, "momentum": 0.05, "nesterov": 0.05, "rmsprop": 0.005, "adam": 0.01}
SMALL = {"data": "wine", "layers": "6-5", "batch_size": 8, "steps": 60, "activation": "tanh"}


def cases() -> dict[str, NetworkExperiment]:
    found = {}
    for optimizer in CHOICES["optimizer"]:
        for normalization in CHOICES["normalization"]:
            for place in ("before",) if normalization == "none" else CHOICES["normalization_place"]:
                found[f"{optimizer}-{normalization}-{place}"] = NetworkExperiment(
                    **SMALL, optimizer=optimizer, normalization=normalization, normalization_place=place,
                    learning_rate=RATES[optimizer], decay=0.99)
    for activation in ACTIVATIONS:
        found[f"activation-{activation}"] = NetworkExperiment(**SMALL | {"activation": activation})
    found["squared"] = NetworkExperiment(**SMALL, loss="squared", initialization="he", treatment="center")
    found["plain-shifted"] = NetworkExperiment(**SMALL, initialization="plain", treatment="none", shift=2.0)
    found["no-affine"] = NetworkExperiment(**SMALL, normalization="batch_norm", affine=False)
    found["no-hidden-layer"] = NetworkExperiment(**SMALL | {"layers": ""})
    found["full-batch"] = NetworkExperiment(**SMALL | {"batch_size": 134}, optimizer="momentum", learning_rate=0.05)
    return found


CASES = cases()


def torch_activation(name: str):
    functions = {"identity": lambda z: z, "sigmoid": torch.sigmoid,
                 "centered_sigmoid": lambda z: torch.sigmoid(z) - 0.5, "tanh": torch.tanh,
                 "scaled_tanh": lambda z: 1.7159 * torch.tanh(2 * z / 3), "relu": torch.relu,
                 "leaky_relu": torch.nn.functional.leaky_relu, "elu": torch.nn.functional.elu,
                 "gelu": torch.nn.functional.gelu, "silu": torch.nn.functional.silu,
                 "softplus": torch.nn.functional.softplus}
    return functions[name]


def torch_network(run: NetworkRun):
    """PyTorch's own layers, with the start of the run."""
    class Elementwise(torch.nn.Module):
        def forward(self, z):
            return torch_activation(run.experiment.activation)(z)

    experiment, parts = run.experiment, []
    layers = run.unflatten(run.checkpoints[0, 0])
    for k, layer in enumerate(layers):
        outputs, inputs = layer["weight"].shape
        linear = torch.nn.Linear(inputs, outputs, dtype=torch.float64)
        parts.append(linear)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer["weight"]))
            linear.bias.copy_(torch.tensor(layer["bias"]))
        if k == len(layers) - 1:
            break
        kinds = {"batch_norm": lambda width: torch.nn.BatchNorm1d(width, affine=experiment.affine),
                 "layer_norm": lambda width: torch.nn.LayerNorm(width, elementwise_affine=experiment.affine)}
        following = [Elementwise()]
        if experiment.normalization != "none":
            place = 0 if experiment.normalization_place == "before" else 1
            following.insert(place, kinds[experiment.normalization](outputs))
        parts += following
    return torch.nn.Sequential(*parts).double()


def torch_optimizer(parameters, experiment: NetworkExperiment):
    rate, momentum, decay = experiment.learning_rate, experiment.momentum, experiment.decay
    return {"sgd": lambda: torch.optim.SGD(parameters, rate),
            "momentum": lambda: torch.optim.SGD(parameters, rate, momentum=momentum),
            "nesterov": lambda: torch.optim.SGD(parameters, rate, momentum=momentum, nesterov=True),
            "rmsprop": lambda: torch.optim.RMSprop(parameters, rate, alpha=decay, eps=1e-8),
            "adam": lambda: torch.optim.Adam(parameters, rate, betas=(momentum, decay), eps=1e-8)}[
                experiment.optimizer]()


def torch_loss(network, experiment: NetworkExperiment, inputs, labels):
    outputs = network(inputs)
    if experiment.loss == "cross_entropy":
        return torch.nn.functional.cross_entropy(outputs, labels)
    return 0.5 * torch.square(outputs - torch.eye(outputs.shape[1]).double()[labels]).sum(dim=1).mean()


def torch_run(run: NetworkRun) -> dict[str, np.ndarray]:
    """The parameters at the end, the losses there, and the running statistics, in PyTorch's order."""
    experiment, network = run.experiment, torch_network(run)
    optimizer = torch_optimizer(network.parameters(), experiment)
    inputs, labels = torch.tensor(run.inputs), torch.tensor(run.targets)
    for batch in torch.from_numpy(run.batches[0].astype(np.int64)):
        optimizer.zero_grad()
        torch_loss(network, experiment, inputs[batch], labels[batch]).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        test = torch.tensor(run.test_inputs), torch.tensor(run.test_targets)
        losses = [torch_loss(network, experiment, *rows).item() for rows in ((inputs, labels), test)]
    buffers = [value.numpy().ravel() for name, value in network.named_buffers() if "running" in name]
    return {"parameters": np.concatenate([value.detach().numpy().ravel() for value in network.parameters()]),
            "losses": np.array(losses), "statistics": np.concatenate([np.empty(0), *buffers])}


def in_torch_order(run: NetworkRun) -> np.ndarray:
    return np.concatenate([part.ravel() for layer in run.unflatten(run.checkpoints[0, -1]) for part in layer.values()])


def assert_same(run: NetworkRun, figures: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(in_torch_order(run), figures["parameters"], rtol=0, atol=1e-9)
    ours = [run.training_losses[0, -1], run.test_losses[0, -1]]
    np.testing.assert_allclose(ours, figures["losses"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.checkpoint_statistics[0, -1], figures["statistics"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_run_ends_where_the_stored_figures_of_pytorch_do(name):
    with np.load(STORED) as stored:
        figures = {part: stored[f"{name}/{part}"] for part in ("parameters", "losses", "statistics")}
    assert_same(train(CASES[name]), figures)


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", CASES)
def test_a_run_ends_where_pytorch_does(name):
    run = train(CASES[name])
    assert_same(run, torch_run(run))


def test_every_run_moves_far_enough_to_tell_rules_apart():
    """A comparison of runs that stay where they start would prove nothing."""
    for experiment in CASES.values():
        run = train(experiment)
        assert np.abs(run.checkpoints[0, -1] - run.checkpoints[0, 0]).max() > 0.05
