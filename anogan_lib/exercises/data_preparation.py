"""Exercises of notebook 01: scaling, leaks, resolution, splits."""

from functools import partial

import numpy as np

from anogan_lib.datasets.images import from_uint8, to_uint8
from anogan_lib.evaluation import baselines
from anogan_lib.exercises.cases import arrays, nuts
from anogan_lib.exercises.check import exercise

_distances = partial(baselines.knn_scores, k=1, normalise=True)


@exercise(
    "black is -1, white is 1, and the channel axis comes last",
    right=lambda u: from_uint8(u)[..., None],
    cases=lambda: [(u.astype("uint8"),) for u in (np.array([[[0, 200]]]), 4 * np.arange(60).reshape(4, 5, 3))],
    mistakes={
        "this lies in [0, 1], but a tanh gives [-1, 1]; and the channel axis is missing": lambda u: u / 255,
        "this lies in [0, 1], but a tanh gives [-1, 1]": lambda u: (u / 255)[..., None],
        "the values are right, but the channel axis is missing: x[..., None]": lambda u: u / 127.5 - 1,
        "the channel axis stands first; Keras wants it last": lambda u: (u / 127.5 - 1)[:, None],
        "// throws the rest of a division away, and with it nearly all greys": lambda u: (u // 127.5 - 1)[..., None],
        "8-bit numbers wrap around, 2 * 200 is 144: make them floats first": lambda u: (u * 2 / 255 - 1)[..., None],
        "white is below 1: the middle of 0 to 255 is 127.5, not 128": lambda u: (u / 128 - 1)[..., None],
    },
)
def scale(u):
    """Bring grey pictures u, uint8 (N, H, W), to what the networks take: floats (N, H, W, 1) in [-1, 1]."""
    return (u / 127.5 - 1)[..., None]


@exercise(
    "rounded, and clipped where an image leaves its range",
    right=to_uint8,
    cases=lambda: [(np.array([[[[x]]]], "float32"),) for x in (-0.3, 1.1, -1.1)] + arrays(1, (3, 4, 5, 1)),
    mistakes={
        "cut off, not rounded: there and back, images grow darker": lambda x: ((x + 1) * 127.5).clip(0, 255) // 1,
        "what lies beyond [-1, 1] wraps around, white turns black: clip it": lambda x: np.rint((x + 1) * 127.5) % 256,
        "this lies in [0, 1], which matplotlib likes; a file wants 0 to 255": lambda x: ((x + 1) / 2).clip(0, 1),
        "here 0 turns black, but -1 is: add 1 first": lambda x: np.rint(x * 255).clip(0, 255),
    },
)
def unscale(x):
    """The way back: floats x in [-1, 1] to uint8 values of the same shape; what lies outside is clipped."""
    return np.rint((x + 1) * 127.5).clip(0, 255).astype("uint8")


def near_duplicates() -> tuple[np.ndarray, np.ndarray]:
    """Return training images (16, 16, 16, 3) and test images (8, 16, 16, 3), one of which is a training nut again."""
    train, test = nuts(0, 16).copy(), nuts(16, 8).copy()
    test[5] = train[3] * 0.55 + 0.3  # the same photograph in fog
    return train, test


@exercise(
    "the same nut in fog; with mean 0 and norm 1, light and contrast no longer hide it",
    given=near_duplicates,
    mistakes={
        "raw pixels compare light, not nuts: normalise=True": lambda *some: np.argmin(
            _distances(*some, normalise=False)
        ),
        "that is its place in train; asked is the one in test": lambda train, test: np.argmin(_distances(test, train)),
        "that one is the least like all of train": lambda train, test: np.argmax(_distances(train, test)),
    },
    otherwise="that one is an honest test image. Find the nearest training image of each; places count from 0",
)
def near_duplicate(train, test):
    """Which image of `train, test = ex.near_duplicates()` was planted? Answer with its place in test, from 0."""
    return np.argmin(baselines.knn_scores(train, test, k=1, normalise=True))


def smallest_defect() -> dict:
    """Return the size of a picture and its smallest defect, the pixels wanted across it, and the sides on offer."""
    return {"picture_mm": 40, "defect_mm": 1.5, "pixels_across": 3, "sides": (16, 32, 64, 128, 256)}


@exercise(
    "40 mm / 1.5 mm * 3 pixels = 80, and 128 is the first side above that",
    given=smallest_defect,
    mistakes={
        "with 64 pixels the defect is 2.4 pixels wide, a little less than asked": 64,
        "with 32 pixels the defect is about one pixel wide; three are asked": 32,
        "80 would do, but choose among the sides on offer": 80,
        "256 shows the defect too, at four times the work of the next smaller side": 256,
    },
    otherwise="a defect of d mm in a picture of p mm and s pixels is s * d / p pixels wide; choose among the sides",
)
def resolution(case):
    """Choose the side, in pixels, for `ex.smallest_defect()`: the cheapest that shows the defect."""
    least = case["picture_mm"] / case["defect_mm"] * case["pixels_across"]
    return min(side for side in case["sides"] if side >= least)


def _split(held_back, nuts, share) -> tuple[bool, float]:
    """Return whether a nut is on both sides and, if not, the share of nuts held back, rounding aside."""
    held_back = np.asarray(held_back).astype(bool)
    if held_back.shape != nuts.shape:
        raise ValueError(f"wanted is one True or False for each of {nuts.size} photographs")
    back, count = set(nuts[held_back]), len(set(nuts))
    if back & set(nuts[~held_back]):
        return True, 0
    return False, share if abs(len(back) - share * count) < 1 else len(back) / count


@exercise(
    "every nut is on one side, with all of its photographs",
    cases=lambda: [(np.arange(nuts * each) % nuts, 0.2) for nuts, each in ((5, 4), (10, 6), (40, 5))],
    effect=_split,
    otherwise="no nut is torn apart, but more or fewer nuts are held back than the share asks for",
    mistakes={
        "one nut's photographs lie on both sides: draw nuts": lambda nuts, a: np.arange(nuts.size) < a * nuts.size,
        "nothing is held back": lambda nuts, share: np.zeros(nuts.size, bool),
        "the sides are swapped: True is for the share held back": lambda nuts, a: nuts >= a * len(set(nuts)),
    },
)
def grouped_split(nuts, share):
    """Hold back a share of the nuts: nuts (N,) numbers the nut on each photograph; answer (N,), True if held back."""
    each = np.unique(nuts)
    drawn = np.random.default_rng(0).permutation(each)[: round(share * len(each))]
    return np.isin(nuts, drawn)
