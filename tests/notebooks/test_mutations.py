"""The faults that the notebooks are tried with: that they apply, and that one which no longer does is loud."""

import json
import shutil
from pathlib import Path

import pytest

from tests import mutations

LIBRARY = Path(__file__).parents[2] / "anogan_lib"


@pytest.fixture
def library(tmp_path):
    return Path(shutil.copytree(LIBRARY, tmp_path / "anogan_lib", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize("fault", mutations.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_the_copy_and_leaves_it_python(fault, library):
    mutations.mutate(library, fault)
    changed = [file for file in library.rglob("*.py") if _text(file) != _text(LIBRARY / file.relative_to(library))]
    assert 1 <= len(changed) <= len(fault.edits)
    for file in changed:
        compile(_text(file), str(file), "exec")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_a_fault_that_no_longer_applies_is_refused(library):
    fault = mutations.FAULTS[2]
    mutations.mutate(library, fault)
    assert "has nowhere 'self.generator" in mutations.outdated(fault, library)
    with pytest.raises(ValueError, match="no longer applies"):
        mutations.mutate(library, fault)


def test_an_outdated_fault_fails_whichever_are_tried(monkeypatch, capsys):
    gone = mutations.Fault("gone", "00_start_here", (("no such line", ""),))
    monkeypatch.setattr(mutations, "FAULTS", (*mutations.FAULTS, gone))
    assert mutations.main(["lambda"]) == 1
    assert "gone: no longer applies" in capsys.readouterr().err


def test_five_turns_try_them_all():
    for start in (0, 41):
        tried = [fault.name for turn in range(start, start + 5) for fault in mutations.chosen([], turn)]
        assert sorted(tried) == sorted(fault.name for fault in mutations.FAULTS)
    assert mutations.chosen([], None) == mutations.FAULTS and len(mutations.FAULTS) == 10
    assert [fault.name for fault in mutations.chosen(["mask"], None)] == ["mask shifted by four pixels"]
    with pytest.raises(ValueError, match="No fault begins so"):
        mutations.chosen(["nothing"], None)


def test_printed_lines_of_the_library_do_not_count(tmp_path):
    path = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
    mutations.copy_notebook(path, tmp_path / "copy.ipynb")
    before, after = (json.loads(_text(each))["cells"] for each in (path, tmp_path / "copy.ipynb"))
    assert any("source" in cell["metadata"].get("tags", ()) for cell in before)
    for cell, other in zip(after, before, strict=True):
        tags = set(cell["metadata"].get("tags", ()))
        assert tags - set(other["metadata"].get("tags", ())) == ({"nbval-ignore-output"} if "source" in tags else set())
        assert cell["source"] == other["source"]
