"""Set a threshold on the anomaly score: an image is anomalous when its score is *greater than* the threshold.

Only a threshold from normal images that served nothing else (the calibration images) can promise a false-alarm rate:
`conformal`. `least_cost` takes labels: it has seen the answers, and its description says so.
"""

import math
from numbers import Real

import numpy as np

from anogan_lib.checks import real

DRIFT_LEVEL = 0.01  # below this p-value `drift` says that the scores have changed
ENOUGH_FOR_DRIFT = 20  # with fewer scores the test finds only very large changes


class Threshold(float):
    """A threshold is a number that also says how it was chosen.

    It compares, formats and pickles like any float, and `json.dumps` writes it as one.

    Attributes:
        value: the number alone, in the unit of the scores; an image is anomalous when its score > value.
        false_alarm_rate: the rate on normal images that was asked for, in (0, 1); None where none was.
        count: how many calibration images, or groups of them, keep the promise; None where there is no promise.
        groups: whether these are groups.
        description: one sentence for people.
    """

    def __new__(cls, value, false_alarm_rate=None, description="", count=None, groups=False):
        self = super().__new__(cls, value)
        self.false_alarm_rate, self.description = false_alarm_rate, description
        self.count, self.groups = count, groups
        return self

    value = property(float)

    def verdicts(self, scores: np.ndarray) -> np.ndarray:
        """Judge scores (N,): True where anomalous, (N,) bool."""
        return np.asarray(scores, "float64") > self.value

    def __repr__(self) -> str:
        rate = "" if self.false_alarm_rate is None else f", false_alarm_rate={self.false_alarm_rate:g}"
        return f"Threshold({self:.6g}{rate})"

    __str__ = float.__repr__


# ---- from normal images alone


def conformal(scores: np.ndarray, false_alarm_rate: float) -> Threshold:
    """Choose the quantile of n normal scores that keeps its promise for every n (split conformal prediction).

    The value is the k-th smallest score with k = ceil((n + 1)(1 - a)). If a new normal image is exchangeable
    with the n calibration images, its score exceeds the value with probability at most a, on average over
    calibration sets; one calibration set's own rate varies around that like a Beta(n + 1 - k, k) variable.
    `score > value` and `p_values(...) <= a` are the same verdict, with ties too.

    Source: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005); Bates et al. (2023),
    arXiv 2104.08279, section 2.

    Args:
        scores: (n,) scores of normal images that nothing else was chosen with.
        false_alarm_rate: the rate a of normal images called anomalous that is asked for, in (0, 1).

    Raises:
        ValueError: if (n + 1) a < 1: so few images cannot promise so low a rate.
    """
    scores = check_scores(scores, least=0)
    rate = check_rate(false_alarm_rate)
    n = len(scores)
    above = _allowed_above(n, rate)
    if above < 1:
        needed = math.ceil(1 / rate) - 1
        raise ValueError(
            f"{n} normal images cannot promise a false-alarm rate of {_percent(rate)}: calibrate with at "
            f"least {needed}, or ask for at least {_percent(_rounded_up(1 / (n + 1)))}. Received: {n} scores."
        )
    return Threshold(
        value=np.sort(scores)[n - above],  # the (n + 1 - above)-th smallest
        false_alarm_rate=rate,
        description=f"At most {_percent(rate)} false alarms expected on new normal images, "
        f"from {n} normal calibration images alone (split conformal).",
        count=n,
    )


def p_values(calibration_scores: np.ndarray, scores: np.ndarray, groups=None) -> np.ndarray:
    """Give each score s its p-value, (1 + #{calibration >= s}) / (n + 1): how often a normal image scores s or more.

    For a new normal image P(p <= a) <= a for every a (uniform, but for the steps of 1 / (n + 1)). With `groups`, (n,),
    each of them counts once: n is their number, and a group of m images adds 1/m for each that scores s or more.

    From the scores of normal calibration images, (n,), and those to judge, (N,): (N,) in (0, 1]; small is anomalous.
    """
    calibration, scores = check_scores(calibration_scores), check_scores(scores, least=0)
    ordered, above, count = _above(calibration, np.arange(len(calibration)) if groups is None else groups)
    return (1 + above[np.searchsorted(ordered, scores, side="left")]) / (count + 1)


# ---- from normal images that come in groups: several of one part, lot, patient or day


def hierarchical(scores: np.ndarray, false_alarm_rate: float, groups=None, estimate: bool = False) -> Threshold:
    """Choose the threshold that keeps its promise for a new group (hierarchical conformal prediction).

    Each of K groups counts once: an image of a group of m weighs 1/m, the group to come weighs 1 beyond all scores, and
    the threshold is the 1 - a quantile of these K + 1. If the new group is exchangeable with the K, an image of it has
    a score above the threshold with probability at most a, on average over groups: one group's own rate may be far
    higher. Where every image is a group of its own, this is `conformal`.

    `score > value` and `p_values(..., groups) <= a` are the same verdict.

    Source: Lee, Barber, Willett, "Distribution-free inference with hierarchical data" (2023), arXiv 2306.06342.

    Args:
        scores: (n,) scores of normal images, of groups that nothing else was chosen with.
        false_alarm_rate: the rate a that is asked for, in (0, 1).
        groups: (n,) the group of each image; None for `conformal`.
        estimate: where the groups are too few for a promise, take the quantile of them alone. The rate is then met for
            many groups only (CDF pooling: Dunn, Wasserman, Ramdas 2022, arXiv 1809.07441).

    Raises:
        ValueError: if (K + 1) a < 1: so few groups cannot promise so low a rate.
    """
    if groups is None:
        return conformal(scores, false_alarm_rate)
    scores, rate = check_scores(scores, least=0), check_rate(false_alarm_rate)
    ordered, above, count = _above(scores, groups)
    about = {"false_alarm_rate": rate, "groups": True}
    origin = f"from {len(scores)} normal calibration images in {count} groups"
    least = _percent(_rounded_up(1 / (count + 1)))
    if 1 / (count + 1) <= rate:
        shares = (1 + above[np.searchsorted(ordered, ordered, side="right")]) / (count + 1)  # of groups above a score
        about["count"] = count
        promise = f"At most {_percent(rate)} false alarms expected on images of new groups, on average over groups, "
        promise += f"{origin} alone (hierarchical conformal)."
    elif estimate and count > 1:
        shares = above[np.searchsorted(ordered, ordered, side="right")] / count
        promise = f"About {_percent(rate)} false alarms estimated on images of new groups, {origin}: they promise no "
        promise += f"less than {least}."
    else:
        raise ValueError(
            f"{count} groups of normal images cannot promise a false-alarm rate of {_percent(rate)}: calibrate with at "
            f"least {math.ceil(1 / rate) - 1} groups, ask for at least {least}, or let the threshold be an estimate "
            f"(estimate=True, --estimate). Received: {len(scores)} scores."
        )
    return Threshold(ordered[np.argmax(shares <= rate)], description=promise, **about)


def chance_of_alarms(rate: float, images: int, promised: float, calibrated: int) -> float:
    """Compute the probability of at least this rate of false alarms among normal images like the calibration images.

    Their number is beta-binomial: a conformal threshold from n = `calibrated` images has a false-alarm rate that varies
    like a Beta(k, n + 1 - k) variable, k being the largest number with k / (n + 1) <= promised.
    """
    from scipy.stats import betabinom

    k = _allowed_above(calibrated, promised)
    return float(betabinom.sf(np.ceil(rate * images - 1e-9) - 1, images, k, calibrated + 1 - k))


def group_weights(groups: np.ndarray) -> np.ndarray:
    """Weigh images so that each group weighs 1, (n,)."""
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / sizes[which]


def _above(scores: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return n scores in order, the weight of the scores from each place on, (n + 1,), and the number of groups."""
    if len(groups) != len(scores):
        raise ValueError(f"{len(scores)} scores need as many groups. Received: {len(groups)}.")
    order, weights = np.argsort(scores), group_weights(groups)
    sums = np.append(np.cumsum(weights[order][::-1])[::-1], 0)
    return scores[order], np.round(sums, 9), len(np.unique(groups))


# ---- from labelled images, where some can be spared


def least_cost(
    scores: np.ndarray, labels: np.ndarray, miss_cost: float, false_alarm_cost: float, anomaly_rate: float | None = None
) -> Threshold:
    """Choose the threshold with the least expected cost per image.

    cost = miss_cost * rate * P(missed | anomalous) + false_alarm_cost * (1 - rate) * P(false alarm | normal)

    Args:
        scores, labels: (N,); labels are 0 (normal) or 1 (anomalous).
        miss_cost: the cost of an anomalous image called normal, in any unit of money.
        false_alarm_cost: the cost of a normal image called anomalous, in the same unit.
        anomaly_rate: share of anomalous images where the detector will work, in (0, 1): mostly far lower on a
            production line than in a test set. None takes the share in `labels`.
    """
    for name, cost in (("miss_cost", miss_cost), ("false_alarm_cost", false_alarm_cost)):
        real(name, cost, 0)
    scores, labels = check_both(scores, labels)
    values, bad, good = np.unique(scores), np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    between = values[:-1] + np.diff(values) / 2
    between = np.where(between < values[1:], between, values[:-1])  # neighbours in floating point
    cuts = np.concatenate([[np.nextafter(values[0], -np.inf)], between, values[-1:]])
    missed = np.searchsorted(bad, cuts, side="right") / len(bad)
    false_alarms = 1 - np.searchsorted(good, cuts, side="right") / len(good)
    rate = labels.mean() if anomaly_rate is None else check_rate(anomaly_rate, "anomaly_rate")
    cost = miss_cost * rate * missed + false_alarm_cost * (1 - rate) * false_alarms
    costs = f"{miss_cost:g} a miss, {false_alarm_cost:g} a false alarm and {_percent(rate)} anomalous"
    description = f"Least cost with {costs} ({cost.min():.4g} an image), chosen with the labels of the images it is "
    description += "applied to: it has seen the answers."
    return Threshold(cuts[np.argmin(cost)], description=description)  # of equals the lowest, which misses fewest


def drift(calibration_scores: np.ndarray, scores: np.ndarray) -> tuple[float, str]:
    """Test whether a batch of scores, as a whole, still looks like the calibration images' scores.

    A threshold promises nothing for images that differ from those it was calibrated on (new lamp, new camera),
    whatever their verdicts say. The test is Kolmogorov and Smirnov's for two samples; a batch full of defects also
    fails it.

    Returns:
        The p-value (small: they differ), and a sentence that reports it.
    """
    from scipy.stats import ks_2samp

    calibration, scores = check_scores(calibration_scores), check_scores(scores)
    p = float(ks_2samp(calibration, scores).pvalue)
    test = f"(Kolmogorov-Smirnov test, p = {p:.2g})"
    who, others = f"the scores of these {len(scores)} images", f"the {len(calibration)} calibration images'"
    if p >= DRIFT_LEVEL:
        return p, f"No sign of drift: {who} look like {others} {test}."
    medians = f"median {np.median(scores):.4g} against {np.median(calibration):.4g}"
    return p, (
        f"Drift: {who} as a whole no longer look like {others} ({medians}) {test}; either many are "
        "anomalous, or the images have changed and the threshold needs new calibration images."
    )


def check_scores(scores: np.ndarray, least: int = 1) -> np.ndarray:
    """Return scores as (N,) float64. Raises ValueError unless all are finite and there are at least `least`."""
    array = np.asarray(scores, "float64")
    if array.ndim != 1 or len(array) < least:
        raise ValueError(f"Scores are one number an image, at least {least} of them. Received: shape {array.shape}.")
    if bad := np.sum(~np.isfinite(array)):
        raise ValueError(f"Scores must be finite. Received: {bad} NaN or infinite of {len(array)}.")
    return array


def check_labels(labels: np.ndarray, n: int, both: bool = False) -> np.ndarray:
    """Return labels as (n,) int. Raises ValueError unless all are 0 or 1 and, with `both`, both occur."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"Labels must be one number for each of {n} scores. Received: shape {array.shape}.")
    if array.dtype == object or not np.isin(array, (0, 1)).all():
        raise ValueError(f"Labels are 0 (normal) or 1 (anomalous); were they taken for scores? Received: {array[:5]}.")
    array = array.astype(int)
    if both and (array.sum() in (0, n)):
        seen = "anomalous" if array.any() else "normal"
        raise ValueError(f"Both normal and anomalous images are wanted. Received: {n} labels, all {seen}.")
    return array


def check_both(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (N,) and their labels (N,) as the two checks above do; both labels must occur."""
    scores = check_scores(scores)
    return scores, check_labels(labels, len(scores), both=True)


def check_rate(rate: float, name: str = "false_alarm_rate") -> float:
    """Return a rate between 0 and 1 as a float; less than one in a thousand million is taken for 0."""
    if not isinstance(rate, Real) or not 1e-9 <= rate < 1:
        raise ValueError(f"{name} must lie between 0 and 1, 0.05 for 5 %. Received: {rate!r}.")
    return float(rate)


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def _rounded_up(rate: float) -> float:
    """Round a rate up to three significant digits."""
    step = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return math.ceil(rate / step) * step


def _allowed_above(n: int, rate: float) -> int:
    """Find the largest m with m / (n + 1) <= rate, by the same floating-point comparison that p-values meet."""
    return int(np.sum(np.arange(1, n + 1) / (n + 1) <= rate))
