"""What is compared with the peers, and by how much this core is to be faster."""
from dataclasses import replace

from benchmarks.comparison import Case, Comparison
from zz_core import Experiment
from zz_core.network import NetworkExperiment

BATCH_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 128)
NETWORK = NetworkExperiment(layers="32-32", activation="relu", treatment="none", loss="squared", batch_size=32,
                            steps=1000)
TANH = replace(NETWORK, activation="tanh", steps=200)

COMPARISONS: dict[str, Comparison] = {
    "run": Comparison(
        "one run of 2000 steps, D = 2, B = 1", (Experiment(steps=2000),), 1,
        {"loop": Case(), "torch": Case(10), "jax_first": Case(10), "jax": Case(), "sklearn": Case()}),
    "run64": Comparison(
        "one run of 2000 steps, D = 64, B = 32", (Experiment(dimensions=64, batch_size=32, steps=2000),), 1,
        {"loop": Case(), "torch": Case(10), "jax_first": Case(10), "jax": Case()}),
    "seeds": Comparison(
        "200 seeds of 1000 steps, D = 16, B = 1", (Experiment(dimensions=16, steps=1000),), 200,
        {"loop_drawing": Case(80, 20), "loop": Case(None, 20), "torch": Case(1000, 2), "torch_batched": Case(),
         "jax_first": Case(10), "jax": Case(1), "sklearn": Case(None, 20)}),
    "full_batch": Comparison(
        "full batch, D = 64, N = 1000, 5000 steps",
        (Experiment(dimensions=64, samples=1000, batch_size=1000, steps=5000),), 1,
        {"loop": Case(), "torch": Case(150), "jax_first": Case(10), "jax": Case(15)}),
    "network": Comparison(
        "network 16-32-32-1, ReLU, B = 32, 1000 steps", (NETWORK,), 1,
        {"loop": Case(), "torch": Case(5), "torch_batched": Case(), "jax_first": Case(2), "jax": Case()}),
    "networks": Comparison(
        "32 of these networks", (NETWORK,), 32,
        {"loop": Case(None, 2), "torch": Case(12, 2), "torch_batched": Case(), "jax_first": Case(), "jax": Case(0.8)}),
    "tanh": Comparison(
        "the network with tanh, 200 steps", (TANH,), 1, {"torch": Case(5), "torch_batched": Case(), "jax": Case()}),
    "tanhs": Comparison(
        "32 of the networks with tanh, 200 steps", (TANH,), 32,
        {"torch": Case(12, 2), "torch_batched": Case(), "jax": Case(0.8)}),
    "batch_sizes": Comparison(
        "20 batch sizes x 50 seeds of 500 steps, D = 16",
        tuple(Experiment(dimensions=16, batch_size=size, steps=500) for size in BATCH_SIZES), 50,
        {"loop": Case(None, 2), "torch": Case(60, 1), "torch_batched": Case(), "jax_first": Case(7), "jax": Case(1)}),
}
