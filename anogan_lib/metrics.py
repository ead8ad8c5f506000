"""How good a detector is: figures for whole images and for pixels, with their intervals.

As in scikit-learn, what is true comes first: `auroc(labels, scores)`, `f1(labels, verdicts)`. Labels are 0
(normal) and 1 (anomalous); an image is called anomalous when its score > threshold.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anogan_lib.thresholds import Threshold, check_labels, check_scores

# ---- every threshold at once


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: the chance that an anomalous image scores above a normal one (a tie counts
    half).

    Args:
        labels: (N,) of 0 and 1, at least one of each.
        scores: (N,).
    """
    from scipy.stats import rankdata

    ranks = rankdata(check_scores(scores))  # (N,), ties share their mean rank
    bad = check_labels(labels, len(ranks), both=True) == 1
    n = int(bad.sum())
    return float((ranks[bad].mean() - (n + 1) / 2) / (len(ranks) - n))  # Mann-Whitney's U, as a share of pairs


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Sum of (step of recall) * precision over all thresholds; a blind detector gets the anomalous share."""
    scores = check_scores(scores)
    labels = check_labels(labels, len(scores), both=True)
    order = np.argsort(-scores)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # equal scores are called together
    hits = np.cumsum(labels[order])[last]  # (distinct scores,)
    return float(np.sum(np.diff(hits, prepend=0) * hits / (last + 1)) / hits[-1])


def bootstrap_interval(
    function: Callable[[np.ndarray, np.ndarray], float],
    labels: np.ndarray,
    scores: np.ndarray,
    seed: int = 0,
    level: float = 0.95,
    stratified: bool = True,
    resamples: int = 1000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of function(labels, scores), from test images drawn anew.

    `stratified` draws normal and anomalous images apart, so that their numbers stay as they are.
    """
    scores = check_scores(scores)
    labels = check_labels(labels, len(scores), both=True)
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(labels == k) for k in (0, 1)] if stratified else [np.arange(len(labels))]
    values = []
    while len(values) < resamples:
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        if 0 < labels[drawn].sum() < len(labels):  # a draw of one class alone has no AUROC
            values.append(function(labels[drawn], scores[drawn]))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# ---- at one threshold


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate: sensible for few trials and for rates of 0 and 1 (Wilson 1927)."""
    from scipy.stats import binomtest

    found = binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def confusion(labels: np.ndarray, verdicts: np.ndarray) -> dict[str, int]:
    """Counts, by name, of labels (N,) of 0 and 1 against verdicts (N,) bool, True where called anomalous."""
    verdicts = np.asarray(verdicts, bool)
    counts = np.bincount(2 * check_labels(labels, len(verdicts)) + verdicts, minlength=4)
    return dict(zip(("true_normal", "false_alarm", "missed", "hit"), counts.tolist(), strict=True))


def f1(labels: np.ndarray, verdicts: np.ndarray) -> float:
    """2 hits / (2 hits + false alarms + missed); 0 where nothing is anomalous and nothing called so."""
    c = confusion(labels, verdicts)
    return 2 * c["hit"] / max(2 * c["hit"] + c["false_alarm"] + c["missed"], 1)


def accuracy(labels: np.ndarray, verdicts: np.ndarray) -> float:
    """Share of right verdicts; nothing without `trivial_accuracy` beside it."""
    c = confusion(labels, verdicts)
    return (c["true_normal"] + c["hit"]) / len(verdicts)


def trivial_accuracy(labels: np.ndarray) -> float:
    """Accuracy of the better of two blind detectors, all normal or all anomalous (hazelnut: 70 of 110)."""
    share = float(np.mean(check_labels(labels, len(labels))))
    return max(share, 1 - share)


def hit_rate_by_kind(labels: np.ndarray, verdicts: np.ndarray, kinds: np.ndarray) -> dict[str, float]:
    """Share of the anomalous images of each kind that was found: {kind: rate}, in alphabetical order."""
    verdicts, kinds = np.asarray(verdicts, bool), np.asarray(kinds, str)
    bad = check_labels(labels, len(verdicts)) == 1
    return {str(kind): float(verdicts[bad & (kinds == kind)].mean()) for kind in np.unique(kinds[bad])}


def hit_rate_by_size(scores: np.ndarray, threshold: float, masks: Sequence, bins: int = 5) -> list[dict]:
    """Hit rate against defect size: the images with a mask, in up to `bins` equally filled classes of area.

    Args:
        scores: (N,).
        threshold: an image is found when its score > threshold.
        masks: N masks, (H, W) bool each; images whose mask is None or empty hold no defect and are left out.

    Returns:
        A dict for each class, small to large: "smallest" and "largest" (area in pixels), "images", "hits",
        "hit_rate", "interval" (Wilson, 95 %).
    """
    sizes, found = _defect_sizes(scores, threshold, masks)
    return [
        {
            "smallest": int(sizes[part[0]]),
            "largest": int(sizes[part[-1]]),
            "images": len(part),
            "hits": int(found[part].sum()),
            "hit_rate": float(found[part].mean()),
            "interval": wilson_interval(found[part].sum(), len(part)),
        }
        for part in np.array_split(np.arange(len(sizes)), bins)
        if len(part)
    ]


def smallest_found(scores: np.ndarray, threshold: float, masks: Sequence, rate: float = 0.9) -> int | None:
    """Area in pixels from which on defects are found at least `rate` of the time; None where never.

    The hit rate is fitted as a never-falling function of the area (isotonic regression). None too where
    fewer than 1 / (1 - rate) defects are at least that large: so few cannot show it.
    """
    from sklearn.isotonic import IsotonicRegression

    if not 0 < rate < 1:
        raise ValueError(f"The rate must lie between 0 and 1, 0.9 for nine in ten. Received: {rate!r}.")
    sizes, found = _defect_sizes(scores, threshold, masks)
    if len(sizes) < 1 / (1 - rate) - 1e-9:
        return None
    fitted = IsotonicRegression().fit_transform(sizes, found)  # (n,), never falling
    enough = sizes[fitted >= rate - 1e-9]
    return int(enough[0]) if len(enough) >= 1 / (1 - rate) - 1e-9 else None


def _defect_sizes(scores, threshold, masks) -> tuple[np.ndarray, np.ndarray]:
    """Areas of the defects in pixels, ascending, and 1.0 where found: (n,) int and (n,) float."""
    scores = check_scores(scores)
    if len(masks) != len(scores):
        raise ValueError(f"There must be one mask for each of {len(scores)} scores. Received: {len(masks)}.")
    areas = np.array([0 if mask is None else int(np.sum(mask)) for mask in masks])
    order = np.argsort(areas, kind="stable")
    order = order[areas[order] > 0]
    return areas[order], (scores[order] > float(threshold)).astype(float)


# ---- pixels


def pixel_auroc(maps: np.ndarray, masks: np.ndarray) -> float:
    """AUROC over all pixels of all images together, never averaged over images: one threshold for all.

    Args:
        maps: (N, H, W), higher is more anomalous, on one scale.
        masks: (N, H, W) bool, with defect pixels and others.
    """
    maps, masks = _check_maps(maps, masks)
    return auroc(masks.ravel(), maps.ravel())


def pro(maps: np.ndarray, masks: np.ndarray, max_fpr: float = 0.3) -> float:
    """Per-region overlap, as MVTec AD defines it: small defects count as much as large ones.

    At a threshold, PRO is the mean over all defect regions (8-connected components of the masks) of the
    share of the region's pixels above it; the false-positive rate is the share of all defect-free pixels
    above it. The result is the area under PRO against that rate, from 0 to `max_fpr`, divided by `max_fpr`:
    1 is perfect, max_fpr / 2 chance. Source: Bergmann et al., IJCV 129 (2021), section 5.2.

    PRO is a ROC curve in which each defect pixel weighs 1 / (size of its region), so one sort does for all
    thresholds.
    """
    from scipy.ndimage import label
    from sklearn.metrics import auc, roc_curve

    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr must lie in (0, 1]; MVTec's is 0.3. Received: {max_fpr!r}.")
    maps, masks = _check_maps(maps, masks)
    weights = np.ones(masks.shape)
    for mask, weight in zip(masks, weights, strict=True):
        regions, n = label(mask, structure=np.ones((3, 3)))  # (H, W): 0 outside, 1..n
        sizes = np.bincount(regions.ravel(), minlength=n + 1)
        weight[mask] = 1 / sizes[regions[mask]]
    fpr, overlap, _ = roc_curve(masks.ravel(), maps.ravel(), sample_weight=weights.ravel())
    i = np.searchsorted(fpr, max_fpr)  # the first point at or beyond the end
    end = np.interp(max_fpr, fpr[i - 1 : i + 1], overlap[i - 1 : i + 1])
    fpr, overlap = np.append(fpr[:i], max_fpr), np.append(overlap[:i], end)
    return float(auc(fpr, overlap) / max_fpr)


def _check_maps(maps, masks) -> tuple[np.ndarray, np.ndarray]:
    maps, masks = np.asarray(maps, "float32"), np.asarray(masks, bool)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(f"Maps and masks must both be (N, H, W). Received: {maps.shape} and {masks.shape}.")
    if not masks.any() or masks.all():
        seen = "only" if masks.any() else "no"
        raise ValueError(f"Masks with defect pixels and others are wanted. Received: {seen} defect pixels.")
    return maps, masks


# ---- all together


@dataclass(eq=False)
class Evaluation:
    """How well a detector did on N labelled images; None wherever a figure has no meaning or was not given.

    Intervals are of 95 %: bootstrap for areas, Wilson for shares.
    """

    auroc: float | None
    auroc_interval: tuple[float, float] | None
    average_precision: float | None
    average_precision_interval: tuple[float, float] | None
    f1: float | None
    confusion: dict[str, int]
    accuracy: float
    trivial_accuracy: float
    false_alarm_rate: float | None
    false_alarm_interval: tuple[float, float] | None
    hit_rate: float | None
    hit_rate_interval: tuple[float, float] | None
    hit_rate_by_kind: dict[str, float] | None
    hit_rate_by_size: list[dict] | None  # as `hit_rate_by_size` gives it
    smallest_found: int | None  # pixels; see `smallest_found`
    pixel_auroc: float | None
    pro: float | None
    threshold: float
    threshold_description: str | None
    baselines: dict[str, float]  # image AUROC of each
    scores: np.ndarray = field(repr=False)  # (N,), as all below
    labels: np.ndarray = field(repr=False)
    verdicts: np.ndarray = field(repr=False)
    p_values: np.ndarray | None = field(default=None, repr=False)
    kinds: np.ndarray | None = field(default=None, repr=False)
    names: np.ndarray | None = field(default=None, repr=False)
    residual: np.ndarray | None = field(default=None, repr=False)
    discrimination: np.ndarray | None = field(default=None, repr=False)

    def to_dict(self) -> dict:
        """Plain Python for json.dumps: keys are the attributes' names; no NaN."""
        return {each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self)}

    def rows(self) -> list[tuple[str, float, tuple[float, float] | None, str]]:
        """Each figure there is: its name, value, interval, and what it is to be compared with."""
        c, n = self.confusion, len(self.labels)
        good, bad = c["true_normal"] + c["false_alarm"], c["missed"] + c["hit"]
        share, alarms = f"{bad / n:.3f}", f"{c['false_alarm']} of {good}"
        rivals = "; ".join(f"{name} {value:.3f}" for name, value in self.baselines.items())
        blind = "all anomalous" if bad > good else "all normal"
        rows = [
            ("AUROC", self.auroc, self.auroc_interval, rivals),
            ("average precision", self.average_precision, self.average_precision_interval, f"chance {share}"),
            ("accuracy", self.accuracy, None, f'"{blind}" {self.trivial_accuracy:.3f}'),
            ("F1", self.f1, None, f'"all anomalous" {2 * bad / (n + bad):.3f}'),
            ("false-alarm rate", self.false_alarm_rate, self.false_alarm_interval, alarms),
            ("hit rate", self.hit_rate, self.hit_rate_interval, f"{c['hit']} of {bad}"),
        ]
        for kind, rate in (self.hit_rate_by_kind or {}).items():
            rows.append((f"  {kind}", rate, None, f"of {np.sum((self.kinds == kind) & (self.labels == 1))}"))
        rows.append(("pixel AUROC", self.pixel_auroc, None, "chance 0.500"))
        rows.append(("per-region overlap", self.pro, None, "to 30 % false positives, chance 0.150"))
        return [row for row in rows if row[1] is not None]

    def table(self) -> str:
        """The short table: each figure beside what it is to be compared with."""
        n, bad = len(self.labels), int(np.sum(self.labels == 1))
        lines = [f"{n} images: {n - bad} normal, {bad} anomalous", f"threshold {self.threshold:.4g}"]
        if self.threshold_description:
            lines[1] += f": {self.threshold_description}"
        for name, value, interval, beside in self.rows():
            between = "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
            lines.append(f"{name:<19} {value:.3f}  {between:<14}  {beside}".rstrip())
        if self.smallest_found is not None:
            lines.append(f"defects are found 9 times in 10 from {self.smallest_found} pixels of area on")
        return "\n".join(lines)

    __str__ = table


def evaluate_scores(
    scores: np.ndarray,
    labels: np.ndarray,
    threshold: float | Threshold,
    *,
    kinds: np.ndarray | None = None,
    maps: np.ndarray | None = None,
    masks: Sequence | None = None,
    p_values: np.ndarray | None = None,
    names: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    discrimination: np.ndarray | None = None,
    baselines: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Every figure that these scores, and what else is known of the images, allow.

    Args:
        scores, labels: (N,) anomaly scores, and 0 (normal) or 1 (anomalous).
        threshold: a number, or what a function of `thresholds` gave.
        kinds, names: (N,) str.
        maps: (N, H, W), on one scale.
        masks: (N, H, W) bool, or N of them with None where there is no file: a normal image has no defect
            pixel, an anomalous one without a mask is left out of the pixel figures.
        p_values, residual, discrimination: (N,), kept for reports.
        baselines: image AUROC of each baseline on the same images, by name.
        seed: of the bootstrap.
    """
    scores = check_scores(scores)
    labels = check_labels(labels, len(scores))
    for name, given in {"maps": maps, "masks": masks, "kinds": kinds, "p_values": p_values}.items():
        if given is not None and len(given) != len(scores):
            raise ValueError(f"{len(scores)} scores want as many {name}. Received: {len(given)}.")
    limit = float(threshold)
    verdicts = scores > limit
    c = confusion(labels, verdicts)
    good, bad = int(np.sum(labels == 0)), int(np.sum(labels == 1))
    sized = masks is not None and any(mask is not None and np.any(mask) for mask in masks)
    if sized and maps is not None:
        # a normal image without a mask has no defect pixel; what an anomalous one without has is not known
        kept = [i for i, mask in enumerate(masks) if mask is not None or labels[i] == 0]
        maps = np.asarray(maps)[kept]
        truth = np.stack([np.zeros(maps.shape[1:], bool) if masks[i] is None else masks[i] for i in kept])

    def area(function):
        if not (good and bad):
            return None, None
        return function(labels, scores), bootstrap_interval(function, labels, scores, seed)

    def share(part, whole):
        return (part / whole, wilson_interval(part, whole)) if whole else (None, None)

    roc, roc_interval = area(auroc)
    precision, precision_interval = area(average_precision)
    false_alarms, false_alarm_interval = share(c["false_alarm"], good)
    hits, hit_interval = share(c["hit"], bad)
    return Evaluation(
        auroc=roc,
        auroc_interval=roc_interval,
        average_precision=precision,
        average_precision_interval=precision_interval,
        f1=f1(labels, verdicts) if bad else None,
        confusion=c,
        accuracy=accuracy(labels, verdicts),
        trivial_accuracy=trivial_accuracy(labels),
        false_alarm_rate=false_alarms,
        false_alarm_interval=false_alarm_interval,
        hit_rate=hits,
        hit_rate_interval=hit_interval,
        hit_rate_by_kind=hit_rate_by_kind(labels, verdicts, kinds) if kinds is not None and bad else None,
        hit_rate_by_size=hit_rate_by_size(scores, limit, masks) if sized else None,
        smallest_found=smallest_found(scores, limit, masks) if sized else None,
        pixel_auroc=pixel_auroc(maps, truth) if sized and maps is not None else None,
        pro=pro(maps, truth) if sized and maps is not None else None,
        threshold=limit,
        threshold_description=getattr(threshold, "description", None),
        baselines=dict(baselines or {}),
        scores=scores,
        labels=labels,
        verdicts=verdicts,
        p_values=p_values,
        kinds=None if kinds is None else np.asarray(kinds, str),
        names=None if names is None else np.asarray(names, str),
        residual=residual,
        discrimination=discrimination,
    )


def _plain(value):
    """NumPy and tuples to what JSON knows; NaN and infinity to None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
