"""The score "best": how x and G(z) differ, finely in the image and coarsely in every block of the discriminator.

A defect fills a small part of an image; a sum over all pixels drowns it in what G leaves of every image. So only the
places that differ most count. R looks for them pixel by pixel, D in 8 x 8 cells, each the mean of its features: fine
defects show in the one, wide and pale ones in the other. A dark image, or a digit in thin ink, is no anomaly, so
brightness and contrast are taken out. What G leaves unexplained on every normal image, the background, is
filtered out as well (`background`).
"""

from collections.abc import Iterable
from functools import lru_cache, partial

import numpy as np
from keras import ops

from anogan_lib.scores.background import FOUND, Background, separation
from anogan_lib.scores.basic import Standardised

MAP_BLUR = 2 / 64  # maps are smoothed with a standard deviation of this share of the image's side
SCORE_BLUR = 0.5  # pixels: the score smooths images less, so that a thin scratch still stands out
TOP = 16  # R is the mean of so many places with the largest difference
CELLS, TOP_CELLS = 8, 8  # D compares features in so many cells a side, and is the mean of so many of them


class Local(Standardised):
    """Standardised R and D of the places that differ most, D the mean of all blocks of the discriminator.

    Args:
        blocks: how many the discriminator has.

    Attributes:
        backgrounds: by loss, a `Background` that is filtered out of its differences; {} for none.
    """

    name = "best"
    map_name = "local_map"
    cells, top_cells = CELLS, TOP_CELLS

    def __init__(self, blocks: int = 1):
        super().__init__()
        self.backgrounds: dict[str, Background] = {}
        self.blocks = blocks

    extra_layers = property(lambda self: tuple(range(1, self.blocks + 1)))
    needs = property(lambda self: ("local_residual", *(f"local_discrimination_{i}" for i in self.extra_layers)))

    def differences(self, x, y, features_x, features_y) -> dict:
        """Return what is compared, (N, h, w, C) by loss: images without contrast, features in units of their size."""
        x, y = (without_contrast(blur(each, SCORE_BLUR)) for each in (x, y))
        pairs = zip(features_x[: self.blocks], features_y[: self.blocks], strict=True)
        sized = [in_cells((a - b) / ops.sqrt(mean(a**2) + 1e-6), self.cells) for a, b in pairs]
        return dict(zip(self.needs, [x - y, *sized], strict=True))

    def losses(self, x, y, features_x, features_y):
        differences = self.differences(x, y, features_x, features_y)
        return {name: self.largest(name, self._foreground(name, values)) for name, values in differences.items()}

    def largest(self, name: str, differences):
        """Compute the loss of differences (N, h, w, C): the mean of the places with the largest root mean square."""
        count = TOP if name == self.needs[0] else self.top_cells
        return top_mean(ops.sqrt(ops.mean(differences**2, axis=-1)), count)

    def maps(self, x, y):
        """Return the mean absolute difference around each pixel, without contrast and background."""
        differences = self._foreground(self.needs[0], without_contrast(x) - without_contrast(y))
        return smooth_map(ops.mean(ops.abs(differences), axis=-1), MAP_BLUR)

    def fit_backgrounds(self, differences: dict[str, np.ndarray], seed: int = 0) -> None:
        """Fit the backgrounds to the differences of normal training images, (N, h, w, C) by loss."""
        self.backgrounds = {name: Background.fit(values, seed) for name, values in differences.items()}

    def choose_shares(self, normal: dict[str, np.ndarray], patched: Iterable[dict[str, np.ndarray]]) -> None:
        """Choose how much of each background is filtered out: so much that patched images stand out most.

        Args:
            normal, patched: differences, (N, h, w, C) by loss; those of images with fainter and fainter patches. Each
                loss uses the first that it does not find anyway, else the last.
        """

        found_anyway, telling = set(self.backgrounds), {}
        for fainter in patched:
            telling |= {name: fainter[name] for name in found_anyway}
            pairs = {name: [self.largest(name, each[name]) for each in (normal, fainter)] for name in found_anyway}
            found_anyway = {name for name, pair in pairs.items() if separation(*pair) >= FOUND}
            if not found_anyway:
                break
        for name, differences in telling.items():
            measure = partial(self.largest, name)
            self.backgrounds[name] = self.backgrounds[name].choose_share(normal[name], differences, measure)

    def _foreground(self, name: str, differences):
        return self.backgrounds[name](differences) if name in self.backgrounds else differences


class EarlierLocal(Local):
    """The score "best" of detectors saved before format 4, which compare D's first block and f place by place."""

    extra_layers = (1,)
    needs = ("local_residual", "fine_discrimination", "local_discrimination")
    cells, top_cells = 2**10, TOP

    def maps(self, x, y):
        """Return the root mean square difference around each pixel, (N, H, W)."""
        squares = ops.mean(self._foreground(self.needs[0], without_contrast(x) - without_contrast(y)) ** 2, axis=-1)
        return ops.sqrt(ops.maximum(smooth_map(squares, 1 / 64), 0.0))


def without_contrast(images):
    """Take brightness and contrast out of each image: mean 0, standard deviation 1; (N, H, W, C) -> the same."""
    centred = images - mean(images)
    return centred / ops.sqrt(mean(centred**2) + 1e-6)


def mean(values):
    """Average each image, (N, h, w, C) -> (N, 1, 1, 1); row by row, since LiteRT loses digits in long sums."""
    return ops.mean(ops.mean(values, axis=(2, 3), keepdims=True), axis=1, keepdims=True)


def in_cells(features, cells: int):
    """Average features (N, h, w, C) over `cells` x `cells` parts of the image, where they have more places."""
    _, height, width, _ = features.shape
    return resize(features, *(_cells(side, min(side, cells)) for side in (height, width)))


def top_mean(maps, count: int):
    """Return the mean of the `count` highest values of each map: (N, H, W) -> (N,)."""
    flat = ops.reshape(maps, (-1, maps.shape[1] * maps.shape[2]))
    return ops.mean(ops.top_k(flat, min(count, flat.shape[1]), sorted=False)[0], axis=1)


def smooth_map(maps, share: float):
    """Smooth maps (N, H, W) with a Gaussian whose standard deviation is a share of the shorter side."""
    return blur(maps[..., None], share * min(maps.shape[1:]), truncate=3.0)[..., 0]


def blur(images, sigma: float, truncate: float = 4.0):
    """Smooth images (N, H, W, C) with a Gaussian of standard deviation `sigma` pixels; borders are mirrored."""
    _, height, width, _ = images.shape
    return resize(images, *(_gaussian(side, sigma, truncate) for side in (height, width)))


def resize(images, down, across):
    """Multiply rows and columns of images (N, H, W, C) by matrices (h, H) and (w, W): -> (N, h, w, C)."""
    return ops.einsum("wj,nhjc->nhwc", across, ops.einsum("hi,niwc->nhwc", down, images))


@lru_cache
def _gaussian(side: int, sigma: float, truncate: float) -> np.ndarray:
    """Return the matrix (side, side) that smooths a row of pixels."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.eye(side), sigma, axis=0, truncate=truncate).astype("float32")


@lru_cache
def _cells(side: int, cells: int) -> np.ndarray:
    """Return the matrix (cells, side) that averages places over cells; a place on a border counts in shares."""
    edges, place = np.linspace(0, side, cells + 1), np.arange(side)
    shared = np.minimum(edges[1:, None], place + 1) - np.maximum(edges[:-1, None], place)
    return (np.maximum(shared, 0.0) * cells / side).astype("float32")
