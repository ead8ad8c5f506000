"""Find where the anomaly is: connected regions of an anomaly map above a pixel threshold, and their outlines."""

import math

import numpy as np

from anogan_lib.checks import real, whole


def regions(map: np.ndarray, threshold: float, least_pixels: int = 1) -> list[np.ndarray]:
    """Find the connected regions of a map above a threshold: a mask for each, (H, W) bool, True in it.

    With `threshold=detector.pixel_threshold`, at most the share of new normal images that was asked for shows any
    region; a larger `least_pixels` only lowers that share.

    Args:
        map: (H, W), higher is more anomalous.
        threshold: a pixel is part of a region when its value > threshold; in the unit of the map.
        least_pixels: smaller regions are left out. Pixels that touch at a corner are of one region.
    """
    from scipy.ndimage import label

    map = np.asarray(map)
    if map.ndim != 2:
        raise ValueError(f"regions takes one map (H, W): regions(prediction.maps[i], ...). Received: {map.shape}.")
    whole("least_pixels", least_pixels, 1)
    threshold = real("threshold", threshold, -math.inf)
    numbers, count = label(map > threshold, structure=np.ones((3, 3)))  # (H, W): 0 outside, 1, 2, ...
    found = [numbers == i for i in range(1, count + 1)]
    return [mask for mask in found if mask.sum() >= least_pixels]


def outline(mask: np.ndarray) -> np.ndarray:
    """Find the border between True and False pixels of (H, W): segments (K, 2, 2), start and end, each (x, y).

    Pixel centres lie at whole numbers, as in matplotlib's imshow, so segments end at halves.
    """
    padded, segments = np.pad(np.asarray(mask, bool), 1), []
    for axis, step in ((0, (1, 0)), (1, (0, 1))):
        y, x = np.nonzero(np.diff(padded, axis=axis))  # True and False side by side along this axis
        end = np.stack([x, y], axis=-1) - 0.5
        segments.append(np.stack([end - step, end], axis=1))
    return np.concatenate(segments)


def check_region(region: np.ndarray, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Return a region of interest, (H, W) bool. Raises ValueError unless it fits and is True somewhere."""
    array = np.asarray(region)
    if array.shape != tuple(image_shape[:2]) or array.dtype != bool or not array.any():
        raise ValueError(
            f"A region of interest is a bool array of the images' size {tuple(image_shape[:2])}, True somewhere. "
            f"Received: {array.dtype} of shape {array.shape}, {np.count_nonzero(array)} pixels not 0."
        )
    return array
