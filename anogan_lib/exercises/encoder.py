"""Exercises of notebook 06: the encoder's loss, what it may move, how many steps to spend, what it has seen."""

import numpy as np

from anogan_lib.exercises.cases import arrays, networks
from anogan_lib.exercises.check import exercise
from anogan_lib.fast.encoder import izi_f_loss as _izi_f


def _terms(mean, square, x, y, fx, fy, kappa):
    return mean(square(x - y)) + kappa * mean(square(fx - fy))


@exercise(
    "the images must agree, and so must what the discriminator sees in them",
    right=_izi_f,
    cases=lambda: [
        (*arrays(2, image)[0], *arrays(2, features)[0], kappa)
        for image, features, kappa in (((1, 1, 1, 1), (1, 1, 1, 2), 1.0), ((3, 4, 5, 3), (3, 2, 2, 6), 0.5))
    ],
    mistakes={
        "the feature term is missing: this is izi, whose pictures blur": lambda *case: _izi_f(*case[:4], 0),
        "the image term is missing": lambda x, y, fx, fy, kappa: kappa * _izi_f(fx, fy, x, y, 0),
        "kappa is on the wrong term: it weighs the features": lambda x, y, fx, fy, kappa: _izi_f(fx, fy, x, y, kappa),
        "kappa, the weight of the feature term, is missing": lambda *case: _izi_f(*case[:4], 1),
        "these are sums; means keep both terms on one scale": lambda *case: _terms(np.sum, np.square, *case),
        "these are absolute values; this loss takes squares": lambda *case: _terms(np.mean, np.abs, *case),
    },
)
def izi_f_loss(x, y, feature_x, feature_y, kappa):
    """izi_f: mean of (x - G(E(x)))^2 + kappa * mean of (f(x) - f(G(E(x))))^2, over everything; one number."""
    return np.mean((x - y) ** 2) + kappa * np.mean((feature_x - feature_y) ** 2)


def _trainable(*networks) -> list:
    return [variable for network in networks for variable in network.trainable_variables]


def _moved(variables, encoder, generator, features) -> list[int]:
    """Count how many of the variables E learns, how many are E's statistics, G's, f's."""
    owned = (encoder.trainable_variables, encoder.non_trainable_variables, generator.variables, features.variables)
    return [sum(any(one is each for each in variables) for one in some) for some in owned]


@exercise(
    "G and f are frozen; E alone learns",
    cases=lambda: [(networks()[2], *networks()[:2])],
    effect=_moved,
    otherwise="some of these variables should not be there, or some are missing",
    mistakes={
        "G would learn to draw whatever E asks for, defects too": lambda e, g, f: _trainable(e, g),
        "this is G alone, which is frozen, and E would stay as it began": lambda e, g, f: _trainable(g),
        "f would learn to see no difference": lambda e, g, f: _trainable(e, f),
        "all three would learn: freeze G and f": lambda e, g, f: _trainable(e, g, f),
        "E's moving statistics have no gradient: trainable_variables": lambda e, g, f: e.variables,
    },
)
def learns(encoder, generator, features):
    """Which variables does the optimiser of izi_f move? Three networks to a list of variables."""
    return encoder.trainable_variables


def search_budget() -> list[dict]:
    """List, for k search steps after E(x), the time per image and the AUROC on labelled validation images (made up)."""
    rows = [(0, 7, 0.931), (5, 23, 0.946), (10, 39, 0.940), (13, 49, 0.934), (40, 137, 0.951), (200, 655, 0.902)]
    return [dict(zip(("k", "milliseconds", "auroc"), row, strict=True)) for row in rows]


@exercise(
    "within the budget it finds most; further steps explain anomalies away",
    given=search_budget,
    mistakes={
        "50 ms allow no more than 13 steps, but more search is not better: look at the AUROC": 13,
        "40 steps find most of all, but cost 137 ms an image": 40,
        "the encoder alone is cheapest, but the budget allows better": 0,
        "200 steps cost most and find least: anomalies gain more from them than normal images": 200,
    },
    otherwise="of the k in the table that need at most 50 ms an image, choose the one that finds most",
)
def steps_for_budget(rows):
    """Choose k from `ex.search_budget()` for a line that leaves 50 ms an image."""
    return max((row for row in rows if row["milliseconds"] <= 50), key=lambda row: row["auroc"])["k"]


@exercise(
    "it was trained with flips=True, so that nuts lie either way: normal is what the training images show",
    given=lambda: (),
    mistakes={
        "it would be so had G and E seen nuts one way up; look at detector.gan.settings.flips, and measure": "higher",
        "E has seen as many nuts this way up as the other; measure it": "lower",
    },
    otherwise='answer with "higher", "lower" or "as before"',
)
def upside_down():
    """Predict, then measure: good nuts are turned upside down. How do the scores of weights/hazelnut change?"""
    return "as before"
