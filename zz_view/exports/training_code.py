"""The second half of the programs: the training loop, for NumPy and for PyTorch, and what they have in common."""
from typing import NamedTuple

from zz_core import Run
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.treatments import TREATMENTS
from zz_view.exports import pieces
from zz_view.exports.data_code import number


class Names(NamedTuple):
    """What this run's program calls things, and the few facts that decide its form."""

    run: Run
    torch: bool = False

    @property
    def single(self) -> bool:
        """Whether a step is written for one sample, a vector x, rather than for a matrix of samples."""
        experiment = self.run.experiment
        return (experiment.batch_size == 1 and not OPTIMIZERS[experiment.optimizer].needs_batch
                and not TREATMENTS[experiment.treatment].per_batch)

    @property
    def full(self) -> bool:
        return self.run.batches is None

    @property
    def input_bias(self) -> bool:
        return self.run.input_biases is not None

    @property
    def bias(self) -> bool:
        return self.run.experiment.bias

    @property
    def normalizes(self) -> bool:
        """Whether each mini-batch is normalized by itself."""
        return TREATMENTS[self.run.experiment.treatment].per_batch and not self.full

    @property
    def by_hand(self) -> bool:
        """Whether the step is written out, and not left to torch.optim."""
        return not (self.torch and self.torch_rule)

    @property
    def torch_rule(self) -> str:
        """The optimizer of torch.optim, if there is one. It refuses Nesterov's rule without momentum: plain descent."""
        experiment = self.run.experiment
        plain = experiment.optimizer == "nesterov" and experiment.momentum == 0
        return pieces.OPTIMIZERS["sgd" if plain else experiment.optimizer].torch

    @property
    def counts(self) -> bool:
        """Whether the loop needs the number of the step."""
        experiment = self.run.experiment
        return self.by_hand and (experiment.optimizer == "adam" or self.scheduled)

    @property
    def scheduled(self) -> bool:
        experiment = self.run.experiment
        return bool(pieces.SCHEDULES[experiment.schedule]) and "schedule" in OPTIMIZERS[experiment.optimizer].uses

    @property
    def w(self) -> str:
        return "theta" if self.input_bias else "w"

    @property
    def x(self) -> str:
        return "X" if self.full else "x"

    @property
    def y(self) -> str:
        return "y" if self.full else "target"

    @property
    def size(self) -> str:
        return "N" if self.full else "B"

    @property
    def np(self) -> str:
        return "torch" if self.torch else "np"

    @property
    def rate(self) -> str:
        return "rates[t]" if self.scheduled else "rate"

    @property
    def parameters(self) -> str:
        """How many there are, as code."""
        return f"{'2 * D' if self.input_bias else 'D'}{' + 1' if self.bias else ''}"


def training_text(names: Names) -> str:
    experiment = names.run.experiment
    each = ("all samples in each step" if names.full else "one sample a step" if experiment.batch_size == 1
            else f"{experiment.batch_size} samples a step")
    text = f"{OPTIMIZERS[experiment.optimizer].label}, {each}. Loss: {LOSSES[experiment.loss].label}."
    if names.input_bias:
        return f"{text} The output is the sum of w_j (x_j + b_j), and theta holds w, then b."
    if names.single:
        return (f"{text} dL/dw_j = dL/df * x_j, and dL/df is one number: with inputs of one sign, all weights move the "
                "same way.")
    return f"{text} dL/dw_j = dL/df * x_j for each sample; a step takes the mean of the batch."


def settings(names: Names) -> list[str]:
    """The numbers of the run."""
    experiment, rule = names.run.experiment, OPTIMIZERS[names.run.experiment.optimizer]
    lines = [f"T = {experiment.steps}  # steps" if names.full or names.single else
             f"T, B = {experiment.steps}, {experiment.batch_size}  # steps, samples a step"]
    if "learning_rate" in rule.uses:
        critical = rule.critical and experiment.rate_unit == "critical"
        why = f"  # {experiment.learning_rate:g} of the stability limit of these inputs" if critical else ""
        lines.append(f"rate = {number(names.run.learning_rate)}{why}")
    lines += [f"{name} = {number(getattr(experiment, name))}" for name in ("momentum", "decay", "damping")
              if name in rule.uses]
    if names.scheduled and names.by_hand:
        factors = pieces.SCHEDULES[experiment.schedule].format(t="np.arange(T)")
        # plain numbers: those of NumPy would take a tensor for an array
        lines.append(f"rates = (rate * {factors}).tolist()" if names.torch else f"rates = rate * {factors}")
    return lines


def draws(names: Names) -> list[str]:
    """Which samples each step uses."""
    experiment = names.run.experiment
    if names.full:
        return []
    lines, epoch = [f"rng = np.random.default_rng({experiment.seed})"], experiment.sampling == "epoch"
    if names.single:
        lines.append("samples = np.concatenate([rng.permutation(N) for _ in range(-(-T // N))])[:T]" if epoch else
                     "samples = rng.integers(0, N, size=T, dtype=np.int32)")
    elif epoch:
        lines += ["each = N // B  # steps in one pass over the shuffled data; what is left over is dropped",
                  "passes = [rng.permutation(N)[: each * B] for _ in range(-(-T // each))]",
                  "batches = np.concatenate(passes).reshape(-1, B)[:T]"]
    else:
        lines.append("batches = rng.integers(0, N, size=(T, B), dtype=np.int32)")
    return lines


def loop_head(names: Names) -> str:
    if names.full:
        return "for t in range(T):" if names.counts else "for _ in range(T):"
    each, all_of_them = ("i", "samples") if names.single else ("batch", "batches")
    return f"for t, {each} in enumerate({all_of_them}):" if names.counts else f"for {each} in {all_of_them}:"


def samples_of_step(names: Names) -> list[str]:
    """x and target of one step."""
    if names.full:
        return []
    lines = ["x, target = X[i], y[i]" if names.single else "x, target = X[batch], y[batch]"]
    if names.normalizes:
        lines.append(_normalization(names))
        if names.bias:
            lines.append(f"x = {names.np}.column_stack([x, {names.np}.ones(B)])  # a bias is learned")
    return lines


def _normalization(names: Names) -> str:
    if not names.torch:
        return pieces.BATCH_NORM.format(x="x")
    return pieces.TORCH_BATCH_NORM_OF_ONE if names.run.experiment.batch_size == 1 else pieces.TORCH_BATCH_NORM


def outputs(names: Names) -> list[str]:
    if not names.input_bias:
        return [f"f = {names.x} @ w"]
    bias = " + theta[-1]" if names.bias else ""
    return ["w, b = theta[:D], theta[D : 2 * D]", f"f = ({names.x} + b) @ w{bias}"]


def jacobian(names: Names) -> list[str]:
    """The derivatives of the outputs of a batch by theta, of f = sum of w_i (x_i + b_i)."""
    if not names.input_bias:
        return []
    repeated = f"w.expand({names.size}, D)" if names.torch else f"np.tile(w, ({names.size}, 1))"
    ones, of = (f", {names.np}.ones({names.size})", ", df/dbias") if names.bias else ("", "")
    return [f"J = {names.np}.column_stack([{names.x} + b, {repeated}{ones}])  # df/dw, df/db{of}"]


def rule_step(names: Names) -> list[str]:
    """From `gradient` to the new parameters, written out."""
    loss, rule = pieces.LOSSES[names.run.experiment.loss], pieces.OPTIMIZERS[names.run.experiment.optimizer]
    j = "J" if names.input_bias else names.x
    weight = loss.curvature.format(f="f")
    if names.torch:
        weight = weight.replace("sigmoid", "torch.sigmoid")
    curvature = f"({j}.T * {weight}) @ {j} / {names.size}" if weight else f"{j}.T @ {j} / {names.size}"
    step = rule.step.format(w=names.w, rate=names.rate, length=_length(names), curvature=curvature, np=names.np,
                            pinv=pieces.TORCH_PINV if names.torch else pieces.PINV)
    return step.split("\n")


def searches(names: Names) -> bool:
    """Whether the best length of a step takes a search: the loss is not quadratic along the line."""
    experiment = names.run.experiment
    return experiment.optimizer == "steepest_descent" and (names.input_bias or not LOSSES[experiment.loss].quadratic)


def _length(names: Names) -> str:
    j = "J" if names.input_bias else names.x
    if not searches(names):
        return f"(gradient @ gradient) / (({j} @ gradient) ** 2).mean()  # to the minimum along the gradient"
    r = "gradient[:D] @ gradient[D : 2 * D], " if names.input_bias else ""
    return f"line_search(gradient, f, {j} @ gradient, {r}{names.y})"


def line_search(names: Names) -> str:
    """The function, where the rule needs one."""
    loss = pieces.LOSSES[names.run.experiment.loss]
    there = "f - length * (q - length * r)" if names.input_bias else "f - length * q"

    def mean(f: str) -> str:
        if names.torch:
            return loss.torch.format(f=f, y="y")
        return f"np.mean({loss.value.format(f=f, y='y')})"

    slope = loss.slope.format(f="moved", y="y")
    careful = "" if loss.convex and not names.input_bias else pieces.CAREFUL.format(
        there=there, before=mean("f"), after=mean("moved"))
    bound = LOSSES[names.run.experiment.loss].bound
    return pieces.LINE_SEARCH.format(
        arguments=f"gradient, f, q, {'r, ' * names.input_bias}y", there=there, careful=careful,
        bound="" if bound == 1 else f"{number(bound)} * ",
        slope=slope.replace("sigmoid", "torch.sigmoid") if names.torch else slope,
        turn="(q - 2 * length * r)" if names.input_bias else "q")
