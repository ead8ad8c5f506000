"""Exercises on scores: the score, a threshold from normal images, honest figures, how to break a threshold."""

import numpy as np

from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.evaluation.thresholds import conformal
from anogan_lib.exercises.cases import arrays
from anogan_lib.exercises.check import ABOUT, among, exercise, share
from anogan_lib.paper.score import anomaly_score


@exercise(
    right=anomaly_score,
    cases=lambda: [(*losses, lam) for lam in (0.1, 0.0, 1.0) for losses in arrays(2, (1,), (2,), (9,), low=0)],
)
def score(residual, discrimination, lam):
    """A(x) = (1 - lambda) R(x) + lambda D(x): two arrays (N,) and a number to (N,)."""
    return (1 - lam) * residual + lam * discrimination


def _kth(scores, place):
    return np.append(np.sort(scores), np.inf)[int(place) - 1]


@exercise(
    right=lambda train, calibration, rate: conformal(calibration, rate),
    cases=lambda: [(a, b[10:], rate) for rate in (0.1, 0.15) for a, b in arrays(2, (19,), (23,), (34,), (88,))],
)
def threshold(train_scores, calibration_scores, rate):
    """The conformal threshold: the k-th smallest score of n normal images, k = ceil((n + 1)(1 - rate))."""
    k = int(np.ceil((len(calibration_scores) + 1) * (1 - rate)))
    return np.sort(calibration_scores)[k - 1]


def won(labels, scores, of=np.mean, tie=0.5):
    """Return the share of pairs that the anomalous one wins; np.sum `of` them is how many. A draw counts `tie`."""
    bad, good = scores[labels == 1][:, None], scores[labels == 0]
    return of((bad > good) + tie * (bad == good))


@exercise(
    right=metrics.auroc,
    cases=lambda: [
        *((np.arange(n) % 3 % 2, np.arange(n) // 2 * 3 % 7) for n in (2, 3, 12, 40)),
        (np.arange(4) % 2, np.arange(4)),
    ],
)
def auroc(labels, scores):
    """AUROC from its definition: of all pairs of an anomalous image (label 1) and a normal one (0), the share that the
    anomalous one wins, by the higher score. A draw counts half."""
    bad, good = scores[labels == 1], scores[labels == 0]
    return np.mean([(b > g) + 0.5 * (b == g) for b in bad for g in good])


def leaky_program() -> list[str]:
    """Return the lines, counted from 1, of a program that evaluates a detector and has a leak."""
    return ABOUT["leaky_program"].splitlines()


@exercise(given=leaky_program, effect=lambda line, lines: among(line, range(1, 9), "the number of a line"))
def leak(lines):
    """Which line of `ex.leaky_program()` leaks? Answer with its number, from 1."""
    return 1 + next(i for i, line in enumerate(lines) if "test.labels" in line)


def costs() -> dict:
    """Return scores and labels of test images, the cost of each error, and how rare anomalies are on the line."""
    rng = np.random.default_rng(12)
    scores = np.concatenate([rng.normal(0, 1, 400), rng.normal(1.8, 1, 700)])
    return {"scores": scores, "labels": np.repeat([0, 1], [400, 700]), "miss": 20, "false_alarm": 1, "rate": 0.02}


def _errors(threshold, case) -> list[int]:
    """Count the false alarms and misses of a threshold."""
    threshold = getattr(threshold, "value", threshold)
    if isinstance(threshold, str) or np.size(threshold) != 1:
        raise ValueError("asked is one number, the threshold; this is text, or several")
    found = metrics.confusion(case["labels"], case["scores"] > float(threshold))
    return [found["false_alarm"], found["missed"]]


@exercise(given=costs, effect=_errors)
def cheapest(case):
    """Choose the threshold for `ex.costs()` that costs least on the line; any with the same verdicts does."""
    return thresholds.least_cost(case["scores"], case["labels"], case["miss"], case["false_alarm"], case["rate"]).value


@exercise(
    cases=lambda: (
        [(*scores, 9.0, rate) for rate in (0.1, 0.2) for scores in arrays(1, (9,), (39,), (80,))]
        + [(np.append(np.arange(27.0) / 3, 10), 9.0, 0.2)]
    )
)
def poison(scores, defect, rate):
    """Break it: how many defective images, all scored `defect`, must slip in among the good calibration images, scored
    `scores`, before they pass? An image passes if its score is not above the threshold of 5.2."""
    count = 0
    while thresholds.conformal(np.append(scores, [defect] * count), rate).value < defect:
        count += 1
    return count


@exercise(given=lambda: (), effect=share)
def alarms():
    """A detector finds 90 % of defective parts and calls 5 % of good ones anomalous; 2 % of parts are defective.
    Predict, then measure: of the parts that it calls anomalous, what share is defective?"""
    return 0.02 * 0.9 / (0.02 * 0.9 + 0.98 * 0.05)
