"""The formulas, against plain NumPy loops."""

import numpy as np
import pytest

from anogan_lib import scoring


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (3, 5, 4, 2)).astype("float32"), rng.uniform(-1, 1, (3, 5, 4, 2)).astype("float32")


def test_losses_are_sums_over_each_image(pair):
    x, y = pair
    for i in range(3):
        total = sum(abs(float(a) - float(b)) for a, b in zip(x[i].ravel(), y[i].ravel(), strict=True))
        assert float(scoring.residual_loss(x, y)[i]) == pytest.approx(total, rel=1e-5)
        assert float(scoring.discrimination_loss(x, y)[i]) == pytest.approx(total, rel=1e-5)


def test_local_map_is_the_root_mean_square_around_each_pixel_without_contrast(pair):
    x, y = pair
    found = scoring.local_map(x, y)
    assert found.shape == (3, 5, 4)
    np.testing.assert_allclose(scoring.local_map(0.5 * x + 0.2, 0.3 * y - 0.1), found, rtol=1e-3)
    checks = np.indices((64, 64)).sum(axis=0)[None, ..., None] % 2 * 2.0 - 1.0  # mean 0, standard deviation 1
    spot = checks.copy()
    spot[0, 20, 30] *= -1
    found = scoring.local_map(spot, checks)[0]
    assert np.unravel_index(found.argmax(), found.shape) == (20, 30)
    assert (found**2).sum() == pytest.approx(4.0, rel=0.01)  # smoothing spreads, and loses nothing


def test_top_mean_looks_at_the_highest_values_alone():
    maps = np.random.default_rng(0).uniform(size=(4, 10, 10))
    expected = [sorted(each.ravel())[-5:] for each in maps]
    np.testing.assert_allclose(scoring.top_mean(maps, 5), np.mean(expected, axis=1))
    np.testing.assert_allclose(scoring.top_mean(maps, 1), maps.max(axis=(1, 2)))


def test_best_score_sees_neither_brightness_nor_contrast_nor_the_size_of_features(pair):
    x, y = pair
    found = scoring.local_losses(x, y, (x, x), (y, y))
    again = scoring.local_losses(0.5 * x + 0.2, 0.3 * y - 0.1, (7 * x, 3 * x), (7 * y, 3 * y))
    for name in scoring.LOSSES["best"]:
        np.testing.assert_allclose(found[name], again[name], rtol=1e-3)


def test_best_score_sees_a_small_defect_as_it_sees_it_among_few_pixels():
    rng = np.random.default_rng(3)
    y = np.repeat(rng.uniform(-0.5, 0.5, (1, 32, 32, 1)), 2, axis=0).astype("float32")
    x = np.clip(y + 0.02 * rng.standard_normal(y.shape), -1, 1).astype("float32")
    x[1, 10:14, 20:24] = 1.0  # 16 of 1,024 pixels
    found = scoring.local_losses(x, y, (x, x[:, ::4, ::4]), (y, y[:, ::4, ::4]))
    summed = np.asarray(scoring.residual_loss(x, y))
    assert found["local_residual"][1] / found["local_residual"][0] > 2 * summed[1] / summed[0]


def test_lambda_weighs_discrimination():
    assert scoring.anomaly_score(10.0, 2.0, 0.0) == 10
    assert scoring.anomaly_score(10.0, 2.0, 1.0) == 2
    assert scoring.anomaly_score(10.0, 2.0, 0.25) == 8


def test_maps_average_over_channels(pair):
    x, y = pair
    signed = np.asarray(scoring.residual_map(x, y, signed=True))
    assert signed.shape == (3, 5, 4)
    np.testing.assert_allclose(signed, (x - y).mean(axis=3), atol=1e-6)
    assert (np.asarray(scoring.residual_map(x, y)) >= np.abs(signed) - 1e-6).all()


def test_standardised_normal_images_have_mean_0_and_spread_1():
    losses = {"residual": np.random.default_rng(0).gamma(3, 20, 50)}
    standardised = scoring.Standardisation.of(losses)("residual", losses["residual"])
    assert standardised.mean() == pytest.approx(0, abs=1e-9)
    assert standardised.std() == pytest.approx(1)


@pytest.mark.parametrize("score", scoring.SCORES)
def test_lambda_keeps_its_meaning_in_every_score(score):
    rng = np.random.default_rng(1)
    losses = {name: rng.gamma(2, 5, 20) for name in ("residual", "discrimination", *scoring.LOSSES["best"])}
    spreads = scoring.Standardisation.of(losses)
    at = {lam: scoring.combine(losses, lam, score, spreads) for lam in (0.0, 0.3, 1.0)}
    np.testing.assert_allclose(at[0.3], 0.7 * at[0.0] + 0.3 * at[1.0])
    discriminations = [losses[name] for name in scoring.LOSSES[score][1:]]
    if score != "paper":
        discriminations = [(each - each.mean()) / each.std() for each in discriminations]
    np.testing.assert_allclose(at[1.0], np.mean(discriminations, axis=0))


def test_what_is_refused_says_what_is_right():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        scoring.check_lam(1.5)
    with pytest.raises(ValueError, match="paper, standardised, best"):
        scoring.check_score("raw")
    with pytest.raises(ValueError, match="standardise"):
        scoring.combine({"residual": 0, "discrimination": 0}, 0.5, "standardised", None)
