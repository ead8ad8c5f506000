"""The exercises' machinery: what is said to whom, and that nothing a learner hands over raises."""

import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib import exercises as ex
from anogan_lib.evaluation.evaluation import Evaluation
from anogan_lib.evaluation.metrics import auroc
from anogan_lib.exercises import check
from anogan_lib.exercises.check import COURSE
from tests.exercises.answers.encoder import NUTS, Stub

FUNCTIONS = [name for name, each in ex.EXERCISES.items() if each.given is None]
QUESTIONS = [name for name, each in ex.EXERCISES.items() if each.given is not None]
MISTAKES = [
    (name, hint, mistake)
    for name, each in ex.EXERCISES.items()
    for hint, some in each.mistakes.items()
    for mistake in (some if isinstance(some, list) else [some])
]
LEVELS = ("mend", "write", "explore")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check._wrong_tries.clear()  # as a new kernel does


def own_evaluation(weak="crack", scores=(1, 2, 3, 4, 2.5, 9, 8, 7)):
    """A data set of 19 calibration images, and an evaluation of 4 good and 4 bad ones."""
    kinds = np.array(["good"] * 4 + [weak, weak, "hole", "hole"])
    evaluation = Evaluation(scores, kinds != "good", 4.0, kinds=kinds, baselines={"PCA": 0.8})
    return SimpleNamespace(calibration=range(19)), evaluation


def about(name):
    """What comes with the answer to an exercise: for the one of notebook 08, a data set and its evaluation."""
    handed = {"own_report": own_evaluation, "upside_down": lambda: (Stub(), NUTS), "capstone": lambda: (0.95,)}
    return handed.get(name, tuple)()


@cache
def solved(name):
    """What the solution to a question answers."""
    each = ex.EXERCISES[name]
    return each.solution(*each.inputs(*about(name))[0])


def answer_of(name, answer):
    """What is handed over for an answer: where it is a measurement, a prediction comes first."""
    return (0.5, answer) if ex.EXERCISES[name].level == "explore" else (answer,)


def said(name, answer, capsys=None):
    """What the public checker prints at the second try."""
    for _ in range(2):
        getattr(ex, f"check_{name}")(*answer_of(name, answer), *about(name))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2  # one thing each time
    return lines[1]


def test_every_checker_is_spelled_out_where_an_editor_reads_it():
    source = Path(ex.__file__).read_text()
    for name, each in ex.EXERCISES.items():
        assert re.search(rf"\bcheck_{name}\b", source) and getattr(ex, f"check_{name}") == each.check
        given = "_" if each.given is None else each.given.__name__
        assert given[0] in "_<" or re.search(rf"import .*\b{given}\b", source)  # a lambda, or for the checker alone


def test_every_notebook_has_its_exercises():
    count = Counter(each.topic for each in ex.EXERCISES.values())
    assert sorted(count) == sorted(COURSE)
    assert all(count[topic] >= 4 for topic in COURSE if topic != "own_images")
    levels = {level: {each.topic for each in ex.EXERCISES.values() if each.level == level} for level in LEVELS}
    assert all(len(topics) >= 5 for topics in levels.values())


@pytest.mark.parametrize("name", ex.EXERCISES)
def test_solutions_are_right_and_can_be_read(name, capsys):
    each = ex.EXERCISES[name]
    answer = each.solution if each.given is None else solved(name)
    assert said(name, answer, capsys).startswith("Right: ")
    ex.solution(name)
    source = capsys.readouterr().out
    assert source.startswith(f"def {name}(") and each.question.splitlines()[0] in source
    compile(source, name, "exec")
    assert "mistakes" not in source  # the solution alone, not how it is declared


@pytest.mark.parametrize(("name", "hint", "mistake"), MISTAKES)
def test_every_foreseen_mistake_has_its_own_hint(name, hint, mistake):
    each = ex.EXERCISES[name]

    def made(*case):
        names = vars(sys.modules[each.solution.__module__]) | {"case": case}
        return eval(mistake, names | dict(zip(each.arguments, case, strict=True)))

    if each.choices:
        word = eval(mistake, {"np": np})[0]
        answer = (word, 123 if name != "buggy_trace" else "steps")
    else:
        answer = made if each.given is None else made(*each.inputs(*about(name))[0])
    assert each.judge(*answer_of(name, answer), *about(name))[1] == f"Not yet: {hint}."


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if not (ex.EXERCISES[name].effect or ex.EXERCISES[name].otherwise)]
)
def test_a_mistake_that_no_one_foresaw_is_shown_on_the_smallest_input(name):
    each = ex.EXERCISES[name]
    case = each.inputs()[0]
    right = np.asarray(each.solution(*case), "float64")

    def wrong(*inputs):
        return np.asarray(each.solution(*inputs), "float64") * 1.37 + 0.11

    solved, text, nudge = each.judge(wrong)
    assert not solved and (solved, text, nudge) == each.judge(wrong)
    assert f"{wrong(*case).ravel()[0]:.4g}"[:4] in text and f"{right.ravel()[0]:.4g}" in text
    assert " yours is " in text and ", right is " in text
    assert (each.nudge or each._words(case)) in nudge and "right is" not in nudge  # where to look, not what comes out


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
        (lambda *inputs: {"a": 1}, "is a dict, not a number"),
        (lambda *inputs: [[1, 2], [3]], "is a list, not numbers in a regular array"),
        (lambda *inputs: "twelve", "is text, not a number"),
        (7, "hand over the function itself"),
        (None, "hand over the function itself"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_sentence(name, function, words, capsys):
    text = said(name, function, capsys)
    exact = name not in ("learns", "grouped_split", "unscale", "networks", "training_step", "mapping")  # say more
    assert text.startswith("Not yet: ") and (words in text or not exact)
    assert "returns None" in said(name, lambda *inputs: None, capsys)


def test_shapes_and_numbers_that_are_none(capsys):
    column = said("residual", lambda x, y: np.abs(x - y).sum(axis=(1, 2, 3))[:, None], capsys)
    assert "not their shape: yours is (3, 1), right is (3,)" in column
    assert "not finite" in said("residual", lambda x, y: np.full(len(x), np.nan), capsys)
    assert "not finite" in said("score", lambda r, d, lam: r / 0, capsys)
    text = said("residual", lambda x, y: x.total(), capsys)
    assert "stops with AttributeError" in text and "It was called as my_residual(x, y) with x = [[[[" in text
    address = said("residual", lambda x, y: int(f"{object()}"), capsys)
    assert "0x..." in address and address == said("residual", lambda x, y: int(f"{object()}"), capsys)


def test_a_function_that_changes_its_input_is_told_so(capsys):
    def in_place(x, y):
        x -= y
        np.abs(x, out=x)
        return x.sum(axis=(1, 2, 3))

    assert "your function changes its input x" in said("residual", in_place, capsys)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("answer", [None, -77, "no idea", [1, 2], {}, object(), np.nan, lambda: 5])
def test_questions_take_any_answer_and_give_nothing_away(name, answer, capsys):
    each = ex.EXERCISES[name]
    text = said(name, answer, capsys)
    assert text.startswith("Not yet: ")
    assert not any(text == f"Not yet: {hint}." for hint in list(each.mistakes)[2:]) or name == "cheapest"
    if name not in ("own_report", "cheapest") and not each.choices and "asked is" not in text:
        right = solved(name)
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
    assert lines[0].startswith("Right") and "one of the five" in lines[1] and "weakest_kind" in lines[2]
    assert '"lowest_rate" is missing' in lines[3] and "ex.check_own_report(answers, data, evaluation)" in lines[4]


def test_the_capstone_is_anogan_in_60_lines_and_as_good_as_the_librarys():
    digits = datasets.load("digits:8", size=16)
    gan = DCGAN(digits.image_shape, latent_dim=8, width=16, seed=0)
    gan.train(digits.train, epochs=700, verbose=False)
    eights, others = (np.flatnonzero(digits.test.labels == label) for label in (0, 1))
    some = digits.test[[*eights, *others[::4]]]
    library = auroc(some.labels, AnoGAN(gan, recipe="paper").invert(some).scores(lam=0.1))
    assert library > 0.9 and solved("capstone") > library - 0.02
    parts = ("networks", "training_step", "mapping", "capstone")
    lines = [
        line for name in parts for line in re.sub('""".*?"""', "", ex.EXERCISES[name].source(), flags=re.S).split("\n")
    ]
    code = [line for line in lines if line.strip() and not line.strip().startswith(("import", "from"))]
    assert len(code) <= 60


SESSION = """
from anogan_lib import exercises as ex
ex.progress()
ex.check_resolution(64)
ex.check_resolution(64)
ex.check_resolution(128)
ex.check_resolution(128)
ex.check_leak(6)
ex.progress()
"""


def run(code, folder):
    env = {"PYTHONPATH": str(Path(__file__).parents[2])}
    out = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return out.stdout.splitlines()


def test_a_nudge_comes_first_and_progress_outlives_the_notebook(tmp_path):
    lines, topics = run(SESSION, tmp_path), len(COURSE)
    assert lines[:2] == ["data preparation: 0 of 6 solved", "dcgan training: 0 of 5 solved"]
    nudge, hint, right, again, leak = lines[topics : topics + 5]
    assert nudge.startswith("Not yet: ") and nudge.endswith("Stuck? Run the cell again.") and "2.4" not in nudge
    assert hint == "Not yet: with 64 pixels the defect is 2.4 pixels wide, a little less than asked."
    assert right == again and right.startswith("Right: ") and leak.startswith("Right: ")
    after = lines[topics + 5 :]
    assert after[0] == "data preparation: 1 of 6 solved; open: scale, unscale, near_duplicate, grouped_split, twins"
    assert [path.name for path in tmp_path.iterdir()] == ["exercises-solved.txt"]  # and nothing elsewhere
    assert (tmp_path / "exercises-solved.txt").read_text() == "resolution\nleak\n"  # each once
    with (tmp_path / "exercises-solved.txt").open("ab") as file:
        file.write(b"no_such_exercise\n\xff\x00\nscale")  # whatever it holds, what is solved is read
    assert run("from anogan_lib import exercises as ex\nex.progress()", tmp_path)[0].startswith(
        "data preparation: 2 of 6 solved"
    )


def test_what_cannot_be_kept_is_said(capsys):
    Path("exercises-solved.txt").mkdir()
    ex.check_leak(6)
    assert "It is not kept: " in capsys.readouterr().out


def test_a_prediction_comes_before_its_measurement(capsys):
    ex.check_twins("most")
    ex.check_twins(0.2)
    ex.check_twins(0.2, 0.8)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Not yet: predict first: one number, before you measure."
    assert lines[1] == "Not yet: you predicted 0.2. Now measure, and hand over both."
    assert lines[2].startswith("Right: you predicted 0.2, it is 0.8: ")
