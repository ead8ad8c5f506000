"""The notebooks as documents: what they compare, how long their cells are, where their links lead.

That they run and print what they printed is for nbval to say; that they were run whole, for test_setup.
"""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
UNCOMPARED = {"nbval-ignore-output", "source"}  # "source" prints lines of the library: compared, but says nothing


def cells(path: Path, kind: str) -> list[dict]:
    """The cells of one kind, "code" or "markdown", each with its text as `source`."""
    read = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in read if cell["cell_type"] == kind]


def prints(cell: dict) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output.get("name") == "stdout").strip()


def every_notebook(test):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(test)


def test_there_is_one_for_each_step():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@every_notebook
def test_most_code_cells_print_what_nbval_compares(path):
    code = cells(path, "code")
    compared = [c for c in code if prints(c) and not UNCOMPARED & set(c["metadata"].get("tags", ()))]
    assert len(compared) > len(code) / 2


@every_notebook
def test_cells_are_short_and_free_of_what_strict_nbval_cannot_compare(path):
    for cell in cells(path, "code"):
        assert len(cell["source"].splitlines()) <= 15, cell["source"]
        assert not re.search(r"\binteract|\bOutput\(|clear_output|update_display|;\s*$", cell["source"]), cell["source"]


@every_notebook
def test_kept_outputs_hold_no_error_and_no_noise(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["source"]
            assert output.get("name") != "stderr", output["text"]


@every_notebook
def test_the_choices_stand_in_the_first_cell(path):
    first = cells(path, "code")[0]["source"]
    assert re.search(r'^DATA = "hazelnut"', first, re.MULTILINE)
    assert re.search(r'^PROFILE = "quick"', first, re.MULTILINE)


@every_notebook
def test_it_opens_with_its_table_and_ends_with_the_way_on(path):
    text = [cell["source"] for cell in cells(path, "markdown")]
    for row in ("You will learn", "You need to have read", "Minutes", "It leaves behind"):
        assert f"| {row}" in text[0]
    for part in ("## Summary", "## Further reading", "arXiv", "(README.md)"):
        assert part in text[-1]


def test_links_lead_somewhere():
    texts = {path: "\n".join(cell["source"] for cell in cells(path, "markdown")) for path in NOTEBOOKS}
    readme = FOLDER / "README.md"
    texts[readme] = readme.read_text(encoding="utf-8")
    for path, text in texts.items():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert target.startswith("https://") or (FOLDER / target).is_file(), f"{path.name}: {target}"
    assert all(f"]({path.name})" in texts[readme] for path in NOTEBOOKS)
