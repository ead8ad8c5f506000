"""Exercises on data preparation: scaling, leaks, resolution, splits."""

from functools import partial

import numpy as np

from anogan_lib.datasets.images import from_uint8, to_uint8
from anogan_lib.evaluation import baselines
from anogan_lib.exercises.cases import arrays, nuts
from anogan_lib.exercises.check import among, exercise, share

_distances = partial(baselines.knn_scores, k=1, normalise=True)


@exercise(
    right=lambda u: from_uint8(u)[..., None],
    cases=lambda: [(u.astype("uint8"),) for u in (np.array([[[0, 200]]]), 4 * np.arange(60).reshape(4, 5, 3))],
)
def scale(u):
    """Bring grey pictures u, uint8 (N, H, W), to what the networks take: floats (N, H, W, 1) in [-1, 1]."""
    return (u / 127.5 - 1)[..., None]


def _grey(levels, round=np.rint):
    return round(levels).clip(0, 255).astype("uint8")


def _bytes(x, _=None):
    """Return an answer that is of type uint8."""
    if np.asarray(x).dtype != "uint8":
        raise ValueError(f'a picture file wants uint8; these are {np.asarray(x).dtype}: end with .astype("uint8")')
    return x


@exercise(
    right=to_uint8,
    effect=_bytes,
    cases=lambda: [(np.array([[[[x]]]], "float32"),) for x in (-0.3, 1.1, -1.1)] + arrays(1, (3, 4, 5, 1)),
)
def unscale(x):
    """The way back: floats x in [-1, 1] to the nearest uint8 values, shape kept; what lies outside is clipped."""
    return np.rint((x + 1) * 127.5).clip(0, 255).astype("uint8")


def near_duplicates() -> tuple[np.ndarray, np.ndarray]:
    """Return training images (16, 16, 16, 3) and test images (8, 16, 16, 3), one of which is a training nut again."""
    train, test = nuts(0, 16).copy(), nuts(16, 8).copy()
    test[5] = train[3] * 0.55 + 0.3  # the same photograph in fog
    return train, test


@exercise(given=near_duplicates, effect=lambda place, *_: among(place, range(8), "a place in test"))
def near_duplicate(train, test):
    """Which image of `train, test = ex.near_duplicates()` was planted? Answer with its place in test, from 0."""
    return np.argmin(baselines.knn_scores(train, test, k=1, normalise=True))


def smallest_defect() -> dict:
    """Return the size of a picture and its smallest defect, the pixels wanted across it, and the sides on offer."""
    return {"picture_mm": 40, "defect_mm": 1.5, "pixels_across": 3, "sides": (16, 32, 64, 128, 256)}


@exercise(given=smallest_defect, effect=lambda side, case: among(side, case["sides"], "one of the sides on offer"))
def resolution(case):
    """Choose the side, in pixels, for `ex.smallest_defect()`: the cheapest that shows the defect."""
    least = case["picture_mm"] / case["defect_mm"] * case["pixels_across"]
    return min(side for side in case["sides"] if side >= least)


def _split(held_back, nuts, share) -> tuple[bool, float]:
    """Return whether a nut is on both sides and, if not, the share of nuts held back, rounding aside."""
    if len(held_back) != len(nuts) or np.ndim(held_back[0]):
        raise ValueError(f"asked is one True or False for each photograph, of shape {nuts.shape}")
    held_back = np.asarray(held_back).astype(bool)
    back, count = set(nuts[held_back]), len(set(nuts))
    if back & set(nuts[~held_back]):
        return True, 0
    return False, share if abs(len(back) - share * count) < 1 else len(back) / count


def _photographed(nuts: int, each: int) -> np.ndarray:
    return np.random.default_rng(nuts).permutation(np.arange(nuts * each) % nuts)


@exercise(cases=lambda: [(_photographed(nuts, each), 0.2) for nuts, each in ((5, 4), (10, 6), (40, 5))], effect=_split)
def grouped_split(nuts, share):
    """Hold back a share of the nuts: nuts (N,) numbers the nut on each photograph; answer (N,), True if held back."""
    each = np.unique(nuts)
    drawn = np.random.default_rng(0).permutation(each)[: round(share * len(each))]
    return np.isin(nuts, drawn)


@exercise(given=lambda: (), effect=share)
def twins():
    """150 nuts, two photographs each. A fifth of the photographs is held back at random. Predict, then measure:
    of those held back, what share has its twin among the rest?"""
    held_back = np.random.default_rng(0).random((10000, 300)) < 0.2
    twin = held_back.reshape(-1, 2)[:, ::-1].reshape(held_back.shape)
    return (held_back & ~twin).sum() / held_back.sum()
