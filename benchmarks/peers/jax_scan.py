"""JAX: the whole training compiled by jit, its steps a scan, its replicates a vmap, in double precision.

First call: as in a new program, compilation included. Warm: compiled before, and called with arrays of its own.
"""
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import Trained
from benchmarks.peers.numpy_loops import flat
from zz_core import Run
from zz_core.network import NetworkRun

jax.config.update("jax_enable_x64", True)


def neuron_first(run: Run, replicates: int) -> Trained:
    """The iterates after each step."""
    return _first(*_neurons(run, replicates))


def neuron_warm(run: Run, replicates: int) -> Trained:
    return _warm(*_neurons(run, replicates))


def network_first(run: NetworkRun, replicates: int) -> Trained:
    """The parameters after the training."""
    return _first(*_networks(run, replicates))


def network_warm(run: NetworkRun, replicates: int) -> Trained:
    return _warm(*_networks(run, replicates))


def _first(program: Callable, arguments: tuple, unpack: Callable) -> Trained:
    def call() -> np.ndarray:
        jax.clear_caches()
        return unpack(jax.jit(lambda *given: program(*given))(*arguments))

    return call


def _warm(program: Callable, arguments: tuple, unpack: Callable) -> Trained:
    compiled = jax.jit(program).lower(*arguments).compile()  # unlike jit's own cache it outlives clear_caches
    return lambda: unpack(compiled(*arguments))


def _neurons(run: Run, replicates: int) -> tuple[Callable, tuple, Callable]:
    """The program, its arguments, and what makes (R, T, D) of its result."""
    steps, full = run.experiment.steps, run.batches is None

    def program(inputs, targets, rate, batches):
        def loss(w, batch):
            x, y = (inputs, targets) if full else (inputs[batch], targets[batch])
            return 0.5 * jnp.square(x @ w - y).mean()

        def step(w, batch):
            w = w - rate * jax.grad(loss)(w, batch)
            return w, w

        def path(drawn):
            return jax.lax.scan(step, jnp.zeros(inputs.shape[1]), drawn, length=steps)[1]

        # steps first: the other order would cost a transposition
        return path(None)[:, None] if full else jax.vmap(path, out_axes=1)(batches)

    drawn = None if full else jnp.asarray(run.batches[:replicates])
    arguments = jnp.asarray(run.inputs), jnp.asarray(run.targets), run.learning_rate, drawn
    return program, arguments, lambda paths: np.moveaxis(np.asarray(paths), 0, 1)


def _networks(run: NetworkRun, replicates: int) -> tuple[Callable, tuple, Callable]:
    """The program, its arguments, and what makes (R, P) of its result."""
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[run.experiment.activation]

    def program(inputs, targets, rate, start, batches):
        def loss(layers, batch):
            x = inputs[batch]
            for W, b in layers[:-1]:
                x = activation(x @ W.T + b)
            W, b = layers[-1]
            return 0.5 * jnp.square(x @ W.T + b - targets[batch]).mean()

        def step(layers, batch):
            return jax.tree.map(lambda part, slope: part - rate * slope, layers, jax.grad(loss)(layers, batch)), None

        return jax.vmap(lambda layers, drawn: jax.lax.scan(step, layers, drawn)[0])(start, batches)

    start = [(jnp.asarray(layer["weight"]), jnp.asarray(layer["bias"]))
             for layer in run.unflatten(run.checkpoints[:replicates, 0])]
    arguments = (jnp.asarray(run.inputs), jnp.asarray(run.targets)[:, None], run.experiment.learning_rate, start,
                 jnp.asarray(run.batches[:replicates]))
    return program, arguments, lambda layers: flat([(np.asarray(W), np.asarray(b)) for W, b in layers])
