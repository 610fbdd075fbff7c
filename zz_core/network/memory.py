"""What the history of a network takes in memory, known before anything is allocated."""
from dataclasses import replace

from zz_core.costs import MAX_HISTORY_BYTES
from zz_core.network.data import SOURCES
from zz_core.network.experiment import BOUNDS, NetworkExperiment
from zz_core.network.layers import Architecture
from zz_core.stepping import kept_steps

CHECKPOINTS = 64  # intervals between checkpoints: a step in between is repeated from the one before it


def history_bytes(experiment: NetworkExperiment, replicates: int = 1,
                  shape: tuple[int, int, int] | None = None) -> int:
    """Memory of what a run keeps. shape: rows, inputs and outputs of given data."""
    source = SOURCES[experiment.data]
    _, inputs, outputs = shape or (0, source.inputs, source.classes)
    architecture, steps = Architecture.of(experiment, inputs, outputs), experiment.steps
    buffers = {"sgd": 0, "adam": 2}.get(experiment.optimizer, 1)
    checkpoints = len(kept_steps(steps, kept_every(steps)))
    layers = architecture.hidden + 1
    per_step = 4 * experiment.batch_size + 4 * sum(architecture.sizes[1:]) + 8 * (4 * layers + 2)
    return replicates * (8 * checkpoints * ((1 + buffers) * architecture.size + architecture.statistics)
                         + steps * per_step)


def check_memory(experiment: NetworkExperiment, replicates: int, shape: tuple[int, int, int] | None) -> None:
    """ValueError that names `steps` where the run would not fit."""
    needed = history_bytes(experiment, replicates, shape)
    if needed <= MAX_HISTORY_BYTES:
        return
    fitting, too_many = 0, experiment.steps
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fits = history_bytes(replace(experiment, steps=middle), replicates, shape) <= MAX_HISTORY_BYTES
        fitting, too_many = (middle, too_many) if fits else (fitting, middle)
    advice = f"must be at most {fitting}" if fitting >= BOUNDS["steps"][0] else "even one step is too much"
    raise ValueError(f"steps={experiment.steps}: {advice} for {replicates} run(s) of this size, since the history "
                     f"would take {needed / 2**20:.0f} MiB and {MAX_HISTORY_BYTES / 2**20:.0f} are allowed")


def kept_every(steps: int) -> int:
    """The steps between two checkpoints."""
    return -(-steps // CHECKPOINTS)
