"""Records what the dense layers of a Keras 3 model are fed, and the gradients of their weights, on any backend.

    model.compile(optimizer, loss, run_eagerly=True)  # so that gradients are numbers, not symbols
    recorder = Recorder()
    model.fit(x, y, epochs=1, callbacks=[recorder])
    recorder.save("run.npz", x[:4096])

Then open run.npz on the page Your data, or: python -m zz_core.diagnose run.npz
Needs Keras and NumPy, and a Sequential or functional model. Eager training is slow: a few hundred steps are enough.
"""
import keras
import numpy as np


class Recorder(keras.callbacks.Callback):
    """Of every `every`-th step the gradients of the first `units` units of each dense layer; and, when it is saved,
    what each is fed for the inputs `sample`."""

    def __init__(self, every: int = 1, units: int = 64):
        super().__init__()
        self.every, self.units, self.steps, self.gradients = every, units, 0, {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        # kept here: to ask a callback for its model during a step disturbs training on JAX
        self.variables, self.optimizer, self.apply = (self.model.trainable_variables, self.model.optimizer,
                                                      self.model.optimizer.apply)
        self.optimizer.apply = self.recorded

    def recorded(self, gradients, variables=None):
        """What the optimizer does, with the gradients written down first."""
        if self.steps % self.every == 0:
            for variable, gradient in zip(self.variables, gradients, strict=True):
                name, _, kind = variable.path.rpartition("/")
                if kind == "kernel" and len(gradient.shape) == 2:
                    values = np.asarray(keras.ops.convert_to_numpy(gradient), np.float32)
                    self.gradients.setdefault(name.rpartition("/")[2], []).append(values.T[:self.units].copy())
        self.steps += 1
        return self.apply(gradients, variables)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.optimizer.apply = self.apply

    def save(self, file: str, sample: np.ndarray) -> None:
        fed = {layer.name: layer.input for layer in self.model.layers if isinstance(layer, keras.layers.Dense)}
        inputs = keras.Model(self.model.inputs, fed).predict(sample, verbose=0)
        np.savez(file, **{f"inputs/{name}": inputs[name].reshape(-1, inputs[name].shape[-1]) for name in fed},
                 **{f"gradients/{name}": np.stack(kept) for name, kept in self.gradients.items()})
