"""Exercises on a better score: the highest places, contrast, what a sum drowns, choices without labels, chance."""

import numpy as np

from anogan_lib.exercises.cases import arrays
from anogan_lib.exercises.check import among, exercise, table
from anogan_lib.scores import local


def _sorted(maps):
    return np.sort(maps.reshape(len(maps), -1))


@exercise(
    right=local.top_mean,
    cases=lambda: [(*maps, k) for k in (1, 3, 4) for maps in arrays(1, (1, 2, 2), (2, 2, 3), (3, 8, 4))],
)
def top_mean(maps, k):
    """Mean of the k highest values of each map: (N, H, W) and a whole number to (N,)."""
    return np.sort(maps.reshape(len(maps), -1))[:, -k:].mean(axis=1)


@exercise(right=local.without_contrast, cases=lambda: arrays(1, (1, 1, 3, 2), (2, 2, 3, 2), (3, 4, 4, 3)))
def without_contrast(images):
    """Take brightness and contrast out: each image gets mean 0 and standard deviation 1, (N, H, W, C) to the same."""
    centred = images - images.mean(axis=(1, 2, 3), keepdims=True)
    return centred / images.std(axis=(1, 2, 3), keepdims=True)


@exercise(given=lambda: ())
def drowned():
    """A map of 64x64 is 1 everywhere. Then a hole comes, and 40 of its pixels are 5. Predict, then measure: how many
    times as large is the sum of the map as it was before?"""
    map = np.ones((64, 64))
    map.ravel()[:40] = 5
    return map.sum() / 64**2


def places_table() -> list[dict]:
    """List, for several numbers of places, AUROC on patched validation images and on the test images (made up)."""
    return table("places_table")


@exercise(
    given=places_table,
    effect=lambda k, rows: among(k, [row["places"] for row in rows], "a number of places of the table"),
)
def choose_places(rows):
    """Choose the number of places for a score from `ex.places_table()`, so that the test images stay a test."""
    return max(rows, key=lambda row: row["patched"])["places"]


def ladder_steps() -> list[dict]:
    """List steps of a ladder: the gain in AUROC, and its 95 % interval on the same test images (made up)."""
    return table("ladder_steps")


@exercise(given=ladder_steps, effect=lambda number, rows: among(number, range(1, 5), "the number of a step"))
def chance_step(rows):
    """Which step of `ex.ladder_steps()` may be chance alone? Answer with its number, from 1."""
    return 1 + next(i for i, row in enumerate(rows) if row["low"] <= 0 <= row["high"])
