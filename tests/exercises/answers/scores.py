"""Answers to the exercises on scores, written from the questions alone, without sight of the checkers."""

# ruff: noqa: E501 - an answer a line

import heapq
import math

import numpy as np
import tensorflow as tf
from sklearn.metrics import average_precision_score, roc_auc_score

from anogan_lib import exercises as ex
from anogan_lib.evaluation import thresholds


def place(n, rate):
    return math.ceil((n + 1) * (1 - rate))


def by_ranks(labels, scores):
    from scipy.stats import rankdata

    ranks, bad = rankdata(scores), np.asarray(labels) == 1
    return (ranks[bad].sum() - bad.sum() * (bad.sum() + 1) / 2) / (bad.sum() * (~bad).sum())


def by_mann_whitney(labels, scores):
    from scipy.stats import mannwhitneyu

    return mannwhitneyu(scores[labels == 1], scores[labels == 0]).statistic / (
        (labels == 1).sum() * (labels == 0).sum()
    )


def pairs(labels, scores):
    return scores[labels == 1][:, None], scores[labels == 0][None]


def cost(threshold, miss, false_alarm, rate):
    case = ex.costs()
    scores, labels = np.asarray(case["scores"]), np.asarray(case["labels"])
    missed, alarms = (scores[labels == 1] <= threshold).mean(), (scores[labels == 0] > threshold).mean()
    return miss * rate * missed + false_alarm * (1 - rate) * alarms


def cheapest(miss=None, false_alarm=None, rate=None):
    case = ex.costs()
    terms = miss or case["miss"], false_alarm or case["false_alarm"], rate or case["rate"]
    values = np.sort(case["scores"])
    candidates = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    return float(min(candidates, key=lambda each: cost(each, *terms)))


def just_above(value):
    """The score just above a threshold: at a hair below it the verdicts are the same."""
    return float(min(each for each in ex.costs()["scores"] if each > value)) - 1e-9


def smuggled(scores, defect, rate):
    """How many: counted one by one, with sorted scores."""
    for count in range(10000):
        calibration = sorted([*map(float, scores), *[float(defect)] * count])
        k = place(len(calibration), rate)
        if k > len(calibration) or calibration[k - 1] >= defect:
            return count


def smuggled_by_halves(scores, defect, rate):
    low, high = 0, 5000
    while low < high:
        middle = (low + high) // 2
        passes = thresholds.conformal(np.append(scores, [defect] * middle), rate).value >= defect
        low, high = (low, middle) if passes else (middle + 1, high)
    return low


def from_below(scores, defect, rate):
    """The scores below the defect no longer reach the k-th place."""
    below = int((np.asarray(scores) < defect).sum())
    count = 0
    while place(len(scores) + count, rate) <= below:
        count += 1
    return count


def simulated(seed=0):
    rng = np.random.default_rng(seed)
    bad = rng.random(400000) < 0.02
    called = np.where(bad, rng.random(400000) < 0.9, rng.random(400000) < 0.05)
    return float(bad[called].mean())


RIGHT = {
    "score": [
        lambda r, d, lam: (1 - lam) * r + lam * d,
        lambda r, d, lam: r + lam * (d - r),
        lambda r, d, lam: np.average([r, d], axis=0, weights=[1 - lam, lam]),
        lambda r, d, lam: tf.convert_to_tensor(r) * (1 - lam) + tf.convert_to_tensor(d) * lam,
        lambda r, d, lam: [(1 - lam) * a + lam * b for a, b in zip(r, d, strict=True)],
    ],
    "threshold": [
        lambda train, c, rate: np.sort(c)[place(len(c), rate) - 1],
        lambda train, c, rate: sorted(c)[place(len(c), rate) - 1],
        lambda train, c, rate: np.partition(c, place(len(c), rate) - 1)[place(len(c), rate) - 1],
        lambda train, c, rate: heapq.nsmallest(place(len(c), rate), c)[-1],
        lambda train, c, rate: thresholds.conformal(c, rate),
    ],
    "auroc": [
        roc_auc_score,
        by_ranks,
        by_mann_whitney,
        lambda labels, scores: np.mean(np.greater(*pairs(labels, scores)) + 0.5 * np.equal(*pairs(labels, scores))),
        lambda labels, scores: (np.sign(np.subtract(*pairs(labels, scores))).mean() + 1) / 2,
    ],
    "leak": [6, np.int64(6), 6.0, np.array(6), 1 + next(i for i, line in enumerate(ex.leaky_program()) if "labels" in line)],
    "cheapest": [
        cheapest(),
        np.float32(cheapest()),
        just_above(cheapest()),
        thresholds.least_cost(*[ex.costs()[name] for name in ("scores", "labels", "miss", "false_alarm", "rate")]),
        min(np.unique(ex.costs()["scores"]), key=lambda each: cost(each, *[ex.costs()[n] for n in ("miss", "false_alarm", "rate")])),
    ],
    "poison": [smuggled, smuggled_by_halves, from_below, lambda *args: float(smuggled(*args)), lambda *args: np.int64(from_below(*args))],
    "alarms": [(0.9, 0.269), (0.5, simulated()), (0, simulated(1)), (0.27, 0.018 / (0.018 + 0.049)), (0.95, np.float32(0.27))],
}  # fmt: skip

WRONG = {
    "score": [
        (lambda r, d, lam: lam * r + (1 - lam) * d, "wrong term"),
        (lambda r, d, lam: 0.9 * r + 0.1 * d, "lambda"),
        (lambda r, d, lam: r, "D"),
        (lambda r, d, lam: r + lam * d, "1 - lambda"),
        (lambda r, d, lam: (1 - lam) * r - lam * d, "sign|plus|add"),
        (lambda r, d, lam: r * d, "product|sum"),
        (lambda r, d, lam: (r + d) / 2, "lambda"),
        (lambda r, d, lam: (1 - lam) * r, "D"),
        (lambda r, d, lam: lam * d, "R"),
        (lambda r, d, lam: ((1 - lam) * r + lam * d).sum(), "each image|one number"),
        (lambda r, d, lam: np.maximum(r, d), "lambda|larger"),
        (lambda r, d, lam: (1 - lam) * r / r.std() + lam * d / d.std(), "standardi|raw"),
        (lambda r, d, lam: 1 - lam * r + lam * d, "bracket|1 - lambda"),
        (lambda r, d, lam: ((1 - lam) * r + lam * d) / 2, "half"),
    ],
    "threshold": [
        (lambda train, c, rate: np.sort(train)[place(len(train), rate) - 1], "training"),
        (lambda train, c, rate: np.sort(c)[math.floor((len(c) + 1) * (1 - rate)) - 1], "ceil|up"),
        (lambda train, c, rate: np.sort(c)[math.ceil(len(c) * (1 - rate)) - 1], "n \\+ 1|new image"),
        (lambda train, c, rate: np.sort(np.append(train, c))[place(len(train) + len(c), rate) - 1], "training"),
        (lambda train, c, rate: np.quantile(c, 1 - rate), "between|interpolat|n \\+ 1"),
        (lambda train, c, rate: np.quantile(c, place(len(c), rate) / len(c), method="higher"), "higher|one place"),
        (lambda train, c, rate: np.max(c), "largest|max"),
        (lambda train, c, rate: np.mean(c) + 2 * np.std(c), "standard deviation|bell|Gauss|normal distribution"),
        (lambda train, c, rate: np.sort(c)[::-1][place(len(c), rate) - 1], "descend|largest first|smallest"),
        (lambda train, c, rate: np.sort(c)[min(place(len(c), rate), len(c) - 1)], "from 0|one place"),
        (lambda train, c, rate: np.sort(c)[math.ceil((len(c) + 1) * rate) - 1], "1 - rate|low"),
        (lambda train, c, rate: np.mean(c) + 1.645 * np.std(c), "standard deviation|bell|Gauss|normal distribution"),
        (lambda train, c, rate: place(len(c), rate), "k|place|score"),
        (lambda train, c, rate: c[place(len(c), rate) - 1], "sort"),
    ],
    "auroc": [
        (lambda labels, scores: np.greater(*pairs(labels, scores)).mean(), "equal"),
        (lambda labels, scores: np.greater_equal(*pairs(labels, scores)).mean(), "equal"),
        (lambda labels, scores: 1 - roc_auc_score(labels, scores), "wrong way|revers|other way|swap"),
        (lambda labels, scores: np.greater(*pairs(labels, scores)).sum() / len(scores) ** 2, "pairs"),
        (lambda labels, scores: ((scores > 0.5) == labels).mean(), "accuracy|threshold"),
        (average_precision_score, "precision"),
        (lambda labels, scores: np.greater(*pairs(labels, scores)).sum(), "share|count|number of pairs"),
        (lambda labels, scores: max(((scores > each) == labels).mean() for each in scores), "accuracy|threshold"),
        (lambda labels, scores: 2 * roc_auc_score(labels, scores) - 1, "Gini|-1|ties|2"),
        (lambda labels, scores: scores[labels == 1].mean() - scores[labels == 0].mean(), "mean|pairs"),
        (lambda labels, scores: np.less(*pairs(labels, scores)).mean(), "wrong way|revers|other way|swap"),
        (lambda labels, scores: ((scores > np.median(scores)) == labels).mean(), "accuracy|threshold"),
    ],
    "leak": [
        (8, "right"),
        (7, "right|calibration"),
        (5, "right|no label|search"),
        (4, "right|validation"),
        (3, "right|train"),
        (1, "right|load|split"),
        (2, "right|network"),
        (0, "number of a line"),
        ("6", "text|number"),
        (None, "None|nothing"),
        (9, "number of a line"),
        ([6], "one|number"),
    ],
    "cheapest": [
        (cheapest(rate=float(np.mean(ex.costs()["labels"]))), "2 %"),
        (cheapest(miss=1, false_alarm=20), "swap"),
        (float(np.min(ex.costs()["scores"])) - 1, "everything|all|every part"),
        (float(np.max(ex.costs()["scores"])) + 1, "nothing|miss|passes"),
        (cheapest(miss=1, false_alarm=1), "cost|equal"),
        ((cheapest(), 1), "one"),
        ("0.5", "text|number"),
        (None, "None|nothing"),
        (float(np.quantile(ex.costs()["scores"], 0.999)), "cost|miss"),
        (float(np.median(ex.costs()["scores"])), "cost|false alarm"),
        (-cheapest(), "sign|everything|all|cost|nothing|miss"),
        ([0.1, 0.2], "one"),
    ],
    "poison": [
        (lambda scores, defect, rate: int(rate * len(scores)), "found"),
        (lambda scores, defect, rate: math.ceil(rate * len(scores)), "found|grow|too"),
        (lambda scores, defect, rate: len(scores), "fewer|many|less"),
        (lambda scores, defect, rate: 1, "found|few|more|many"),
        (lambda scores, defect, rate: 0, "found|few|more|none"),
        (lambda scores, defect, rate: smuggled(scores, defect, rate) + 1, "fewer|many|less"),
        (lambda scores, defect, rate: smuggled(scores, defect, rate) - 1, "found|more|few"),
        (lambda scores, defect, rate: smuggled(scores, defect, rate) / len(scores), "whole|share|count"),
        (lambda scores, defect, rate: smuggled(scores[scores < defect], defect, rate), "above|already|fewer|many"),
        (lambda scores, defect, rate: int((scores > defect).sum()), "found|few|more|many"),
        (lambda scores, defect, rate: round(rate * len(scores) / (1 - rate)), "found|few|more|many"),
        (lambda scores, defect, rate: -smuggled(scores, defect, rate), "sign"),
    ],
    "alarms": [
        ((0.9,), "measure"),
        ((0.9, 0.9), "hit rate|defective"),
        ((0.9, 0.95), "called|alarm"),
        ((0.9, 0.02), "called|alarm"),
        ((0.9, 0.018), "called|alarm|all parts"),
        ((0.9, 0.05), "called|alarm"),
        ((0.9, 27), "share|per cent"),
        ((0.9, 0.731), "good|complement|other"),
        ((0.9, 0.0667), "called|all parts|alarm"),
        ((0.9, "0.27"), "number"),
        ((None, 0.27), "predict"),
        ((0.9, 0.5), "called|alarm"),
        ((0.9, 0.947), "2 %|rare|half|called"),
    ],
}
