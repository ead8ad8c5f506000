"""The benchmark of what is left over: its shares on images of which the answer is known, and what it has kept."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks import leftover, training


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def waves(rng):
    """Images (60, 32, 32, 1): two waves, of 3 and of 10 cycles, each with its own height."""
    across = np.arange(32) / 32
    slow, fast = np.sin(2 * np.pi * 3 * across), np.sin(2 * np.pi * 10 * across)
    heights = rng.normal(size=(60, 2))
    return (heights[:, :1] * slow + heights[:, 1:] * fast)[:, None, :, None] * np.ones((1, 32, 1, 1)), slow, heights


def test_shares_by_frequency_are_those_of_the_waves_that_are_missing(waves):
    images, slow, heights = waves
    by_slow = heights[:, 0, None, None, None] * slow[:, None] * np.ones((1, 32, 1, 1))
    told = leftover.where(np.zeros((32, 32, 1)), images, by_slow)
    low, high = (np.square(heights[:, i]).sum() for i in range(2))
    assert leftover.share(np.zeros((32, 32, 1)), images, by_slow) == pytest.approx(high / (low + high))
    assert told["by_frequency"][1] == pytest.approx(0, abs=1e-9)  # 2 to 4 cycles
    assert told["by_frequency"][3] == pytest.approx(1)  # 8 to 16


def test_pca_leaves_nothing_of_what_lies_in_its_components(waves):
    images = waves[0]
    mean = images.mean(axis=0)
    assert leftover.share(mean, images, leftover.pca(images, images, 2)) == pytest.approx(0, abs=1e-9)
    assert 0.1 < leftover.share(mean, images, leftover.pca(images, images, 1)) < 0.9


def test_the_sheet_has_64_images_of_each(tmp_path, rng):
    train, samples = rng.uniform(-1, 1, (70, 8, 12, 3)), np.ones((64, 8, 12, 3))
    leftover.sheet(train.astype("float32"), samples.astype("float32"), tmp_path / "new" / "sheet.png")
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (64, 2 * 96 + 16, 3) and (pixels[:, 96:] == 255).all() and pixels[:, :96].std() > 50


def test_figure_and_tables_are_those_of_the_kept_figures():
    kept = json.loads(leftover.KEPT.read_text())
    assert list(kept) == list(leftover.SETS)
    with Image.open(leftover.FIGURE) as figure:
        assert figure.text["Comment"] == training.digest(kept)
    for told in kept.values():
        for left in told["left"].values():
            assert 0 < left["trained on"] < 1.1 * left["new"] < 1.5
        assert told["pca_by_training_images"][str(told["training_images"])] == left["new"]
        assert all(0.3 < image <= 1 for image, _ in told["steps"].values())
