"""The formulas, against plain NumPy loops."""

import numpy as np
import pytest

from anogan_lib.paper import score


def test_losses_are_sums_over_each_image(pair):
    x, y = pair
    for i in range(3):
        total = sum(abs(float(a) - float(b)) for a, b in zip(x[i].ravel(), y[i].ravel(), strict=True))
        assert float(score.residual_loss(x, y)[i]) == pytest.approx(total, rel=1e-5)
        assert float(score.discrimination_loss(x, y)[i]) == pytest.approx(total, rel=1e-5)


def test_lambda_weighs_discrimination():
    assert score.anomaly_score(10.0, 2.0, 0.0) == 10
    assert score.anomaly_score(10.0, 2.0, 1.0) == 2
    assert score.anomaly_score(10.0, 2.0, 0.25) == 8


def test_maps_average_over_channels(pair):
    x, y = pair
    signed = np.asarray(score.residual_map(x, y, signed=True))
    assert signed.shape == (3, 5, 4)
    np.testing.assert_allclose(signed, (x - y).mean(axis=3), atol=1e-6)
    assert (np.asarray(score.residual_map(x, y)) >= np.abs(signed) - 1e-6).all()


def test_lambda_lies_between_0_and_1():
    with pytest.raises(ValueError, match="lambda is a number from 0 to 1"):
        score.check_lam(1.5)
    assert score.check_lam(1) == 1.0
