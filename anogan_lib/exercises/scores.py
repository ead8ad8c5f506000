"""Exercises of notebook 04: the score, a threshold from normal images, honest figures, how to break a threshold."""

from functools import partial

import numpy as np

from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.evaluation.thresholds import conformal
from anogan_lib.exercises.cases import arrays
from anogan_lib.exercises.check import exercise
from anogan_lib.paper.score import anomaly_score


@exercise(
    "lambda = 0 leaves R alone, lambda = 1 leaves D alone",
    right=anomaly_score,
    cases=lambda: [(*losses, lam) for lam in (0.1, 0.0, 1.0) for losses in arrays(2, (1,), (2,), (9,), low=0)],
    mistakes={
        "lambda is on the wrong term: it weighs D, and 1 - lambda weighs R": lambda r, d, lam: anomaly_score(d, r, lam),
        "R lacks its weight 1 - lambda": lambda r, d, lam: r + lam * d,
        "D lacks its weight lambda": lambda r, d, lam: (1 - lam) * r + d,
        "this is the mean of both terms; the paper's A is their sum": lambda *losses: anomaly_score(*losses) / 2,
    },
)
def score(residual, discrimination, lam):
    """A(x) = (1 - lambda) R(x) + lambda D(x): two arrays (N,) and a number to (N,)."""
    return (1 - lam) * residual + lam * discrimination


def _kth(place):
    """Make the mistake of taking the k-th smallest calibration score with another k, place(n, rate)."""
    return lambda train, scores, rate: np.append(np.sort(scores), np.inf)[int(place(len(scores), rate)) - 1]


@exercise(
    "at most that rate of new normal images lies above it, on average, for every n",
    right=lambda train, calibration, rate: conformal(calibration, rate),
    cases=lambda: [(*scores, rate) for rate in (0.1, 0.15) for scores in arrays(2, (9,), (13,), (24,), (78,))],
    mistakes={
        "the detector knows its training images, so that this lies far too low": lambda t, c, a: conformal(t, a),
        "training images, mixed in, pull it down": lambda t, c, a: conformal(np.append(t, c), a),
        "k is rounded down; the promise needs the next whole number, ceil": _kth(lambda n, a: (n + 1) * (1 - a)),
        "k = ceil(n (1 - rate)) forgets the new image: n + 1": _kth(lambda n, a: np.ceil(n * (1 - a))),
        "one too high: the k-th smallest is sorted(scores)[k - 1]": _kth(lambda n, a: np.ceil((n + 1) * (1 - a)) + 1),
        "np.quantile knows no n + 1 and draws lines between scores": lambda t, c, a: np.quantile(c, 1 - a),
    },
)
def threshold(train_scores, calibration_scores, rate):
    """The conformal threshold: the k-th smallest score of n normal images, k = ceil((n + 1)(1 - rate))."""
    k = int(np.ceil((len(calibration_scores) + 1) * (1 - rate)))
    return np.sort(calibration_scores)[k - 1]


def _won(labels, scores, tie=0.5, mean=np.mean):
    bad, good = scores[labels == 1][:, None], scores[labels == 0]
    return mean((bad > good) + tie * (bad == good))


@exercise(
    "the chance that an anomalous image scores above a normal one",
    right=metrics.auroc,
    cases=lambda: [(np.arange(n) % 3 % 2, np.arange(n) // 2 * 3 % 7) for n in (2, 3, 12, 40)],
    mistakes={
        "equal scores count for nothing here; they count half": partial(_won, tie=0),
        "equal scores count in full here; they count half": partial(_won, tie=1),
        "this is the chance that a normal image scores higher": lambda labels, scores: _won(1 - labels, scores),
        "this is the number of pairs won: divide by that of all pairs": partial(_won, mean=np.sum),
    },
)
def auroc(labels, scores):
    """AUROC from its definition: of all pairs of an anomalous image (label 1) and a normal one (0), the share won."""
    bad, good = scores[labels == 1], scores[labels == 0]
    return np.mean([(b > g) + 0.5 * (b == g) for b in bad for g in good])


def leaky_program() -> list[str]:
    """Return the lines, counted from 1, of a program that evaluates a detector and has a leak."""
    return [
        'data = datasets.load("hazelnut")',
        "gan = DCGAN(data.image_shape)",
        "gan.train(data.train)",
        'detector = AnoGAN(gan, recipe="best").fit_encoder(data.train).standardise(data.validation)',
        "found = detector.invert(data.test)",
        "detector.lam = max(lams, key=lambda lam: auroc(data.test.labels, found.scores(lam)))",
        "detector.calibrate(data.calibration, false_alarm_rate=0.05)",
        "print(detector.evaluate(data.test).auroc)",
    ]


@exercise(
    "lambda was chosen with the labels of the images that the last line tests on",
    given=leaky_program,
    mistakes={
        "line 8 is right in itself: test images are for the end. But a choice was made with them": 8,
        "line 3 is right: training images are there to train on": 3,
        "line 4 is right: training images train the encoder, validation images give the spreads": 4,
        "line 5 is right: scoring gives nothing away, as long as no choice follows from it": 5,
        "line 7 is right: calibration images serve the threshold, and nothing else": 7,
    },
    otherwise="answer with the number of the line, from 1, that uses images for a second end",
)
def leak(lines):
    """Which line of `ex.leaky_program()` leaks? Answer with its number, from 1."""
    return 1 + next(i for i, line in enumerate(lines) if "test.labels" in line)


def costs() -> dict:
    """Return scores and labels of test images, the cost of each error, and how rare anomalies are on the line."""
    rng = np.random.default_rng(12)
    scores = np.concatenate([rng.normal(0, 1, 40), rng.normal(1.8, 1, 70)])
    return {"scores": scores, "labels": np.repeat([0, 1], [40, 70]), "miss": 20, "false_alarm": 1, "rate": 0.02}


def _least_cost(case, **other):
    how = {"miss_cost": case["miss"], "false_alarm_cost": case["false_alarm"], "anomaly_rate": case["rate"]} | other
    return thresholds.least_cost(case["scores"], case["labels"], **how)


def _errors(threshold, case) -> list[int]:
    """Count the false alarms and misses of a threshold."""
    found = metrics.confusion(case["labels"], case["scores"] > float(threshold))
    return [found["false_alarm"], found["missed"]]


@exercise(
    "anomalies are rare on the line, so that cheap false alarms add up",
    given=costs,
    effect=_errors,
    mistakes={
        "with the test set's 64 % of anomalies, yes; the line has 2 %": partial(_least_cost, anomaly_rate=None),
        "the costs are swapped, a miss costs 20": partial(_least_cost, miss_cost=1, false_alarm_cost=20),
        "that has the best F1, which knows no costs": lambda case: thresholds.best_f1(case["scores"], case["labels"]),
    },
    otherwise="another is cheaper. An image costs miss * rate * (share of anomalous images missed) "
    "+ false_alarm * (1 - rate) * (share of normal images above the threshold)",
)
def cheapest(case):
    """Choose the threshold for `ex.costs()` that costs least on the line; any with the same verdicts does."""
    return thresholds.least_cost(case["scores"], case["labels"], case["miss"], case["false_alarm"], case["rate"]).value


@exercise(
    "a few bad images among the good ones open the gate: look at every calibration image",
    cases=lambda: [(*scores, 9.0, rate) for rate in (0.1, 0.2) for scores in arrays(1, (9,), (39,), (80,))],
    mistakes={
        "so many may lie above: the defect is still found": lambda scores, defect, rate: int(rate * scores.size),
        "each of them makes n larger, too": lambda scores, _, rate: int(rate * scores.size) + 1,
        "with so many the defect is found for the last time": lambda *case: poison.solution(*case) - 1,
    },
)
def poison(scores, defect, rate):
    """Break it: how many defective images, all scored `defect`, must slip into the calibration before they pass?"""
    count = 0
    while thresholds.conformal(np.append(scores, [defect] * count), rate).value < defect:
        count += 1
    return count
