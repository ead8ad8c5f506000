"""The score "best": the places where x and G(z) differ most, in the image and in two feature layers.

A defect fills a small part of an image; a sum over all pixels drowns it in what every image leaves over. A dark image,
or a digit in thin ink, is no anomaly, so brightness and contrast are taken out. What G leaves over on every normal
image, the background, is filtered out as well (`background`).
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from keras import ops

from anogan_lib.scores.background import FOUND, Background, separation
from anogan_lib.scores.basic import Standardised

MAP_BLUR = 1 / 64  # maps are smoothed with a standard deviation of this share of the image's side
SCORE_BLUR = 0.5  # pixels: the score smooths images less, so that a thin scratch still stands out
TOP = 16  # A(x) looks at the mean of so many places with the largest difference


class Local(Standardised):
    """Standardised R and D of the 16 places that differ most, D the mean of D's first block and of f.

    Attributes:
        backgrounds: by loss, a `Background` that is filtered out of its differences; {} for none.
    """

    name = "best"
    needs = ("local_residual", "fine_discrimination", "local_discrimination")
    extra_layers = (1,)
    map_name = "local_map"

    def __init__(self, spreads=None, backgrounds: dict[str, Background] | None = None):
        super().__init__(spreads)
        self.backgrounds = dict(backgrounds or {})

    def differences(self, x, y, features_x, features_y) -> dict:
        """Return what is compared, (N, h, w, C) by loss: images without contrast, features in units of their size."""
        x, y = (without_contrast(blur(each, SCORE_BLUR)) for each in (x, y))
        pairs = zip(features_x, features_y, strict=True)
        sized = [(a - b) / ops.sqrt(mean(a**2) + 1e-6) for a, b in pairs]
        return dict(zip(self.needs, [x - y, *sized], strict=True))

    def losses(self, x, y, features_x, features_y):
        differences = self.differences(x, y, features_x, features_y)
        return {name: largest(self._foreground(name, values)) for name, values in differences.items()}

    def maps(self, x, y):
        """Root mean square difference around each pixel, in the images' own contrast, background filtered out."""
        squares = ops.mean(self._foreground(self.needs[0], without_contrast(x) - without_contrast(y)) ** 2, axis=-1)
        smooth = blur(squares[..., None], MAP_BLUR * min(squares.shape[1:]), truncate=3.0)[..., 0]
        return ops.sqrt(ops.maximum(smooth, 0.0))

    def fit_backgrounds(self, differences: dict[str, np.ndarray], seed: int = 0) -> None:
        """Fit the backgrounds to the differences of normal training images, (N, h, w, C) by loss."""
        self.backgrounds = {name: Background.fit(values, seed) for name, values in differences.items()}

    def choose_shares(self, normal: dict[str, np.ndarray], patched: Iterable[dict[str, np.ndarray]]) -> None:
        """Choose how much of each background is filtered out: so much that patched images stand out most.

        Args:
            normal, patched: differences, (N, h, w, C) by loss; those of images with fainter and fainter patches. Each
                loss uses the first that it does not find anyway, else the last.
        """

        def measure(differences):
            return np.asarray(largest(differences))

        found_anyway, telling = set(self.backgrounds), {}
        for fainter in patched:
            telling |= {name: fainter[name] for name in found_anyway}
            found_anyway = {n for n in found_anyway if separation(measure(normal[n]), measure(fainter[n])) >= FOUND}
            if not found_anyway:
                break
        for name, differences in telling.items():
            self.backgrounds[name] = self.backgrounds[name].choose_share(normal[name], differences, measure)

    def _foreground(self, name: str, differences):
        return self.backgrounds[name](differences) if name in self.backgrounds else differences


def without_contrast(images):
    """Take brightness and contrast out of each image: mean 0, standard deviation 1; (N, H, W, C) -> the same."""
    centred = images - mean(images)
    return centred / ops.sqrt(mean(centred**2) + 1e-6)


def mean(values):
    """Mean of each image, (N, h, w, C) -> (N, 1, 1, 1); row by row, since LiteRT loses digits in long sums."""
    return ops.mean(ops.mean(values, axis=(2, 3), keepdims=True), axis=1, keepdims=True)


def largest(differences):
    """Mean of the 16 largest differences, each the root mean square over channels: (N, h, w, C) -> (N,)."""
    return top_mean(ops.sqrt(ops.mean(differences**2, axis=-1)), TOP)


def top_mean(maps, count: int):
    """Mean of the `count` highest values of each map: (N, H, W) -> (N,)."""
    flat = ops.reshape(maps, (-1, maps.shape[1] * maps.shape[2]))
    return ops.mean(ops.top_k(flat, min(count, flat.shape[1]), sorted=False)[0], axis=1)


def blur(images, sigma: float, truncate: float = 4.0):
    """Smooth images (N, H, W, C) with a Gaussian of standard deviation `sigma` pixels; borders are mirrored."""
    _, height, width, _ = images.shape
    down, across = (_gaussian(side, sigma, truncate) for side in (height, width))
    return ops.einsum("wj,nhjc->nhwc", across, ops.einsum("hi,niwc->nhwc", down, images))


@lru_cache
def _gaussian(side: int, sigma: float, truncate: float) -> np.ndarray:
    """The matrix (side, side) that smooths a row of pixels."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.eye(side), sigma, axis=0, truncate=truncate).astype("float32")
