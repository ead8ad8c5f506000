"""Answers to the exercises on a better score, from the questions alone."""

# ruff: noqa: E501 - an answer a line

import keras
import numpy as np
import tensorflow as tf

from anogan_lib import exercises as ex

PER_IMAGE = {"axis": (1, 2, 3), "keepdims": True}
ROWS, STEPS = ex.places_table(), ex.ladder_steps()


def by_a_loop(maps, k):
    means = []
    for map in maps:
        values = sorted(map.ravel(), reverse=True)
        means.append(sum(values[:k]) / k)
    return means


def one_by_one(images):
    return np.stack([(x - x.mean()) / x.std() for x in images])


def by_moments(images):
    mean, variance = tf.nn.moments(images, (1, 2, 3), keepdims=True)
    return (images - mean) / tf.sqrt(variance)


def grown(value):
    map = np.ones(4096)
    map[:40] = value
    return map.sum() / 4096


RIGHT = {
    "top_mean": [
        by_a_loop,
        lambda maps, k: np.partition(maps.reshape(len(maps), -1), -k, axis=1)[:, -k:].mean(axis=1),
        lambda maps, k: tf.reduce_mean(tf.math.top_k(tf.reshape(maps, (len(maps), -1)), k)[0], axis=1),
        lambda maps, k: [np.sort(map, axis=None)[::-1][:k].mean() for map in maps],
        lambda maps, k: -np.sort(-maps.reshape(len(maps), -1).astype("float64"))[:, :k].sum(axis=1) / k,
    ],
    "without_contrast": [
        one_by_one,
        by_moments,
        lambda images: (images - images.mean(**PER_IMAGE)) / np.sqrt(images.var(**PER_IMAGE)),
        lambda images: keras.ops.divide(images - images.mean(**PER_IMAGE), images.std(**PER_IMAGE)),
        lambda images: ((images.astype("float64") - images.mean(**PER_IMAGE)) / images.std(**PER_IMAGE)).tolist(),
    ],
    "drowned": [(2.0, grown(5)), (5, 1.04), (1.04, np.float32(grown(5))), (1, np.array(grown(5))), (1.5, 4256 / 4096)],
    "choose_places": [16, 16.0, np.int64(16), max(ROWS, key=lambda row: row["patched"])["places"], np.array(16)],
    "chance_step": [3, 3.0, np.int64(3), np.array(3), [row["low"] < 0 < row["high"] for row in STEPS].index(True) + 1],
}  # fmt: skip

WRONG = {
    "top_mean": [
        (lambda maps, k: maps.mean(axis=(1, 2)), "all places"),
        (lambda maps, k: maps.max(axis=(1, 2)), "highest place alone"),
        (lambda maps, k: np.sort(maps.reshape(len(maps), -1))[:, :k].mean(axis=1), "lowest"),
        (lambda maps, k: np.sort(maps.reshape(len(maps), -1))[:, -k:].sum(axis=1), "sum"),
        (lambda maps, k: np.sort(maps.reshape(len(maps), -1))[:, -k], "k-th"),
        (lambda maps, k: np.sort(maps.ravel())[-k:].mean(), "each map"),
        (lambda maps, k: np.full(len(maps), np.sort(maps, axis=None)[-k:].mean()), "each map"),
        (lambda maps, k: maps.reshape(len(maps), -1)[:, :k].mean(axis=1), "sorted"),
        (lambda maps, k: np.sort(maps.reshape(len(maps), -1))[:, -k - 1 :].mean(axis=1), "too many"),
        (lambda maps, k: np.sort(maps.reshape(len(maps), -1))[:, -k:], "asked is their mean"),
        (lambda maps, k: np.sort(maps)[:, :, -k:].mean(axis=(1, 2)), "row"),
        (lambda maps, k: None, "None"),
        (lambda maps, k: -np.sort(-maps.reshape(len(maps), -1))[:, :k].mean(axis=1) * -1, "sign|lowest|yours"),
    ],
    "without_contrast": [
        (lambda images: (images - images.mean()) / images.std(), "all images"),
        (lambda images: (images - images.mean(axis=(1, 2), keepdims=True)) / images.std(axis=(1, 2), keepdims=True), "channel"),
        (lambda images: images - images.mean(**PER_IMAGE), "divide"),
        (lambda images: images / images.std(**PER_IMAGE), "subtract"),
        (lambda images: (images - images.mean(**PER_IMAGE)) / images.var(**PER_IMAGE), "variance"),
        (lambda images: (images - images.mean()) / images.std(**PER_IMAGE), "mean is one"),
        (lambda images: (images - images.mean(**PER_IMAGE)) / images.std(), "deviation is one"),
        (lambda images: (images - images.mean(axis=0)) / images.std(axis=0), "mean image"),
        (lambda images: images / images.std(**PER_IMAGE) - images.mean(**PER_IMAGE), "first"),
        (lambda images: (images - images.min(**PER_IMAGE)) / (images.max(**PER_IMAGE) - images.min(**PER_IMAGE)), "darkest"),
        (lambda images: (images - images.mean(axis=(1, 2, 3))) / images.std(axis=(1, 2, 3)), "broadcast|shape|ValueError|yours"),
        (lambda images: images, "yours"),
        (lambda images: -(images - images.mean(**PER_IMAGE)) / images.std(**PER_IMAGE), "sign"),
    ],
    "drowned": [
        ((2, 5), "40 pixels"),
        ((2, grown(5) - 1), "share"),
        ((2, 3.9), "share"),
        ((2, 1 + 40 * 5 / 4096), "already"),
        ((2, 200 / 4256), "share"),
        ((2, 4256), "divide"),
        ((2, 4096 / 4256), "before"),
        ((2, 1 + 40 / 4096), "pixels alone"),
        (("twice",), "predict|number"),
        ((2.0,), "measure"),
        ((None, grown(5)), "predict"),
        ((2, "1.04"), "number"),
        ((2, 1.5), "sum"),
    ],
    "choose_places": [
        (64, "test"), (4096, "whole image"), (1, "noisy"), (4, "more"), (17, "table"), (0.927, "table"), (0.951, "table"),
        ("16 places", "text|number"), (None, "nothing"), (ROWS[2], "dict"), ([16, 64], "one number|several"), (0, "table"),
    ],
    "chance_step": [
        (2, "smallest"), (4, "harm"), (1, "largest"), (0, "number of a step"), (5, "number of a step"), (0.022, "number"),
        ("3", "text|number"), (None, "nothing"), (STEPS[2], "dict"), ([2, 3], "one number|several"), (-1, "number of a step"),
    ],
}  # fmt: skip
