"""The students' edition of the notebooks, and the slides."""

import re
import runpy
from pathlib import Path

import nbformat
import pytest

from anogan_lib import exercises as ex

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
editions = runpy.run_path(str(FOLDER / "editions.py"))


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    editions["write_student"](folder, NOTEBOOKS)
    return folder


def test_students_get_every_cell_but_the_solutions(student):
    for path in NOTEBOOKS:
        whole, given = nbformat.read(path, 4), nbformat.read(student / path.name, 4)
        kept = [cell for cell in whole.cells if "solution" not in cell.metadata.get("tags", [])]
        assert [cell.id for cell in given.cells] == [cell.id for cell in kept]
        for cell, same in zip(given.cells, kept, strict=True):
            if cell.cell_type == "code":
                assert cell.source == same.source and cell.outputs == [] and cell.execution_count is None
        nbformat.validate(given)


def test_no_solution_is_left_anywhere(student):
    texts = [path.read_text(encoding="utf-8") for path in student.iterdir()]
    assert not any("<details" in text or "For an instructor" in text for text in texts)
    for exercise in ex.EXERCISES.values():
        last = exercise.source().rstrip().splitlines()[-1].strip().replace('"', '\\"')
        assert len(last) < 25 or not any(last in text for text in texts), exercise.name


def test_links_of_the_students_edition_lead_somewhere(student):
    home = FOLDER.parent / "results" / "student"  # where the links count from
    for path in student.iterdir():
        for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8")):
            there = (student / target).is_file() or (home / target).resolve().is_file()
            assert target.startswith("https://") or there, f"{path.name}: {target}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_heading_begins_a_slide_and_nothing_needs_a_kernel(path):
    shown = editions["slides"](nbformat.read(path, 4))
    headings = [
        c for c in nbformat.read(path, 4).cells if c.cell_type == "markdown" for _ in re.findall("(?m)^##? ", c.source)
    ]
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in shown.cells]
    assert kinds.count("slide") == len(headings) and kinds[0] == "slide"
    for cell, kind in zip(shown.cells, kinds, strict=True):
        assert (kind == "notes") == ("solution" in cell.metadata.get("tags", []))
        for output in cell.get("outputs", ()):
            assert len({editions["WIDGET"], "image/png"} & set(output.get("data", {}))) < 2


def test_a_page_of_slides_holds_its_pictures(tmp_path):
    editions["write_slides"](tmp_path, [FOLDER / "00_start_here.ipynb"])
    (page,) = (path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    assert page.count("<section") > 10 and "data:image/png;base64," in page
    assert 'href="01_data_preparation.slides.html"' in page
