"""Scores that several tests of this folder judge."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def scored(rng):
    """Scores and labels of a set like hazelnut's, 40 good and 70 bad, with ties."""
    labels = np.repeat([0, 1], [40, 70])
    return np.round(rng.normal(labels * 1.2), 1), labels
