"""Join all figures of one evaluation, each beside what it is to be compared with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from operator import methodcaller

import numpy as np

from anogan_lib.checks import printable
from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.evaluation.thresholds import Threshold, check_labels, check_scores

LAMS = tuple(np.linspace(0, 1, 11).round(1).tolist())
FIGURES = ("auroc", "auroc_interval", "average_precision", "average_precision_interval", "f1", "confusion", "accuracy")
FIGURES += ("trivial_accuracy", "false_alarm_rate", "false_alarm_interval", "hit_rate", "hit_rate_interval")
FIGURES += ("hit_rate_by_kind", "pixel_auroc", "pro", "threshold", "threshold_description", "baselines")
FIGURES += ("pixel_baselines", "left_out", "group_count", "cautions")
OF_IMAGES = ("scores", "labels", "verdicts", "p_values", "kinds", "names", "groups", "residual", "discrimination")
UNLIKELY = 0.025  # where so many false alarms are less likely than this, we do not put them down to chance

Interval = tuple[float, float]


@dataclass(eq=False, repr=False)
class Evaluation:
    """An evaluation computes how well a detector did on N labelled images.

    A figure is None where it has no meaning (AUROC of normal images alone) or its input is missing. Intervals are of
    95 %: bootstrap for areas, Wilson for rates, wider where the images of a group share their verdicts. The figures
    that take time are computed when first asked for.

    Args:
        scores, labels: (N,) anomaly scores, and 0 (normal) or 1 (anomalous).
        threshold: a number, or what a function of `thresholds` returned.
        kinds, names, groups: (N,) str; images of one group belong together.
        maps: (N, H, W), on one scale.
        masks: (N, H, W) bool; an anomalous image whose mask is empty does not count in the pixel figures.
        p_values, residual, discrimination: (N,), for tables and reports.
        baselines, pixel_baselines: image and pixel AUROC of each baseline on the same images, by name.
        left_out: how many test images are not among the N because the detector had learned from them.
    """

    scores: np.ndarray
    labels: np.ndarray
    threshold: float | Threshold
    _: KW_ONLY
    kinds: np.ndarray | None = None
    names: np.ndarray | None = None
    groups: np.ndarray | None = None
    maps: np.ndarray | None = None
    masks: np.ndarray | None = None
    p_values: np.ndarray | None = None
    residual: np.ndarray | None = None
    discrimination: np.ndarray | None = None
    baselines: Mapping[str, float] | None = None
    pixel_baselines: Mapping[str, float] | None = None
    left_out: int = 0

    def __post_init__(self):
        self.scores = check_scores(self.scores)
        self.labels = check_labels(self.labels, len(self.scores))
        if not isinstance(self.threshold, Threshold):
            self.threshold = Threshold(self.threshold)
        for name in ("kinds", "names", "groups", "maps", "masks", "p_values", "residual", "discrimination"):
            given = getattr(self, name)
            if given is not None and len(given) != len(self.scores):
                raise ValueError(f"{len(self.scores)} scores need as many {name}. Received: {len(given)}.")
            if given is not None and name in ("kinds", "names", "groups"):
                setattr(self, name, np.asarray(given, str))
        self.baselines, self.pixel_baselines = dict(self.baselines or {}), dict(self.pixel_baselines or {})
        self.threshold_description = self.threshold.description or None
        self.verdicts = self.threshold.verdicts(self.scores)  # (N,) bool
        judged = (self.labels, self.verdicts)
        self.normal, self.anomalous = int(np.sum(self.labels == 0)), int(np.sum(self.labels == 1))
        both = self.normal and self.anomalous
        self.auroc = metrics.auroc(self.labels, self.scores) if both else None
        self.average_precision = metrics.average_precision(self.labels, self.scores) if both else None
        self.confusion, self.accuracy = metrics.confusion(*judged), metrics.accuracy(*judged)
        self.trivial_accuracy = metrics.trivial_accuracy(self.labels)
        self.f1 = metrics.f1(*judged) if self.anomalous else None
        self.group_count = None if self.groups is None else len(set(self.groups))
        self.false_alarm_rate, self.false_alarm_interval, self._telling = self._rate(0)
        self.hit_rate, self.hit_rate_interval, _ = self._rate(1)
        by_kind = self.kinds is not None and self.anomalous
        self.hit_rate_by_kind = metrics.hit_rate_by_kind(*judged, self.kinds) if by_kind else None

    auroc_interval = cached_property(lambda self: self._interval(metrics.auroc))
    average_precision_interval = cached_property(lambda self: self._interval(metrics.average_precision))
    pixel_auroc = cached_property(lambda self: self._of_pixels(metrics.pixel_auroc))
    pro = cached_property(lambda self: self._of_pixels(metrics.pro))

    def _interval(self, function) -> Interval | None:
        return None if self.auroc is None else metrics.bootstrap_interval(function, self.labels, self.scores)

    def _of_pixels(self, function) -> float | None:
        """Apply function(maps, masks) to the images whose defect pixels are known: all normal ones, and the masked."""
        if self.maps is None or self.masks is None or not np.any(self.masks):
            return None
        known = metrics.known_pixels(self.labels, self.masks)
        return function(np.asarray(self.maps)[known], np.asarray(self.masks)[known])

    def to_dict(self) -> dict:
        """Return plain Python for json.dumps, by the attributes' names; NaN and infinity become None."""
        values = {name: getattr(self, name) for name in FIGURES + OF_IMAGES}
        text = json.dumps(values, default=methodcaller("tolist"))  # NumPy's arrays and numbers become Python's
        return json.loads(text, parse_constant=lambda _: None)

    def _rate(self, label: int) -> tuple[float, Interval, int] | tuple[None, None, int]:
        """Compute the share of the images with this label that is called anomalous, its interval, and its sample size.

        The last is Kish's effective one, between the numbers of groups and of images.
        """
        rows = self.labels == label
        n = telling = int(rows.sum())
        if not n:
            return None, None, 0
        rate = float(self.verdicts[rows].mean())
        if self.groups is not None:
            which = np.unique(self.groups[rows], return_inverse=True)[1]
            sums = np.bincount(which, self.verdicts[rows] - rate)
            variance, spread = np.sum(sums**2) * len(sums) / max(len(sums) - 1, 1) / n**2, rate * (1 - rate)
            telling = round(np.clip(spread / max(variance, spread / n, 1e-12), len(sums), n))
        return rate, metrics.wilson_interval(rate * telling, telling), telling

    @property
    def rival_ahead(self) -> str | None:
        """A sentence that says which simple baseline is ahead of the detector in image AUROC, or None."""
        return _ahead("AUROC", self.auroc, self.baselines)

    @property
    def pixel_rival_ahead(self) -> str | None:
        """The same for pixel AUROC."""
        return _ahead("pixel AUROC", self.pixel_auroc, self.pixel_baselines)

    @property
    def promise_broken(self) -> str | None:
        """A sentence that gives the likely reason for more false alarms than the threshold's rate allows, or None.

        Chance has its part in a calibration: among images like its n images, the number of false alarms is
        beta-binomial. The sentence is there where the probability of so many is below 2.5 %.
        """
        promised, n = self.threshold.false_alarm_rate, self.threshold.count
        if not promised or not self.normal or self.false_alarm_rate <= promised:
            return None
        if n and thresholds.chance_of_alarms(self.false_alarm_rate, self._telling, promised, n) >= UNLIKELY:
            return None
        if not n and self.false_alarm_interval[0] <= promised:
            return None
        seen = None if self.groups is None else len(set(self.groups[self.labels == 0]))
        unlike = "probably not like those that the detector was calibrated on"
        if seen is None:
            why = f"they are {unlike} (another camera, part, place or day). Calibrate on images like these; "
            why += "where images belong together, train with groups."
        elif self.threshold.groups:
            why = f"their {seen} groups are {unlike}. Calibrate on more groups, like these."
        else:
            why = f"they come in {seen} groups, and the detector was calibrated on single images. Train with groups."
        share = f"{100 * self.false_alarm_rate:.0f} % of the normal images are called anomalous"
        return f"{share}, where {100 * promised:.3g} % was asked for: {why}"

    @property
    def cautions(self) -> list[str]:
        """What a reader must know first, in sentences: a baseline that is ahead, false alarms beyond the promise."""
        return list(filter(None, (self.rival_ahead, self.pixel_rival_ahead, self.promise_broken)))

    def rows(self) -> list[tuple[str, float, Interval | None, str]]:
        """List each figure that is not None: its name, value, interval, and what to compare it with."""
        share, c = self.anomalous / len(self.labels), self.confusion
        rivals, of_pixels = (
            "; ".join(f"{name} {value:.3f}" for name, value in each.items())
            for each in (self.baselines, self.pixel_baselines)
        )
        blind = "all anomalous" if share > 0.5 else "all normal"
        alarms = f"{c['false_alarm']} of {self.normal}"
        rows = [
            ("AUROC", self.auroc, self.auroc_interval, rivals),
            ("average precision", self.average_precision, self.average_precision_interval, f"chance {share:.3f}"),
            ("accuracy", self.accuracy, None, f'"{blind}" {self.trivial_accuracy:.3f}'),
            ("F1", self.f1, None, f'"all anomalous" {2 * share / (1 + share):.3f}'),
            ("false-alarm rate", self.false_alarm_rate, self.false_alarm_interval, alarms),
            ("hit rate", self.hit_rate, self.hit_rate_interval, f"{c['hit']} of {self.anomalous}"),
        ]
        for kind, rate in (self.hit_rate_by_kind or {}).items():
            rows.append((f"  {kind}", rate, None, f"of {np.sum((self.kinds == kind) & (self.labels == 1))}"))
        rows.append(("pixel AUROC", self.pixel_auroc, None, of_pixels or "chance 0.500"))
        rows.append(("per-region overlap", self.pro, None, "to 30 % false positives, chance 0.150"))
        return [row for row in rows if row[1] is not None]

    def table(self) -> str:
        """Write the short table: each figure beside what to compare it with."""
        groups = f", in {self.group_count} groups" if self.group_count else ""
        counts = f"{len(self.labels)} images: {self.normal} normal, {self.anomalous} anomalous{groups}"
        lines = [*self.cautions, counts]
        if self.left_out:
            lines.append(f"{self.left_out} images left out: the detector has learned from them")
        lines.append(": ".join(filter(None, [f"threshold {self.threshold:.4g}", self.threshold_description])))
        for name, value, interval, beside in self.rows():
            between = "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
            lines.append(f"{name:<19} {value:.3f}  {between:<14}  {beside}".rstrip())
        return "\n".join(map(printable, lines))

    __str__ = __repr__ = table


def _ahead(figure: str, own: float | None, baselines: Mapping[str, float]) -> str | None:
    best = max(baselines, key=baselines.get, default=None)
    if best is None or own is None or baselines[best] <= own:
        return None
    return (
        f"A simple baseline is ahead by {baselines[best] - own:.3f}: {best} has "
        f"{'an' if figure == 'AUROC' else 'a'} {figure} of {baselines[best]:.3f}, the detector {own:.3f}."
    )


def auroc_over_lambda(detector, losses: Mapping, labels: np.ndarray, lams: Sequence[float] = LAMS) -> np.ndarray:
    """Compute the AUROC for each of L lambdas from the losses of one search, such as `prediction.losses`: (L,).

    The losses are re-weighed; z stays what the search found under its own lambda. The curve has seen the labels: its
    best lambda describes these images. Choose a lambda on labelled images that no test uses.
    """
    return np.array([metrics.auroc(labels, detector.combine(losses, lam)) for lam in lams])
