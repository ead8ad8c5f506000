"""Answers to the exercises on visualization, written from the questions alone, without sight of the checkers."""

# ruff: noqa: E501 - an answer a line

import numpy as np
import tensorflow as tf
from matplotlib import colormaps, colors
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from anogan_lib import exercises as ex


def cut_off(normal):
    return np.quantile(normal, 0.999)


def by_ranks(maps, masks):
    ranks, bad = rankdata(maps), masks.ravel()
    return (ranks[bad].sum() - bad.sum() * (bad.sum() + 1) / 2) / (bad.sum() * (~bad).sum())


def shift():
    image, reconstruction = ex.false_alarm()
    return min(range(-5, 6), key=lambda by: np.abs(image - np.roll(reconstruction, by, axis=1)).sum())


def share_of_maps(seed=0):
    rng = np.random.default_rng(seed)
    limit = np.quantile(rng.exponential(size=(500, 4096)), 0.999)
    return float((rng.exponential(size=(2000, 4096)) > limit).any(axis=1).mean())


def own_scale(maps):
    return maps / maps.max(axis=(1, 2), keepdims=True)


RIGHT = {
    "levels": [
        lambda normal, maps: np.clip(maps / cut_off(normal), 0, 1),
        lambda normal, maps: np.minimum(maps / cut_off(normal), 1),
        lambda normal, maps: np.ma.getdata(colors.Normalize(0, cut_off(normal), clip=True)(maps)),
        lambda normal, maps: tf.clip_by_value(maps / np.percentile(normal, 99.9), 0, 1),
        lambda normal, maps: np.interp(maps, [0, cut_off(normal)], [0, 1]),
    ],
    "pixel_auroc": [
        lambda maps, masks: roc_auc_score(masks.ravel(), maps.ravel()),
        by_ranks,
        lambda maps, masks: np.mean(
            [(b > maps[~masks]).mean() + 0.5 * (b == maps[~masks]).mean() for b in maps[masks]]
        ),
        lambda maps, masks: float(1 - roc_auc_score(~masks.ravel(), maps.ravel())),
        lambda maps, masks: (np.sign(maps[masks][:, None] - maps[~masks]).mean() + 1) / 2,
    ],
    "explained": [
        ("position", abs(shift())),
        ("position", -abs(shift())),
        ["Position", np.int64(shift())],
        ("position ", float(shift())),
        ("POSITION", np.array(shift())),
    ],
    "colours": ["magma", "viridis", "cividis", colormaps["gray"], "Greys"],
    "bright_pixels": [
        (0.001, 1 - 0.999**4096),
        (0.5, share_of_maps()),
        (0.98, 0.98),
        (0, np.float32(share_of_maps(1))),
        (1, 0.983),
    ],
}

WRONG = {
    "levels": [
        (lambda normal, maps: own_scale(maps), "own scale"),
        (lambda normal, maps: maps / maps.max(), "normal"),
        (lambda normal, maps: np.clip(maps / np.quantile(maps, 0.999), 0, 1), "normal|maps shown"),
        (lambda normal, maps: np.clip(maps / normal.max(), 0, 1), "largest|max|quantile"),
        (lambda normal, maps: np.clip(maps / np.quantile(normal, 0.99), 0, 1), "99"),
        (lambda normal, maps: maps / cut_off(normal), "clip|above 1|more than 1"),
        (lambda normal, maps: np.clip((maps - maps.min()) / (cut_off(normal) - maps.min()), 0, 1), "0 stays|shift|subtract"),
        (
            lambda normal, maps: np.clip(maps / np.quantile(normal, 0.999, axis=(1, 2)).mean(), 0, 1),
            "all normal|each|together",
        ),
        (lambda normal, maps: (np.clip(maps / cut_off(normal), 0, 1) * 255).astype("uint8"), "255|0 to 1"),
        (lambda normal, maps: np.clip(maps / np.quantile(normal, 0.001), 0, 1), "0.1|low|99.9"),
        (lambda normal, maps: np.clip(maps / normal.mean(), 0, 1), "mean"),
        (lambda normal, maps: 1 - np.clip(maps / cut_off(normal), 0, 1), "invert|0 stays|upside|revers"),
        (lambda normal, maps: np.clip(maps / np.quantile(normal, 99.9), 0, 1), "0.999|between 0 and 1|\\[0, 1\\]"),
        (lambda normal, maps: np.clip(maps, 0, cut_off(normal)), "divide"),
    ],
    "pixel_auroc": [
        (lambda maps, masks: np.mean([roc_auc_score(a.ravel(), b.ravel()) for a, b in zip(masks, maps, strict=True)]), "mean over images"),
        (lambda maps, masks: roc_auc_score(masks.any(axis=(1, 2)) ^ [True] + [False] * (len(masks) - 1), maps.max(axis=(1, 2))), "image|pixel"),
        (lambda maps, masks: 1 - roc_auc_score(masks.ravel(), maps.ravel()), "wrong way|revers|other way|swap"),
        (lambda maps, masks: np.mean(maps[masks][:, None] > maps[~masks]), "equal"),
        (lambda maps, masks: np.mean(maps[masks][:, None] >= maps[~masks]), "equal"),
        (lambda maps, masks: average_precision_score(masks.ravel(), maps.ravel()), "precision"),
        (lambda maps, masks: ((maps > 0.5) == masks).mean(), "accuracy|threshold"),
        (lambda maps, masks: roc_auc_score(masks.ravel(), own_scale(maps).ravel()), "own scale|scale"),
        (lambda maps, masks: np.logical_and(maps > 0.5, masks).sum() / np.logical_or(maps > 0.5, masks).sum(), "threshold|overlap"),
        (lambda maps, masks: np.corrcoef(maps.ravel(), masks.ravel())[0, 1], "correlation|share of pairs|pairs"),
        (lambda maps, masks: maps[masks].mean() - maps[~masks].mean(), "mean|pairs"),
        (lambda maps, masks: [roc_auc_score(a.ravel(), b.ravel()) for a, b in zip(masks, maps, strict=True)], "one number"),
    ],
    "explained": [
        (("light", 2), "light"),
        (("blur", 2), "blur"),
        (("defect", 2), "defect"),
        (("position", 0), "pixels|moved|far"),
        (("position", shift() + 2 * np.sign(shift())), "pixels|moved|far"),
        ("position", "two|number|pixels|both"),
        (("rotation", 2), "one of|light"),
        ((2, "position"), "first|order|word"),
        (None, "None|nothing|two"),
        (("position", "2"), "number"),
        (("position", 16), "pixels|moved|far"),
        (("position", None), "number"),
    ],
    "colours": [
        ("jet", "lightness"),
        ("hsv", "lightness"),
        ("RdYlGn", "green|lightness"),
        ("coolwarm", "two|middle|lightness"),
        ("Set1", "lightness|classes|order"),
        ("rainbow", "lightness"),
        ("nosuchmap", "matplotlib has none"),
        ("turbo", "lightness"),
        ("prism", "lightness"),
        ("twilight", "lightness"),
        (5, "name"),
        (None, "None|nothing|name"),
        ("red", "matplotlib has none"),
    ],
    "bright_pixels": [
        ((0.001,), "measure"),
        ((0.001, 0.001), "pixel"),
        ((0.001, 0.1), "map|image|pixel"),
        ((0.001, 4.1), "share|pixels"),
        ((0.001, 98), "share|per cent"),
        ((0.001, 0.0166), "no pixel|none|without|other"),
        ((0.001, "0.98"), "number"),
        ((None, 0.98), "predict"),
        ((0.001, 0.5), "map|image|pixel"),
        ((0.001, 0.999), "pixel"),
        ((0.001, 0.04), "map|image|pixel"),
        ((0.001, 4096), "share"),
    ],
}  # fmt: skip
