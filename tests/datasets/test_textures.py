"""Photographs of textures: splits share no pixel, and a defect lies where its mask says and nowhere else."""

import numpy as np
import pytest
from skimage import data as photographs

from anogan_lib import datasets
from anogan_lib.datasets import images
from anogan_lib.evaluation import baselines
from anogan_lib.evaluation.metrics import auroc


@pytest.fixture(scope="module")
def brick():
    return datasets.load("textures:brick")


def find(photograph, image, outside):
    """Find the window (64, 64) of a photograph that equals an image, or its mirror image, wherever `outside` holds."""
    views = np.lib.stride_tricks.sliding_window_view(photograph, (64, 64))
    for step in (1, -1):
        candidate, where = image[:, ::step], outside[:, ::step]
        probes = np.argwhere(where)[:: where.sum() // 8]
        fits = np.all([views[:, :, i, j] == candidate[i, j] for i, j in probes], axis=0)
        for row, column in np.argwhere(fits):
            if np.array_equal(views[row, column][where], candidate[where]):
                return row, column, views[row, column][:, ::step]
    raise AssertionError("this image is not of this photograph")


def covered(photograph, split):
    """(H, W) bool: the pixels of the photograph that a split's images show."""
    shown = np.zeros(photograph.shape, bool)
    for window in images.to_uint8(split.images[..., 0]):
        row, column, _ = find(photograph, window, np.ones((64, 64), bool))
        shown[row : row + 64, column : column + 64] = True
    return shown


@pytest.mark.parametrize("seed", [0, 3])
def test_no_two_splits_share_a_pixel(seed):
    photograph = photographs.brick()
    data = datasets.load("textures:brick", seed=seed)
    assert [len(split) for split in (data.train, data.validation, data.calibration)] == [700, 100, 200]
    good = data.test[data.test.labels == 0]
    shown = [covered(photograph, split) for split in (data.train[:150], data.validation, data.calibration, good)]
    assert np.sum(shown, axis=0).max() == 1
    assert all(part.mean() > 0.1 for part in shown)


def test_each_kind_of_defect_has_its_exact_mask(brick):
    counts = dict(zip(*np.unique(brick.test.kinds, return_counts=True), strict=True))
    assert counts == {"good": 60, "foreign": 30, "scratch": 30, "blot": 30}
    assert not brick.test.masks[brick.test.labels == 0].any()
    for kind in ("foreign", "scratch", "blot"):
        for i in np.flatnonzero(brick.test.kinds == kind)[:10]:
            image, mask = images.to_uint8(brick.test.images[i, ..., 0]), brick.test.masks[i]
            row, _, window = find(photographs.brick(), image, ~mask)  # outside the mask it is the photograph itself
            assert 304 <= row <= 400 - 64
            assert 15 < mask.sum() < 700 and (image != window)[mask].mean() > 0.8


def test_the_seed_makes_the_images():
    one, again, other = (datasets.load("textures:gravel", seed=seed) for seed in (5, 5, 6))
    for name in ("train", "test"):
        assert np.array_equal(getattr(one, name).images, getattr(again, name).images)
        assert not np.array_equal(getattr(one, name).images, getattr(other, name).images)
    assert np.array_equal(one.test.masks, again.test.masks)
    everything = np.concatenate([split.images for split in (one.train, one.validation, one.calibration, one.test)])
    assert len(np.unique(everything.reshape(len(everything), -1), axis=0)) == 1150  # none twice


def test_a_size_resizes_what_is_shown(brick):
    small = datasets.load("textures:brick", size=32)
    assert small.image_shape == (32, 32, 1) and small.test.masks.shape == (150, 32, 32)
    means = brick.train.images.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
    assert np.abs(small.train.images[..., 0] - means).mean() < 0.03
    covered = brick.test.masks.reshape(-1, 32, 2, 32, 2).any(axis=(2, 4))
    assert np.array_equal(small.test.masks, covered)  # a quarter of a pixel is more than an eighth
    assert datasets.load("textures:brick", size=(24, 48)).image_shape == (24, 48, 1)


def test_the_task_is_neither_trivial_nor_hopeless(brick):
    train, test = brick.train.images, brick.test
    assert 0.6 < auroc(test.labels, baselines.knn_scores(train, test.images)) < 0.8
    ((_, scores, _),) = baselines.pca_residuals(train, test.images, (160,))
    assert 0.8 < auroc(test.labels, scores) < 0.95


def test_what_is_written_loads_as_the_same_splits(brick, tmp_path):
    datasets.write(brick, tmp_path / "brick")
    again = datasets.load(tmp_path / "brick", groups="")  # some windows overlap
    for name in ("train", "validation", "calibration"):
        assert np.array_equal(getattr(brick, name).images, getattr(again, name).images)
    assert again.test.masks.sum() == brick.test.masks.sum()


def test_an_unknown_texture_is_refused():
    with pytest.raises(ValueError, match=r"The textures are brick, gravel, grass\. Received: 'sand'"):
        datasets.load("textures:sand")
    with pytest.raises(ValueError, match=r"Did you mean textures:brick\?"):
        datasets.load("texture")
