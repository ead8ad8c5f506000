"""Where normal ends: thresholds on the anomaly score, most of them from normal images alone.

One rule holds for all of them: an image is anomalous when its score is *greater than* the threshold's value.

A threshold that is to be believed comes from normal images that served nothing else (calibration). The
label-based ones below exist for teaching: they have seen the answers of the images they are chosen on, and
say so.
"""

import math
from dataclasses import dataclass

import numpy as np

DRIFT_LEVEL = 0.01  # below this p-value `drift` says that the scores have changed
ENOUGH_FOR_DRIFT = 20  # fewer scores tell too little to be asked unbidden


@dataclass(frozen=True)
class Threshold:
    """A threshold and where it comes from.

    Attributes:
        value: an image is anomalous when its score > value; in the unit of the scores.
        method: name of the function that set it.
        sees_labels: whether labels of anomalous images were used; such a threshold flatters its own test set.
        false_alarm_rate: the rate on normal images that was asked for, in (0, 1); None where none was.
        description: one sentence for people.
    """

    value: float
    method: str
    sees_labels: bool
    false_alarm_rate: float | None = None
    description: str = ""

    def verdicts(self, scores: np.ndarray) -> np.ndarray:
        """(N,) bool: True where the score is anomalous."""
        return np.asarray(scores, "float64") > self.value

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self)


# ---- from normal images alone


def conformal(scores: np.ndarray, false_alarm_rate: float) -> Threshold:
    """The quantile of n normal scores that keeps its promise for every n (split conformal prediction).

    The value is the k-th smallest score with k = ceil((n + 1)(1 - a)). If a new normal image is exchangeable
    with the n calibration images, its score exceeds the value with probability at most a, on average over
    calibration sets; one calibration set's own rate varies around that like a Beta(n + 1 - k, k) variable.
    `score > value` and `p_values(...) <= a` are the same verdict, with ties too.

    Source: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005); Bates et al. (2023),
    arXiv 2104.08279, section 2.

    Args:
        scores: (n,) scores of normal images that nothing else was chosen with.
        false_alarm_rate: the wished rate a of normal images called anomalous, in (0, 1).

    Raises:
        ValueError: where (n + 1) a < 1: so few images cannot promise so low a rate.
    """
    scores = check_scores(scores, least=0)
    rate = _check_rate(false_alarm_rate)
    n = len(scores)
    above = _allowed_above(n, rate)
    if above < 1:
        needed = math.ceil(1 / rate) - 1
        raise ValueError(
            f"{n} normal images cannot promise a false-alarm rate of {_percent(rate)}: calibrate with at "
            f"least {needed}, or ask for at least {_percent(_rounded_up(1 / (n + 1)))}. Received: {n} scores."
        )
    return Threshold(
        value=float(np.sort(scores)[n - above]),  # the (n + 1 - above)-th smallest
        method="conformal",
        sees_labels=False,
        false_alarm_rate=rate,
        description=f"At most {_percent(rate)} false alarms expected on new normal images, "
        f"from {n} normal calibration images alone (split conformal).",
    )


def p_values(calibration_scores: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How often a normal image would look at least as strange: (1 + #{calibration >= s}) / (n + 1).

    For a new normal image P(p <= a) <= a for every a (uniform, but for the steps of 1 / (n + 1)).

    Args:
        calibration_scores: (n,) scores of normal calibration images.
        scores: (N,) scores to judge.

    Returns:
        (N,) p-values in (0, 1]; small is anomalous.
    """
    calibration = np.sort(check_scores(calibration_scores))
    scores = check_scores(scores, least=0)
    at_least = len(calibration) - np.searchsorted(calibration, scores, side="left")  # (N,)
    return (1 + at_least) / (len(calibration) + 1)


def mean_plus_std(scores: np.ndarray, k: float = 3) -> Threshold:
    """Mean + k standard deviations. Promises a rate only where scores are Gaussian; they seldom are."""
    scores = check_scores(scores, least=2)
    value = scores.mean() + k * scores.std(ddof=1)
    description = f"Mean + {k:g} standard deviations of {len(scores)} normal scores; promises no rate."
    return Threshold(float(value), "mean_plus_std", False, None, description)


def median_plus_mad(scores: np.ndarray, k: float = 3) -> Threshold:
    """Median + k times the scaled median absolute deviation (1.4826 MAD, a Gaussian's standard deviation).

    A few defective images among the calibration images hardly move it, unlike the mean and standard
    deviation.
    """
    from scipy.stats import median_abs_deviation

    scores = check_scores(scores, least=2)
    value = np.median(scores) + k * median_abs_deviation(scores, scale="normal")
    description = f"Median + {k:g} scaled MADs of {len(scores)} normal scores; promises no rate."
    return Threshold(float(value), "median_plus_mad", False, None, description)


def extreme_value(scores: np.ndarray, false_alarm_rate: float, tail: float = 0.2) -> Threshold:
    """A quantile beyond the data: a generalised Pareto distribution fitted to the highest normal scores.

    With u the (1 - tail) quantile, the excesses over u follow nearly GPD(shape, scale), and the threshold is
    u + GPD^-1(1 - a / tail). It can ask for rates below 1 / (n + 1), which `conformal` refuses, but in
    exchange for a model of the tail and without a guarantee. Source: Pickands (1975); Siffer et al. (KDD
    2017), section 3.

    Args:
        scores: (n,) normal scores; at least 10 must lie above u.
        false_alarm_rate: wished rate a, below `tail`.
        tail: share of the scores that counts as the tail.
    """
    from scipy.stats import genpareto

    scores = check_scores(scores)
    rate, tail = _check_rate(false_alarm_rate), _check_rate(tail, "tail")
    if rate >= tail:
        raise ValueError(
            f"extreme_value looks at the upper {_percent(tail)} of the scores alone, so the false-alarm rate "
            f"must lie below that; conformal serves higher ones. Received: false_alarm_rate={rate:g}."
        )
    start = np.quantile(scores, 1 - tail)
    excess = scores[scores > start] - start
    if len(excess) < 10:
        raise ValueError(
            f"extreme_value fits its tail to at least 10 scores, about {math.ceil(10 / tail)} normal images "
            f"in all. Received: {len(scores)} scores, {len(excess)} of them above the {1 - tail:g} quantile."
        )
    unit = excess.mean()  # the fit starts from a scale of 1, so bring the excesses near it
    shape, _, scale = genpareto.fit(excess / unit, floc=0)
    share = len(excess) / len(scores)
    value = start + unit * genpareto.ppf(1 - rate / share, shape, scale=scale)
    description = (
        f"About {_percent(rate)} false alarms if the tail of {len(scores)} normal scores goes on as a "
        "generalised Pareto distribution; a model, not a guarantee."
    )
    return Threshold(float(value), "extreme_value", False, rate, description)


# ---- from labelled images: for teaching, and where labels are bought


def best_f1(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """The threshold of the highest F1 on these very labels."""
    cuts, missed, false_alarms, bad, _ = _count_errors(scores, labels)
    hits = bad - missed
    return _labelled(cuts, -2 * hits / (2 * hits + missed + false_alarms), "best_f1", "Highest F1")


def youden(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """The threshold of the highest Youden index, hit rate - false-alarm rate (Youden 1950)."""
    cuts, missed, false_alarms, bad, good = _count_errors(scores, labels)
    return _labelled(cuts, missed / bad + false_alarms / good, "youden", "Best hit rate - false-alarm rate")


def equal_error(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """The threshold at which miss rate and false-alarm rate come nearest to each other."""
    cuts, missed, false_alarms, bad, good = _count_errors(scores, labels)
    difference = np.abs(missed / bad - false_alarms / good)
    return _labelled(cuts, difference, "equal_error", "Miss rate equal to false-alarm rate")


def midpoint(scores: np.ndarray, labels: np.ndarray) -> Threshold:
    """(max good + min bad) / 2, as earlier AnoGAN code set it: two images decide, both of the test set."""
    scores, labels = check_scores(scores), check_labels(labels, len(np.asarray(scores)), both=True)
    value = (scores[labels == 0].max() + scores[labels == 1].min()) / 2
    return _labelled(np.array([value]), np.zeros(1), "midpoint", "(max normal + min anomalous score) / 2")


def least_cost(
    scores: np.ndarray, labels: np.ndarray, miss_cost: float, false_alarm_cost: float, anomaly_rate: float | None = None
) -> Threshold:
    """The threshold of the least expected cost an image.

    cost = miss_cost * rate * P(missed | anomalous) + false_alarm_cost * (1 - rate) * P(false alarm | normal)

    Args:
        scores: (N,).
        labels: (N,) 0 normal, 1 anomalous.
        miss_cost: what an anomalous image that passes costs, in any unit of money.
        false_alarm_cost: what a normal image called anomalous costs, in the same unit.
        anomaly_rate: share of anomalous images where the detector will work, in (0, 1); a test set usually
            holds far more of them than a production line. None takes the share in `labels`.
    """
    for name, cost in (("miss_cost", miss_cost), ("false_alarm_cost", false_alarm_cost)):
        if not (np.isfinite(cost) and cost >= 0):
            raise ValueError(f"{name} must be a number of at least 0. Received: {cost!r}.")
    cuts, missed, false_alarms, bad, good = _count_errors(scores, labels)
    rate = bad / (bad + good) if anomaly_rate is None else _check_rate(anomaly_rate, "anomaly_rate")
    cost = miss_cost * rate * missed / bad + false_alarm_cost * (1 - rate) * false_alarms / good
    what = (
        f"Least cost with {miss_cost:g} a miss, {false_alarm_cost:g} a false alarm and {_percent(rate)} "
        f"anomalous ({cost.min():.4g} an image)"
    )
    return _labelled(cuts, cost, "least_cost", what)


# ---- drift


def drift(calibration_scores: np.ndarray, scores: np.ndarray) -> tuple[float, str]:
    """Do the scores of a batch, as a whole, still look like the calibration images'?

    A two-sample Kolmogorov-Smirnov test: a threshold promises nothing for images that differ from those it
    was calibrated on (new lamp, new camera), whatever their verdicts say. A batch full of defects also shows
    here.

    Returns:
        The p-value (small: they differ), and a sentence with it.
    """
    from scipy.stats import ks_2samp

    calibration, scores = check_scores(calibration_scores), check_scores(scores)
    p = float(ks_2samp(calibration, scores).pvalue)
    test = f"(Kolmogorov-Smirnov test, p = {p:.2g})"
    who = f"the scores of these {len(scores)} images"
    others = f"the {len(calibration)} calibration images'"
    if p >= DRIFT_LEVEL:
        return p, f"No sign of drift: {who} look like {others} {test}."
    medians = f"median {np.median(scores):.4g} against {np.median(calibration):.4g}"
    return p, (
        f"Drift: {who} as a whole no longer look like {others} ({medians}) {test}; either many are "
        "anomalous, or the images have changed and the threshold wants new calibration images."
    )


# ---- checks


def check_scores(scores: np.ndarray, least: int = 1) -> np.ndarray:
    """(N,) float64, finite, at least `least` of them; else ValueError."""
    array = np.asarray(scores, "float64")
    if array.ndim != 1 or len(array) < least:
        raise ValueError(
            f"Scores must be one number an image, at least {least} of them. Received: shape {array.shape}."
        )
    if not np.isfinite(array).all():
        bad = np.sum(~np.isfinite(array))
        raise ValueError(f"Scores must be finite. Received: {bad} NaN or infinite of {len(array)}.")
    return array


def check_labels(labels: np.ndarray, n: int, both: bool = False) -> np.ndarray:
    """(n,) int of 0 (normal) and 1 (anomalous); with `both`, at least one of each; else ValueError."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"Labels must be one number for each of {n} scores. Received: shape {array.shape}.")
    if array.dtype == object or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"Labels must be 0 (normal) or 1 (anomalous); were they taken for scores? Received: {array[:5]}."
        )
    array = array.astype(int)
    if both and (array.sum() in (0, n)):
        seen = "anomalous" if array.any() else "normal"
        raise ValueError(f"Both normal and anomalous images are wanted. Received: {n} labels, all {seen}.")
    return array


def _check_rate(rate: float, name: str = "false_alarm_rate") -> float:
    if not 0 < rate < 1:
        raise ValueError(f"{name} must lie between 0 and 1, 0.05 for 5 %. Received: {rate!r}.")
    return float(rate)


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def _rounded_up(rate: float) -> float:
    """The next higher rate that three digits tell."""
    step = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return math.ceil(rate / step) * step


def _allowed_above(n: int, rate: float) -> int:
    """The largest m with m / (n + 1) <= rate, in the very floating-point comparison that p-values meet."""
    m = int((n + 1) * rate)
    while (m + 1) / (n + 1) <= rate:
        m += 1
    while m / (n + 1) > rate:
        m -= 1
    return m


def _count_errors(scores: np.ndarray, labels: np.ndarray):
    """Errors at every cut that makes a difference: cuts, missed, false_alarms (each (K,)), n anomalous, n
    normal.

    Cuts lie halfway between neighbouring scores, one lies below all and one on the highest.
    """
    scores = check_scores(scores)
    labels = check_labels(labels, len(scores), both=True)
    values, where = np.unique(scores, return_inverse=True)  # (K - 1,) ascending
    between = values[:-1] + np.diff(values) / 2
    between = np.where(between < values[1:], between, values[:-1])  # neighbours in floating point
    cuts = np.concatenate([[np.nextafter(values[0], -np.inf)], between, [values[-1]]])
    bad_below = np.cumsum(np.bincount(where, weights=labels))
    good_below = np.cumsum(np.bincount(where, weights=1 - labels))
    missed = np.concatenate([[0], bad_below])
    false_alarms = good_below[-1] - np.concatenate([[0], good_below])
    return cuts, missed, false_alarms, int(bad_below[-1]), int(good_below[-1])


def _labelled(cuts: np.ndarray, loss: np.ndarray, method: str, what: str) -> Threshold:
    """The cut of the least loss; of equals the lowest, which misses fewest."""
    description = f"{what}, chosen with the labels of the images it is applied to: it has seen the answers."
    return Threshold(float(cuts[np.argmin(loss)]), method, True, None, description)
