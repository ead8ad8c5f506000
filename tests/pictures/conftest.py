"""Arrays that several tests of this folder draw."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def images(rng):
    return rng.uniform(-1, 1, (12, 16, 20, 3)).astype("float32")


@pytest.fixture
def maps(rng):
    return rng.random((12, 16, 20)) * 0.4


@pytest.fixture
def masks():
    masks = np.zeros((12, 16, 20), bool)
    masks[:, 4:7, 10:15] = True
    return masks


@pytest.fixture
def scored(rng):
    labels = np.repeat([0, 1], [30, 50])
    return rng.normal(labels * 1.5), labels
