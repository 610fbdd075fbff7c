"""The recorders on real trainings, each where its framework is installed; their files are diagnosed end to end."""
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zz_core import diagnose
from zz_core.datasets import load
from zz_core.diagnose import OK, main
from zz_core.diagnosis import gradient_signs
from zz_core.reading import Recording, read

EXAMPLES = Path(__file__).parents[1] / "examples"
STEPS, BATCH = 60, 16


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    values, labels = load("digits")
    return (values / 16.0).astype(np.float32), labels.copy()


def batches(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, count, (STEPS, BATCH))


def check(held: Recording, layers: list[str], units: dict[str, int]) -> None:
    """Sigmoid layers of 24 units between the digits and the classes: the deeper ones suffer, and the file shows it."""
    assert list(held.layers) == layers and list(held.gradients) == layers and not held.left_out
    for name in layers:
        assert held.gradients[name].shape == (STEPS, units[name], held.layers[name].shape[1])
    first, deeper = (diagnose(held.layers[name], seeds=2, batch_size=BATCH) for name in (layers[0], layers[-1]))
    assert deeper.level != "none" and deeper.one_sign["raw"].value == 1.0  # outputs of sigmoids are positive
    assert first.features < 64 and first.set_aside  # pixels that are never inked
    signs = gradient_signs(held.gradients[layers[-1]], deeper.mean)
    assert 0.5 < signs.overall <= 1.0 and 0.5 < np.nanmean(signs.mean_direction_energy) <= 1.0


# --- PyTorch ---

def trained_by_torch(digits, file: Path | None, model=None, steps: int = STEPS, **options):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nn = torch.nn
    model = model or nn.Sequential(nn.Linear(64, 24), nn.Sigmoid(), nn.Linear(24, 24), nn.Sigmoid(), nn.Linear(24, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    recorder = example("recorder_pytorch").Recorder(model, **options) if file else None
    x, y = (torch.from_numpy(part) for part in digits)
    for rows in batches(len(x))[:steps]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        if recorder:
            recorder.step()
        optimizer.step()
    if recorder:
        recorder.save(str(file))
    return model


def test_the_torch_recorder_is_diagnosed_end_to_end(digits, tmp_path, capsys):
    trained_by_torch(digits, tmp_path / "run.npz")
    check(read(tmp_path / "run.npz"), ["0", "2", "4"], {"0": 24, "2": 24, "4": 10})
    assert main([str(tmp_path / "run.npz"), "--seeds", "1"]) == OK
    shown = capsys.readouterr().out
    assert all(f"{name}: over 60 steps" in shown for name in "024") and shown.count("head-room") == 2


def test_the_torch_recorder_writes_what_the_layers_saw_and_changes_nothing(digits, tmp_path):
    torch = pytest.importorskip("torch")
    with_recorder = trained_by_torch(digits, tmp_path / "run.npz")
    without = trained_by_torch(digits, None)
    for one, other in zip(with_recorder.parameters(), without.parameters(), strict=True):
        assert torch.equal(one, other)
    held, rows = read(tmp_path / "run.npz"), batches(len(digits[0]))[-16:].ravel()
    fed = {row.tobytes() for row in digits[0][rows]}
    assert len(held.layers["0"]) == 16 * BATCH and all(row.tobytes() in fed for row in held.layers["0"])
    model = trained_by_torch(digits, None, steps=STEPS - 1)  # as it was before the last step
    model.zero_grad()
    x, y = (torch.from_numpy(part[rows[-BATCH:]]) for part in digits)
    torch.nn.functional.cross_entropy(model(x), y).backward()
    np.testing.assert_allclose(held.gradients["4"][-1], model[4].weight.grad, rtol=1e-5, atol=1e-8)


def test_the_torch_recorder_takes_the_patches_of_a_convolution(digits, tmp_path):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3, padding=1, stride=2), nn.ReLU(),
                          nn.Conv2d(4, 6, 2), nn.ReLU(), nn.Flatten(), nn.Linear(54, 10))
    trained_by_torch(digits, tmp_path / "run.npz", model, every=10, units=5)
    held = read(tmp_path / "run.npz")
    assert {name: values.shape[1] for name, values in held.layers.items()} == {"1": 9, "3": 16, "6": 54}
    assert {name: values.shape for name, values in held.gradients.items()} == {"1": (6, 4, 9), "3": (6, 5, 16),
                                                                              "6": (6, 5, 54)}
    seen = []
    model[3].register_forward_hook(lambda layer, inputs, output: seen.append((inputs[0], output)))
    model(torch.from_numpy(digits[0][:3]))
    (x, output), recorder = seen[0], example("recorder_pytorch").Recorder(nn.Identity())
    recorder.keep("3", model[3], x)
    patches = torch.from_numpy(recorder.inputs["3"][0])  # shuffled: compared as sets of outputs
    by_hand = (patches @ model[3].weight.flatten(1).T + model[3].bias).detach().numpy()
    expected = output.detach().permute(0, 2, 3, 1).reshape(-1, 6).numpy()
    np.testing.assert_allclose(np.sort(by_hand, axis=0), np.sort(expected, axis=0), rtol=1e-4, atol=1e-5)


# --- Keras ---

def test_the_keras_recorder_is_diagnosed_end_to_end(digits, tmp_path):
    os.environ.setdefault("KERAS_BACKEND", "torch" if importlib.util.find_spec("torch") else "tensorflow")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((64,)), dense(24, "sigmoid", name="first"),
                              dense(24, "sigmoid", name="second"), dense(10, name="last")])
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(True), run_eagerly=True)
    before = model.layers[2].kernel.numpy()
    x, y = digits
    recorder = example("recorder_keras").Recorder()
    model.fit(x[:STEPS * BATCH], y[:STEPS * BATCH], BATCH, shuffle=False, verbose=0, callbacks=[recorder])
    recorder.save(str(tmp_path / "run.npz"), x)
    held = read(tmp_path / "run.npz")
    check(held, ["first", "second", "last"], {"first": 24, "second": 24, "last": 10})
    np.testing.assert_array_equal(held.layers["first"], x)
    moved = before - model.layers[2].kernel.numpy()  # by 0.5 times the sum of its gradients
    np.testing.assert_allclose(0.5 * held.gradients["last"].sum(axis=0).T, moved, atol=1e-4)


# --- JAX ---

def flax_losses(kind: str):
    """(recorder's watch, gradient of the parameters, update) of the same network in either of Flax's two styles."""
    jax, flax = pytest.importorskip("jax"), pytest.importorskip("flax")
    optimizer_rate, key = 0.5, jax.random.key(0)

    def cross_entropy(scores, y):
        return -jax.nn.log_softmax(scores)[np.arange(len(y)), y].mean()

    def moved(parameters, gradients):
        return jax.tree.map(lambda p, g: p - optimizer_rate * g, parameters, gradients)

    if kind == "linen":
        nn = flax.linen
        model = nn.Sequential([nn.Dense(24), nn.sigmoid, nn.Dense(24), nn.sigmoid, nn.Dense(10)])
        gradient = jax.jit(jax.grad(lambda v, x, y: cross_entropy(model.apply(v, x), y)))
        return (model.init(key, np.zeros((1, 64))), gradient, moved,
                lambda recorder, variables, x: recorder.watch_linen(model, variables, x))
    nnx = flax.nnx
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(64, 24, rngs=rngs), nnx.sigmoid, nnx.Linear(24, 24, rngs=rngs), nnx.sigmoid,
                           nnx.Linear(24, 10, rngs=rngs))
    graph, start = nnx.split(model)
    gradient = jax.jit(jax.grad(lambda state, x, y: cross_entropy(nnx.merge(graph, state)(x), y)))
    return (start, gradient, moved,
            lambda recorder, state, x: recorder.watch_nnx(nnx.merge(graph, state), x))


@pytest.mark.parametrize("kind", ["linen", "nnx"])
def test_the_jax_recorder_is_diagnosed_end_to_end(kind, digits, tmp_path):
    state, gradient, moved, watch = flax_losses(kind)
    recorder = example("recorder_jax").Recorder()
    x, y = digits
    for rows in batches(len(x)):
        gradients = gradient(state, x[rows], y[rows])
        recorder.step(gradients)
        state = moved(state, gradients)
    watch(recorder, state, x)
    recorder.save(str(tmp_path / "run.npz"))
    held = read(tmp_path / "run.npz")
    names = sorted(held.layers, key=list(held.layers).index)
    check(held, names, dict(zip(names, (24, 24, 10), strict=True)))
    np.testing.assert_array_equal(held.layers[names[0]], x)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("recorder_*.py")), ids=lambda file: file.stem)
def test_recorders_are_short_and_need_nothing_of_this_project(file):
    text = file.read_text(encoding="utf-8")
    assert "import zz_" not in text and "from zz_" not in text
    body = text.split('"""', 2)[2].partition("class Recorder")[2].splitlines()
    assert len([line for line in body if line.strip()]) <= 45
