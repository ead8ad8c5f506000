"""Many images at once: the lanes that a processor computes alike."""

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN
from anogan_lib.fast.lanes import Lanes

SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def detector():
    return AnoGAN(DCGAN(SHAPE, latent_dim=6, width=8, seed=1), steps=3)


def test_lanes_are_computed_alike(detector):
    lanes = detector.ways.lanes["random"]
    assert isinstance(lanes, Lanes) and 1 <= lanes.lanes <= 8


def test_several_starts_of_one_image_share_the_lanes(detector, monkeypatch):
    images = np.random.default_rng(0).uniform(-1, 1, (9, *SHAPE)).astype("float32")
    lanes = detector.ways.lanes["random"]
    groups, descend, count = [], lanes.search.descend, lanes.lanes
    expected = detector.invert(images, restarts=count + 1).scores()
    monkeypatch.setattr(lanes.search, "descend", lambda *args: groups.append(len(args[0])) or descend(*args))
    found = detector.invert(images[:1], restarts=count + 1).scores()
    np.testing.assert_allclose(found, expected[:1], rtol=1e-4)
    assert groups == [count, count] and count > 1


def test_an_encoder_alone_fills_no_lanes(detector, monkeypatch):
    """One look magnifies no rounding, so a whole batch may be looked at together."""
    detector.fit_encoder(np.zeros((32, *SHAPE), "float32"), epochs=1, verbose=False)
    monkeypatch.setattr(Lanes, "_in_groups", lambda *_: pytest.fail("lanes were filled"))
    assert detector.invert(np.zeros((5, *SHAPE), "float32"), init="encoder").z.shape == (5, 6)
