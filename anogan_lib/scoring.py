"""The formulas of AnoGAN, each once: losses, anomaly score, residual map, standardisation.

x is the query image and y = G(z) its reconstruction, both (N, H, W, C) in [-1, 1]; f(.) are the activations of a
feature layer of the discriminator, (N, h, w, channels). Every loss is per image, (N,), and never sees its
neighbours in the batch. Source: Schlegl et al. 2017, arXiv 1703.05921, equations 2 to 5.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

DEFAULT_LAM = {"paper": 0.1, "standardised": 0.5, "best": 0.5}
SCORES = tuple(DEFAULT_LAM)
LOSSES = {  # which losses a score weighs: R, and D or what D is the mean of
    "paper": ("residual", "discrimination"),
    "standardised": ("residual", "discrimination"),
    "best": ("local_residual", "near_discrimination", "local_discrimination"),
}
MAP_BLUR = 1 / 64  # maps are smoothed with a standard deviation of this share of the image's side
SCORE_BLUR = 0.5  # pixels: score="best" looks at images smoothed less, where a thin scratch still stands out
TOP = 16  # of the pixels of the residual, and of the cells of the features, it takes the mean of so many highest


def residual_loss(x, y):
    """R(x) = sum |x - G(z)|: over pixels and channels, (N, H, W, C) twice -> (N,)."""
    return ops.sum(ops.abs(x - y), axis=(1, 2, 3))


def discrimination_loss(feature_x, feature_y):
    """D(x) = sum |f(x) - f(G(z))|: feature matching, (N, h, w, channels) twice -> (N,)."""
    return ops.sum(ops.abs(feature_x - feature_y), axis=(1, 2, 3))


def anomaly_score(residual, discrimination, lam: float):
    """A(x) = (1 - lambda) R(x) + lambda D(x): (N,) twice -> (N,)."""
    return (1.0 - lam) * residual + lam * discrimination


def residual_map(x, y, signed: bool = False):
    """|x - G(z)|, or x - G(z), averaged over channels: (N, H, W, C) twice -> (N, H, W)."""
    difference = x - y
    return ops.mean(difference if signed else ops.abs(difference), axis=-1)


def without_contrast(images) -> np.ndarray:
    """Each image with brightness and contrast taken out: mean 0, standard deviation 1; (N, H, W, C) -> the same."""
    images = np.asarray(images)
    centred = images - images.mean(axis=(1, 2, 3), keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=(1, 2, 3), keepdims=True) + 1e-6)


def local_map(x, y, usual=None) -> np.ndarray:
    """How far x and G(z) differ around each pixel: (N, H, W, C) twice -> (N, H, W), in the images' own contrast.

    Brightness and contrast are taken out of both, and of the difference what is usual; then the root of its square,
    averaged over channels and over a Gaussian neighbourhood of standard deviation 1/64 of the side.
    """
    from scipy.ndimage import gaussian_filter

    difference = without_contrast(x) - without_contrast(y)
    squares = (_unusual("local_residual", difference, usual) ** 2).mean(axis=-1)  # (N, H, W)
    sigma = MAP_BLUR * min(squares.shape[1:])
    return np.sqrt(np.maximum(gaussian_filter(squares, (0, sigma, sigma), truncate=3.0), 0.0))


def top_mean(maps: np.ndarray, count: int) -> np.ndarray:
    """Mean of the `count` highest values of each map: (N, H, W) -> (N,).

    A defect fills a small part of an image; a sum over all pixels drowns it in what every image has.
    """
    flat = maps.reshape(len(maps), -1)
    count = min(count, flat.shape[1])
    return np.partition(flat, -count, axis=1)[:, -count:].mean(axis=1)


def local_differences(x, y, blocks_x, blocks_y) -> dict[str, np.ndarray]:
    """What score="best" compares: x with G(z), (N, H, W, C), and the features of x with those of G(z).

    Features are those of two blocks of the discriminator, (N, h, w, channels) each: of the one nearest the image, which
    sees fine grain, and f. They are measured by their size in x; the images are smoothed, and brightness and contrast
    taken out of each. A dark photograph, or a digit in thin ink, is no anomaly.
    """
    from scipy.ndimage import gaussian_filter

    x, y = (without_contrast(gaussian_filter(np.asarray(each), (0, SCORE_BLUR, SCORE_BLUR, 0))) for each in (x, y))
    pairs = zip(map(np.asarray, blocks_x), map(np.asarray, blocks_y), strict=True)
    sized = [(a - b) / np.sqrt((a**2).mean(axis=(1, 2, 3), keepdims=True) + 1e-6) for a, b in pairs]
    return dict(zip(LOSSES["best"], [x - y, *sized], strict=True))


def local_losses(x, y, blocks_x, blocks_y, usual=None) -> dict[str, np.ndarray]:
    """R and the two D of score="best": the mean of the places that differ most, in the image and among features.

    `usual` tells by loss what normal images' differences have in common, and is taken out: see `usual.Usual`.
    """
    differences = local_differences(x, y, blocks_x, blocks_y).items()
    return {name: most_different(_unusual(name, difference, usual)) for name, difference in differences}


def most_different(differences: np.ndarray) -> np.ndarray:
    """Mean over the 16 places that differ most, each the root mean square over channels: (N, h, w, C) -> (N,)."""
    return top_mean(np.sqrt((differences**2).mean(axis=-1)), TOP)


def _unusual(name: str, differences: np.ndarray, usual) -> np.ndarray:
    return usual[name](differences) if usual else differences


def check_lam(lam: float) -> float:
    if not 0.0 <= float(lam) <= 1.0:
        raise ValueError(f"lambda weighs discrimination against residual and lies in [0, 1]. Received: {lam}")
    return float(lam)


def check_score(score: str) -> str:
    if score not in SCORES:
        raise ValueError(f"The score is one of {', '.join(SCORES)}. Received: {score!r}")
    return score


@dataclass(frozen=True)
class Standardisation:
    """Mean and spread of each loss on normal images: {loss name: (mean, standard deviation)}.

    R and D are sums over different numbers of different things. In spreads of normal images they are comparable, and
    lambda = 0.5 means what it says.
    """

    spreads: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, losses: dict[str, np.ndarray]) -> "Standardisation":
        """From the losses of at least two normal images, each (N,)."""
        if any(len(values) < 2 for values in losses.values()):
            raise ValueError("Spreads need at least two normal images: standardise(data.validation).")
        return cls({n: (float(np.mean(v)), float(max(np.std(v), 1e-6))) for n, v in losses.items()})

    def __call__(self, name: str, values: np.ndarray) -> np.ndarray:
        """(values - mean) / standard deviation, (N,) -> (N,)."""
        mean, spread = self.spreads[name]
        return (values - mean) / spread


def combine(losses: dict[str, np.ndarray], lam: float, score: str, spreads: Standardisation | None) -> np.ndarray:
    """A(x) under one of the three scores, from the losses of an inversion: (N,).

    "paper": raw sums R and D. "standardised": R and D in spreads of normal images. "best": the same, but R and D look
    at the places that differ most, and not at brightness and contrast, and D is the mean of two blocks' D.
    """
    check_lam(lam)
    names = LOSSES[check_score(score)]
    if score != "paper":
        if spreads is None:
            raise ValueError(
                f'score="{score}" needs the spreads of R and D on normal images: detector.standardise(data.validation)'
            )
        losses = {name: spreads(name, losses[name]) for name in names}
    residual, *discriminations = (losses[name] for name in names)
    return anomaly_score(residual, sum(discriminations) / len(discriminations), lam)
