"""Photographs of brick, gravel and grass, cut into small images, with drawn defects and their exact masks.

The three photographs come with scikit-image, so nothing is downloaded. Each is cut into bands of rows, and each split
takes its images from bands of its own: images of one split may overlap, images of two splits share no pixel.
"""

import numpy as np
from PIL import Image, ImageDraw

from anogan_lib.datasets.base import Source, Split, split_normal
from anogan_lib.datasets.images import from_uint8, resize_all
from anogan_lib.datasets.masks import MASK_COVERAGE

# The photographs, 512x512 grey, and who gave them away.
TEXTURES = {"brick": "cc0textures.com", "gravel": "cc0textures.com", "grass": "Linolafett, deviantart.com"}
WINDOW = 64  # pixels of the photograph that an image shows, whatever size it is then brought to
NORMAL, GOOD, DEFECTIVE = 1000, 60, 30  # images: outside the test, good ones of the test, defective ones of each kind
# The first and last row of each split's bands in the photograph of 512x512: train, validation, calibration, test.
BANDS = (((0, 128), (400, 512)), ((128, 208),), ((208, 304),), ((304, 400),))
_FINE = 4  # shapes are drawn on a grid this much finer


def read(name: str, size: tuple[int, int] | None = None, seed: int = 0) -> Source:
    """Read one of TEXTURES as 1,000 normal images and a test of 60 good and 90 defective ones, (H, W) with one channel.

    The seed draws where the windows of 64x64 lie, which are mirrored left-right, and the defects; a `size` of None
    keeps the 64x64, any other resizes them. The test's kinds are `foreign` (a patch of another texture, as bright as
    what it covers), `scratch` and `blot`. Raises ValueError for an unknown name.
    """
    if name not in TEXTURES:
        raise ValueError(f"The textures are {', '.join(TEXTURES)}. Received: {name!r}.")
    from skimage import data

    rng = np.random.default_rng([seed, list(TEXTURES).index(name)])
    photographs = {texture: getattr(data, texture)() for texture in TEXTURES}  # (512, 512) uint8
    images = np.empty((NORMAL, WINDOW, WINDOW), np.uint8)
    for places, bands in zip(split_normal(NORMAL, seed), BANDS[:3], strict=True):
        images[places] = _cut(photographs[name], bands, len(places), rng)
    kinds = ["good"] * GOOD + [kind for kind in DEFECTS for _ in range(DEFECTIVE)]
    test = _cut(photographs[name], BANDS[3], len(kinds), rng)
    masks = np.zeros((NORMAL + len(kinds), WINDOW, WINDOW), np.uint8)
    others = [photograph for texture, photograph in photographs.items() if texture != name]
    for i in range(GOOD, len(kinds)):
        alpha, colour = DEFECTS[kinds[i]](test[i], others, rng)
        alpha[alpha < MASK_COVERAGE] = 0  # so that the mask holds every pixel that changes
        test[i] = np.rint(test[i] + alpha * (np.clip(colour, 0, 255) - test[i]))
        masks[NORMAL + i] = 255 * (alpha > 0)
    images = resize_all(np.concatenate([images, test]), size or (WINDOW, WINDOW))
    masks = resize_all(masks, images.shape[1:], Image.Resampling.BOX) >= 255 * MASK_COVERAGE
    names = [f"train/{i:04d}" for i in range(NORMAL)] + [f"test/{i:04d}" for i in range(len(kinds))]
    split = Split(from_uint8(images)[..., None], None, ["good"] * NORMAL + kinds, masks, names)
    about = f"Windows of a photograph of {name} ({TEXTURES[name]}, CC0) from scikit-image; drawn defects, exact masks."
    return Source(f"textures:{name}", about, split, np.arange(len(split)) >= NORMAL)


def _cut(photograph: np.ndarray, bands, n: int, rng) -> np.ndarray:
    """Cut n different windows (n, 64, 64) out of the bands; half of them, on average, are mirrored left-right."""
    rows = [row for first, last in bands for row in range(first, last - WINDOW + 1)]
    columns = photograph.shape[1] - WINDOW + 1
    places = np.unravel_index(rng.permutation(len(rows) * columns * 2)[:n], (len(rows), columns, 2))
    windows = (
        photograph[rows[i] : rows[i] + WINDOW, j : j + WINDOW][:, :: -1 if mirrored else 1]
        for i, j, mirrored in zip(*places, strict=True)
    )
    return np.stack(list(windows))


def _foreign(image, others, rng) -> tuple[np.ndarray, np.ndarray]:
    """Cover an ellipse with another texture, with the mean of the pixels below and the image's standard deviation."""
    alpha = _ellipse(rng, 6, 12)
    patch = _cut(others[rng.integers(len(others))], ((0, 512),), 1, rng)[0].astype(float)
    inside = alpha > 0.5
    return alpha, image[inside].mean() + (patch - patch[inside].mean()) * (image.std() / patch.std())


def _scratch(image, others, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draw a bent line, 1 to 2 pixels wide."""
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, 6))
    points = np.cumsum(rng.uniform(5, 9) * np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)  # (6, 2)
    points += rng.uniform(20, WINDOW - 20, 2) - points.mean(axis=0)
    width = round(_FINE * rng.uniform(1, 2))
    alpha = _drawn(lambda draw: draw.line([tuple(point) for point in points * _FINE], 255, width, joint="curve"))
    return alpha, _plain_colour(image, rng)


def _blot(image, others, rng) -> tuple[np.ndarray, np.ndarray]:
    """Lay a half transparent ellipse on the image."""
    return _ellipse(rng, 5, 10) * rng.uniform(0.4, 0.7), _plain_colour(image, rng)


def _plain_colour(image, rng) -> np.ndarray:
    """Draw a grey that is lighter or darker than the image's mean by 2 to 3 of its standard deviations, (64, 64)."""
    return np.full(image.shape, image.mean() + rng.choice([-1, 1]) * rng.uniform(2, 3) * image.std())


DEFECTS = {"foreign": _foreign, "scratch": _scratch, "blot": _blot}


def _ellipse(rng, least: float, most: float) -> np.ndarray:
    """Draw a turned ellipse with half axes between `least` and `most` pixels: (64, 64), the share of each pixel."""
    axes, (x, y) = rng.uniform(least, most, 2), rng.uniform(most, WINDOW - most, 2)
    angle, turn = np.linspace(0, 2 * np.pi, 60), rng.uniform(0, np.pi)
    across, along = axes[0] * np.cos(angle), axes[1] * np.sin(angle)
    points = [x + across * np.cos(turn) - along * np.sin(turn), y + across * np.sin(turn) + along * np.cos(turn)]
    return _drawn(lambda draw: draw.polygon([tuple(point) for point in np.stack(points, axis=1) * _FINE], 255))


def _drawn(shape) -> np.ndarray:
    """Draw a shape on the finer grid and return how much of each pixel it covers, (64, 64) in [0, 1]."""
    canvas = Image.new("L", (WINDOW * _FINE, WINDOW * _FINE))
    shape(ImageDraw.Draw(canvas))
    return np.asarray(canvas.reduce(_FINE)) / 255
