"""The notebooks as documents: what they compare, how long their cells are, where their links lead, their exercises.

That they run and print what they printed is for nbval to say; that they were run whole, for test_setup.
"""

import json
import math
import re
from pathlib import Path

import pytest
import views

from anogan_lib import exercises as ex
from anogan_lib.exercises.check import COURSE
from tests.notebooks.nbval_numbers import tolerance

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
UNCOMPARED = {"nbval-ignore-output", "source"}  # "source" prints lines of the library: compared, but says nothing
SAID = {
    "mend": "Stuck? Run the cell again.",
    "write": "returns None",
    "explore": "Now measure",
}  # by an exercise's level
TOPIC = {name: exercise.topic for name, exercise in ex.EXERCISES.items()}
CHECK = re.compile(r"^ex\.check_(\w+)\(", re.MULTILINE)


def cells(path: Path) -> list[dict]:
    """All cells, each with its text as `source` and its `tags` as a set."""
    read = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"]), "tags": set(cell["metadata"].get("tags", ()))} for cell in read]


def code(path: Path) -> list[dict]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def text(path: Path) -> list[str]:
    return [cell["source"] for cell in cells(path) if cell["cell_type"] == "markdown"]


def prints(cell: dict) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output.get("name") == "stdout").strip()


def shows_a_picture(cell: dict) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", ()))


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_is_one_for_each_step():
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers == [f"{n:02d}" for n in range(9)]


@every_notebook
def test_half_of_the_code_cells_print_what_nbval_compares(path):
    compared = [cell for cell in code(path) if prints(cell) and not UNCOMPARED & cell["tags"]]
    assert len(compared) >= len(code(path)) / 2


@every_notebook
def test_cells_are_short_and_free_of_what_strict_nbval_cannot_compare(path):
    for cell in code(path):
        lines = cell["source"].splitlines()
        assert len(lines) <= 12 and max(map(len, lines)) <= 88, cell["source"]
        assert not re.search(r"\binteract|\bOutput\(|clear_output|update_display|;\s*$", cell["source"]), cell["source"]
        tolerance(cell["tags"])  # raises where a tolerance tag is malformed
        others = {tag for tag in cell["tags"] if not tag.startswith("tolerance")}
        assert others <= {"nbval-ignore-output", "source", "exercise"}, cell["source"]
        assert "NBVAL" not in cell["source"]


@every_notebook
def test_kept_outputs_hold_no_error_and_no_noise(path):
    for cell in code(path):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["source"]
            assert output.get("name") != "stderr", output["text"]


@every_notebook
def test_the_choices_stand_in_the_first_cell(path):
    first, data = code(path)[0]["source"], "digits:8" if path.name.startswith("08") else "hazelnut"
    assert re.search(rf'^DATA = "{data}"', first, re.MULTILINE)
    assert re.search(r'^PROFILE = "quick"', first, re.MULTILINE)


@every_notebook
def test_it_opens_with_its_table_and_ends_with_the_way_on(path):
    first, last = text(path)[0], text(path)[-1]
    for row in ("You will learn", "You need to have read", "Minutes", "It leaves behind"):
        assert f"| {row}" in first
    assert "## Summary" in "\n".join(text(path))
    for part in ("## Further reading", "arXiv", "(README.md)"):
        assert part in last


@every_notebook
def test_it_is_small_enough_for_a_plain_view(path):
    assert path.stat().st_size < 1_000_000


def test_links_lead_somewhere():
    texts = {path: "\n".join(text(path)) for path in NOTEBOOKS}
    texts |= {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    for path, words in texts.items():
        for target in re.findall(r"\]\(([^)#]+)\)", words):
            assert target.startswith("https://") or (FOLDER / target).is_file(), f"{path.name}: {target}"
    assert all(f"]({path.name})" in texts[FOLDER / "README.md"] for path in NOTEBOOKS)


@every_notebook
def test_the_opening_table_links_the_glossary_and_tells_minutes(path):
    first = text(path)[0]
    assert re.search(r"^\| Words and symbols \|.*\]\(glossary\.md\)", first, re.MULTILINE)
    assert re.search(r"^\| Minutes on two CPU cores \| quick [\d.]+, full [\d.]+", first, re.MULTILINE)


@every_notebook
def test_the_minutes_of_reading_follow_the_rule_in_the_readme(path):
    """180 words a minute, one minute a figure, three a view, four an exercise, rounded up; the capstone by itself."""
    total = 0.0
    for cell in cells(path):
        if cell["cell_type"] == "code":
            seen = 3 if any(map(views.is_view, cell["outputs"])) else shows_a_picture(cell)
            total += seen + 4 * ("exercise" in cell["tags"])
        elif "solution" not in cell["tags"]:
            before, *after = re.split(r"^## (?:Capstone|Further reading)", cell["source"], flags=re.MULTILINE)
            total += len(before.split()) / 180
            if after:
                break
    minutes = str(5 * math.ceil(total / 5))
    stated = re.search(r"^\| Minutes .* (?:exercises|on the digits|trying): (\d+)", text(path)[0], re.MULTILINE)[1]
    tables = "\n".join([*text(NOTEBOOKS[0]), (FOLDER / "README.md").read_text(encoding="utf-8")])
    rows = re.findall(rf"^\| \[.*\]\({path.name}\) .*", tables, re.MULTILINE)
    listed = [re.match(r"\d+", row.split("|")[5].strip())[0] for row in rows]
    assert {minutes, *listed} == {stated} and int(stated) <= 60
    assert len(listed) == (1 if path == NOTEBOOKS[0] else 2)


@every_notebook
def test_every_figure_has_its_number_and_caption_beneath_it(path):
    """A view has none: a cell beside it says what to try; neither has the picture of an exercise."""
    number, all_cells = 0, cells(path)
    for i, cell in enumerate(all_cells):
        if any(map(views.is_view, cell.get("outputs", ()))):
            beside = [each["source"] for each in all_cells[i - 1 : i + 2] if each["cell_type"] == "markdown"]
            assert re.search(r"\*(Try|See)\b", "\n".join(beside)), cell["source"]
        elif shows_a_picture(cell) and "exercise" not in cell["tags"]:
            number += 1
            caption = all_cells[i + 1]["source"].split("\n\n")[0]
            assert caption.startswith(f"*Figure {int(path.stem[:2])}.{number}. ") and re.search(r"[.?]\*$", caption), (
                caption
            )
    assert len(re.findall(r"^\*Figure", "\n".join(text(path)), re.MULTILINE)) == number > 0


@every_notebook
def test_every_picture_has_an_alternative_text(path):
    for cell in code(path):
        for output in cell["outputs"]:
            for kind in {"image/png", "image/jpeg", "image/svg+xml"} & set(output.get("data", {})):
                assert len(output["metadata"].get(kind, {}).get("alt", "")) > 8, cell["source"]


@every_notebook
def test_headings_come_in_order(path):
    words = "\n".join(text(path))
    parts = ["## Summary", *(["## Exercise"] if CHECK.search("\n".join(c["source"] for c in code(path))) else [])]
    places = [words.index(part) for part in [*parts, "## Further reading"]]
    assert places == sorted(places)


@every_notebook
def test_every_exercise_has_question_first_attempt_hint_and_solution(path):
    all_cells, named = cells(path), []
    for i, cell in enumerate(all_cells):
        if cell["cell_type"] != "code" or not (found := CHECK.search(cell["source"])):
            continue
        named.append(found[1])
        exercise = ex.EXERCISES[found[1]]
        assert "exercise" in cell["tags"]
        assert "> " + exercise.question.replace("\n", "\n> ") in all_cells[i - 1]["source"]
        said, opening = prints(cell).splitlines()[-1], SAID[exercise.level]
        assert said.startswith("Not yet: ") and opening in said, f"{exercise.name}: the first attempt's nudge"
        assert ("pass  # write it here" in cell["source"]) == (exercise.level == "write")
        above = "\n".join(each["source"] for each in all_cells[:i] if each["cell_type"] == "markdown")
        heading = re.findall(r"^### .*", above, re.MULTILINE)[-1]
        assert heading.endswith(f" ({exercise.level})"), heading
        solution = all_cells[i + 1]
        assert solution["tags"] == {"solution"} and solution["source"].startswith("<details>")
        assert f"```python\n{exercise.source().rstrip()}\n```" in solution["source"], exercise.name
    topics = {ex.EXERCISES[name].topic for name in named}
    own = topics - ({"capstone"} if path == NOTEBOOKS[-1] else set())  # which ends the course
    assert len(own) <= 1 and all(topic in path.stem for topic in own)
    assert named == [name for topic in COURSE if topic in topics for name in ex.EXERCISES if topic == TOPIC[name]]


def test_every_exercise_stands_in_a_notebook():
    named = [name for path in NOTEBOOKS for cell in code(path) for name in CHECK.findall(cell["source"])]
    assert sorted(named) == sorted(ex.EXERCISES)


@every_notebook
def test_what_is_folded_away_is_tagged(path):
    for cell in cells(path):
        assert ("<details" in cell["source"]) == ("solution" in cell["tags"])


def test_outputs_speak_to_the_reader():
    """A number teaches; True hides it. Where yes or no is the point, it may be printed."""
    printed = {
        path.name: len(re.findall(r"\b(?:True|False)\b", "".join(map(prints, code(path))))) for path in NOTEBOOKS
    }
    assert sum(printed.values()) <= 40, printed


@every_notebook
def test_no_formula_runs_over_the_end_of_a_line(path):
    """A line that then begins with + or - would be an item of a list."""
    for words in text(path):
        lines = [line for line in words.replace("$$", "").splitlines() if line.count("$") % 2]
        assert not lines, lines
