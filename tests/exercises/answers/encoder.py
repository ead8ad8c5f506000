"""Answers to the exercises on the encoder, written from the questions alone, without sight of the checkers."""

# ruff: noqa: E501 - an answer a line

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from anogan_lib import exercises as ex


def mse(a, b):
    return np.mean((a - b) ** 2)


def by_keras(x, y, fx, fy, kappa):
    squared = tf.keras.losses.MeanSquaredError()
    return squared(x, y) + kappa * squared(fx, fy)


class Stub:
    """A detector whose score is the mean of an image's upper half."""

    def predict(self, images):
        return SimpleNamespace(scores=np.asarray(images)[:, :8].mean(axis=(1, 2, 3)))


def handed(predicted, *measured):
    """A prediction, perhaps a measurement, and what is handed over with them."""
    return (predicted, *measured, Stub(), NUTS) if measured else (predicted,)


NUTS = np.random.default_rng(4).uniform(-1, 1, (8, 16, 16, 1))
UPRIGHT, TURNED = (Stub().predict(each).scores for each in (NUTS, NUTS[:, ::-1]))
SHARE = float((TURNED[:, None] > UPRIGHT).mean())
BEST = max((row for row in ex.search_budget() if row["milliseconds"] <= 50), key=lambda row: row["auroc"])

RIGHT = {
    "izi_f_loss": [
        lambda x, y, fx, fy, kappa: mse(x, y) + kappa * mse(fx, fy),
        lambda x, y, fx, fy, kappa: tf.reduce_mean(tf.square(x - y)) + kappa * tf.reduce_mean(tf.square(fx - fy)),
        by_keras,
        lambda x, y, fx, fy, kappa: ((y - x) ** 2).sum() / x.size + kappa * ((fy - fx) ** 2).sum() / fx.size,
        lambda x, y, fx, fy, kappa: float(np.mean([mse(a, b) + kappa * mse(c, d) for a, b, c, d in zip(x, y, fx, fy, strict=True)])),
    ],
    "learns": [
        lambda e, g, f: e.trainable_variables,
        lambda e, g, f: e.trainable_weights,
        lambda e, g, f: [variable for layer in e.layers for variable in layer.trainable_variables],
        lambda e, g, f: tuple(e.trainable_variables),
        lambda e, g, f: [variable for variable in e.variables if variable.trainable],
    ],
    "steps_for_budget": [5, 5.0, np.int64(5), BEST["k"], np.array(5)],
    "upside_down": [handed(1.0, SHARE), handed(0.5, SHARE), handed(0, SHARE), handed(0.9, np.float32(SHARE)),
                    handed(0.75, np.array(SHARE))],
}  # fmt: skip

WRONG = {
    "izi_f_loss": [
        (lambda x, y, fx, fy, kappa: mse(x, y), "feature term"),
        (lambda x, y, fx, fy, kappa: kappa * mse(fx, fy), "pixel|image"),
        (lambda x, y, fx, fy, kappa: kappa * mse(x, y) + mse(fx, fy), "kappa"),
        (lambda x, y, fx, fy, kappa: ((x - y) ** 2).reshape(len(x), -1).sum(axis=1).mean() + kappa * ((fx - fy) ** 2).reshape(len(x), -1).sum(axis=1).mean(), "sum"),
        (lambda x, y, fx, fy, kappa: np.abs(x - y).mean() + kappa * np.abs(fx - fy).mean(), "square|absolute"),
        (lambda x, y, fx, fy, kappa: kappa * (mse(x, y) + mse(fx, fy)), "kappa"),
        (lambda x, y, fx, fy, kappa: mse(x, y) + mse(fx, fy), "kappa"),
        (lambda x, y, fx, fy, kappa: np.sqrt(mse(x, y)) + kappa * np.sqrt(mse(fx, fy)), "root"),
        (lambda x, y, fx, fy, kappa: ((x - y) ** 2).reshape(len(x), -1).mean(axis=1) + kappa * ((fx - fy) ** 2).reshape(len(x), -1).mean(axis=1), "one number"),
        (lambda x, y, fx, fy, kappa: mse(x, y) - kappa * mse(fx, fy), "sign|plus|add|minus"),
        (lambda x, y, fx, fy, kappa: ((x - y) ** 2).sum() + kappa * ((fx - fy) ** 2).sum(), "sum"),
        (lambda x, y, fx, fy, kappa: (1 - kappa) * mse(x, y) + kappa * mse(fx, fy), "1 - kappa|kappa"),
        (lambda x, y, fx, fy, kappa: (x - y).mean() ** 2 + kappa * (fx - fy).mean() ** 2, "square"),
    ],
    "learns": [
        (lambda e, g, f: g.trainable_variables + e.trainable_variables, "G would"),
        (lambda e, g, f: g.trainable_variables, "E|encoder"),
        (lambda e, g, f: f.trainable_variables, "E|encoder"),
        (lambda e, g, f: [*e.trainable_variables, *g.trainable_variables, *f.trainable_variables], "G would|f"),
        (lambda e, g, f: e.trainable_variables + f.trainable_variables, "f would|features|D"),
        (lambda e, g, f: [], "nothing|empty|no variable"),
        (lambda e, g, f: e, "network|variables"),
        (lambda e, g, f: e.trainable_variables[:1], "all|missing|some"),
        (lambda e, g, f: [variable.name for variable in e.trainable_variables], "names|variables"),
        (lambda e, g, f: e.variables, "moving|trainable"),
        (lambda e, g, f: [variable.numpy() for variable in e.trainable_variables], "values|variables"),
        (lambda e, g, f: e.trainable_variables * 2, "twice|once"),
        (lambda e, g, f: None, "nothing|None"),
    ],
    "steps_for_budget": [
        (13, "AUROC"),
        (10, "AUROC"),
        (0, "AUROC"),
        (40, "137|50 ms"),
        (200, "655|50 ms"),
        ("5", "text|number"),
        (BEST, "dict"),
        (6, "table"),
        (BEST["auroc"], "k"),
        (BEST["milliseconds"], "k|table"),
        (None, "None|nothing"),
        ({"k": 5}, "k|number"),
    ],
    "upside_down": [
        (handed("higher"), "number|predict"),
        (handed(0.9), "measure"),
        (handed(None, 0.5), "predict"),
        (handed(0.5, "0.5"), "number"),
        (handed(0.5, 50), "share"),
        (handed(0.5, 1 - SHARE), "measure|pairs"),
        (handed(0.5, 1.0), "measure|pairs"),
        (handed(0.9, (TURNED > UPRIGHT).mean()), "measure|pairs"),
        (handed(0.5, -0.2), "share"),
        (handed(0.5, [0.4, 0.6]), "one"),
        (handed("as before", 0.5), "predict|number"),
        (handed(0.9, None), "measure"),
    ],
}  # fmt: skip
