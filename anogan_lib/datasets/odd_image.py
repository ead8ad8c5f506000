"""An odd image: neither a normal image of a data set nor one of its anomalies, but a drawn face or a nut of steel."""

import numpy as np

_SUPERSAMPLING = 4


def draw(image_shape: tuple[int, int, int]) -> tuple[str, np.ndarray]:
    """Draw an odd image of shape (H, W, C), the same each time; return its name and its pixels.

    Grey images (C = 1) get a "drawn face", colour images (C = 3) a "steel nut", which is a nut, but no hazelnut.
    """
    if len(image_shape) != 3 or image_shape[-1] not in (1, 3):
        raise ValueError(f"draw takes the shape (H, W, 1) or (H, W, 3) of an image. Received: {tuple(image_shape)}.")
    height, width, channels = image_shape
    n = _SUPERSAMPLING
    y, x = ((2 * np.arange(n * side) + 1 - n * side) / (n * min(height, width)) for side in (height, width))
    name, fine = ("drawn face", _face) if channels == 1 else ("steel nut", _steel_nut)
    light = fine(*np.meshgrid(x, y))  # (n H, n W, C) in [0, 1]; 1 on the axes is half the smaller side
    light = light.reshape(height, n, width, n, channels).mean(axis=(1, 3))
    return name, (2 * light - 1).astype("float32")


def _face(x, y):
    r = np.hypot(x, y)
    eyes = np.hypot(np.abs(x) - 0.28, y + 0.22) < 0.11
    mouth = (np.abs(r - 0.43) < 0.07) & (y > 0.12)
    return ((np.abs(r - 0.78) < 0.08) | eyes | mouth)[..., None].astype(float)


def _steel_nut(x, y):
    r = np.hypot(x, y)
    angles = np.radians([10, 70, 130])
    across = np.max([np.abs(x * np.cos(a) + y * np.sin(a)) for a in angles], axis=0)  # a hexagon's distance
    steel = np.where(r < 0.56, 0.72, 0.5) - 0.16 * (x + y) - 0.12 * (np.abs(r - 0.34) < 0.05)
    grey = np.where((across < 0.62) & (r > 0.3), steel, 0.1)
    return np.clip(grey[..., None] * np.array([0.95, 1.0, 1.06]), 0, 1)
