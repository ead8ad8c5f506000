"""Judge new images by normal ones that served for nothing else: thresholds, p-values and verdicts."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anogan_lib.evaluation import thresholds

AT_ONCE = 64  # normal images whose G(z) and maps are in memory together
MAPS = 2000  # maps kept of so many images at most
LOOKED = "looked"  # folder of `Parts` beside the checkpoints


class Parts:
    """What was found for some images at a time, kept in a folder, so that an interruption costs the last part at most.

    Args:
        folder: where a file is written for each part; None to keep nothing.
        state: digest of all that the parts depend on besides the arrays they are made from.
    """

    def __init__(self, folder=None, state: str = ""):
        self.folder, self.state = folder and Path(folder), state

    def get(self, find: Callable, *arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Return find(*arrays), which are arrays by name, from its file where there is one.

        Raises:
            OSError: the file cannot be written.
        """
        if self.folder is None:
            return find(*arrays)
        digest = hashlib.sha256(self.state.encode())
        for array in arrays:
            digest.update(array.tobytes())
        file = self.folder / f"{digest.hexdigest()}.npz"
        try:
            with np.load(file) as kept:
                return dict(kept)
        except Exception:  # it is not there, or damaged: whatever NumPy and zipfile raise then
            found, new = find(*arrays), file.with_suffix(f".{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(new, "wb") as stream:
                np.savez(stream, **found)
            os.replace(new, file)
        except OSError as error:
            with suppress(OSError):
                new.unlink()  # what was written of it fills the disk
            raise OSError(f"Cannot write into {self.folder}: {error.strerror}. What is there is kept.") from None
        return found


def look_at(
    split, invert: Callable, maps_of: Callable, most: int | None = None, at_once: int = AT_ONCE, kept=None
) -> tuple[dict, dict, dict]:
    """Search z for N normal images, some of them in memory at a time.

    Args:
        split: the images.
        invert: images -> what the search found, with `losses`, (N,) each by name.
        maps_of: what the search found -> maps, (N, H, W) each by name.
        most: how many maps are kept; None for `MAPS`.
        at_once: how many images are in memory.
        kept: `Parts`, where an interrupted call goes on.

    Returns:
        by name, the losses and the highest values of the maps, (N,) each, and the maps themselves, of `most` images.
    """

    def find(images, rows):
        found = invert(images)
        maps = maps_of(found)
        part = {f"losses {name}": each for name, each in found.losses.items()}
        part |= {f"peaks {name}_peak": each.max(axis=(1, 2)) for name, each in maps.items()}
        return part | {f"maps {name}": each[rows] for name, each in maps.items()}

    shown = np.unique(np.linspace(0, len(split) - 1, MAPS if most is None else most).astype(int))
    found: dict[str, list] = {}
    for first in range(0, len(split), at_once):
        rows = shown[(first <= shown) & (shown < first + at_once)] - first
        for name, each in (kept or Parts()).get(find, split[first : first + at_once].images, rows).items():
            found.setdefault(name, []).append(each)
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    kinds = ("losses ", "peaks ", "maps ")
    return tuple({n.removeprefix(kind): v for n, v in joined.items() if n.startswith(kind)} for kind in kinds)


class Calibration(dict):
    """The losses and the highest map values of n calibration images, (n,) each by name.

    Where the images come in groups, "groups" is a number for the group of each.

    Attributes:
        search: the search that gave them, {"init", "steps", "seed"}, and whose verdicts they serve; None if unknown.
        estimate: whether the threshold may be an estimate where the groups are too few for a promise.
    """

    def __init__(self, values: Mapping[str, np.ndarray], search: dict | None = None, estimate: bool = False):
        super().__init__(values)
        self.search, self.estimate = search, estimate

    groups = property(lambda self: self.get("groups"))

    @property
    def lowest_rate(self) -> float:
        """The lowest false-alarm rate that these images can promise, or estimate."""
        alone = self.groups is None or self.estimate
        return 1 / (1 + (len(next(iter(self.values()))) if alone else len(np.unique(self.groups))))

    def threshold(self, scores: np.ndarray, false_alarm_rate: float) -> thresholds.Threshold:
        """Set a threshold on scores (n,) of the calibration images, as `thresholds.hierarchical` promises it."""
        return thresholds.hierarchical(scores, false_alarm_rate, self.groups, self.estimate)

    def p_values(self, scores: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Give new scores (N,) their p-values beside those of the calibration images (n,): (N,)."""
        return thresholds.p_values(scores, new, self.groups)


@dataclass(frozen=True)
class Prediction:
    """The detector's verdicts on N images.

    Attributes:
        scores: A(x), (N,).
        p_values: share of calibration images that score at least as high, (N,) in (0, 1].
        verdicts: True where anomalous, (N,).
        maps: where, (N, H, W); higher is more anomalous, on one scale for all images.
        residual, discrimination: R(x) and D(x) as raw sums, (N,).
        reconstruction: G(z), (N, H, W, C).
        losses: every loss by name, (N,) each, for `detector.combine` with another lambda.
    """

    scores: np.ndarray
    p_values: np.ndarray
    verdicts: np.ndarray
    maps: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
