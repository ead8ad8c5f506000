"""The rendered hazelnuts: as five real photographs are, not easy, exact, and the same everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from anogan_lib import datasets
from anogan_lib.datasets import hazelnut, images
from anogan_lib.evaluation import baselines

LUMINANCE = np.array([0.299, 0.587, 0.114])
# `figures` of five photographs of MVTec AD's hazelnuts, shrunk to 64x64: mean red, green and blue of the nut,
# contrast, slope of the spectrum.
REAL = np.array(
    [
        [117.24, 70.28, 58.95, 16.39, -2.88],
        [103.82, 64.76, 53.35, 14.90, -2.60],
        [118.77, 73.32, 60.31, 17.56, -2.21],
        [116.34, 77.67, 63.34, 29.46, -2.72],
        [122.73, 79.16, 66.83, 36.78, -2.23],
    ]
)


def find_nut(image):
    """(H, W) bool: the largest part that is brownish or bright, holes filled."""
    image = np.asarray(image, float)
    part, _ = ndimage.label((image[..., 0] - image[..., 2] > 12) | (image @ LUMINANCE > 70))
    nut = part == np.argmax(np.bincount(part.ravel())[1:]) + 1
    nut = ndimage.binary_closing(np.pad(nut, 4), iterations=2)
    return ndimage.binary_fill_holes(nut)[4:-4, 4:-4]


def figures(image):
    """Mean colour of the nut, deviation of its luminance, slope of the image's log-log power spectrum."""
    image = np.asarray(image, float)  # (64, 64, 3)
    nut, luminance = find_nut(image), image @ LUMINANCE
    window = np.outer(np.hanning(64), np.hanning(64))
    power = np.abs(np.fft.fft2((luminance - luminance.mean()) * window)) ** 2
    frequency = np.fft.fftfreq(64) * 64
    ring = np.rint(np.hypot(*np.meshgrid(frequency, frequency))).astype(int)
    radial = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    k = np.arange(2, 29)
    slope = np.polyfit(np.log(k), np.log(radial[k]), 1)[0]
    return np.array([*image[nut].mean(axis=0), luminance[nut].std(), slope])


@pytest.fixture(scope="module")
def shipped():
    return datasets.load("hazelnut")


@pytest.fixture(scope="module")
def good(shipped):
    """All 391 good training images, (391, 64, 64, 3) in [-1, 1]."""
    return np.concatenate([shipped.train.images, shipped.validation.images, shipped.calibration.images])


def test_shipped_set_has_the_proportions_of_mvtec(shipped, good):
    kinds, counts = np.unique(shipped.test.kinds, return_counts=True)
    assert len(good) == 391 and shipped.image_shape == (64, 64, 3)
    assert dict(zip(kinds, counts, strict=True)) == {
        "good": 40,
        "crack": 18,
        "cut": 17,
        "hole": 18,
        "print": 17,
    }
    assert len(list(hazelnut.SHIPPED.rglob("*.png"))) == 391 + 110 + 70
    assert sum(path.stat().st_size for path in hazelnut.SHIPPED.rglob("*.png")) < 8e6


def test_shipped_files_are_what_the_renderer_gives():
    plan = hazelnut.renderer().dataset_plan()
    assert len(plan) == len({seed for *_, seed in plan}) == 501
    for split, kind, name, seed in [*plan[:391:40], *plan[391:431:10], *plan[431::6]]:
        image, mask = hazelnut.render(seed, 64, kind)
        file = np.asarray(Image.open(hazelnut.SHIPPED / split / kind / name)).astype(int)
        assert np.abs(file - image).max() <= 1  # the last bit of an exponential may differ between processors
        if kind != "good":
            path = hazelnut.SHIPPED / "ground_truth" / kind / name.replace(".png", "_mask.png")
            assert np.array_equal(np.asarray(Image.open(path)) > 0, mask)


def test_good_nuts_are_within_the_range_of_the_real_ones(good):
    examples = Path(os.environ.get("ANOGAN_DATA", "")) / "hazelnut_examples"
    if "ANOGAN_DATA" in os.environ and examples.is_dir():
        real = [Image.open(path).convert("RGB").resize((64, 64), Image.BOX) for path in sorted(examples.glob("*.png"))]
        np.testing.assert_allclose([figures(image) for image in real], REAL, atol=0.006)
    low, high = REAL.min(axis=0), REAL.max(axis=0)
    nuts = np.array([figures(image) for image in images.to_uint8(good)])  # (391, 5)
    mean = nuts.mean(axis=0)
    assert np.all((low <= mean) & (mean <= high)), mean
    leeway = np.array([15, 10, 8, 3, 0.4])
    assert np.all(((low - leeway <= nuts) & (nuts <= high + leeway)).mean(axis=0) >= 0.85)


def test_shipped_set_is_not_easy(shipped, good):
    test, labels = shipped.test.images, shipped.test.labels
    assert roc_auc_score(labels, baselines.knn_scores(good, test, k=3)) <= 0.80
    assert roc_auc_score(labels, next(baselines.pca_residuals(good, test, [100]))[1]) <= 0.85
    for statistic in (np.mean, np.std, np.max):
        auroc = roc_auc_score(labels, statistic(test, axis=(1, 2, 3)))
        assert max(auroc, 1 - auroc) <= 0.65, statistic


def test_defects_are_of_the_wanted_size_on_the_nut_and_visible(shipped):
    plan = {f"{split}/{kind}/{name}": (kind, seed) for split, kind, name, seed in hazelnut.renderer().dataset_plan()}
    areas = []
    for i in np.flatnonzero(shipped.test.labels):
        kind, seed = plan[shipped.test.names[i]]
        mask, image = shipped.test.masks[i], images.to_uint8(shipped.test.images[i]).astype(int)
        without, no_mask = hazelnut.render(seed, 64, "good")
        assert not no_mask.any()
        assert not (mask & ~ndimage.binary_dilation(find_nut(without))).any()
        change = np.abs(image - without).max(axis=2)
        assert change[~mask].max() <= 17  # 16 and rounding: the mask leaves out nothing that shows
        assert change[mask].mean() > 30, kind
        areas.append(mask.mean())
    assert 0.01 <= np.median(areas) <= 0.03 and min(areas) >= 0.003 and max(areas) <= 0.05
    assert not shipped.test.masks[shipped.test.labels == 0].any()


@pytest.mark.parametrize("kind", ["good", "crack", "cut", "hole", "print"])
def test_a_seed_gives_one_nut_at_every_size(kind):
    image, mask = hazelnut.render(7, 64, kind)
    again, mask_again = hazelnut.render((7,), 64, kind)
    assert np.array_equal(image, again) and np.array_equal(mask, mask_again)
    assert not np.array_equal(image, hazelnut.render(8, 64, kind)[0])
    large, large_mask = hazelnut.render(7, 128, kind)
    halved = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - image).mean() < 1.5 and np.corrcoef(halved.ravel(), image.ravel())[0, 1] > 0.995
    assert abs(large_mask.mean() - mask.mean()) <= 0.25 * mask.mean()
    wide, wide_mask = hazelnut.render(7, (64, 96), kind)
    assert wide.shape == (64, 96, 3) and wide_mask.sum() == mask.sum()


def test_the_set_at_another_size_is_laid_out_as_the_shipped_one(shipped):
    small = datasets.load("hazelnut", size=(16, 20))
    assert small.image_shape == (16, 20, 3) and small.test.masks.shape == (110, 16, 20)
    for name in ("train", "validation", "calibration", "test"):
        ours, theirs = getattr(small, name), getattr(shipped, name)
        assert np.array_equal(ours.names, theirs.names) and np.array_equal(ours.labels, theirs.labels)
        bright = ours.images.mean(axis=(1, 2, 3)), theirs.images.mean(axis=(1, 2, 3))
        assert np.corrcoef(*bright)[0, 1] > 0.9  # and they are the same nuts


def test_the_renderer_is_a_script_that_writes_folders(tmp_path, monkeypatch):
    script = hazelnut.renderer()
    plan = script.dataset_plan(seed=3)
    monkeypatch.setattr(script, "dataset_plan", lambda seed: [*plan[:12], *plan[391:393], *plan[431:433]])
    script.main([str(tmp_path / "nuts"), "--size", "16", "--seed", "3"])
    data = datasets.load(tmp_path / "nuts")
    assert len(data.train) + len(data.validation) + len(data.calibration) == 12
    assert data.test.kinds.tolist() == ["crack", "crack", "good", "good"]
    image, mask = hazelnut.render(plan[431][3], 16, "crack")
    assert np.array_equal(images.to_uint8(data.test.images[0]), image)
    assert np.array_equal(data.test.masks[0], mask)
    with pytest.raises(SystemExit):  # never over images that are there
        script.main([str(tmp_path / "nuts")])


def test_the_renderer_runs_by_itself(tmp_path):
    """From any folder, without the library."""
    command = [sys.executable, "-I", str(hazelnut.SHIPPED / "render.py"), "--help"]
    said = subprocess.check_output(command, cwd=tmp_path, text=True)
    assert "--size" in said and "--seed" in said
    assert "anogan_lib" not in (hazelnut.SHIPPED / "render.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("given", "words"), [({"kind": "dent"}, "crack, cut, hole"), ({"size": 4}, "8 pixels")])
def test_wrong_requests_are_named(given, words):
    with pytest.raises(ValueError, match=words):
        hazelnut.render(0, **given)
