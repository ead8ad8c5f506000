"""Exercises on the encoder: the encoder's loss, what it may move, how many steps to spend, what it has seen."""

import numpy as np
import tensorflow as tf

from anogan_lib.exercises.cases import arrays, networks
from anogan_lib.exercises.check import among, exercise, share, table
from anogan_lib.fast.encoder import izi_f_loss as _izi_f


@exercise(
    right=_izi_f,
    cases=lambda: [
        (*arrays(2, image)[0], *arrays(2, features)[0], kappa)
        for image, features, kappa in (((1, 1, 1, 1), (1, 1, 1, 2), 1.0), ((3, 4, 5, 3), (3, 2, 2, 6), 0.2))
    ],
)
def izi_f_loss(x, y, feature_x, feature_y, kappa):
    """izi_f: mean of (x - G(E(x)))^2 + kappa * mean of (f(x) - f(G(E(x))))^2, over everything; one number."""
    return np.mean((x - y) ** 2) + kappa * np.mean((feature_x - feature_y) ** 2)


def _moved(variables, encoder, generator, features) -> list[int]:
    """Count how many of the variables E learns, how many are E's statistics, G's, f's."""
    if not isinstance(variables, (list, tuple)) or not all(isinstance(each, tf.Variable) for each in variables):
        raise ValueError("asked is a list of variables, not of names or values, and not a network")
    if len({id(each) for each in variables}) < len(variables):
        raise ValueError("some variables are listed twice")
    owned = (encoder.trainable_variables, encoder.non_trainable_variables, generator.variables, features.variables)
    return [sum(any(one is each for each in variables) for one in some) for some in owned]


@exercise(cases=lambda: [(networks()[2], *networks()[:2])], effect=_moved)
def learns(encoder, generator, features):
    """Which variables does the optimiser of izi_f move? Three networks to a list of variables."""
    return encoder.trainable_variables


def search_budget() -> list[dict]:
    """List, for k search steps after E(x), the time per image and the AUROC on labelled validation images (made up)."""
    return table("search_budget")


@exercise(given=search_budget, effect=lambda k, rows: among(k, [row["k"] for row in rows], "a k of the table"))
def steps_for_budget(rows):
    """Choose k from `ex.search_budget()` for a line that leaves 50 ms an image."""
    return max((row for row in rows if row["milliseconds"] <= 50), key=lambda row: row["auroc"])["k"]


def _turned(detector=None, images=None) -> tuple:
    if not hasattr(detector, "predict"):
        raise ValueError("call ex.check_upside_down(my_prediction, my_measurement, detector, images)")
    return detector, np.asarray(images)


@exercise(given=_turned, effect=share)
def upside_down(detector, images):
    """Good nuts are turned upside down. Predict, then measure: in what share of pairs does a nut that is turned
    score above one that is not? Hand over the detector and the images as well."""
    upright, turned = (detector.predict(each).scores for each in (images, images[:, ::-1]))
    return (turned[:, None] > upright).mean()
