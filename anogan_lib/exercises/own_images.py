"""The exercise of notebook 08: five questions about an evaluation of one's own."""

import numpy as np

from anogan_lib.exercises.check import exercise


def _evaluated(data=None, evaluation=None) -> tuple:
    if None in (getattr(evaluation, "auroc", None), getattr(evaluation, "hit_rate_by_kind", None)):
        raise ValueError(
            "call ex.check_own_report(answers, data, evaluation), with the evaluation of normal and anomalous images"
        )
    return data, evaluation


def _first_wrong(answers, data, evaluation) -> int:
    """Return the number of the first question that is answered wrong, or -1."""
    if not isinstance(answers, dict):
        raise ValueError("answer with a dictionary of the five questions")
    rates = {kind.lower(): rate for kind, rate in evaluation.hit_rate_by_kind.items()}
    for i, (name, true) in enumerate(own_report.solution(data, evaluation).items()):
        if name not in answers:
            raise ValueError(f'the answer to "{name}" is missing')
        given = answers[name]
        if name == "weakest_kind":
            right = rates.get(str(given).lower()) == rates[true.lower()]
        elif name == "lowest_rate" and isinstance(given, (int, float, np.number)):
            right = np.isclose(given, true, 0.01)
        elif isinstance(given, (int, np.bool_)) and given in (0, 1) and name != "lowest_rate":
            right = given == true
        else:
            raise ValueError(f'"{name}" is {"a number" if name == "lowest_rate" else "True or False"}, not {given!r}')
        if not right:
            return i
    return -1


def _but(name: str, *about) -> dict:
    """Answer all questions right but this one."""
    right = own_report.solution(*about)
    return right | {name: not right[name] if isinstance(right[name], (bool, np.bool_)) else 0}


@exercise(given=_evaluated, effect=_first_wrong)
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
