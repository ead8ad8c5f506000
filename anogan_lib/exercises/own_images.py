"""The exercise of notebook 07: five questions about an evaluation of one's own."""

import numpy as np

from anogan_lib.exercises.check import exercise


def _evaluated(data=None, evaluation=None) -> tuple:
    if None in (getattr(evaluation, "auroc", None), getattr(evaluation, "hit_rate_by_kind", None)):
        raise ValueError(
            "call ex.check_own_report(answers, data, evaluation), with the evaluation of normal and anomalous images"
        )
    return data, evaluation


def _first_wrong(answers, data, evaluation) -> str:
    """Return the name of the first question that is answered wrong, or "none"."""
    rates = evaluation.hit_rate_by_kind
    for name, true in own_report.solution(data, evaluation).items():
        given = answers[name]
        if not (rates.get(given) == rates[true] if name == "weakest_kind" else np.isclose(float(given), true, 0.01)):
            return name
    return "none"


def _but(name: str, *about) -> dict:
    """Answer all questions right but this one."""
    return own_report.solution(*about) | {name: -1}


@exercise(
    "these five say whether you may hand the detector on",
    given=_evaluated,
    effect=_first_wrong,
)
def own_report(data, evaluation):
    """Five questions about your own data, answered as a dictionary: `ex.check_own_report(answers, data, evaluation)`.

    "lowest_rate": the lowest false-alarm rate that the calibration images can promise. True or False:
    "better_than_chance", the AUROC's interval lies above 0.5; "beats_baselines", the AUROC is above each baseline's;
    "beats_blind", the accuracy is above a blind detector's. "weakest_kind": the kind found least often.
    """
    rates = evaluation.hit_rate_by_kind
    return {
        "lowest_rate": 1 / (len(data.calibration) + 1),
        "better_than_chance": evaluation.auroc_interval[0] > 0.5,
        "beats_baselines": all(evaluation.auroc > each for each in evaluation.baselines.values()),
        "beats_blind": evaluation.accuracy > evaluation.trivial_accuracy,
        "weakest_kind": min(rates, key=rates.get),
    }
