"""Set a threshold on the anomaly score: an image is anomalous when its score is *greater than* the threshold.

Only a threshold from normal images that served nothing else (the calibration images) can promise a false-alarm rate:
`conformal`. The functions that take labels are for teaching: they have seen the answers, and their descriptions say so.
"""

import math
from numbers import Real

import numpy as np

from anogan_lib.checks import number

DRIFT_LEVEL = 0.01  # below this p-value `drift` says that the scores have changed
ENOUGH_FOR_DRIFT = 20  # with fewer scores the test finds only very large changes


class Threshold(float):
    """A threshold is a number that also says how it was chosen.

    It compares, formats and pickles like any float, and `json.dumps` writes it as one.

    Attributes:
        value: the number alone, in the unit of the scores; an image is anomalous when its score > value.
        method: name of the function that chose it.
        sees_labels: whether it was chosen with labels; such a threshold looks better on those images than it is.
        false_alarm_rate: the rate on normal images that was asked for, in (0, 1); None where none was.
        count: how many calibration images, or groups of them, keep the promise; None where there is no promise.
        groups: whether these are groups.
        description: one sentence for people.
    """

    def __new__(
        cls, value, method="by hand", sees_labels=False, false_alarm_rate=None, description="", count=None, groups=False
    ):
        self = super().__new__(cls, value)
        self.method, self.sees_labels = method, sees_labels
        self.false_alarm_rate, self.description = false_alarm_rate, description
        self.count, self.groups = count, groups
        return self

    value = property(float)

    def verdicts(self, scores: np.ndarray) -> np.ndarray:
        """Judge scores (N,): True where anomalous, (N,) bool."""
        return np.asarray(scores, "float64") > self.value

    def __repr__(self) -> str:
        rate = "" if self.false_alarm_rate is None else f", false_alarm_rate={self.false_alarm_rate:g}"
        return f"Threshold({self:.6g}, method={self.method!r}, sees_labels={self.sees_labels}{rate})"

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
        method="conformal",
        false_alarm_rate=rate,
        description=f"At most {_percent(rate)} false alarms expected on new normal images, "
        f"from {n} normal calibration images alone (split conformal).",
    )


def p_values(calibration_scores: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Give each score s its p-value, (1 + #{calibration >= s}) / (n + 1): how often a normal image scores s or more.

    For a new normal image P(p <= a) <= a for every a (uniform, but for the steps of 1 / (n + 1)).

    From the scores of normal calibration images, (n,), and those to judge, (N,): (N,) in (0, 1]; small is anomalous.
    """
    calibration = np.sort(check_scores(calibration_scores))
    scores = check_scores(scores, least=0)
    at_least = len(calibration) - np.searchsorted(calibration, scores, side="left")  # (N,)
    return (1 + at_least) / (len(calibration) + 1)


# ---- from normal images that come in groups: several of one part, lot, patient or day


def hierarchical(scores: np.ndarray, false_alarm_rate: float, groups=None, estimate: bool = False) -> Threshold:
    """Choose the threshold that keeps its promise for a new group (hierarchical conformal prediction).

    Each of K groups counts once: an image of a group of m weighs 1/m, the group to come weighs 1 beyond all scores, and
    the threshold is the 1 - a quantile of these K + 1. If the new group is exchangeable with the K, an image of it has
    a score above the threshold with probability at most a, on average over groups: one group's own rate may be far
    higher. Where every image is a group of its own, this is `conformal`.

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
        threshold = conformal(scores, false_alarm_rate)
        threshold.count = len(scores)
        return threshold
    scores, rate = check_scores(scores, least=0), check_rate(false_alarm_rate)
    ordered, above, count = _above(scores, groups)
    about = {"false_alarm_rate": rate, "groups": True}
    origin = f"from {len(scores)} normal calibration images in {count} groups"
    least = _percent(_rounded_up(1 / (count + 1)))
    if 1 / (count + 1) <= rate:
        shares = (1 + above[np.searchsorted(ordered, ordered, side="right")]) / (count + 1)  # of groups above a score
        about |= {"method": "hierarchical", "count": count}
        promise = f"At most {_percent(rate)} false alarms expected on images of new groups, on average over groups, "
        promise += f"{origin} alone (hierarchical conformal)."
    elif estimate and count > 1:
        shares = above[np.searchsorted(ordered, ordered, side="right")] / count
        about |= {"method": "pooled"}
        promise = f"About {_percent(rate)} false alarms estimated on images of new groups, {origin}: they promise no "
        promise += f"less than {least}."
    else:
        raise ValueError(
            f"{count} groups of normal images cannot promise a false-alarm rate of {_percent(rate)}: calibrate with at "
            f"least {math.ceil(1 / rate) - 1} groups, ask for at least {least}, or let the threshold be an estimate "
            f"(estimate=True, --estimate). Received: {len(scores)} scores."
        )
    return Threshold(ordered[np.argmax(shares <= rate)], description=promise, **about)


def hierarchical_p_values(calibration_scores: np.ndarray, scores: np.ndarray, groups=None) -> np.ndarray:
    """Give each score s its p-value, (1 + sum over K groups of the share of it that scores >= s) / (K + 1).

    For an image of a new group P(p <= a) <= a for every a. `score > hierarchical(...)` and p <= a are the same verdict.
    With groups=None this is `p_values`.
    """
    if groups is None:
        return p_values(calibration_scores, scores)
    ordered, above, count = _above(check_scores(calibration_scores), groups)
    return (1 + above[np.searchsorted(ordered, check_scores(scores, least=0), side="left")]) / (count + 1)


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
    """Sort n scores, sum the weights from each on, (n + 1,), the last sum being 0, and count the groups."""
    if len(groups) != len(scores):
        raise ValueError(f"{len(scores)} scores need as many groups. Received: {len(groups)}.")
    order, weights = np.argsort(scores), group_weights(groups)
    sums = np.append(np.cumsum(weights[order][::-1])[::-1], 0)
    return scores[order], np.round(sums, 9), len(np.unique(groups))


# ---- from labelled images: for teaching, and where labelled images can be spared


def best_f1(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """Choose the threshold with the highest F1 on these labels."""
    cuts, missed, false_alarms, bad, _ = _count_errors(scores, labels)
    hits = bad - missed
    return _labelled(cuts, -2 * hits / (2 * hits + missed + false_alarms), "best_f1", "Highest F1")


def youden(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """Choose the threshold with the highest Youden index, hit rate - false-alarm rate (Youden 1950)."""
    cuts, missed, false_alarms, bad, good = _count_errors(scores, labels)
    return _labelled(cuts, missed / bad + false_alarms / good, "youden", "Best hit rate - false-alarm rate")


def equal_error(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """Choose the threshold at which miss rate and false-alarm rate are closest."""
    cuts, missed, false_alarms, bad, good = _count_errors(scores, labels)
    difference = np.abs(missed / bad - false_alarms / good)
    return _labelled(cuts, difference, "equal_error", "Miss rate equal to false-alarm rate")


def midpoint(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """Take (max normal + min anomalous score) / 2, as earlier AnoGAN code does: two test images decide."""
    scores, labels = check_both(scores, labels)
    value = (scores[labels == 0].max() + scores[labels == 1].min()) / 2
    return _labelled(np.array([value]), np.zeros(1), "midpoint", "(max normal + min anomalous score) / 2")


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
        number(name, cost, 0)
    cuts, missed, false_alarms, bad, good = _count_errors(scores, labels)
    rate = bad / (bad + good) if anomaly_rate is None else check_rate(anomaly_rate, "anomaly_rate")
    cost = miss_cost * rate * missed / bad + false_alarm_cost * (1 - rate) * false_alarms / good
    costs = f"{miss_cost:g} a miss, {false_alarm_cost:g} a false alarm and {_percent(rate)} anomalous"
    return _labelled(cuts, cost, "least_cost", f"Least cost with {costs} ({cost.min():.4g} an image)")


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


def _count_errors(scores: np.ndarray, labels: np.ndarray):
    """Count the errors at K cuts, halfway between neighbouring scores, one below all and one on the highest.

    Returns:
        cuts, missed, false_alarms, (K,) each; numbers of anomalous and of normal images.
    """
    scores, labels = check_both(scores, labels)
    values, where = np.unique(scores, return_inverse=True)  # (K - 1,) ascending
    between = values[:-1] + np.diff(values) / 2
    between = np.where(between < values[1:], between, values[:-1])  # neighbours in floating point
    cuts = np.concatenate([[np.nextafter(values[0], -np.inf)], between, values[-1:]])
    missed, passed = (np.append(0, np.cumsum(np.bincount(where, weights=labels == k))) for k in (1, 0))
    return cuts, missed, passed[-1] - passed, int(missed[-1]), int(passed[-1])


def _labelled(cuts: np.ndarray, loss: np.ndarray, method: str, what: str) -> Threshold:
    """Choose the cut with the least loss; of equals the lowest, which misses fewest."""
    description = f"{what}, chosen with the labels of the images it is applied to: it has seen the answers."
    return Threshold(cuts[np.argmin(loss)], method, sees_labels=True, description=description)
