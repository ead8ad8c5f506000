"""Do the notebooks notice a fault in the library? Ten faults, each put into a copy; a notebook must fail for each.

    python -m tests.mutations                 all ten
    python -m tests.mutations --turn 17       two of them: other ones at the next turn
    python -m tests.mutations lambda mean     those whose names begin so

It ends with 1 where a fault is not noticed, or no longer applies to the library.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2  # faults tried at each turn


class Fault(NamedTuple):
    """Each edit, (old, new), is made wherever in the library `old` stands; `notebook` is the one that has to notice."""

    name: str
    notebook: str
    edits: tuple[tuple[str, str], ...]


SUM = "return ops.sum(ops.abs(x - y), axis=(1, 2, 3))"  # R
SCORE = "return (1.0 - lam) * residual + lam * discrimination"
FAULTS = (
    Fault(
        "lambda on the wrong term",
        "00_start_here",
        ((SCORE, "return lam * residual + (1.0 - lam) * discrimination"),),
    ),
    Fault("mean for sum in R", "00_start_here", ((SUM, SUM.replace("ops.sum", "ops.mean")),)),
    Fault(
        "training mode in the search",
        "03_latent_inverse_mapping",
        (
            ("self.generator(z, training=False)", "self.generator(z, training=True)"),
            ("self.averaged.trainable = False", "pass"),  # frozen, it would not mind the mode
        ),
    ),
    Fault(
        "calibration on training images",
        "08_your_own_images",
        (("self.calibrate(data.calibration, false", "self.calibrate(data.train, false"),),
    ),
    Fault("no absolute value", "00_start_here", ((SUM, "return ops.sum(x - y, axis=(1, 2, 3))"),)),
    Fault(
        "mask shifted by four pixels",
        "01_data_preparation",
        (("self._masks = self._masks.read()", "self._masks = np.roll(self._masks.read(), 4, axis=2)"),),
    ),
    Fault(
        "izi_f without features",
        "04_fast_mapping_with_an_encoder",
        (("return izi_loss(x, y) + kappa * tf", "return izi_loss(x, y) + 0.0 * tf"),),
    ),
    Fault(
        "threshold one place too low",
        "05_scores_and_thresholds",
        (("np.sort(scores)[n - above]", "np.sort(scores)[n - above - 1]"),),
    ),
    Fault(
        "a map with signs",
        "06_visualization",
        (("smooth_map(ops.mean(ops.abs(differences), axis=-1)", "smooth_map(ops.mean(differences, axis=-1)"),),
    ),
    Fault(
        "contrast left in",
        "07_a_better_score",
        (("return centred / ops.sqrt(mean(centred**2) + 1e-6)", "return centred"),),
    ),
)


def outdated(fault: Fault, library: Path) -> str:
    """Which edit of a fault no longer applies to the library, in words; "" if all do."""
    whole = "\n".join(file.read_text(encoding="utf-8") for file in library.rglob("*.py"))
    missing = [old for old, _ in fault.edits if old not in whole]
    return f"no longer applies: the library has nowhere {missing[0]!r}" if missing else ""


def mutate(library: Path, fault: Fault) -> None:
    """Put the fault into the library; ValueError where it no longer applies."""
    if problem := outdated(fault, library):
        raise ValueError(problem)
    for file in library.rglob("*.py"):
        text = before = file.read_text(encoding="utf-8")
        for old, new in fault.edits:
            text = text.replace(old, new)
        if text != before:
            file.write_text(text, encoding="utf-8")


def copy_notebook(path: Path, to: Path) -> None:
    """Copy a notebook; the library's lines that it prints are not compared, for they would tell any fault."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if "source" in cell["metadata"].get("tags", ()):
            cell["metadata"]["tags"].append("nbval-ignore-output")
    to.write_text(json.dumps(notebook), encoding="utf-8")


def noticed(fault: Fault) -> str:
    """Run the fault's notebook on a copy with the fault, until a cell fails: what nbval says of that cell.

    Raises ValueError where none fails, and where the first one does: then the copy itself does not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "anogan_lib", copy / "anogan_lib", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("data", "weights"):
            (copy / name).symlink_to(ROOT / name, target_is_directory=True)
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, copy)
        (copy / "tests" / "notebooks").mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "notebooks" / "nbval_numbers.py", copy / "tests" / "notebooks")
        (copy / "notebooks").mkdir()
        notebook = copy / "notebooks" / f"{fault.notebook}.ipynb"
        copy_notebook(ROOT / "notebooks" / notebook.name, notebook)
        mutate(copy / "anogan_lib", fault)
        command = [sys.executable, "-m", "pytest", "--nbval", "-x", "-q", "--color=no", str(notebook)]
        path = os.environ | {"PYTHONPATH": folder}
        said = subprocess.run(command, cwd=copy, capture_output=True, text=True, env=path)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed)", said.stdout)}
    if not counts.get("passed") or said.returncode not in (0, 1):
        raise ValueError(f"{fault.notebook} does not run at all:\n{said.stdout[-3000:]}{said.stderr[-3000:]}")
    if not counts.get("failed"):
        raise ValueError(f"not noticed: {fault.notebook} passes")
    cell = re.search(r"^FAILED \S+::Cell (\d+)", said.stdout, re.MULTILINE)
    return f"noticed by {fault.notebook}, In [{int(cell[1]) + 1 if cell else '?'}]"


def chosen(names: list[str], turn: int | None) -> tuple[Fault, ...]:
    """The faults to try: those that are named, two at a turn, or all."""
    if names:
        found = tuple(fault for fault in FAULTS if any(fault.name.startswith(name) for name in names))
        if not found:
            raise ValueError(f"No fault begins so: {', '.join(names)}. There are: {', '.join(f.name for f in FAULTS)}.")
        return found
    if turn is None:
        return FAULTS
    first = turn * AT_ONCE
    return tuple(FAULTS[(first + i) % len(FAULTS)] for i in range(AT_ONCE))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of the faults' names")
    parser.add_argument("--turn", type=int, help="any whole number; each turn tries two faults")
    args = parser.parse_args(argv)
    library, wrong = ROOT / "anogan_lib", 0
    for fault in FAULTS:  # all of them, whichever are tried: an outdated one is seen at once
        if problem := outdated(fault, library):
            print(f"{fault.name}: {problem}", file=sys.stderr)
            wrong += 1
    for fault in () if wrong else chosen(args.names, args.turn):
        try:
            print(f"{fault.name}: {noticed(fault)}", flush=True)
        except ValueError as error:
            print(f"{fault.name}: {error}", file=sys.stderr, flush=True)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
