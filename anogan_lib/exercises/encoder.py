"""Exercises on the encoder: the encoder's loss, what it may move, how many steps to spend, what it has seen."""

import keras
import numpy as np

from anogan_lib.exercises.cases import arrays
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
    """Return how many of E's weights, E's statistics, G's and f's variables are listed: none (0), some (1), all (2)."""
    if not isinstance(variables, (list, tuple)) or not all(isinstance(each, keras.Variable) for each in variables):
        raise ValueError("asked is a list of variables, not of names or values, and not a network")
    if len({id(each) for each in variables}) < len(variables):
        raise ValueError("some variables are listed twice")
    owned = (encoder.trainable_variables, encoder.non_trainable_variables, generator.variables, features.variables)
    given = {id(each) for each in variables}
    return [int(any(there)) + all(there) for there in ([id(each) in given for each in some] for some in owned)]


def _network(*more) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), *more, keras.layers.Dense(3)])


@exercise(cases=lambda: [(_network(keras.layers.BatchNormalization()), _network(), _network())], effect=_moved)
def learns(encoder, generator, features):
    """Which variables does the optimiser of izi_f move? Three networks to a list of variables."""
    return encoder.trainable_variables


def search_budget() -> list[dict]:
    """List, for k search steps after E(x), the time per image and the AUROC on labelled validation images (made up)."""
    return table("search_budget")


@exercise(given=search_budget, effect=lambda k, rows: among(k, [row["k"] for row in rows], "a k of the table"))
def steps_for_budget(rows):
    """Choose k from `ex.search_budget()` for a line that leaves 50 ms an image: the k that finds most in that time."""
    return max((row for row in rows if row["milliseconds"] <= 50), key=lambda row: row["auroc"])["k"]


def _turned(detector=None, images=None) -> tuple:
    if not hasattr(detector, "predict"):
        raise ValueError("call ex.check_upside_down(my_prediction, my_measurement, detector, images)")
    return detector, np.asarray(images)


@exercise(given=_turned, effect=share)
def upside_down(detector, images):
    """Good nuts are turned upside down. Predict, then measure: of all pairs of a turned nut and an upright one, in what
    share does the turned one score higher? Hand over the detector and the images as well."""
    upright, turned = (detector.predict(each).scores for each in (images, images[:, ::-1]))
    return (turned[:, None] > upright).mean()
