"""Records what the layers of a PyTorch model are fed, and the gradients of their weights. Copy it into your project.

    recorder = Recorder(model)
    for x, y in batches:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        recorder.step()  # after backward, before the optimizer
        optimizer.step()
    recorder.save("run.npz")

Then open run.npz on the page Your data, or: python -m zz_core.diagnose run.npz
Needs PyTorch and NumPy. It draws from no random generator of yours and changes no number of the training.
"""
from collections import defaultdict, deque

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Recorder:
    """Linear layers, and convolutions by the patches that they multiply with their weights.

    Kept are up to 256 inputs of each of the last 16 forward passes in training, and of every `every`-th step the
    gradients of the first `units` units of each layer: record wide layers with every=10.
    """

    def __init__(self, model: nn.Module, every: int = 1, units: int = 64):
        self.every, self.units, self.steps, self.generator = every, units, 0, torch.Generator().manual_seed(0)
        self.inputs, self.gradients = defaultdict(lambda: deque(maxlen=16)), defaultdict(list)
        self.layers = {name or "layer": layer for name, layer in model.named_modules()
                       if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1
                                                           and not isinstance(layer.padding, str))}
        for name, layer in self.layers.items():
            layer.register_forward_pre_hook(lambda layer, inputs, name=name: self.keep(name, layer, inputs[0]))

    def keep(self, name: str, layer: nn.Module, x: torch.Tensor) -> None:
        if layer.training and torch.is_grad_enabled():
            x = x.detach()
            if isinstance(layer, nn.Conv2d):
                x = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride).transpose(1, 2)
            x = x.reshape(-1, x.shape[-1])
            chosen = torch.randperm(len(x), generator=self.generator)[:256]
            self.inputs[name].append(x[chosen.to(x.device)].float().cpu().numpy())

    def step(self) -> None:
        for name, layer in self.layers.items() if self.steps % self.every == 0 else ():
            if layer.weight.grad is not None:
                self.gradients[name].append(layer.weight.grad[:self.units].flatten(1).float().cpu().numpy().copy())
        self.steps += 1

    def save(self, file: str) -> None:
        np.savez(file, **{f"inputs/{name}": np.concatenate(kept) for name, kept in self.inputs.items()},
                 **{f"gradients/{name}": np.stack(kept) for name, kept in self.gradients.items()})
