"""The pieces of which the exported programs are made: for each entry of the core's registries the code that does it.

A new activation, treatment, loss, optimizer or schedule needs its piece here (a test names what is missing). The code
uses a few names: N samples of D inputs, z raw values, X inputs, y targets, {w} the parameters, {x} and {y} the samples
of a step, {B} how many they are, {J} the derivatives of their outputs by the parameters, {rate} the rate of the step.
"""
from typing import NamedTuple


class Piece(NamedTuple):
    """Lines of code, and the names of the HELPERS (below) that they call."""

    code: str
    needs: tuple[str, ...] = ()


class Source(NamedTuple):
    """Either `values`, an expression of standardized values, or `inputs`, lines that set X (and labels)."""

    values: str = ""
    inputs: str = ""
    imports: str = ""


class LossPiece(NamedTuple):
    """Expressions of outputs {f} and targets {y}: dL/df, the loss, and the curvature that Gauss-Newton keeps.

    torch is the mean loss. convex: along a line every minimum is the best.
    """

    slope: str
    value: str
    curvature: str
    torch: str
    needs: tuple[str, ...] = ()
    convex: bool = True


class Rule(NamedTuple):
    """Lines of a step that turn `gradient` into new {w}, and of the state before the first one.

    torch: the optimizer that PyTorch has for it; where it has none, the step is good for both.
    """

    step: str
    state: str = ""
    torch: str = ""


HELPERS = {
    "sigmoid": """\
def sigmoid(z):
    e = np.exp(-np.abs(z))  # never overflows
    return np.where(z >= 0, 1, e) / (1 + e)""",
    "erf": "erf = np.vectorize(math.erf, otypes=[float])",
}
HELPER_IMPORTS = {"erf": "import math"}


def _scikit(loader: str, some_constant: bool = False) -> Source:
    lines = ["data = {loader}()", "values = data.data"]
    if some_constant:
        lines.append("values = values[:, np.ptp(values, axis=0) > 0]  # some pixels are 0 in every image")
    lines.append("X = values[:, :D] / values[:, :D].max(axis=0)  # between 0 and 1, as found")
    return Source(inputs="\n".join(lines).replace("{loader}", loader),
                  imports=f"from sklearn.datasets import {loader}")


SOURCES: dict[str, Source] = {
    "gaussian": Source("rng.standard_normal((N, D))"),
    "uniform": Source("np.sqrt(12) * (rng.random((N, D)) - 0.5)"),
    "exponential": Source("(rng.standard_exponential((N, D)) - 1)"),
    "factorial": Source(inputs="bits = np.arange(N)[:, None] >> np.arange(D) & 1\n"
                               "X = 0.25 + 0.5 * bits  # every corner of a cube once"),
    "one_hot": Source(inputs="X = np.eye(D)[np.arange(N) % D]"),
    "digits": _scikit("load_digits", some_constant=True),
    "breast_cancer": _scikit("load_breast_cancer"),
    "wine": _scikit("load_wine"),
}

ACTIVATIONS: dict[str, Piece] = {
    "identity": Piece("z"),
    "sigmoid": Piece("sigmoid(z)", ("sigmoid",)),
    "centered_sigmoid": Piece("sigmoid(z) - 0.5", ("sigmoid",)),
    "tanh": Piece("np.tanh(z)"),
    "scaled_tanh": Piece("1.7159 * np.tanh(2 * z / 3)"),
    "relu": Piece("np.maximum(z, 0)"),
    "leaky_relu": Piece("np.where(z > 0, z, 0.01 * z)"),
    "elu": Piece("np.where(z > 0, z, np.expm1(np.minimum(z, 0)))"),
    "gelu": Piece("z * 0.5 * (1 + erf(z / np.sqrt(2)))", ("erf",)),
    "silu": Piece("z * sigmoid(z)", ("sigmoid",)),
    "softplus": Piece("np.logaddexp(0, z)"),
}

# Lines that change X. {constant} and {null} are only filled in where the data have columns, or directions, of no spread
TREATMENTS: dict[str, str] = {
    "none": "",
    "center": "X = X - X.mean(axis=0)",
    "standardize": "spread = X.std(axis=0)\n{constant}X = (X - X.mean(axis=0)) / spread",
    "whiten": "X = X - X.mean(axis=0)\n"
              "variances, axes = np.linalg.eigh(X.T @ X / N)\n{null}"
              "X = X @ (axes / np.sqrt(variances)) @ axes.T  # the inverse square root of the covariance",
    "batch_norm": "",  # each mini-batch by itself: BATCH_NORM
    "layer_norm": "X = X - X.mean(axis=1, keepdims=True)\nX = X / np.sqrt(np.mean(X**2, axis=1, keepdims=True) + 1e-5)",
    "rms_norm": "X = X / np.sqrt(np.mean(X**2, axis=1, keepdims=True) + 1e-5)",
    "input_bias": "",  # it is part of the neuron: f = sum of w_i (x_i + b_i)
}
# The weights of the start that give the same outputs after the treatment, but for an offset
STARTS = {
    "standardize": "w_start = w_start * spread",
    "whiten": "w_start = axes @ (np.where(np.isinf(variances), 0, np.sqrt(variances)) * (axes.T @ w_start))",
    "batch_norm": "w_start = w_start * np.sqrt(X.var(axis=0) + 1e-5)",
}
CONSTANT = "spread[spread <= 1e-12 * np.abs(X).max(axis=0)] = 1  # columns without any\n"
NULL = "variances[variances <= N * np.finfo(float).eps * variances[-1]] = np.inf  # directions without spread\n"
BATCH_NORM = "{x} = ({x} - {x}.mean(axis=0)) / np.sqrt({x}.var(axis=0) + 1e-5)"
TORCH_BATCH_NORM = "x = F.batch_norm(x, None, None, training=True)"
TORCH_BATCH_NORM_OF_ONE = "x = x - x.mean(dim=0)  # PyTorch refuses to normalize one sample, of which nothing is left"

LOSSES: dict[str, LossPiece] = {
    "squared": LossPiece("{f} - {y}", "0.5 * ({f} - {y}) ** 2", "", "0.5 * (({f} - {y}) ** 2).mean()"),
    "logistic": LossPiece("sigmoid({f}) - {y}", "np.logaddexp(0, {f}) - {y} * {f}", "sigmoid({f}) * sigmoid(-{f})",
                          "F.binary_cross_entropy_with_logits({f}, {y})", ("sigmoid",)),
    "sigmoid_squared": LossPiece("(sigmoid({f}) - {y}) * sigmoid({f}) * sigmoid(-{f})",
                                 "0.5 * (sigmoid({f}) - {y}) ** 2", "(sigmoid({f}) * sigmoid(-{f})) ** 2",
                                 "0.5 * ((torch.sigmoid({f}) - {y}) ** 2).mean()", ("sigmoid",), convex=False),
}

# Factors of the rate at step {t}; what is left empty needs no line
SCHEDULES: dict[str, str] = {
    "constant": "",
    "cosine": "0.5 * (1 + np.cos(np.pi * {t} / T))",
    "inverse_sqrt": "1 / np.sqrt(1 + {t})",
}

OPTIMIZERS: dict[str, Rule] = {
    "sgd": Rule("{w} = {w} - {rate} * gradient", torch="torch.optim.SGD([{w}], lr=rate)"),
    "momentum": Rule("velocity = momentum * velocity + gradient\n{w} = {w} - {rate} * velocity",
                     "velocity = np.zeros_like({w})", torch="torch.optim.SGD([{w}], lr=rate, momentum=momentum)"),
    "nesterov": Rule("velocity = momentum * velocity + gradient\n"
                     "{w} = {w} - {rate} * (gradient + momentum * velocity)",
                     "velocity = np.zeros_like({w})",
                     torch="torch.optim.SGD([{w}], lr=rate, momentum=momentum, nesterov=True)"),
    "rmsprop": Rule("square = decay * square + (1 - decay) * gradient**2\n"
                    "{w} = {w} - {rate} * gradient / (np.sqrt(square) + 1e-8)",
                    "square = np.zeros_like({w})", torch="torch.optim.RMSprop([{w}], lr=rate, alpha=decay)"),
    "adam": Rule("mean = momentum * mean + (1 - momentum) * gradient\n"
                 "square = decay * square + (1 - decay) * gradient**2\n"
                 "root = np.sqrt(square / (1 - decay ** (t + 1))) + 1e-8\n"
                 "{w} = {w} - {rate} * mean / (1 - momentum ** (t + 1)) / root",
                 "mean, square = np.zeros_like({w}), np.zeros_like({w})",
                 torch="torch.optim.Adam([{w}], lr=rate, betas=(momentum, decay))"),
    "steepest_descent": Rule("if gradient @ gradient > 1e-200:  # there is a way down\n"
                             "    length = {length}\n    {w} = {w} - length * gradient"),
    "gauss_newton": Rule("curvature = {curvature}\n"
                         "{w} = {w} - {rate} * {pinv} @ gradient"),
    "levenberg_marquardt": Rule("curvature = {curvature} + damping * {np}.eye(len({w}))\n"
                                "{w} = {w} - {rate} * {np}.linalg.solve(curvature, gradient)"),
}
PINV = "np.linalg.pinv(curvature, rcond=1e-10, hermitian=True)"
TORCH_PINV = "torch.linalg.pinv(curvature, rtol=1e-10, hermitian=True)"

# The exact step along -gradient where the loss is not quadratic along it: outputs there are {there}
LINE_SEARCH = """\
def line_search({arguments}):
    \"\"\"How far to go: doubled from a safe length until the slope turns, then narrowed down.\"\"\"
    def descends(length):
        moved = {there}
        return ({slope}) @ {turn} > 0

    low, high = 0.0, (gradient @ gradient) / ({bound}(q**2).mean())
    for _ in range(16):
        if not descends(high):
            break
        low, high = high, 2 * high
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if descends(middle) else (low, middle)
    length = (low + high) / 2{careful}
    return length"""
CAREFUL = """
    before = {before}
    for _ in range(45):  # the loss may have several valleys: surely go down
        moved = {there}
        if not {after} > before * (1 + 1e-14):
            break
        length = length / 2"""
