"""Baselines on raw pixels, against plain NumPy."""

import numpy as np
import pytest

from anogan_lib.evaluation import baselines, metrics


@pytest.fixture
def images(rng):
    """Normal images (40, 6, 5, 1) near a plane of two dimensions; 30 to test, the last 10 of them off it."""
    plane = rng.normal(size=(2, 30))
    train, test = (rng.normal(size=(n, 2)) @ plane for n in (40, 30))
    test[20:] += rng.normal(size=(10, 30))
    return train.reshape(40, 6, 5, 1), test.reshape(30, 6, 5, 1)


def test_knn_scores_by_sorting_all_distances(images):
    train, test = images
    far = np.linalg.norm(test.reshape(30, 1, 30) - train.reshape(1, 40, 30), axis=-1)  # (30, 40)
    for k in (1, 3):
        np.testing.assert_allclose(baselines.knn_scores(train, test, k), np.sort(far)[:, :k].mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(baselines.knn_scores(train, test, 100), far.mean(axis=1), rtol=1e-4)


def test_normalised_images_ignore_brightness_and_contrast(images):
    train, test = images
    scores = baselines.knn_scores(train, test, normalise=True)
    np.testing.assert_allclose(baselines.knn_scores(train, 3 * test + 0.5, normalise=True), scores, rtol=1e-3)


def test_pca_residuals_are_what_the_components_leave(images):
    train, test = images
    found = {n: (scores, maps) for n, scores, maps in baselines.pca_residuals(train, test, components=(1, 2, 500))}
    assert list(found) == [1, 2, 29]  # never more than 30 pixels can give
    centred = test.reshape(30, 30) - train.reshape(40, 30).mean(axis=0)
    axes = np.linalg.svd(train.reshape(40, 30) - train.reshape(40, 30).mean(axis=0))[2][:2]  # (2, 30)
    left = centred - centred @ axes.T @ axes
    np.testing.assert_allclose(found[2][0], (left**2).sum(axis=1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[2][1], np.abs(left).reshape(30, 6, 5), atol=1e-4)
    assert found[2][0][:20].max() < 1e-3 < found[2][0][20:].min()


def test_compare_gives_an_auroc_by_name(images):
    train, test = images
    labels = np.repeat([0, 1], [20, 10])
    found = baselines.compare(train, test, labels)
    assert list(found) == ["3-NN", "PCA", "3-NN, unit norm", "PCA, unit norm"]
    assert found["3-NN"] == metrics.auroc(labels, baselines.knn_scores(train, test))
    assert baselines.compare(train, test, np.zeros(30, int)) == {}


def test_pixels_are_compared_with_smoothed_maps_and_known_masks_alone(images):
    train, test = images
    labels, masks = np.repeat([0, 1], [20, 10]), np.zeros((30, 6, 5), bool)
    masks[20:25, 1:3, 2:4] = True  # of the other five anomalous images nobody knows where
    found = baselines.compare_pixels(train, test, labels, masks)
    known = np.arange(30) < 25
    for name, normalise in (("PCA", False), ("PCA, unit norm", True)):
        residuals = list(baselines.pca_residuals(train, test, normalise=normalise))
        wanted = [metrics.pixel_auroc(baselines.smoothed(maps)[known], masks[known]) for _, _, maps in residuals]
        assert found[name] == max(wanted)
    assert baselines.compare_pixels(train, test, labels, None) == {}
    assert baselines.compare_pixels(train, test, labels, np.zeros_like(masks)) == {}


def test_smoothing_is_a_gaussian_and_keeps_what_there_is():
    maps = np.zeros((1, 64, 96), "float32")
    maps[0, 32, 48] = 1
    smooth = baselines.smoothed(maps)
    assert smooth.sum() == pytest.approx(1, abs=1e-5)
    assert smooth[0, 32, 50] / smooth[0, 32, 48] == pytest.approx(np.exp(-0.5), rel=1e-3)  # sigma is two pixels
