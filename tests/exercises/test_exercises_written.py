"""Answers of many styles and mistakes, written from the notebooks alone: none right is refused, the wrong are named.

In `written/` an exercise begins with `=== its name`, a right answer with `+ its style`, a wrong one with
`- its mistake => words of the hint`; a wrong one without words gets a hint that does not name it. Below stand the lines
that define `answer`. Those that begin with `! ` come first in every answer of the exercise.
"""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import exercises as ex
from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.exercises.cases import nuts

NAMED = 0.95  # of the wrong answers
PARTS = [
    part
    for file in sorted(Path(__file__).with_name("written").glob("*.txt"))
    for part in re.split("^=== ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
]


class Detector:
    """A detector that scores places: what lies low and right counts most, red more than other colours."""

    threshold = 0.0

    def predict(self, images):
        low, right = (np.linspace(0, 1, side) for side in images.shape[1:3])
        places = 30 * low[:, None, None] + 10 * right[:, None] + 3 * (np.arange(images.shape[3]) == 0)
        return SimpleNamespace(scores=(images * places).mean(axis=(1, 2, 3)))

    def compute_anomaly_score(self, image):
        return self.predict(image[None]).scores[0], None


DATA = SimpleNamespace(calibration=range(24))
EVALUATION = SimpleNamespace(
    auroc=0.983,
    auroc_interval=(0.972, 0.991),
    accuracy=0.773,
    trivial_accuracy=0.969,
    baselines={"3-NN": 0.989, "PCA": 0.979, "3-NN, unit norm": 0.982, "PCA, unit norm": 0.968},
    hit_rate_by_kind=dict(zip("012345679", (1, 0.363, 0.706, 0.563, 0.983, 0.648, 0.978, 0.899, 0.761), strict=True)),
)  # that of notebook 8
NAMES = {"np": np, "tf": tf, "keras": keras, "math": math, "metrics": metrics, "thresholds": thresholds, "ex": ex}
NAMES |= {"DATA": DATA, "EVALUATION": EVALUATION, "DETECTOR": Detector(), "IMAGES": nuts(0, 12)}


def judged(part: str):
    """Yield of each answer: the line that tells what it is, whether it is right, the hint and the nudge."""
    name, *lines = part.splitlines()
    first = "".join(f"{line[2:]}\n" for line in lines if line.startswith("! "))
    own = "\n".join(line for line in lines if not line.startswith("! "))
    exercise = ex.EXERCISES[name]
    for each in re.split(r"^(?=[+-] )", own, flags=re.MULTILINE)[1:]:
        line, code = each.split("\n", 1)
        exec(first + code, names := dict(NAMES))
        answer = names["answer"]
        handed = answer if exercise.level == "explore" and isinstance(answer, tuple) else (answer,)
        yield line, *exercise.judge(*handed, *((DATA, EVALUATION) if name == "own_report" else ()))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.split("\n", 1)[0])
def test_right_answers_are_right_and_wrong_ones_get_their_hint(part):
    rights = 0
    for line, right, hint, nudge in judged(part):
        what, _, words = line.partition(" => ")
        assert right == (line[0] == "+"), f"{what}: {hint}"
        rights += right
        assert right or (words in hint and nudge.startswith("Not yet: ")), f"{what}: {hint}"
    assert rights >= 5


def test_nearly_all_wrong_answers_are_named():
    assert sorted(part.split("\n", 1)[0] for part in PARTS) == sorted(ex.EXERCISES)
    wrong = [re.findall("^- .*", part, flags=re.MULTILINE) for part in PARTS]
    assert all(len(lines) >= 10 for lines in wrong)
    named = [" => " in line for lines in wrong for line in lines]
    assert np.mean(named) >= NAMED
