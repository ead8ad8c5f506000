"""Check an exercise: compare an answer with the right one, and with the mistakes that people make.

A function declares an exercise: its body is a solution, its docstring the question, its name the exercise's.

    @exercise(right=..., cases=...)
    def residual(x, y): ...

What is said of it stands in texts.toml; its mistakes in mistakes.toml, each an expression under its hint.

There are three levels: "mend" a first attempt (it makes the first of the mistakes), "write" from an empty cell, and
"explore", which asks for a prediction and a measurement. Only what an answer computes counts, not how. The first wrong
try gets a nudge: where to look. The second gets a hint: which mistake it makes on all inputs or, where nobody foresaw
it, the smallest input on which it differs. Nothing raises. Solved exercises are kept in a file beside the notebooks.
"""

import inspect
import re
import textwrap
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COURSE = ["data_preparation", "dcgan_training", "inverse_mapping", "encoder", "scores", "visualization", "better_score"]
COURSE += ["own_images", "capstone"]
EXERCISES: dict[str, "Exercise"] = {}  # by name
TEXTS, MISTAKES = (  # by name; the mistakes by hint
    tomllib.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))
    for file in ("texts.toml", "mistakes.toml")
)
ABOUT = TEXTS.pop("about")  # what some questions are about, by the name of the function that returns it
SOLVED = Path("exercises-solved.txt")  # in the working folder, which all notebooks share; one name a line
SHOWN = 6  # arrays of up to this many numbers are shown whole
NO_GRADIENT = "; a gradient is None where the tape has not seen the loss come about: watch z, call the networks inside"
_wrong_tries: Counter = Counter()  # by name, in this session


@dataclass(eq=False)
class Exercise:
    """One exercise. Its answer is a function or, with `given`, a value."""

    solution: Callable  # of the inputs, written as a learner would write it
    remark: str  # what is said after "Right: "
    level: str = "mend"  # or "write" or "explore"
    cases: Callable | None = None  # () -> the inputs that functions are tried on, a list of argument tuples
    given: Callable | None = None  # (...) -> the data of the question; its arguments, if any, come with the answer
    right: Callable | None = None  # the library's own function, if it has one; else the solution is the reference
    effect: Callable | None = None  # (answer, *inputs) -> what is compared; its ValueError is what to say
    choices: Sequence = ()  # the answer is one of these words and, after a comma, what shows it: a word or a number
    nudge: str = ""  # what the first wrong answer hears; else `otherwise`, else the input to work out by hand
    otherwise: str = ""  # the hint for an unforeseen wrong answer, in place of the input
    tolerance: float = 1e-4  # relative to each figure, and to the largest one

    def __post_init__(self):
        self.name, self.question = self.solution.__name__, inspect.getdoc(self.solution)
        self.arguments = list(inspect.signature(self.solution).parameters)
        self._known = {}  # what mistakes lead to, by the mistake and the number of the input
        self.topic = self.solution.__module__.split(".")[-1]
        self.right, self.mistakes = self.right or self.solution, MISTAKES.get(self.name, {})
        EXERCISES[self.name] = self

    def __call__(self, *inputs):
        return self.solution(*inputs)

    def inputs(self, *own) -> list[tuple]:
        """Return the inputs that an answer is tried on, the smallest first; `own` come with a value."""
        if self.given is None:
            return sorted(self.cases(), key=lambda case: sum(np.size(each) for each in case if _is_plain(each)))
        about = self.given(*own)
        return [about if isinstance(about, tuple) else (about,)]

    def judge(self, answer, *own) -> tuple[bool, str, str]:
        """Return whether an answer is right, the hint, and the nudge; they are the same where no answer is compared."""
        no, before = (lambda text: (False, f"Not yet: {text}.", f"Not yet: {text}.")), ""
        if self.given is None and not callable(answer):
            return no(f"hand over the function itself, ex.check_{self.name}(my_{self.name}), uncalled")
        if self.level == "explore":
            if not _is_number(answer):
                return no("predict first: one number, before you measure")
            predicted, (answer, *own) = answer, own or (None,)
            before = f"you predicted {_show(predicted)}"
            if answer is None:
                return no(f"{before}. Now measure, and hand over both")
            before += f", it is {_show(answer)}: " if _is_number(answer) else ""
        try:
            cases = self.inputs(*own)
            if before and self.effect is share:
                share(predicted)
        except Exception as error:
            return no(str(error))
        right = [self._outcome(self.right, case) for case in cases]
        yours = [self._outcome(answer if self.given is None else lambda *_: answer, case) for case in cases]
        wrong = [i for i in range(len(cases)) if not self._same(yours[i], right[i])]
        if not wrong:
            return True, f"Right: {before}{self.remark}.", ""
        for problem, case in zip(yours, cases, strict=True):
            if isinstance(problem, str):
                words = self._words(case) and f" with {self._words(case)}"
                call = f". It was called as my_{self.name}({', '.join(self.arguments)}){words}"
                return no(f"{problem}{call if self.given is None else ''}")
        i, case = wrong[0], cases[wrong[0]]
        hint = next(self._foreseen(cases, yours), "") or _relation(yours, right) or self.otherwise
        where = f"for {self._words(case)}"
        if any(_is_plain(each) and np.size(each) > SHOWN for each in case):
            where += f' (ex.inputs("{self.name}")[{i}])'
        hint = hint or f"{where} {_apart(yours[i], right[i])}"
        count = f" (right on {len(cases) - len(wrong)} of {len(cases)} inputs)" if len(wrong) < len(cases) else ""
        nudge = self.nudge or self.otherwise or f"work it out by hand {where}{count}"
        end = "" if nudge.endswith("?") else "."
        return False, f"Not yet: {hint}.", f"Not yet: {nudge}{end} Stuck? Run the cell again."

    def check(self, answer, *own) -> None:
        """Print the one thing to say about an answer; a right one counts in `progress`."""
        solved, hint, nudge = self.judge(answer, *own)
        if solved and self.name not in _solved():
            try:
                with SOLVED.open("a", encoding="utf-8") as file:
                    file.write(f"{self.name}\n")
            except OSError as error:
                hint += f" (It is not kept: {error.strerror}.)"
        _wrong_tries[self.name] += not solved
        print(nudge if not solved and _wrong_tries[self.name] == 1 else hint)

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
            note = NO_GRADIENT if "generator" in self.arguments and "NoneType" in str(error) else ""
            return f"{who} stops with {_sentence(error)}{note}"
        for name, one, other in zip(self.arguments, copies, case, strict=False):
            if isinstance(one, np.ndarray) and not np.array_equal(one, other):
                return f"{who} changes its input {name}, which the caller still needs: work on a copy"
        if result is None:
            return f"{who} is None: nothing yet" if self.given else f"{who} returns None (is `return` missing?)"
        what = who if self.given else "what your function returns"
        try:
            if self.choices or self.effect:
                result = (self._choice if self.choices else self.effect)(result, *case)
        except ValueError as error:
            return str(error)
        except Exception:
            return f"{what}, of type {type(result).__name__}, cannot be used here"
        try:
            array = np.asarray(result)
            return array.astype("float64") if array.dtype.kind in "biuf" else f"{what} is {_kind(result)}, not a number"
        except Exception:
            return f"{what} is {_kind(result)}, not numbers in a regular array"

    def _choice(self, answer, *case) -> np.ndarray:
        """Return which choice an answer names and, if it is the right one, whether what shows it is right too."""
        words, answer = ", ".join(self.choices), answer.tolist() if isinstance(answer, np.ndarray) else answer
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise ValueError(f"answer with two things: one of {words}, and what shows it")
        word, shown = (each.strip().lower() if isinstance(each, str) else each for each in answer)
        names, right = [each.lower() for each in self.choices], self.solution(*case)
        if word not in names:
            raise ValueError(f"the first thing is one of {words}, and what shows it comes second")
        if isinstance(right[1], str):
            fits = str(shown).removeprefix("trace.") == right[1]
        elif _is_number(shown):
            fits = abs(abs(float(shown)) - right[1]) <= self.tolerance * right[1]
        else:
            raise ValueError("what shows it is a number here; it comes second")
        return np.array([names.index(word), fits if word == right[0].lower() else np.nan])

    def _foreseen(self, cases: list, yours: list):
        """Yield the hints of the mistakes that give what the answer gives, on all inputs."""
        near = self.tolerance / (4 if self.level == "explore" else 1)  # a measurement may lie near several mistakes
        for hint, some in self.mistakes.items():
            for mistake in some if isinstance(some, list) else [some]:
                if all(self._same(self._made(mistake, i, case), yours[i], near) for i, case in enumerate(cases)):
                    yield hint

    def _made(self, mistake: str, i: int, case: tuple):
        """Return the outcome of a mistake, which is an expression, for input i."""
        if (mistake, i) in self._known:
            return self._known[mistake, i]
        if self.choices:  # a word, and what `_choice` returns for what shows it: not a number where the word is wrong
            word, shown = eval(mistake, {"np": np})
            return np.array([self.choices.index(word), shown])
        names = self.solution.__globals__ | {"case": case}
        made = self._outcome(lambda *given: eval(mistake, names | dict(zip(self.arguments, given, strict=True))), case)
        if self.given is None:  # the same inputs each time
            self._known[mistake, i] = made
        return made

    def _same(self, one, other, tolerance=None) -> bool:
        if isinstance(one, str) or isinstance(other, str) or one.shape != other.shape:
            return False
        largest = np.max(np.abs(other), where=np.isfinite(other), initial=0)
        tolerance = tolerance or self.tolerance
        return np.allclose(one, other, tolerance, tolerance * largest, equal_nan=True)

    def _words(self, case: tuple) -> str:
        """Describe the inputs: small ones by their values, larger ones by their shape."""
        plain = [(name, value) for name, value in zip(self.arguments, case, strict=True) if _is_plain(value)]
        return ", ".join(
            f"{n} = {_show(v)}" if np.size(v) <= SHOWN else f"{n} of shape {np.shape(v)}" for n, v in plain
        )


def exercise(**parts) -> Callable[[Callable], Exercise]:
    """Declare an exercise: decorate its solution. The parts are those of `Exercise`, beside those in texts.toml."""
    return lambda solution: Exercise(solution, **TEXTS[solution.__name__], **parts)


def checkers(topic: str) -> list[Callable]:
    """Return the checkers of a topic's exercises, in their order."""
    return [each.check for each in EXERCISES.values() if each.topic == topic]


def share(answer, *_):
    """Return a number from 0 to 1. Raises ValueError for another number."""
    if _is_number(answer) and not 0 <= answer <= 1:
        raise ValueError("a share lies between 0 and 1; it is not in per cent, and not a count")
    return answer


def among(answer, values, what: str):
    """Return a number that is one of the values. Raises ValueError if it is another number; other answers pass."""
    if _is_number(answer) and answer not in values:
        raise ValueError(f"asked is {what}: {', '.join(map(str, values))}")
    return answer


def table(name: str) -> list[dict]:
    """Return a table of texts.toml, which lists its columns, as rows."""
    columns = ABOUT[name]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def inputs(name: str) -> list[tuple]:
    """Return the inputs that answers to an exercise are tried on, the smallest first."""
    return EXERCISES[name].inputs()


def solution(name: str) -> None:
    """Print a solution to an exercise; other solutions may be right as well."""
    print(EXERCISES[name].source().rstrip())


def progress() -> None:
    """Print how many exercises are solved, in all notebooks of this folder, and which are open in those begun."""
    solved = _solved()
    for topic in COURSE:
        names = [name for name, each in EXERCISES.items() if each.topic == topic]
        left = [name for name in names if name not in solved]
        still = f"; open: {', '.join(left)}" if 0 < len(left) < len(names) else ""
        print(f"{topic.replace('_', ' ')}: {len(names) - len(left)} of {len(names)} solved{still}")


def _solved() -> set[str]:
    return set(SOLVED.read_text("utf-8", "replace").split()) if SOLVED.is_file() else set()


def _is_plain(value) -> bool:
    """Return whether an input is a number or an array of numbers, not a network, table or text."""
    return not callable(value) and np.asarray(value).dtype.kind in "biuf"


def _is_number(value) -> bool:
    return _is_plain(value) and np.size(value) == 1


def _relation(yours: list, right: list) -> str:
    """Say how all answers follow from the right ones, where it is by one sign, factor or term, or by one shape."""
    if [each.shape for each in yours] != [each.shape for each in right]:
        if all(a.size == b.size and np.allclose(a.ravel(), b.ravel(), 1e-3) for a, b in zip(yours, right, strict=True)):
            return f"the values are right, but not their shape: yours is {yours[-1].shape}, right is {right[-1].shape}"
        if all(each.ndim == 0 for each in right):
            return f"asked is one number; yours are several, of shape {yours[-1].shape}"
        return "asked is one number for each; yours is one for all" if all(each.ndim == 0 for each in yours) else ""
    a, b = (np.concatenate([each.ravel() for each in some]) for some in (yours, right))
    if not np.isfinite(a).all() or not np.abs(b).max():
        return ""
    factor, term = a @ b / (b @ b), np.mean(a - b)
    if np.allclose(a, factor * b, 1e-3, 1e-6 * np.abs(a).max()) and factor and b.size > 2:
        return "the sign is wrong" if np.isclose(factor, -1, 1e-3) else f"this is {factor:.4g} times what is asked"
    if b.size > 2 and np.allclose(a - b, term, 1e-3):
        return f"this is {abs(term):.4g} too {'high' if term > 0 else 'low'}, always"
    return ""


def _apart(yours: np.ndarray, right: np.ndarray) -> str:
    """Describe how two answers differ."""
    if yours.shape != right.shape:
        return f"yours has the shape {yours.shape}, right is {right.shape}"
    if not np.isfinite(yours).all():
        return "yours is not finite (NaN or infinity)"
    if right.size <= SHOWN:
        return f"yours is {_show(yours)}, right is {_show(right)}"
    place = tuple(map(int, np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)))
    return f"yours is {_show(yours[place])} at place {place}, right is {_show(right[place])}"


def _kind(value) -> str:
    return "text" if isinstance(value, str) else f"a {type(value).__name__}"


def _show(values) -> str:
    """Format a few numbers, rounded so that every processor shows the same."""
    array = np.asarray(values, "float64")
    return np.array2string(array, separator=", ", formatter={"float": lambda v: f"{v:.4g}"}).replace("\n", "")


def _sentence(error: Exception) -> str:
    """Format an exception as one stable line: no addresses, no second line."""
    first = next(iter(str(error).strip().splitlines()), "")
    return textwrap.shorten(re.sub(r"0x[0-9a-f]+", "0x...", f"{type(error).__name__}: {first}"), 160).rstrip(" .:")
