"""Judge new images by normal ones that served for nothing else: thresholds, p-values and verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from anogan_lib.evaluation import thresholds

AT_ONCE = 512  # normal images whose G(z) and maps are in memory together
MAPS = 2000  # maps kept of so many images at most


def look_at(split, invert: Callable, maps_of: Callable, most: int | None = None) -> tuple[dict, dict, dict]:
    """Search z for N normal images, some of them in memory at a time.

    Args:
        split: the images.
        invert: images -> what the search found, with `losses`, (N,) each by name.
        maps_of: what the search found -> maps, (N, H, W) each by name.
        most: how many maps are kept; None for `MAPS`.

    Returns:
        by name, the losses and the highest values of the maps, (N,) each, and the maps themselves, of `most` images.
    """
    most = MAPS if most is None else most
    parts, shown = [], np.unique(np.linspace(0, len(split) - 1, most).astype(int))
    for first in range(0, len(split), AT_ONCE):
        found = invert(split[first : first + AT_ONCE])
        maps, rows = maps_of(found), shown[(first <= shown) & (shown < first + AT_ONCE)] - first
        peaks = {f"{name}_peak": each.max(axis=(1, 2)) for name, each in maps.items()}
        parts.append((found.losses, peaks, {name: each[rows] for name, each in maps.items()}))
    kinds = zip(*parts, strict=True)
    return tuple({name: np.concatenate([part[name] for part in kind]) for name in kind[0]} for kind in kinds)


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
