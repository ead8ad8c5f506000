"""Checks of single arguments. Each returns the value, or raises a ValueError: what is wanted, and what was received."""

import math
from contextlib import contextmanager
from numbers import Integral, Real
from reprlib import repr as shortened


def whole(name: str, value, least: int, most: int | None = None) -> int:
    """Return a whole number from `least` to `most` as an int."""
    right = isinstance(value, Integral) and not isinstance(value, bool)
    if not right or value < least or (most is not None and value > most):
        span = f", at least {least}" if most is None else f" from {least} to {most}"
        raise ValueError(f"{name} is a whole number{span}. Received: {shortened(value)}")
    return int(value)


def real(name: str, value, least: float, most: float = math.inf, *, above: bool = False) -> float:
    """Return a finite number from `least` to `most`, or with `above` greater than `least`, as a float."""
    right = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not right or not least <= value <= most or (above and value == least):
        span = f"from {least:g} to {most:g}" if most < math.inf else f"of at least {least:g}"
        span = f"above {least:g}" + (f", at most {most:g}" if most < math.inf else "") if above else span
        raise ValueError(f"{name} is a number {span}. Received: {shortened(value)}")
    return float(value)


def flag(name: str, value) -> bool:
    """Return True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is True or False. Received: {shortened(value)}")
    return value


def check_seed(seed) -> int:
    """Return a seed, a whole number of 32 bits, as an int."""
    return whole("seed", seed, 0, 2**32 - 1)


def one_of(name: str, value, choices):
    """Return one of several names or numbers."""
    if value not in tuple(choices):
        raise ValueError(f"{name} is one of {', '.join(map(str, choices))}. Received: {shortened(value)}")
    return value


@contextmanager
def writing(path):
    """Let an OSError name the file that is written."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, NumPy or TensorFlow says that the memory is not enough."""
    of_onednn = "could not create a primitive" in str(error)  # what its convolutions say then
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError" or of_onednn


def in_words(error: Exception) -> str:
    """Say in a sentence what an error means to the person at the screen."""
    if out_of_memory(error):
        return "The memory is not enough for this: a smaller batch_size, image or network needs less."
    return str(error) if isinstance(error, ValueError | TypeError | OSError) else f"{type(error).__name__}: {error}"


def printable(text: str) -> str:
    """Escape characters that cannot be seen: line breaks, codes that steer a terminal, bytes that are no UTF-8."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
