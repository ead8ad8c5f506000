"""Check an exercise: compare an answer with the right one, and with the mistakes that people make.

A function declares an exercise: its body is a solution, its docstring the question, its name the exercise's.

    @exercise("a sum over pixels and channels", right=..., cases=..., mistakes={hint: function, ...})
    def residual(x, y): ...

Only what an answer computes counts, not how. One that equals a foreseen mistake on all inputs gets its hint (the first
mistake is the notebook's first attempt); another is shown the smallest input on which it differs. Nothing raises.
"""

import inspect
import re
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

COURSE = ["data_preparation", "dcgan_training", "inverse_mapping", "scores", "visualization", "encoder", "own_images"]
EXERCISES: dict[str, "Exercise"] = {}  # by name
_solved: set[str] = set()  # in this session; nothing is written to disk
SHOWN = 6  # arrays of up to this many numbers are shown whole


@dataclass(eq=False)
class Exercise:
    """One exercise. Its answer is a function or, with `given`, a value."""

    solution: Callable  # of the inputs, written as a learner would write it
    remark: str  # what is said after "Right: "
    mistakes: dict  # by hint: a function of the inputs that makes this mistake, or a value
    cases: Callable | None = None  # () -> the inputs that functions are tried on, a list of argument tuples
    given: Callable | None = None  # (...) -> the data of the question; its arguments, if any, come with the answer
    right: Callable | None = None  # the library's own function, if it has one; else the solution is the reference
    effect: Callable | None = None  # (answer, *inputs) -> what is compared, where several answers are equally good
    otherwise: str = ""  # the hint for an unforeseen wrong answer, in place of the input and both answers
    tolerance: float = 1e-4  # relative to each figure, and to the largest one

    def __post_init__(self):
        self.name, self.question = self.solution.__name__, inspect.getdoc(self.solution)
        self.arguments = list(inspect.signature(self.solution).parameters)
        self.notebook = f"{1 + COURSE.index(self.solution.__module__.split('.')[-1]):02d}"
        self.right = self.right or self.solution
        EXERCISES[self.name] = self

    def inputs(self, *own) -> list[tuple]:
        """Return the inputs that an answer is tried on, the smallest first; `own` come with a value."""
        if self.given is None:
            return sorted(self.cases(), key=lambda case: sum(np.size(each) for each in case if _is_plain(each)))
        about = self.given(*own)
        return [about if isinstance(about, tuple) else (about,)]

    def judge(self, answer, *own) -> tuple[bool, str]:
        """Return whether an answer is right, and the one thing to say about it."""
        if self.given is None and not callable(answer):
            return False, f"Not yet: hand over the function itself, ex.check_{self.name}(my_{self.name}), uncalled."
        try:
            cases = self.inputs(*own)
        except Exception as error:
            return False, f"Not yet: {error}."
        right = [self._outcome(self.right, case) for case in cases]
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
        """Return the lines of the solution, without those that declare the exercise."""
        return "def " + inspect.getsource(self.solution).partition("\ndef ")[2]

    def _outcome(self, function, case: tuple):
        """Return the result for a case as an array of numbers or words; where there is none, a sentence."""
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
        largest = np.max(np.abs(other), where=np.isfinite(other), initial=0)
        return np.allclose(one, other, self.tolerance, self.tolerance * largest, equal_nan=True)

    def _apart(self, i: int, case: tuple, yours: np.ndarray, right: np.ndarray) -> str:
        """Describe a case in which the answers differ."""
        where = f"for {self._words(case)}"
        if any(_is_plain(each) and np.size(each) > SHOWN for each in case):
            where += f' (ex.inputs("{self.name}")[{i}])'
        if yours.shape != right.shape:
            return f"{where} yours has the shape {yours.shape}, right is {right.shape}"
        if not np.isfinite(yours).all():
            return f"{where} yours is not finite (NaN or infinity)"
        if right.size <= SHOWN:
            return f"{where} yours is {_show(yours)}, right is {_show(right)}"
        place = tuple(map(int, np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)))
        return f"{where} yours is {_show(yours[place])} at place {place}, right is {_show(right[place])}"

    def _words(self, case: tuple) -> str:
        """Describe the inputs: small ones by their values, larger ones by their shape."""
        plain = [(name, value) for name, value in zip(self.arguments, case, strict=True) if _is_plain(value)]
        return ", ".join(
            f"{n} = {_show(v)}" if np.size(v) <= SHOWN else f"{n} of shape {np.shape(v)}" for n, v in plain
        )


def exercise(remark: str, **parts) -> Callable[[Callable], Exercise]:
    """Declare an exercise: decorate its solution. The parts are those of `Exercise`."""
    return lambda solution: Exercise(solution, remark, **parts)


def checkers(notebook: str) -> list[Callable]:
    """Return the checkers of a notebook's exercises, in their order."""
    return [each.check for each in EXERCISES.values() if each.notebook == notebook]


def inputs(name: str) -> list[tuple]:
    """Return the inputs that answers to an exercise are tried on, the smallest first."""
    return EXERCISES[name].inputs()


def solution(name: str) -> None:
    """Print a solution to an exercise; other solutions may be right as well."""
    print(EXERCISES[name].source().rstrip())


def progress() -> None:
    """Print how many exercises are solved in this session, by notebook, and which are open in those begun."""
    for notebook in sorted({each.notebook for each in EXERCISES.values()}):
        names = [name for name, each in EXERCISES.items() if each.notebook == notebook]
        left = [name for name in names if name not in _solved]
        still = f"; open: {', '.join(left)}" if 0 < len(left) < len(names) else ""
        print(f"notebook {notebook}: {len(names) - len(left)} of {len(names)} solved{still}")


def _is_plain(value) -> bool:
    """Return whether an input is a number or an array of numbers, not a network, table or text."""
    return not callable(value) and np.asarray(value).dtype.kind in "biuf"


def _show(values) -> str:
    """Format a few numbers, rounded so that every processor shows the same."""
    array = np.asarray(values, "float64")
    return np.array2string(array, separator=", ", formatter={"float": lambda v: f"{v:.4g}"}).replace("\n", "")


def _sentence(error: Exception) -> str:
    """Format an exception as one stable line: no addresses, no second line."""
    first = next(iter(str(error).strip().splitlines()), "")
    return textwrap.shorten(re.sub(r"0x[0-9a-f]+", "0x...", f"{type(error).__name__}: {first}"), 160).rstrip(" .:")
