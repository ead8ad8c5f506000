"""Two other editions of the notebooks, written to results/.

    python notebooks/editions.py student    without solutions and outputs, in results/student/
    python notebooks/editions.py slides     with outputs, as slides, in results/slides/

On slides, solutions are the speaker's notes.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER.parent / "results"
WIDGET = "application/vnd.jupyter.widget-view+json"  # needs a kernel; its still picture does not
INSTRUCTOR = "## For an instructor"  # the README from here on is not for students


def is_solution(cell) -> bool:
    return "solution" in cell.metadata.get("tags", ())


def student(notebook):
    """The notebook without its solutions, and with nothing run yet; for a folder one level deeper."""
    kept = [cell for cell in notebook.cells if not is_solution(cell)]
    for cell in kept:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = cell.source.replace("](../", "](../../")
    notebook.cells = kept
    return notebook


def slides(notebook):
    """The notebook with a slide for each heading, and every view as its still picture."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not is_solution(cell):
            text = re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](\1.slides.html)", cell.source)
            text = re.sub(r"\]\((\w+\.md)\)", r"](../../notebooks/\1)", text).replace("](../img/", "](img/")
            for part in re.split(r"^(?=##? )", text, flags=re.MULTILINE):
                if part.strip():
                    kind = "slide" if part.startswith("#") and not part.startswith("###") else "-"
                    cells.append(nbformat.v4.new_markdown_cell(part, metadata={"slideshow": {"slide_type": kind}}))
            continue
        cell.metadata["slideshow"] = {"slide_type": "notes" if is_solution(cell) else "-"}
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.data.pop(WIDGET, None)
        cells.append(cell)
    notebook.cells = cells
    return notebook


def write_student(folder: Path, notebooks: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        nbformat.write(student(nbformat.read(path, 4)), folder / path.name)
    shutil.copy(FOLDER / "ladder.json", folder)  # the figures that notebooks 4 and 7 read
    for path in FOLDER.glob("*.md"):
        text = path.read_text(encoding="utf-8").partition(INSTRUCTOR)[0]
        (folder / path.name).write_text(text.replace("](../", "](../../"), encoding="utf-8")


def write_slides(folder: Path, notebooks: list[Path]) -> None:
    """Pictures are in the files; what shows slides (reveal.js) and formulas (MathJax) comes over the network."""
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(embed_images=True, reveal_scroll=True, reveal_number="c/t")
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        about = {"metadata": {"path": str(FOLDER.parent), "name": path.stem}}
        page, _ = exporter.from_notebook_node(slides(nbformat.read(path, 4)), about)
        (folder / f"{path.stem}.slides.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    editions = {"student": write_student, "slides": write_slides}
    if len(sys.argv) != 2 or sys.argv[1] not in editions:
        sys.exit(f"Which edition? {' or '.join(editions)}. Received: {' '.join(sys.argv[1:]) or 'nothing'}.")
    editions[sys.argv[1]](RESULTS / sys.argv[1], sorted(FOLDER.glob("*.ipynb")))
    print(f"written to {RESULTS / sys.argv[1]}")
