"""Checkers of the notebooks' exercises; a file for each notebook.

>>> from anogan_lib import exercises as ex
>>> ex.check_residual(my_residual)   # one sentence: right, or what is wrong with it
>>> ex.near_duplicates()             # what a question is about
>>> ex.solution("residual")          # prints one
>>> ex.progress()                    # prints what is solved in this session
"""

from importlib import import_module

from anogan_lib.exercises.check import COURSE, EXERCISES, inputs, progress, solution

__all__ = ["EXERCISES", "inputs", "progress", "solution"]

for _name in COURSE:
    import_module(f"{__name__}.{_name}")
for _each in EXERCISES.values():
    globals()[f"check_{_each.name}"] = _each.check
    if _each.given is not None and _each.given.__name__[0].isalpha():
        globals()[_each.given.__name__] = _each.given
