"""The shipped data are the published ones, bit by bit, and are scaled as the design says."""
import hashlib

import numpy as np
import pytest

from zz_core import datasets

# SHA-256 of values (little-endian float64, row by row) and labels (little-endian int64)
CHECKSUMS = {
    "digits": ("20def7f70a702f0af9732fbba4375e147a7d54fe70d8c45569b8e7c1c7010c10",
               "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21"),
    "breast_cancer": ("6b202a2072f9a0385f405a8f8605b1b06f6f36ae6d23d9cd6cbbc0974a416bc7",
                      "1763c0f8cd3f454b9eda72031113884593bb382411c0cd511e3ec6e7ac85cddb"),
    "wine": ("8edcf3903afd97c64d51e0212eb10b213f7943da650574d1c055b836c5c35d37",
             "b6514e07a6d27854e0da000ca82d8d8cc3d0cb904c51600344ca34f1ee04884b"),
}
CLASS_COUNTS = {
    "digits": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    "breast_cancer": [212, 357],
    "wine": [59, 71, 48],
}

every_data_set = pytest.mark.parametrize("name", datasets.REAL)


@every_data_set
def test_values_and_labels_have_the_recorded_checksums(name):
    values, labels = datasets.load(name)
    found = tuple(hashlib.sha256(array.tobytes()).hexdigest()
                  for array in (values.astype("<f8"), labels.astype("<i8")))
    assert found == CHECKSUMS[name]


@every_data_set
def test_values_and_labels_equal_those_of_scikit_learn(name):
    published = getattr(pytest.importorskip("sklearn.datasets"), f"load_{name}")()
    values, labels = datasets.load(name)
    np.testing.assert_array_equal(values, published.data)
    np.testing.assert_array_equal(labels, published.target)


@every_data_set
def test_the_table_says_what_the_file_holds(name):
    values, labels = datasets.load(name)
    known = datasets.REAL[name]
    assert values.shape == (known.rows, known.columns)
    assert np.bincount(labels).tolist() == CLASS_COUNTS[name]
    assert known.classes == len(CLASS_COUNTS[name])
    assert known.varying == len(datasets.varying_columns(name))
    assert len(set(datasets.feature_names(name))) == known.columns


@every_data_set
def test_loaded_arrays_are_shared_and_cannot_be_changed(name):
    for array in datasets.load(name):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert datasets.load(name)[0] is datasets.load(name)[0]


@every_data_set
def test_scaled_columns_are_the_varying_ones_divided_by_their_maximum(name):
    inputs = datasets.scaled(name, datasets.REAL[name].varying)
    assert inputs.min() >= 0
    np.testing.assert_array_equal(inputs.max(axis=0), 1)
    assert np.all(inputs.min(axis=0) < 1)
    raw = datasets.load(name)[0][:, list(datasets.varying_columns(name))]
    np.testing.assert_allclose(inputs * raw.max(axis=0), raw, rtol=1e-15)


@every_data_set
def test_fewer_dimensions_are_the_first_columns(name):
    everything = datasets.scaled(name, datasets.REAL[name].varying)
    np.testing.assert_array_equal(datasets.scaled(name, 3), everything[:, :3])


def test_digits_leave_out_the_three_pixels_that_are_always_empty():
    names = datasets.feature_names("digits")
    left_out = [names[column] for column in range(64) if column not in datasets.varying_columns("digits")]
    assert left_out == ["pixel 0,0", "pixel 4,0", "pixel 4,7"]


@pytest.mark.parametrize("dimensions", [0, 62])
def test_dimensions_that_the_data_do_not_have_are_refused(dimensions):
    with pytest.raises(ValueError, match=rf"^dimensions={dimensions}: must lie in \[1, 61\]"):
        datasets.scaled("digits", dimensions)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="^inputs='iris': must be one of digits, breast_cancer, wine$"):
        datasets.load("iris")
