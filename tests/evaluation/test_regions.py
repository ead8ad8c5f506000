"""Regions of a map and their outlines, against a second way; the pixel threshold's promise."""

import numpy as np
import pytest

from anogan_lib.evaluation import thresholds
from anogan_lib.evaluation.regions import check_region, outline, regions


def flood(mask: np.ndarray) -> list[set]:
    """The 8-connected parts of a mask as sets of (row, column), by walking from pixel to pixel."""
    left, parts = set(zip(*np.nonzero(mask), strict=True)), []
    while left:
        part, edge = set(), {left.pop()}
        while edge:
            part |= edge
            edge = {(r + i, c + j) for r, c in edge for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= edge
        parts.append(part)
    return parts


@pytest.mark.parametrize("seed", range(5))
def test_regions_are_the_connected_parts_above_the_threshold(seed):
    map = np.random.default_rng(seed).random((17, 23))
    found, parts = regions(map, 0.8), flood(map > 0.8)
    assert {frozenset(zip(*np.nonzero(mask), strict=True)) for mask in found} == {frozenset(p) for p in parts}
    assert len(found) == len(parts)
    assert len(regions(map, 0.8, least_pixels=3)) == sum(len(part) >= 3 for part in parts)


def test_the_outline_runs_between_true_and_false_pixels():
    mask = np.zeros((6, 7), bool)
    mask[2:4, 3:6] = True
    segments = outline(mask)
    assert segments.shape == (10, 2, 2)  # 3 + 3 + 2 + 2 pixel sides
    np.testing.assert_array_equal(segments.min(axis=(0, 1)), [2.5, 1.5])
    np.testing.assert_array_equal(segments.max(axis=(0, 1)), [5.5, 3.5])
    assert outline(np.ones((3, 4), bool)).shape == (14, 2, 2)  # the image's own border closes it
    assert outline(np.zeros((3, 4), bool)).shape == (0, 2, 2)


def test_outlines_close():
    """Every corner is met an even number of times, so that an outline can be drawn as loops."""
    mask = np.random.default_rng(0).random((9, 9)) > 0.5
    corners = outline(mask).reshape(-1, 2)
    assert (np.unique(corners, axis=0, return_counts=True)[1] % 2 == 0).all()


def test_the_pixel_threshold_keeps_its_promise():
    """The share of new normal maps that show any region, over many calibrations, is at most what was asked."""
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(200):
        calibration, new = rng.gamma(2, size=(99, 8, 8)), rng.gamma(2, size=(20, 8, 8))
        threshold = thresholds.conformal(calibration.max(axis=(1, 2)), 0.1)
        rates.append(np.mean([bool(regions(map, threshold)) for map in new]))
    error = np.std(rates) / np.sqrt(len(rates))
    assert abs(np.mean(rates) - 0.1) < 3 * error


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"one map .* \(2, 4, 4\)"):
        regions(np.zeros((2, 4, 4)), 0.5)
    with pytest.raises(ValueError, match="least_pixels"):
        regions(np.zeros((4, 4)), 0.5, least_pixels=0)
    for wrong in (np.ones((4, 5), bool), np.ones((4, 4)), np.zeros((4, 4), bool)):
        with pytest.raises(ValueError, match="region of interest"):
            check_region(wrong, (4, 4, 3))
