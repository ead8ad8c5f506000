"""Exercises of notebook 04: the score, a threshold from normal images, honest figures, how to break a threshold."""

from functools import partial

import numpy as np

import anogan_lib
from anogan_lib.exercises.check import exercise


def _losses() -> list[tuple]:
    rng, cases = np.random.default_rng(8), ((1, 0.1), (2, 0.5), (6, 0.0), (6, 1.0), (9, 0.3))
    return [(*(rng.gamma(4, size, n).astype("float32") for size in (20, 3)), lam) for n, lam in cases]


def _score(r, d, lam):
    return anogan_lib.scoring.anomaly_score(r, d, lam)


@exercise(
    "lambda = 0 leaves R alone, lambda = 1 leaves D alone",
    right=_score,
    cases=_losses,
    mistakes={
        "lambda is on the wrong term: it weighs D, and 1 - lambda weighs R": lambda r, d, lam: _score(d, r, lam),
        "R lacks its weight 1 - lambda": lambda r, d, lam: r + lam * d,
        "D lacks its weight lambda": lambda r, d, lam: (1 - lam) * r + d,
        "this is the mean of both terms; the paper's A is their sum": lambda r, d, lam: _score(r, d, lam) / 2,
    },
)
def score(residual, discrimination, lam):
    """A(x) = (1 - lambda) R(x) + lambda D(x): two arrays (N,) and a number to (N,)."""
    return (1 - lam) * residual + lam * discrimination


def _calibrations() -> list[tuple]:
    rng, sizes = np.random.default_rng(10), ((9, 0.1), (13, 0.15), (24, 0.1), (30, 0.1), (78, 0.05))
    return [(rng.gamma(3, 15, n), rng.gamma(4, 20, n), rate) for n, rate in sizes]


def _conformal(train, calibration, rate):
    return anogan_lib.thresholds.conformal(calibration, rate).value


def _kth(place):
    """The mistake of taking the k-th smallest calibration score with another k, place(n, rate)."""
    return lambda train, scores, rate: np.append(np.sort(scores), np.inf)[int(place(len(scores), rate)) - 1]


@exercise(
    "at most that rate of new normal images lies above it, on average, for every n",
    right=_conformal,
    cases=_calibrations,
    mistakes={
        "the detector knows its training images, so that this lies far too low": lambda t, c, a: _conformal(None, t, a),
        "training images, mixed in, pull it down": lambda t, c, a: _conformal(t, np.append(t, c), a),
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


def _labelled() -> list[tuple]:
    rng = np.random.default_rng(11)
    some = [(np.array([0, 1]), np.array([1.0, 1.0])), (np.array([1, 0, 1]), np.array([2.0, 3.0, 3.0]))]
    return [*some, *((np.arange(n) % 3 % 2, rng.integers(0, 9, n) + np.arange(n) % 3) for n in (12, 40))]


def _won(labels, scores, tie=0.5, mean=np.mean):
    bad, good = scores[labels == 1][:, None], scores[labels == 0]
    return mean((bad > good) + tie * (bad == good))


@exercise(
    "the chance that an anomalous image scores above a normal one",
    right=lambda labels, scores: anogan_lib.metrics.auroc(labels, scores),
    cases=_labelled,
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
    """The lines of a program that evaluates a detector, and has a leak; they count from 1."""
    return [
        'data = datasets.load("hazelnut")',
        "gan = DCGAN(data.image_shape)",
        "gan.train(data.train)",
        "detector = AnoGAN(gan).fit_encoder(data.train).standardise(data.validation)",
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
        "line 5 is right: scoring tells nothing, as long as no choice follows from it": 5,
        "line 7 is right: calibration images serve the threshold, and nothing else": 7,
    },
    otherwise="answer with the number of the line, from 1, that uses images for a second end",
)
def leak(lines):
    """Which line of `ex.leaky_program()` leaks? Answer with its number, from 1."""
    return 1 + next(i for i, line in enumerate(lines) if "test.labels" in line)


def costs() -> dict:
    """Scores and labels of test images, what the two errors cost, and how rare anomalies are on the line."""
    rng = np.random.default_rng(12)
    scores = np.concatenate([rng.normal(0, 1, 40), rng.normal(1.8, 1, 70)])
    return {"scores": scores, "labels": np.repeat([0, 1], [40, 70]), "miss": 20, "false_alarm": 1, "rate": 0.02}


def _least_cost(case, **other):
    how = {"miss_cost": case["miss"], "false_alarm_cost": case["false_alarm"], "anomaly_rate": case["rate"]} | other
    return anogan_lib.thresholds.least_cost(case["scores"], case["labels"], **how).value


def _best_f1(scores, labels):
    return anogan_lib.thresholds.best_f1(scores, labels).value


def _errors(threshold, case) -> list[int]:
    """What counts of a threshold: how many false alarms and misses it makes."""
    found = anogan_lib.metrics.confusion(case["labels"], case["scores"] > float(threshold))
    return [found["false_alarm"], found["missed"]]


@exercise(
    "anomalies are rare on the line, so that cheap false alarms add up",
    given=costs,
    effect=_errors,
    mistakes={
        "with the test set's 64 % of anomalies, yes; the line has 2 %": partial(_least_cost, anomaly_rate=None),
        "the costs are swapped, a miss costs 20": partial(_least_cost, miss_cost=1, false_alarm_cost=20),
        "that has the best F1, which knows no costs": lambda case: _best_f1(case["scores"], case["labels"]),
    },
    otherwise="another is cheaper. An image costs miss * rate * (share of anomalous images missed) "
    "+ false_alarm * (1 - rate) * (share of normal images above the threshold)",
)
def cheapest(case):
    """Choose the threshold for `ex.costs()` that costs least on the line; any with the same verdicts does."""
    return anogan_lib.thresholds.least_cost(
        case["scores"], case["labels"], case["miss"], case["false_alarm"], case["rate"]
    ).value


def _poisonable() -> list[tuple]:
    sizes = ((9, 0.2), (24, 0.1), (39, 0.1), (80, 0.05))
    return [(np.random.default_rng(13).normal(0, 1, n), 9.0, rate) for n, rate in sizes]


@exercise(
    "a few bad images among the good ones open the gate: look at every calibration image",
    cases=_poisonable,
    mistakes={
        "so many may lie above: the defect is still found": lambda scores, defect, rate: int(rate * scores.size),
        "each of them makes n larger, too": lambda scores, _, rate: int(rate * scores.size) + 1,
        "with so many the defect is found for the last time": lambda *case: poison.solution(*case) - 1,
    },
)
def poison(scores, defect, rate):
    """Break it: how many defective images, all scored `defect`, must slip into the calibration before they pass?"""
    count = 0
    while anogan_lib.thresholds.conformal(np.append(scores, [defect] * count), rate).value < defect:
        count += 1
    return count
