"""Records what the dense layers of a Flax model are fed, and the gradients of their weights.

    recorder = Recorder()
    for x, y in batches:
        gradients = gradient_function(state, x, y)  # jitted or not
        recorder.step(gradients)
        state = update(state, gradients)
    recorder.watch_linen(model, variables, x)  # or watch_nnx(model, x)
    recorder.save("run.npz")

Then open run.npz on the page Your data, or: python -m zz_core.diagnose run.npz
Needs JAX, Flax and NumPy.
"""
import jax
import numpy as np
from flax import linen, nnx


class Recorder:
    """What each dense layer is fed when it is watched, outside of jit, and of every `every`-th step the gradients of
    the first `units` units of each layer."""

    def __init__(self, every: int = 1, units: int = 64):
        self.every, self.units, self.steps, self.inputs, self.gradients = every, units, 0, {}, {}

    def step(self, gradients) -> None:
        """gradients: as jax.grad returns them, of a Linen or an NNX model."""
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients) if self.steps % self.every == 0 else ():
            keys = [str(getattr(key, "key", getattr(key, "name", ""))) for key in path]
            if "kernel" in keys and leaf.ndim == 2:
                name = "/".join(key for key in keys[:keys.index("kernel")] if key != "params")
                self.gradients.setdefault(name, []).append(np.asarray(leaf, np.float32).T[:self.units])
        self.steps += 1

    def watch_linen(self, model: linen.Module, variables, x) -> None:
        def keep(call, arguments, options, context):
            if isinstance(context.module, linen.Dense) and context.method_name == "__call__":
                self.keep(context.module.path, arguments[0])
            return call(*arguments, **options)

        with linen.intercept_methods(keep):
            model.apply(variables, x)

    def watch_nnx(self, model: nnx.Module, x) -> None:
        names, call = {id(layer): path for path, layer in nnx.iter_graph(model)}, nnx.Linear.__call__
        nnx.Linear.__call__ = lambda layer, x: (self.keep(names[id(layer)], x), call(layer, x))[1]
        try:
            model(x)
        finally:
            nnx.Linear.__call__ = call

    def keep(self, path, x) -> None:
        self.inputs["/".join(map(str, path))] = np.asarray(x, np.float32).reshape(-1, x.shape[-1])

    def save(self, file: str) -> None:
        np.savez(file, **{f"inputs/{name}": x for name, x in self.inputs.items()},
                 **{f"gradients/{name}": np.stack(kept) for name, kept in self.gradients.items()})
