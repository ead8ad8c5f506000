"""Find the groups of a folder's images: those of one part, lot, patient or day, and near-copies.

Images of one group resemble each other more than they resemble new ones. A split keeps them together: else a detector
is calibrated on images like those that it was trained on, and promises too much for images of another group.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from anogan_lib.checks import check_seed, shortened

NEAR_COPIES = 0.97  # the correlation above which two images are near-copies
CLOSEST = 0.9999  # the highest that is asked of images in a chain of poses
_BLOCK = 256  # images that are compared with all others at a time


def named(names: Sequence[str], groups: str | Callable[[str], object], needed: Sequence[bool]) -> np.ndarray:
    """Name the group of each of N images, (N,) str; one that has none is a group of its own.

    Args:
        names: the images' paths within their folder, with "/".
        groups: a regular expression that is found in each name: the group is what its first (...) matched, or all that
            it matched. Or a .csv file with the columns name and group, where a name is a path within the folder or a
            file name alone. Or a function of the name.
        needed: (N,) True for those that must have a group.

    Raises:
        ValueError: the expression or the file is wrong, or an image that needs a group has none.
        FileNotFoundError: no such .csv file.
    """
    if callable(groups):
        found = [groups(name) for name in names]
    elif groups.lower().endswith(".csv"):
        table, short = _read(Path(groups)), Counter(PurePosixPath(name).name for name in names)
        short = {name: PurePosixPath(name).name for name in names if short[PurePosixPath(name).name] == 1}
        found = [table.get(name, table.get(short.get(name))) for name in names]
    else:
        try:
            pattern = re.compile(groups)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"groups is not a regular expression: {error}. Received: {shortened(groups)}.") from None
        found = [match and match[min(1, pattern.groups)] for match in map(pattern.search, names)]
    found = [None if group in (None, "") else str(group) for group in found]
    for name, group, must in zip(names, found, needed, strict=True):
        if must and group is None:
            raise ValueError(f"groups names no group for the image {name}. Received: {shortened(groups)}.")
    return np.array([f"the image {name}" if group is None else group for name, group in zip(names, found, strict=True)])


def _read(file: Path) -> dict[str, str]:
    """Read a table of names and groups."""
    if not file.is_file():
        raise FileNotFoundError(f"There is no table of groups {file}.")
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = [(row["name"], row["group"]) for row in csv.DictReader(stream)]
    except (KeyError, UnicodeDecodeError, csv.Error):
        raise ValueError(f"{file} is no table of groups: a CSV file with the columns name and group is.") from None
    table = dict(rows)
    for name, group in rows:
        if table[name] != group:
            raise ValueError(f"{file} names two groups for {name}: {group} and {table[name]}.")
    return table


def near_copies(small: np.ndarray) -> np.ndarray:
    """Group images whose small versions (N, h, w) correlate above NEAR_COPIES; return each group's first image, (N,).

    What all images have in common, their mean, is taken away before: photographs of the same kind of part in the same
    place correlate above 0.99 as they are. A copy of a copy belongs to the group, but a chain of poses is none: of
    parts that lie turned at random each resembles its neighbours, and the ends have nothing in common. What follows one
    another stays together all the same, like the frames of a film. 20,000 images take some ten seconds, up to a minute
    where they are poses.
    """
    x = np.asarray(small, np.float32).reshape(len(small), -1)
    x = np.ldexp(x, -np.frexp(np.abs(x).max())[1])  # neither squares of 1e30 nor of 1e-30 can be held
    x = _unit(x - x.mean(axis=1, keepdims=True))
    x = _unit(x - x.mean(axis=0))
    follow = np.flatnonzero((x[:-1] * x[1:]).sum(axis=1) > NEAR_COPIES)
    return _joined(_alike(x, NEAR_COPIES), follow, follow + 1)


def _alike(x: np.ndarray, limit: float) -> np.ndarray:
    """Group standardised images (n, P) that correlate above a limit; return each group's first image, (n,).

    A group in which two images differ four times as much is a chain: it is grouped again by a limit four times as
    close, as long as there is one.
    """
    group = np.arange(len(x))
    for first, block in _correlations(x):
        i, j = np.nonzero(block > limit)
        group = _joined(group, first + i, first + j)
    order = np.argsort(group, kind="stable")
    for copies in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(copies) > 2 and any(block.min() < 1 - 4 * (1 - limit) for _, block in _correlations(x[copies])):
            closer = 1 - (1 - limit) / 4
            group[copies] = copies[_alike(x[copies], closer)] if closer < CLOSEST else copies
    return group


def _correlations(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the place of the first of some standardised images, and their correlations with all images from it on."""
    for first in range(0, len(x), _BLOCK):
        yield first, x[first : first + _BLOCK] @ x[first:].T


def _joined(group: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Join the groups of images i with those of images j; return each group's first image, (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(i), bool), (group[i], group[j])), (len(group), len(group)))
    group = connected_components(links, directed=False)[1][group]
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    return first[which]


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)


def split_groups(groups: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split n normal images by their groups (n,) as `split_normal` does, no group being parted: three arrays of places.

    The shares are not exact. Where every image stands alone, the splits are those of `split_normal`. Raises ValueError
    if there are fewer than three groups.
    """
    if (count := len(np.unique(groups))) < 3:
        raise ValueError(
            "Groups of images stay whole, to train, to validate and to calibrate on: at least 3 groups of normal "
            f"images are wanted. Received: {count}."
        )
    n = len(groups)
    calibration, validation = round(0.2 * n), round(0.1 * n)
    parts = parts_of(groups, [n - calibration - validation, n - calibration], np.random.default_rng(check_seed(seed)))
    train, validation, calibration = (np.flatnonzero(parts == k) for k in range(3))
    return train, validation, calibration


def parts_of(groups: np.ndarray, cuts: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Line up the groups of N images in a random order and cut the line; return each image's part, (N,) int from 0.

    The cuts count images; the middle of a group decides in which part all of it is. A group of more than a fifth of the
    images goes into the largest part. No part is left without a group where there are as many groups as parts.
    """
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order, i = rng.permutation(len(sizes)), np.arange(len(sizes))
    if sizes.max() > len(groups) / 5:
        order = order[np.argsort(order != np.argmax(sizes), kind="stable")]
        order = order if 2 * cuts[0] > len(groups) else order[::-1]
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    parts = np.searchsorted(cuts, middles, side="right")  # ascending
    parts[0] = 0
    parts = np.minimum.accumulate(parts - i) + i  # the next group is of the same part, or of the next one
    parts = np.maximum(parts, i + len(cuts) + 1 - len(i))
    return parts[np.argsort(order)][which]
