"""Compute single figures of merit, for whole images and for pixels, and their confidence intervals.

As in scikit-learn, the truth comes first: `auroc(labels, scores)`, `f1(labels, verdicts)`. Labels are 0 (normal) and 1
(anomalous), (N,); a verdict is True where an image is called anomalous (score > threshold). All areas need both labels.
"""

from collections.abc import Callable

import numpy as np

from anogan_lib.evaluation.thresholds import check_both, check_labels


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Compute the area under the ROC curve: the chance that an anomalous image scores above a normal one.

    A tie counts half. Equal to scikit-learn's `roc_auc_score` and 14 times as fast, which the bootstrap needs.
    """
    from scipy.stats import rankdata

    scores, labels = check_both(scores, labels)
    ranks, bad = rankdata(scores), labels == 1  # (N,), ties share their mean rank
    n = int(bad.sum())
    return float((ranks[bad].mean() - (n + 1) / 2) / (len(ranks) - n))  # Mann-Whitney's U, as a share of pairs


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Sum (step of recall) * precision over all thresholds; chance gets the share of anomalous images.

    Equal to scikit-learn's `average_precision_score` and 14 times as fast, which the bootstrap needs.
    """
    scores, labels = check_both(scores, labels)
    order = np.argsort(-scores)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # equal scores share a verdict
    hits = np.cumsum(labels[order])[last]  # (distinct scores,)
    return float(np.sum(np.diff(hits, prepend=0) * hits / (last + 1)) / hits[-1])


def bootstrap_interval(
    function: Callable, labels: np.ndarray, scores: np.ndarray, seed: int = 0, resamples: int = 1000
) -> tuple[float, float]:
    """Compute the 95 % percentile bootstrap interval of function(labels, scores).

    Normal and anomalous images are resampled separately, so that their numbers stay the same.
    """
    scores, labels = check_both(scores, labels)
    rng, groups = np.random.default_rng(seed), [np.flatnonzero(labels == k) for k in (0, 1)]
    values = []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        values.append(function(labels[drawn], scores[drawn]))
    return tuple(np.quantile(values, [0.025, 0.975]).tolist())


# ---- at one threshold


def wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """Compute Wilson's 95 % interval of a rate: sound for few trials and for rates of 0 and 1 (Wilson 1927)."""
    z = 1.959964  # 95 % of a normal variable lie within -z and z
    centre, width = successes + z**2 / 2, z * np.sqrt(successes * (trials - successes) / trials + z**2 / 4)
    return max(0.0, float(centre - width) / (trials + z**2)), min(1.0, float(centre + width) / (trials + z**2))


def confusion(labels: np.ndarray, verdicts: np.ndarray) -> dict[str, int]:
    """Count verdicts (N,) bool against labels (N,): true_normal, false_alarm, missed, hit."""
    from sklearn.metrics import confusion_matrix

    labels, verdicts = _check_verdicts(labels, verdicts)
    counts = confusion_matrix(labels, verdicts, labels=[0, 1]).ravel()
    return dict(zip(("true_normal", "false_alarm", "missed", "hit"), counts.tolist(), strict=True))


def f1(labels: np.ndarray, verdicts: np.ndarray) -> float:
    """Compute 2 hits / (2 hits + false alarms + missed); 0 where no image is anomalous and none called so."""
    from sklearn.metrics import f1_score

    return float(f1_score(*_check_verdicts(labels, verdicts), zero_division=0))


def accuracy(labels: np.ndarray, verdicts: np.ndarray) -> float:
    """Compute the share of right verdicts; it means little without `trivial_accuracy` beside it."""
    labels, verdicts = _check_verdicts(labels, verdicts)
    return float(np.mean(verdicts == labels))


def trivial_accuracy(labels: np.ndarray) -> float:
    """Compute the accuracy of the better of two blind detectors, all normal or all anomalous (hazelnut: 70 of 110)."""
    share = float(np.mean(check_labels(labels, len(labels))))
    return max(share, 1 - share)


def hit_rate_by_kind(labels: np.ndarray, verdicts: np.ndarray, kinds: np.ndarray) -> dict[str, float]:
    """Compute the share of the anomalous images of each kind that was found: {kind: rate}, in alphabetical order."""
    labels, verdicts = _check_verdicts(labels, verdicts)
    kinds, bad = np.asarray(kinds, str), labels == 1
    return {str(kind): float(verdicts[bad & (kinds == kind)].mean()) for kind in np.unique(kinds[bad])}


def _check_verdicts(labels, verdicts) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as (N,) int and verdicts as (N,) bool."""
    verdicts = np.asarray(verdicts, bool)
    return check_labels(labels, len(verdicts)), verdicts


# ---- pixels


def pixel_auroc(maps: np.ndarray, masks: np.ndarray) -> float:
    """Compute the AUROC over all pixels of all images together, because one threshold serves all images.

    Args:
        maps: (N, H, W), higher is more anomalous, on one scale.
        masks: (N, H, W) bool, with defect pixels and others.
    """
    maps, masks = _check_maps(maps, masks)
    return auroc(masks.ravel(), maps.ravel())


def known_pixels(labels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return which images have known defect pixels, (N,) bool: all normal ones, and those with a mask."""
    return (labels == 0) | np.any(masks, axis=(1, 2))


def pro(maps: np.ndarray, masks: np.ndarray, max_fpr: float = 0.3) -> float:
    """Compute the per-region overlap (PRO) of MVTec AD, in which small defects count as much as large ones.

    At a threshold, PRO is the share of a defect region's pixels above it, averaged over all regions (8-connected
    components of the masks); the false-positive rate is the share of all defect-free pixels above it. The result is
    the area under PRO against that rate, from 0 to `max_fpr`, divided by `max_fpr`: 1 is perfect, max_fpr / 2 is
    chance (Bergmann et al., IJCV 129, 2021, section 5.2). It is computed as a ROC curve in which each defect pixel
    weighs 1 / (size of its region).
    """
    from scipy.ndimage import label
    from sklearn.metrics import auc, roc_curve

    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr must lie in (0, 1]; MVTec's is 0.3. Received: {max_fpr!r}.")
    maps, masks = _check_maps(maps, masks)
    weights = np.ones(masks.shape)
    for mask, weight in zip(masks, weights, strict=True):
        regions, _ = label(mask, structure=np.ones((3, 3)))  # (H, W): 0 outside, 1, 2, ...
        weight[mask] = 1 / np.bincount(regions.ravel())[regions[mask]]
    fpr, overlap, _ = roc_curve(masks.ravel(), maps.ravel(), sample_weight=weights.ravel())
    i = np.searchsorted(fpr, max_fpr)  # the first point at or beyond the end
    end = np.interp(max_fpr, fpr[i - 1 : i + 1], overlap[i - 1 : i + 1])
    return float(auc(np.append(fpr[:i], max_fpr), np.append(overlap[:i], end)) / max_fpr)


def _check_maps(maps, masks) -> tuple[np.ndarray, np.ndarray]:
    """Return maps as float32 and masks as bool, (N, H, W) each; both kinds of pixels must occur."""
    maps, masks = np.asarray(maps, "float32"), np.asarray(masks, bool)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(f"Maps and masks must both be (N, H, W). Received: {maps.shape} and {masks.shape}.")
    if not masks.any() or masks.all():
        seen = "only" if masks.any() else "no"
        raise ValueError(f"Masks with defect pixels and others are wanted. Received: {seen} defect pixels.")
    return maps, masks
