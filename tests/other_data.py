"""Run the notebooks as a reader does who has changed DATA in their first cell: no cell may fail.

`python -m tests.other_data` runs all notebooks that name DATA, on the 8x8 digits and on a folder of good and bad images
with masks; `--turn N` two of these runs, other ones at each turn. The outputs are not compared: their numbers are those
of other images.
"""

import argparse
import re
import sys
import tempfile
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
ASSIGNED = re.compile(r'^DATA = ".*?"', re.MULTILINE)
DIGITS, FOLDER = "digits:8", "a folder"
AT_ONCE = 2


def named() -> list[Path]:
    """The notebooks that name their data in a line of their own."""
    return [file for file in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) if ASSIGNED.search(sources(file))]


def sources(file: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(file, 4).cells if cell.cell_type == "code")


def runs(turn: int | None = None) -> list[tuple[Path, str]]:
    """All runs, each a notebook and its data, or those of a turn."""
    found = list(product(named(), (DIGITS, FOLDER)))
    return found if turn is None else [found[(turn * AT_ONCE + i) % len(found)] for i in range(AT_ONCE)]


def make_folder(folder: Path) -> Path:
    """Write photographs as MVTec AD lays them out: grey discs, 30 of 70 test images with a bright spot, and masks."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :48]

    def disc() -> np.ndarray:
        centre, radius = rng.uniform((18, 22), (22, 26)), rng.uniform(13, 16)
        image = 40 + 140 * (np.hypot(rows - centre[0], columns - centre[1]) < radius)
        return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype("uint8")

    for place, count in (("train/good", 160), ("test/good", 40), ("test/spot", 30)):
        (folder / place).mkdir(parents=True)
        for i in range(count):
            image, mask = disc(), np.zeros((40, 48), bool)
            if place == "test/spot":
                row, column = rng.integers((12, 16), (24, 28))
                mask[row : row + 5, column : column + 5] = True
                image[mask] = 255
                (folder / "ground_truth" / "spot").mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(folder / "ground_truth" / "spot" / f"{i:03d}_mask.png")
            Image.fromarray(image).save(folder / place / f"{i:03d}.png")
    return folder


def run(file: Path, data: str) -> str:
    """Run a notebook on other data; return what is wrong, "" if nothing is."""
    notebook = nbformat.read(file, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, changed = ASSIGNED.subn(lambda _: f"DATA = {data!r}", cell.source, count=1)
            if changed:
                break
    try:
        NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    except CellExecutionError as error:
        return str(error)[-3000:]
    return ""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.other_data", description=__doc__.splitlines()[0])
    parser.add_argument("--turn", type=int, help="any whole number; each turn has two runs")
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        folder = make_folder(Path(place) / "discs")
        for file, data in runs(parser.parse_args(argv).turn):
            problem = run(file, str(folder) if data == FOLDER else data)
            print(f"{file.stem} on {data}: {problem or 'runs'}", flush=True)
            wrong += bool(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
