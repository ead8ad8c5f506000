"""The exercises' machinery: what is said to whom, and that nothing a learner hands over raises."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anogan_lib import exercises as ex
from anogan_lib.evaluation.evaluation import Evaluation

FUNCTIONS = [name for name, each in ex.EXERCISES.items() if each.given is None]
QUESTIONS = [name for name, each in ex.EXERCISES.items() if each.given is not None]
MISTAKES = [(name, hint) for name, each in ex.EXERCISES.items() for hint in each.mistakes]


def own_evaluation(weak="crack", scores=(1, 2, 3, 4, 2.5, 9, 8, 7)):
    """A data set of 19 calibration images, and an evaluation of 4 good and 4 bad ones."""
    kinds = np.array(["good"] * 4 + [weak, weak, "hole", "hole"])
    evaluation = Evaluation(scores, kinds != "good", 4.0, kinds=kinds, baselines={"PCA": 0.8})
    return SimpleNamespace(calibration=range(19)), evaluation


def about(name):
    """What comes with the answer to an exercise: for the one of notebook 07, a data set and its evaluation."""
    return own_evaluation() if name == "own_report" else ()


def said(name, answer, capsys=None):
    """What the public checker prints."""
    getattr(ex, f"check_{name}")(answer, *about(name))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1  # one thing
    return lines[0]


def test_every_checker_is_spelled_out_where_an_editor_reads_it():
    source = Path(ex.__file__).read_text()
    for name, each in ex.EXERCISES.items():
        assert re.search(rf"\bcheck_{name}\b", source) and getattr(ex, f"check_{name}") == each.check
        given = "_" if each.given is None else each.given.__name__
        assert given[0] in "_<" or re.search(rf"import .*\b{given}\b", source)  # a lambda, or for the checker alone


def test_every_notebook_has_its_exercises():
    count = {}
    for each in ex.EXERCISES.values():
        count[each.notebook] = count.get(each.notebook, 0) + 1
    assert sorted(count) == ["01", "02", "03", "04", "05", "06", "07"]
    assert all(count[f"0{n}"] >= 4 for n in range(1, 7)) and count["07"] == 1


@pytest.mark.parametrize("name", ex.EXERCISES)
def test_solutions_are_right_and_can_be_read(name, capsys):
    each = ex.EXERCISES[name]
    answer = each.solution if each.given is None else each.solution(*each.inputs(*about(name))[0])
    assert said(name, answer, capsys).startswith("Right: ")
    ex.solution(name)
    source = capsys.readouterr().out
    assert source.startswith(f"def {name}(") and each.question.splitlines()[0] in source
    compile(source, name, "exec")
    assert "mistakes" not in source  # the solution alone, not how it is declared


@pytest.mark.parametrize(("name", "hint"), MISTAKES)
def test_every_foreseen_mistake_has_its_own_hint(name, hint, capsys):
    each = ex.EXERCISES[name]
    mistake = each.mistakes[hint]
    if each.given is not None and callable(mistake):
        mistake = mistake(*each.inputs(*about(name))[0])
    assert said(name, mistake, capsys) == f"Not yet: {hint}."


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if ex.EXERCISES[name].effect is None])
def test_a_mistake_that_no_one_foresaw_is_shown_on_the_smallest_input(name):
    each = ex.EXERCISES[name]
    case = each.inputs()[0]
    right = np.asarray(each.solution(*case), "float64")

    def wrong(*inputs):
        return np.asarray(each.solution(*inputs), "float64") * 1.37 + 0.11

    solved, text = each.judge(wrong)
    assert not solved and text == each.judge(wrong)[1]
    assert f"{wrong(*case).ravel()[0]:.4g}"[:4] in text and f"{right.ravel()[0]:.4g}" in text
    assert " yours is " in text and ", right is " in text


def test_the_smallest_input_is_the_first_on_which_answers_differ(capsys):
    def first_image(x, y):  # right for one image
        return np.repeat(np.abs(x - y)[:1].sum(), len(x))

    text = said("residual", first_image, capsys)
    x, y = ex.inputs("residual")[1]
    r = np.abs(x - y).ravel()
    assert x.shape == (2, 1, 1, 1)
    assert f"yours is [{r[0]:.4g}, {r[0]:.4g}], right is [{r[0]:.4g}, {r[1]:.4g}]" in text

    def small_ones(x, y):  # wrong only where there is more than one channel and image
        return np.abs(x - y).sum(axis=(1, 2, 3)) + (x.shape[0] > 1 and x.shape[-1] > 1)

    text = said("residual", small_ones, capsys)
    place = next(i for i, (x, _) in enumerate(ex.inputs("residual")) if x.shape == (3, 8, 4, 3))
    assert f'x of shape (3, 8, 4, 3), y of shape (3, 8, 4, 3) (ex.inputs("residual")[{place}])' in text


def test_inputs_are_many_and_the_same_each_time():
    for name in FUNCTIONS:
        cases, again = ex.inputs(name), ex.inputs(name)
        for case, other in zip(cases, again, strict=True):
            for one, two in zip(case, other, strict=True):
                assert callable(one) or np.array_equal(one, two)
    shapes = [x.shape for x, _ in ex.inputs("residual")]
    assert {n for n, *_ in shapes} > {1} and {shape[-1] for shape in shapes} == {1, 3} and len(set(shapes)) > 4


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda *inputs: None, "returns None (is `return` missing?)"),
        (lambda *inputs: 1 / 0, "stops with ZeroDivisionError: division by zero"),
        (lambda: 3, "TypeError: "),
        (lambda *inputs: {"a": 1}, "of type dict"),
        (lambda *inputs: [[1, 2], [3]], "of type list"),
        (lambda *inputs: "twelve", "of type str"),
        (7, "hand over the function itself"),
        (None, "hand over the function itself"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_sentence(name, function, words, capsys):
    text = said(name, function, capsys)
    exact = name not in ("learns", "grouped_split")  # these read whatever can be read as variables, or yes and no
    assert text.startswith("Not yet: ") and (words in text or (not exact and "cannot be used" in text) or not exact)
    assert "returns None" in said(name, lambda *inputs: None, capsys)


def test_shapes_and_numbers_that_are_none(capsys):
    column = said("residual", lambda x, y: np.abs(x - y).sum(axis=(1, 2, 3))[:, None], capsys)
    assert "yours has the shape (1, 1), right is (1,)" in column
    assert "not finite" in said("residual", lambda x, y: np.full(len(x), np.nan), capsys)
    assert "not finite" in said("score", lambda r, d, lam: r / 0, capsys)
    text = said("residual", lambda x, y: x.total(), capsys)
    assert "stops with AttributeError" in text and "It was called as my_residual(x, y) with x = [[[[" in text
    address = said("residual", lambda x, y: int(f"{object()}"), capsys)
    assert "0x..." in address and address == said("residual", lambda x, y: int(f"{object()}"), capsys)


def test_a_function_may_do_what_it_likes_with_its_inputs(capsys):
    def in_place(x, y):
        x -= y
        np.abs(x, out=x)
        return x.sum(axis=(1, 2, 3))

    assert said("residual", in_place, capsys).startswith("Right: ")


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("answer", [None, -77, "no idea", [1, 2], {}, object(), np.nan, lambda: 5])
def test_questions_take_any_answer_and_give_nothing_away(name, answer, capsys):
    each = ex.EXERCISES[name]
    text = said(name, answer, capsys)
    assert text.startswith("Not yet: ") and not any(text == f"Not yet: {hint}." for hint in list(each.mistakes)[2:])
    if name not in ("own_report", "cheapest"):
        right = each.solution(*each.inputs()[0])
        assert not re.search(rf"\b{right}\b", text) or isinstance(right, str)


def test_own_report_wants_its_data_and_names_the_first_wrong_answer(capsys):
    data, evaluation = own_evaluation()
    right = {
        "lowest_rate": 0.05,
        "better_than_chance": evaluation.auroc_interval[0] > 0.5,
        "beats_baselines": True,  # 14 of 16 pairs are won, 0.875
        "beats_blind": True,  # 7 of 8 against 4 of 8
        "weakest_kind": "crack",
    }
    ex.check_own_report(right, data, evaluation)
    ex.check_own_report(right | {"beats_blind": False, "weakest_kind": "hole"}, data, evaluation)
    ex.check_own_report(right | {"weakest_kind": "scratch"}, data, evaluation)
    ex.check_own_report({}, data, evaluation)
    ex.check_own_report(right)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Right") and "beats_blind" in lines[1] and "weakest_kind" in lines[2]
    assert "'lowest_rate'" in lines[3] and "ex.check_own_report(answers, data, evaluation)" in lines[4]


SESSION = """
from anogan_lib import exercises as ex
ex.progress()
ex.check_resolution(64)
ex.check_resolution(128)
ex.check_resolution(128)
ex.check_resolution(64)
ex.check_leak(6)
ex.progress()
"""


def test_a_session_keeps_count_in_memory_alone(tmp_path):
    root = Path(__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-c", SESSION], cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr
    lines = out.stdout.splitlines()
    assert lines[:2] == ["notebook 01: 0 of 5 solved", "notebook 02: 0 of 5 solved"]
    assert [line.split(":")[0] for line in lines[7:12]] == ["Not yet", "Right", "Right", "Not yet", "Right"]
    assert lines[12] == "notebook 01: 1 of 5 solved; open: scale, unscale, near_duplicate, grouped_split"
    assert lines[15].startswith("notebook 04: 1 of 6 solved; open: score")
    assert len(lines) == 19 and not list(tmp_path.iterdir())
