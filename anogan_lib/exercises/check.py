"""How an exercise is checked: an answer beside the right one, and beside the mistakes that people make.

An exercise is declared by a function: its body is a solution, its docstring the question, its name the exercise's.

    @exercise("a sum over pixels and channels", right=..., cases=..., mistakes={hint: function, ...})
    def residual(x, y): ...

What counts is what is computed, never how. A wrong answer that equals a foreseen mistake on all inputs gets its hint
(the first one is the notebook's first attempt); any other is shown the smallest input on which it differs. Nothing
that a learner hands over raises.
"""

import inspect
import re
import textwrap
import warnings

import numpy as np

COURSE = (
    "data_preparation", "dcgan_training", "inverse_mapping", "scores", "visualization", "encoder", "own_images"
)  # fmt: skip
EXERCISES: dict[str, "Exercise"] = {}  # by name, in the order of the course
_solved: set[str] = set()  # in this session; nothing is written to disk
SHOWN = 6  # arrays of up to so many numbers are shown whole


class Exercise:
    """One exercise, whose answer is a function, or, where `given` tells what it is about, a value.

    Args:
        solution: function of the inputs, written as a learner may write it.
        remark: what is said after "Right: ".
        mistakes: {hint: function of the inputs that makes this mistake, or a value}.
        cases: () -> the inputs that functions are tried on, a list of argument tuples, the same at each call.
        given: (...) -> what a value is the answer about; its arguments come with the answer, if there are any.
        right: the library's own function; None where it has none and the solution is the measure.
        effect: (answer, *inputs) -> what is compared, where several answers are as good.
        otherwise: said to a wrong answer that no one foresaw, in place of the input and both answers.
        tolerance: relative to each figure, and to the largest one.
    """

    def __init__(
        self, solution, remark, *, mistakes, cases=None, given=None, right=None, effect=None, otherwise="",
        tolerance=1e-4,
    ):  # fmt: skip
        self.name, self.question = solution.__name__, inspect.cleandoc(solution.__doc__)
        self.arguments = list(inspect.signature(solution).parameters)
        self.notebook = f"{1 + COURSE.index(solution.__module__.split('.')[-1]):02d}"
        self.solution, self.remark, self.mistakes = solution, remark, mistakes
        self.cases, self.given, self.right, self.effect = cases, given, right or solution, effect
        self.otherwise, self.tolerance = otherwise, tolerance
        EXERCISES[self.name] = self

    def inputs(self, *own) -> list[tuple]:
        """The inputs that an answer is tried on, the smallest first; `own` are those that come with a value."""
        if self.given is None:
            return sorted(self.cases(), key=lambda case: sum(np.size(each) for each in case if _is_plain(each)))
        about = self.given(*own)
        return [about if isinstance(about, tuple) else (about,)]

    def judge(self, answer, *own) -> tuple[bool, str]:
        """Whether an answer is right, and the one thing to say about it."""
        if self.given is None and not callable(answer):
            return False, f"Not yet: hand over the function itself, ex.check_{self.name}(my_{self.name}), uncalled."
        try:
            cases = self.inputs(*own)
        except Exception as error:
            return False, f"Not yet: {error}."
        right = [self._outcome(self.right, case) for case in cases]  # the library first: it imports quietly
        yours = [self._outcome(answer if self.given is None else lambda *_: answer, case) for case in cases]
        wrong = [i for i in range(len(cases)) if not self._same(yours[i], right[i])]
        if not wrong:
            return True, f"Right: {self.remark}."
        for problem, case in zip(yours, cases, strict=True):
            if isinstance(problem, str):
                words = self._words(case) and f" with {self._words(case)}"
                call = f". It was called as my_{self.name}({', '.join(self.arguments)}){words}"
                return False, f"Not yet: {problem}{call if self.given is None else ''}."
        for hint, mistake in self.mistakes.items():
            if all(self._same(self._outcome(mistake, case), each) for case, each in zip(cases, yours, strict=True)):
                return False, f"Not yet: {hint}."
        first = wrong[0]
        return False, f"Not yet: {self.otherwise or self._apart(first, cases[first], yours[first], right[first])}."

    def check(self, answer, *own) -> None:
        """Print the one thing to say about an answer; a right one counts in `progress`."""
        solved, text = self.judge(answer, *own)
        if solved:
            _solved.add(self.name)
        print(text)

    def source(self) -> str:
        """The solution's lines."""
        lines = inspect.getsource(self.solution)
        return lines[re.search(r"^def ", lines, re.MULTILINE).start() :]

    def _outcome(self, function, case: tuple):
        """What a function, or value, gives for a case, as an array of numbers or words; a sentence if it gives none."""
        who = "your answer" if self.given else "your function"
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                copies = [each.copy() if isinstance(each, np.ndarray) else each for each in case]
                result = function(*copies) if callable(function) else function
        except Exception as error:
            return f"{who} stops with {_sentence(error)}"
        if result is None:
            return f"{who} is None" if self.given else f"{who} returns None (is `return` missing?)"
        try:
            array = np.asarray(self.effect(result, *case) if self.effect else result)
            return np.char.lower(array) if self.given and array.dtype.kind == "U" else array.astype("float64")
        except Exception as error:
            what = who if self.given else "what your function returns"
            return f"{what}, of type {type(result).__name__}, cannot be used: {_sentence(error)}"

    def _same(self, one, other) -> bool:
        if isinstance(one, str) or isinstance(other, str) or one.shape != other.shape:
            return False
        if "U" in (one.dtype.kind, other.dtype.kind):
            return bool(np.all(one == other))
        return np.allclose(one, other, self.tolerance, self.tolerance * _largest(other), equal_nan=True)

    def _apart(self, i: int, case: tuple, yours: np.ndarray, right: np.ndarray) -> str:
        """A case in which the answers differ, with both."""
        where = f"for {self._words(case)}"
        if any(_is_plain(each) and np.size(each) > SHOWN for each in case):
            where += f' (ex.inputs("{self.name}")[{i}])'
        if yours.shape != right.shape:
            return f"{where} yours has the shape {yours.shape}, right is {right.shape}"
        if not np.isfinite(yours).all():
            return f"{where} yours is not finite (NaN or infinity)"
        if right.size <= SHOWN:
            return f"{where} yours is {_show(yours)}, right is {_show(right)}"
        place = np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)
        at = tuple(int(each) for each in place)
        return f"{where} yours is {_show(yours[place])} at place {at}, right is {_show(right[place])}"

    def _words(self, case: tuple) -> str:
        """The inputs in words: small ones whole, of larger ones the shape."""
        plain = [(name, value) for name, value in zip(self.arguments, case, strict=True) if _is_plain(value)]
        return ", ".join(
            f"{n} = {_show(v)}" if np.size(v) <= SHOWN else f"{n} of shape {np.shape(v)}" for n, v in plain
        )


def exercise(remark: str, **parts):
    """Declare an exercise, a file for each notebook; decorates its solution. The parts are those of `Exercise`."""
    return lambda solution: Exercise(solution, remark, **parts)


def inputs(name: str) -> list[tuple]:
    """The inputs that answers to an exercise are tried on, the smallest first."""
    return EXERCISES[name].inputs()


def solution(name: str) -> None:
    """Print a solution to an exercise; others may be as right."""
    print(EXERCISES[name].source().rstrip())


def progress() -> None:
    """Print how many exercises are solved in this session, by notebook, and which of a begun notebook are open."""
    for notebook in sorted({each.notebook for each in EXERCISES.values()}):
        names = [name for name, each in EXERCISES.items() if each.notebook == notebook]
        left = [name for name in names if name not in _solved]
        still = f"; open: {', '.join(left)}" if 0 < len(left) < len(names) else ""
        print(f"notebook {notebook}: {len(names) - len(left)} of {len(names)} solved{still}")


def _is_plain(value) -> bool:
    """Whether an input is a number or an array of numbers, and no network, table or text."""
    return not callable(value) and np.asarray(value).dtype.kind in "biuf"


def _largest(values: np.ndarray) -> float:
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=0))


def _show(values) -> str:
    """A few numbers, rounded so that every processor shows the same."""
    array = np.asarray(values, "float64")
    return np.array2string(array, separator=", ", formatter={"float": lambda v: f"{v:.4g}"}).replace("\n", "")


def _sentence(error: Exception) -> str:
    """An exception in one stable line: no addresses, no second line."""
    first = next(iter(str(error).strip().splitlines()), "")
    return textwrap.shorten(re.sub(r"0x[0-9a-f]+", "0x...", f"{type(error).__name__}: {first}"), 160).rstrip(" .:")
