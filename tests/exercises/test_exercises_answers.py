"""Answers that were written from the questions alone: no right one is refused, and hints name what is wrong."""

import importlib
import re

import numpy as np
import pytest

from anogan_lib import exercises as ex
from anogan_lib.exercises.check import COURSE
from tests.exercises.test_exercises import own_evaluation

TOPICS = {topic: importlib.import_module(f"tests.exercises.answers.{topic}") for topic in COURSE}
NAMED = 0.95  # of the wrong answers


def judged(name, answer):
    """What the checker says. An exploration's answer is a tuple, that of one's own report a function of the truth."""
    exercise = ex.EXERCISES[name]
    if name == "own_report":
        about = own_evaluation()
        return exercise.judge(answer(exercise.solution(*about)), *about)
    return exercise.judge(*answer) if exercise.level == "explore" else exercise.judge(answer)


@pytest.mark.parametrize("topic", TOPICS)
def test_no_right_answer_is_refused(topic):
    for name, answers in TOPICS[topic].RIGHT.items():
        assert len(answers) >= 5, name
        for i, answer in enumerate(answers):
            right, hint, _ = judged(name, answer)
            assert right, f"{name}, {i}: {hint}"


@pytest.mark.parametrize("topic", TOPICS)
def test_hints_name_what_is_wrong(topic):
    unnamed, count = [], 0
    for name, answers in TOPICS[topic].WRONG.items():
        assert len(answers) >= 10, name
        for i, (answer, words) in enumerate(answers):
            right, hint, nudge = judged(name, answer)
            assert not right and hint.startswith("Not yet: ") and nudge.startswith("Not yet: "), f"{name}, {i}"
            count += 1
            unnamed += [] if re.search(words, hint) else [f"{name}, {i}: {hint}"]
    assert len(unnamed) <= (1 - NAMED) * count, unnamed


def test_every_exercise_has_its_answers():
    names = [name for module in TOPICS.values() for name in module.RIGHT]
    assert sorted(names) == sorted(ex.EXERCISES) and names == [n for m in TOPICS.values() for n in m.WRONG]
    assert np.sum([len(answers) for module in TOPICS.values() for answers in module.WRONG.values()]) > 400
