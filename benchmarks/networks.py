"""Networks: `train` with all that it records against PyTorch, eager, with its own optimizer and nothing recorded."""
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.timing import ratio_sentences, ratios
from zz_core.network import NetworkExperiment, NetworkRun, train

try:
    import torch
except ImportError:
    torch = None
try:
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

REPLICATES = 32
EXPERIMENT = NetworkExperiment(layers="32-32", activation="relu", treatment="none", loss="squared", batch_size=32,
                               steps=1000)
WORK = "16-32-32-1, squared loss, B = 32, 1000 steps: PyTorch's time / train's, which records signs and losses"
ONE = "ReLU, one run, PyTorch eager, torch.optim.SGD, float64"
MANY = f"ReLU, {REPLICATES} runs, the same loop run by run"
JAX_FIRST = "ReLU, one run, JAX jit and scan, first call with its compilation"
TANH_ONE, TANH_MANY = "tanh, one run", f"tanh, {REPLICATES} runs"
TARGETS = {ONE: 5.0, MANY: 10.0, JAX_FIRST: 2.0}


def regression() -> tuple[np.ndarray, np.ndarray]:
    """512 rows of 16 inputs, and one output."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(512, 16))
    return inputs, np.sin(inputs @ rng.normal(size=16))


def torch_network(run: NetworkRun, replicate: int) -> "torch.nn.Sequential":
    """The network of the run at its start."""
    parts, activation = [], {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[run.experiment.activation]
    for layer in run.unflatten(run.checkpoints[replicate, 0]):
        linear = torch.nn.Linear(*layer["weight"].shape[::-1], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer["weight"]))
            linear.bias.copy_(torch.tensor(layer["bias"]))
        parts += [linear, activation()]
    return torch.nn.Sequential(*parts[:-1])


def torch_loop(run: NetworkRun, replicates: int) -> list["torch.nn.Sequential"]:
    """The trained networks; data, start, rate and draws are those of `train`."""
    inputs, targets = torch.tensor(run.inputs), torch.tensor(run.targets)[:, None]
    networks = []
    for replicate in range(replicates):
        network = torch_network(run, replicate)
        optimizer = torch.optim.SGD(network.parameters(), lr=run.experiment.learning_rate)
        for batch in torch.from_numpy(run.batches[replicate].astype(np.int64)):
            optimizer.zero_grad()
            loss = 0.5 * torch.square(network(inputs[batch]) - targets[batch]).mean()
            loss.backward()
            optimizer.step()
        networks.append(network)
    return networks


def jax_first_call(run: NetworkRun) -> list[np.ndarray]:
    """The parameters after the run's training of its first replicate, by a program that is compiled anew."""
    jax.clear_caches()
    inputs, targets = jnp.asarray(run.inputs), jnp.asarray(run.targets)[:, None]
    start = [(layer["weight"], layer["bias"]) for layer in run.unflatten(run.checkpoints[0, 0])]

    def loss(layers, batch):
        x = inputs[batch]
        for weight, bias in layers[:-1]:
            x = jax.nn.relu(x @ weight.T + bias)
        weight, bias = layers[-1]
        return 0.5 * jnp.square(x @ weight.T + bias - targets[batch]).mean()

    def step(layers, batch):
        gradient = jax.grad(loss)(layers, batch)
        return jax.tree.map(lambda part, slope: part - run.experiment.learning_rate * slope, layers, gradient), None

    trained, _ = jax.jit(lambda layers, batches: jax.lax.scan(step, layers, batches))(
        jax.tree.map(jnp.asarray, start), jnp.asarray(run.batches[0]))
    return [np.asarray(part) for layer in trained for part in layer]


def check(run: NetworkRun) -> None:
    """Two replicates, so that their order counts too."""
    if jax is not None and run.experiment.activation == "relu":
        ours = [part for layer in run.unflatten(run.checkpoints[0, -1]) for part in layer.values()]
        apart = max(np.abs(a - b).max() for a, b in zip(ours, jax_first_call(run), strict=True))
        assert apart < 1e-9, f"JAX and train differ by {apart}"
    for replicate, network in enumerate(torch_loop(run, 2)):
        theirs = [parameter.detach().numpy() for parameter in network.parameters()]
        ours = [part for layer in run.unflatten(run.checkpoints[replicate, -1]) for part in layer.values()]
        apart = max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))
        assert apart < 1e-9, f"PyTorch and train differ by {apart}"


def measure(rounds: int) -> dict[str, dict[str, float]]:
    if torch is None:
        return {}
    torch.set_num_threads(1)
    data, found = regression(), {}
    for activation, one, many in (("relu", ONE, MANY), ("tanh", TANH_ONE, TANH_MANY)):
        experiment = replace(EXPERIMENT, activation=activation)
        run = train(experiment, REPLICATES, data=data)
        check(run)
        slower = {one: partial(torch_loop, run, 1)}
        if jax is not None and activation == "relu":
            slower[JAX_FIRST] = partial(jax_first_call, run)
        found |= ratios(partial(train, experiment, data=data), slower, rounds)
        # a round of many runs takes most of a minute
        found |= ratios(partial(train, experiment, REPLICATES, data=data), {many: partial(torch_loop, run, REPLICATES)},
                        max(1, rounds // 3))
    return found


def sentences(result: dict[str, dict[str, float]]) -> list[str]:
    return ratio_sentences(result, TARGETS) or ["skipped, since PyTorch is not installed: "
                                                "pip install -r requirements-bench.txt"]
