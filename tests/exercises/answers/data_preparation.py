"""Answers to the exercises on data preparation, written from the questions alone, without sight of the checkers."""

import numpy as np
import tensorflow as tf

from anogan_lib import exercises as ex


def distances(normalise=False):
    """From each of the test images to each training image, (8, 16)."""
    train, test = (np.reshape(each, (len(each), -1)) for each in ex.near_duplicates())
    if normalise:
        train, test = (each - each.mean(axis=1, keepdims=True) for each in (train, test))
        train, test = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (train, test))
    return np.linalg.norm(test[:, None] - train[None], axis=2)


def planted():
    return int(distances(normalise=True).min(axis=1).argmin())


def by_group_shuffle(nuts, share):
    from sklearn.model_selection import GroupShuffleSplit

    held_back = np.zeros(len(nuts), bool)
    held_back[next(GroupShuffleSplit(1, test_size=share, random_state=1).split(nuts, groups=nuts))[1]] = True
    return held_back


def by_set(nuts, share):
    names = sorted(set(nuts.tolist()))
    chosen = set(names[: round(share * len(names))])
    return [nut in chosen for nut in nuts.tolist()]


def by_choice(nuts, share):
    each = np.unique(nuts)
    return np.isin(nuts, np.random.default_rng(5).choice(each, round(share * len(each)), replace=False))


def held_back_nuts(nuts, share):
    each = np.unique(nuts)
    return each[: round(share * len(each))]


def measured_twins(seed=3, pairs=150, share=0.2):
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(200):
        held = rng.permutation(2 * pairs) < share * 2 * pairs
        twin = held.reshape(pairs, 2)[:, ::-1].ravel()
        shares.append((held & ~twin).sum() / held.sum())
    return float(np.mean(shares))


RIGHT = {
    "scale": [
        lambda u: (u.astype("float32") / 127.5 - 1)[..., None],
        lambda u: np.expand_dims(np.interp(u, [0, 255], [-1, 1]), -1),
        lambda u: tf.cast(u, tf.float32)[..., tf.newaxis] / 127.5 - 1,
        lambda u: 2 * (u.reshape(*u.shape, 1) / 255) - 1,
        lambda u: tf.keras.layers.Rescaling(1 / 127.5, -1)(u[..., None]),
    ],
    "unscale": [
        lambda x: np.rint((x + 1) * 127.5).clip(0, 255).astype(np.uint8),
        lambda x: np.uint8(np.clip(np.round(x * 127.5 + 127.5), 0, 255)),
        lambda x: ((np.clip(x, -1, 1) + 1) * 127.5 + 0.5).astype("uint8"),
        lambda x: tf.cast(tf.round(tf.clip_by_value((x + 1) * 127.5, 0, 255)), tf.uint8),
        lambda x: np.interp(x, [-1, 1], [0, 255]).round().astype("uint8"),
    ],
    "near_duplicate": [
        planted(),
        np.int64(planted()),
        float(planted()),
        np.argmin(distances(normalise=True).min(axis=1)),
        np.array(planted()),
    ],
    "resolution": [128, 128.0, np.int64(128), min(s for s in (16, 32, 64, 128, 256) if s >= 80), np.array(128)],
    "grouped_split": [
        by_group_shuffle,
        by_set,
        by_choice,
        lambda nuts, share: np.isin(nuts, held_back_nuts(nuts, share)),
        lambda nuts, share: np.unique(nuts, return_inverse=True)[1] < round(share * len(np.unique(nuts))),
    ],
    "twins": [(0.2, measured_twins()), (0.5, 0.8), (0.8, 0.8), (0, 0.803), (1, np.float32(0.79))],
}

# (the answer, what a hint that names its mistake speaks of)
WRONG = {
    "scale": [
        (lambda u: u[..., None] / 255, r"\[0, 1\]"),
        (lambda u: u / 127.5 - 1, "channel"),
        (lambda u: (u / 127.5 - 1)[None], "axis"),
        (lambda u: (u / 128 - 1)[..., None], "127.5"),
        (lambda u: u[..., None] // 127.5 - 1, "division|//"),
        (lambda u: u[..., None] - 127.5, "divide"),
        (lambda u: (1 - u / 127.5)[..., None], "dark|sign|invert"),
        (lambda u: (2 * (u - u.min()) / (np.ptp(u) or 1) - 1)[..., None], "own"),
        (lambda u: (u / 127.5)[..., None], r"\[0, 2\]|subtract|1 too high"),
        (lambda u: ((u - u.mean()) / (u.std() or 1))[..., None], "mean|standard|own"),
        (lambda u: ((u * 2 - 255) / 255)[..., None], "uint8|overflow"),
    ],
    "unscale": [
        (lambda x: ((x + 1) * 127.5).clip(0, 255).astype("uint8"), "round"),
        (lambda x: np.rint((x + 1) * 127.5).astype("int64").astype("uint8"), "clip|wrap"),
        (lambda x: np.rint((x + 1) * 127.5).clip(0, 255), "uint8"),
        (lambda x: np.rint(x * 255).clip(0, 255).astype("uint8"), "-1|half"),
        (lambda x: np.rint((x + 1) * 255).clip(0, 255).astype("uint8"), "twice|127.5"),
        (lambda x: np.rint((x + 1) * 128).clip(0, 255).astype("uint8"), "127.5"),
        (lambda x: np.rint((x + 1) * 127.5).clip(0, 255).astype("uint8")[..., 0], "shape|axis"),
        (lambda x: np.rint((x + 1) / 2).clip(0, 255).astype("uint8"), "255"),
        (lambda x: np.rint((x + 1) * 127.5).clip(0, 255).astype("int64"), "uint8"),
        (lambda x: np.ceil((x + 1) * 127.5).clip(0, 255).astype("uint8"), "round"),
        (lambda x: np.rint((1 - x) * 127.5).clip(0, 255).astype("uint8"), "dark|sign|invert"),
    ],
    "near_duplicate": [
        (int(distances().min(axis=1).argmin()), "light|bright"),
        (4, "honest|nearest"),
        (int(distances(normalise=True).min(axis=1).argmax()), "nearest|smallest|least"),
        (planted() + 1, "from 0"),
        (int(distances(normalise=True).min(axis=0).argmin()), "train|test"),
        (9, "a place in test"),
        (-1, "a place in test"),
        (str(planted()), "text|string|number"),
        (float(distances(normalise=True).min()), "whole|place"),
        (None, "None|nothing"),
        ([planted(), 1], "one"),
    ],
    "resolution": [
        (64, "2.4"),
        (32, "1.2"),
        (16, "0.6"),
        (256, "smaller side"),
        (80, "sides"),
        ("128", "text|string|number"),
        (100, "sides"),
        (27, "sides"),
        ((128, 128), "one"),
        (None, "None|nothing"),
        (0, "sides"),
    ],
    "grouped_split": [
        (lambda nuts, share: np.arange(len(nuts)) < share * len(nuts), "both sides"),
        (lambda nuts, share: np.random.default_rng(0).random(len(nuts)) < share, "both sides"),
        (lambda nuts, share: np.flatnonzero(by_choice(nuts, share)), "True"),
        (lambda nuts, share: ~by_choice(nuts, share), "share"),
        (lambda nuts, share: np.ones(len(nuts), bool), "all"),
        (lambda nuts, share: np.zeros(len(nuts), bool), "none|no nut"),
        (lambda nuts, share: by_choice(nuts, 0.5), "share"),
        (held_back_nuts, "True"),
        (lambda nuts, share: nuts == nuts[0], "share"),
        (lambda nuts, share: (by_choice(nuts, share), ~by_choice(nuts, share)), "one|two|shape"),
        (lambda nuts, share: np.arange(len(np.unique(nuts))) < share * len(np.unique(nuts)), "each photograph|shape"),
        (lambda nuts, share: np.arange(len(nuts)) % round(1 / share) == 0, "both sides"),
    ],
    "twins": [
        ((0.2,), "measure"),
        ((0.2, 0.2), "held back"),
        ((0.5, 0.5), "held back"),
        ((0.2, 0.16), "held back"),
        ((0.2, 0.04), "held back"),
        ((0.2, 80), "share|per cent"),
        ((0.2, "0.8"), "number"),
        ((None, 0.8), "predict"),
        ((0.2, 0.4), "held back"),
        ((0.2, 0.64), "held back"),
        (("most", 0.8), "predict|number"),
        ((0.2, 1.0), "held back|both"),
    ],
}
