"""Answers to the exercise of one's own images, written from its question alone: functions of the truth."""

import numpy as np


def but(**changes):
    """The right answers, but for these."""
    return lambda truth: {**truth, **changes}


RIGHT = {
    "own_report": [
        dict,
        lambda truth: {name: np.array(value)[()] for name, value in truth.items()},
        lambda truth: {**truth, "lowest_rate": round(truth["lowest_rate"], 4)},
        lambda truth: {name: truth[name] for name in sorted(truth)},
        lambda truth: {**truth, "weakest_kind": truth["weakest_kind"].upper()},
    ]
}

WRONG = {
    "own_report": [
        (but(lowest_rate=0), "n \\+ 1"),
        (but(lowest_rate=0.01), "n \\+ 1"),
        (lambda truth: but(lowest_rate=100 * truth["lowest_rate"])(truth), "per cent|share"),
        (lambda truth: but(lowest_rate=1 / (1 / truth["lowest_rate"] - 1))(truth), "n \\+ 1"),
        (lambda truth: but(better_than_chance=not truth["better_than_chance"])(truth), "better_than_chance"),
        (lambda truth: but(beats_baselines=not truth["beats_baselines"])(truth), "beats_baselines"),
        (lambda truth: but(beats_blind=not truth["beats_blind"])(truth), "beats_blind"),
        (but(weakest_kind="good"), "weakest_kind"),
        (but(weakest_kind="nosuchkind"), "weakest_kind"),
        (lambda truth: {name: truth[name] for name in truth if name != "beats_blind"}, "beats_blind"),
        (lambda truth: list(truth.values()), "dictionary"),
        (lambda truth: "no", "dictionary"),
        (but(better_than_chance="yes"), "True or False"),
        (but(lowest_rate="0.05"), "number"),
        (lambda truth: {}, "lowest_rate|missing"),
    ]
}
