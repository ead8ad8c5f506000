"""The score objects, against plain NumPy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from anogan_lib import scores
from anogan_lib.scores import local


def test_local_map_is_the_mean_absolute_difference_around_each_pixel_without_contrast(pair):
    x, y = pair
    found = np.asarray(scores.Local().maps(x, y))
    assert found.shape == (3, 5, 4)
    np.testing.assert_allclose(scores.Local().maps(0.5 * x + 0.2, 0.3 * y - 0.1), found, rtol=1e-3)
    checks = np.indices((64, 64)).sum(axis=0)[None, ..., None] % 2 * 2.0 - 1.0  # mean 0, standard deviation 1
    spot = checks.astype("float32")
    spot[0, 20, 30] *= -1
    found = np.asarray(scores.Local().maps(spot, checks.astype("float32")))[0]
    assert np.unravel_index(found.argmax(), found.shape) == (20, 30)
    differences = (spot - spot.mean()) / spot.std() - checks
    assert found.sum() == pytest.approx(np.abs(differences).sum(), rel=0.01)  # smoothing spreads, and loses nothing


def test_features_are_averaged_over_cells():
    from skimage.measure import block_reduce

    features = np.random.default_rng(0).normal(size=(2, 32, 16, 3)).astype("float32")
    expected = block_reduce(features, (1, 4, 2, 1), np.mean)
    np.testing.assert_allclose(local.in_cells(features, 8), expected, atol=1e-6)
    np.testing.assert_allclose(local.in_cells(features[:, :5, :7], 8), features[:, :5, :7], atol=1e-6)  # fewer places
    odd = np.asarray(local.in_cells(features[:, :31, :13], 8))  # cells cut through places, and lose nothing
    np.testing.assert_allclose(odd.mean(axis=(1, 2)), features[:, :31, :13].mean(axis=(1, 2)), atol=1e-6)


@pytest.mark.parametrize(("sigma", "truncate"), [(0.5, 4.0), (1.0, 3.0), (2.5, 3.0)])
def test_blur_is_scipys_gaussian(sigma, truncate):
    images = np.random.default_rng(1).uniform(-1, 1, (2, 20, 13, 3)).astype("float32")
    expected = gaussian_filter(images, (0, sigma, sigma, 0), truncate=truncate)
    np.testing.assert_allclose(local.blur(images, sigma, truncate), expected, atol=1e-5)


def test_top_mean_looks_at_the_highest_values_alone():
    maps = np.random.default_rng(0).uniform(size=(4, 10, 10))
    expected = [sorted(each.ravel())[-5:] for each in maps]
    np.testing.assert_allclose(local.top_mean(maps, 5), np.mean(expected, axis=1), rtol=1e-5)
    np.testing.assert_allclose(local.top_mean(maps, 1), maps.max(axis=(1, 2)), rtol=1e-5)


def test_best_score_sees_neither_brightness_nor_contrast_nor_the_size_of_features(pair):
    x, y = pair
    score = scores.Local(blocks=2)
    found = score.losses(x, y, (x, x), (y, y))
    again = score.losses(0.5 * x + 0.2, 0.3 * y - 0.1, (7 * x, 3 * x), (7 * y, 3 * y))
    assert len(score.needs) == 3
    for name in score.needs:
        np.testing.assert_allclose(found[name], again[name], rtol=1e-3)


def test_best_score_sees_a_small_defect_as_it_sees_it_among_few_pixels():
    rng = np.random.default_rng(3)
    y = np.repeat(rng.uniform(-0.5, 0.5, (1, 32, 32, 1)), 2, axis=0).astype("float32")
    x = np.clip(y + 0.02 * rng.standard_normal(y.shape), -1, 1).astype("float32")
    x[1, 10:14, 20:24] = 1.0  # 16 of 1,024 pixels
    found = np.asarray(scores.Local().losses(x, y, (x, x[:, ::4, ::4]), (y, y[:, ::4, ::4]))["local_residual"])
    summed = np.abs(x - y).sum(axis=(1, 2, 3))
    assert found[1] / found[0] > 2 * summed[1] / summed[0]


def test_f_anogan_adds_mean_squares(pair):
    x, y = pair
    score = scores.FAnoGAN()
    losses = score.losses(x, y, [x, 3 * x], [y, 3 * y])  # f is the last of the layers
    a_r, a_d = ((x - y) ** 2).mean(axis=(1, 2, 3)), (9 * (x - y) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(score.combine(losses, score.lam), a_r + a_d, rtol=1e-5)  # kappa = 1
    np.testing.assert_allclose(score.combine(losses, 0.2) / 1.6, a_r + 0.25 * a_d, rtol=1e-5)


def test_standardised_normal_images_have_mean_0_and_spread_1():
    losses = {"residual": np.random.default_rng(0).gamma(3, 20, 50)}
    score = scores.Standardised()
    score.learn(losses)
    standardised = score.standardise("residual", losses["residual"])
    assert standardised.mean() == pytest.approx(0, abs=1e-9)
    assert standardised.std() == pytest.approx(1)
    with pytest.raises(ValueError, match="two normal images"):
        score.learn({"residual": np.ones(1)})


@pytest.mark.parametrize("name", scores.NAMES)
def test_lambda_keeps_its_meaning_in_every_score(name):
    rng = np.random.default_rng(1)
    score = scores.CLASSES[name]()
    losses = {each: rng.gamma(2, 5, 20) for each in score.needs}
    score.learn(losses)
    at = {lam: np.asarray(score.combine(losses, lam)) for lam in (0.0, 0.3, 1.0)}
    np.testing.assert_allclose(at[0.3], 0.7 * at[0.0] + 0.3 * at[1.0])
    if name in ("standardised", "best"):
        discriminations = [(losses[each] - losses[each].mean()) / losses[each].std() for each in score.needs[1:]]
        np.testing.assert_allclose(at[1.0], np.mean(discriminations, axis=0))


@pytest.mark.parametrize("name", ["standardised", "best"])
def test_in_spreads_the_search_weighs_both_losses_alike(name):
    rng = np.random.default_rng(2)
    score = scores.CLASSES[name]()
    assert score.weights(0.3) == (0.7, 0.3) == scores.Paper().weights(0.3)
    losses = {each: rng.gamma(2, 5, 20) for each in {*score.needs, "residual", "discrimination"}}
    score.learn(losses)
    np.testing.assert_allclose(score.weights(0.5), [0.5 / losses[n].std() for n in ("residual", "discrimination")])


def test_what_is_refused_says_what_is_right():
    with pytest.raises(ValueError, match="paper, standardised, f-anogan, best"):
        scores.check_score("raw")
    with pytest.raises(ValueError, match="standardise"):
        scores.Standardised().combine({"residual": 0, "discrimination": 0}, 0.5)
