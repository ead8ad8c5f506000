"""The plug-in that compares the numbers of a notebook's outputs: each rule by itself, then on a notebook."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat import v4

from tests.notebooks.nbval_numbers import NUMBER, pytest_itemcollected, settle, tolerance

ROOT = Path(__file__).resolve().parents[2]


def same(kept: str, new: str, *tags: str) -> bool:
    """Whether the new text passes for the kept one, in a cell with these tags."""
    return settle(kept, new, *tolerance(tags)) == kept


EQUAL_ENOUGH = {
    "equal": ("AUROC 0.948", "AUROC 0.948"),
    "near": ("AUROC 0.948", "AUROC 0.946"),
    "near, as the plug-in says": ("0.948, 0.003", "0.966, 0.005"),
    "2 %, just inside": ("R = 500.0", "R = 510.0"),
    "2 % below, just inside": ("R = 500.0", "R = 490.0"),
    "two units, just inside": ("p = 0.003", "p = 0.005"),
    "two units below": ("p = 0.003", "p = 0.001"),
    "two units of what was zero": ("p = 0.000", "p = 0.002"),
    "negative": ("slope -0.512", "slope -0.505"),
    "a sign that means nothing": ("slope -0.001", "slope 0.001"),
    "a plus": ("gain +0.104", "gain +0.103"),
    "no digit before the point": ("p = .503", "p = .501"),
    "exponent": ("loss 1.52e-04", "loss 1.54e-04"),
    "exponent that changes": ("loss 9.99e-04", "loss 1.00e-03"),
    "exponent alone": ("loss 1E-4", "loss 2E-4"),
    "percent": ("found 97.5%, 12.0 %", "found 97.1%, 12.2 %"),
    "thousands": ("R = 12,288.4", "R = 12,301.9"),
    "thousands reached": ("R = 999.6", "R = 1,000.2"),
    "a decimal fewer": ("[0.91, 0.85]", "[0.9, 0.86]"),
    "end of a sentence": ("It falls to 0.51. See below.", "It falls to 0.52. See below."),
    "in brackets": ("{'auroc': 0.986, 'at': [0.976, 0.994]}", "{'auroc': 0.985, 'at': [0.974, 0.993]}"),
    "a column": ("hole   9.98  8.51", "hole  10.02  8.50"),
    "a column of signs": ("[ 0.001  0.500]", "[-0.001  0.501]"),
    "several lines": ("R 812.1\nD  55.2\n110 images\n", "R 809.7\nD  55.9\n110 images\n"),
    "nan": ("AUROC nan of 3", "AUROC nan of 3"),
}
DIFFERENT = {
    "2 %, just outside": ("R = 500.0", "R = 510.1"),
    "2 % below, just outside": ("R = 500.0", "R = 489.9"),
    "two units, just outside": ("p = 0.003", "p = 0.006"),
    "two units of the finer of the two": ("p = 0.5", "p = 0.6578"),
    "barely too far": ("AUROC 0.948", "AUROC 0.967"),
    "far": ("AUROC 0.948", "AUROC 0.671"),
    "one of two far": ("R 812.1, D 55.2", "R 811.9, D 70.0"),
    "another word": ("AUROC 0.948", "accuracy 0.948"),
    "another word beside a near number": ("AUROC 0.948", "accuracy 0.947"),
    "another count": ("AUROC 0.948 of 110 images", "AUROC 0.948 of 111 images"),
    "another large count": ("85,587 parameters", "85,588 parameters"),
    "a count at the end of a sentence": ("There are 110. See", "There are 111. See"),
    "another whole percentage": ("found 97%", "found 98%"),
    "a count that is measured": ("1 epoch", "1.0 epoch"),
    "a number more": ("R 812.1", "R 812.1 812.1"),
    "a number fewer": ("R 812.1 55.2", "R 812.1"),
    "another order": ("R 812.1, D 55.2", "R 55.2, D 812.1"),
    "another sign": ("slope -0.512", "slope 0.512"),
    "a plus that is gone": ("gain +9.512", "gain -9.512"),
    "another exponent": ("loss 1.52e-04", "loss 1.52e-03"),
    "no percent": ("12.0%", "12.0"),
    "thousands": ("R = 12,288.4", "R = 1,228.8"),
    "another unit": ("3.2 s", "3.2 ms"),
    "another word with digits": ("mnist8", "mnist9"),
    "another size": ("64x64.0 pixels", "64x65.0 pixels"),
    "a unit that touches": ("3.20s", "3.21s"),
    "another version": ("TensorFlow 2.21.0", "TensorFlow 2.21.1"),
    "a file's number": ("test/hole/001.png", "test/hole/002.png"),
    "nan for a number": ("AUROC 0.948", "AUROC nan"),
    "a number for nan": ("AUROC nan", "AUROC 0.948"),
    "inf": ("loss inf", "loss -inf"),
    "True": ("R is lower: True 0.50", "R is lower: False 0.50"),
    "blanks": ("R  812.1", "R 812.1"),
    "blanks before a near number": ("R  812.1", "R 812.2"),
    "a line more": ("R 812.1\n", "R 812.1\n\n"),
    "lines in another order": ("R 812.1\nD  55.2\n", "D  55.2\nR 812.1\n"),
    "nothing": ("R 812.1", ""),
}


@pytest.mark.parametrize(("kept", "new"), EQUAL_ENOUGH.values(), ids=EQUAL_ENOUGH)
def test_near_numbers_pass(kept, new):
    assert same(kept, new)
    assert kept == new or not same(kept, new, "tolerance-0")


@pytest.mark.parametrize(("kept", "new"), DIFFERENT.values(), ids=DIFFERENT)
def test_all_else_must_be_equal(kept, new):
    assert not same(kept, new)


@pytest.mark.parametrize(
    ("kept", "new", "tag", "passes"),
    [
        ("R 500.0", "R 550.0", "tolerance-10%", True),
        ("R 500.0", "R 550.1", "tolerance-10%", False),
        ("R 500.0", "R 500.6", "tolerance-0.1%", False),
        ("R 500.0", "R 500.5", "tolerance-0.1%", True),
        ("R 500.0", "R 500.2", "tolerance-0.01%", True),  # two units are more
        ("R 500.0", "R 500.1", "tolerance-0", False),
        ("R 500.0", "R 500.00", "tolerance-0", False),
        ("R 500.0", "R 500.0", "tolerance-0", True),
        ("R 500.0", "R 500.0", "tolerance-0%", True),
        ("R 500.0", "R 500.1", "tolerance-0%", False),
        ("711 against 571", "720 against 565", "tolerance-2%", False),
        ("711 against 571", "720 against 565", "tolerance-2%-all", True),
        ("711 against 571", "726 against 571", "tolerance-2%-all", False),
        ("R 12,288", "R 12,500", "tolerance-2%-all", True),
        ("R 12,288", "R 12,600", "tolerance-2%-all", False),
        ("62 of 70", "64 of 70", "tolerance-2%-all", True),
        ("62 of 70", "65 of 70", "tolerance-2%-all", False),
        ("z of mnist8", "z of mnist9", "tolerance-50%-all", False),
    ],
)
def test_a_tag_asks_for_another_tolerance(kept, new, tag, passes):
    assert same(kept, new, "exercise", tag) == passes


def test_without_a_tag_it_is_two_percent_of_measured_numbers():
    assert tolerance(()) == tolerance(["source", "nbval-ignore-output"]) == (Decimal(2), False)


@pytest.mark.parametrize(
    "tags",
    [
        ["tolerance"],
        ["tolerance-10"],
        ["tolerance-ten%"],
        ["tolerance-10 %"],
        ["tolerance--10%"],
        ["tolerance-all"],
        ["tolerance-0-all"],
        ["tolerance-1%", "tolerance-2%"],
    ],
)
def test_a_tag_that_cannot_be_read_is_refused(tags):
    with pytest.raises(ValueError, match=r"Use one tag: tolerance-10%.*Received: " + re.escape(", ".join(tags))):
        tolerance(tags)


def test_what_counts_as_a_number():
    text = "-1.5e-3, +2 (3,456.70) .5 7. 64x64 v2 1.2.3 10-20 2,34 12e9876543 8_000 <0 x 452.5> 1..2 9%"
    found = ["-1.5e-3", "+2", "3,456.70", ".5", "7", "10", "20", "2", "34", "0", "452.5", "1", "9"]
    assert [number.strip() for number in NUMBER.findall(text)] == found


def test_a_difference_shows_the_far_number_alone():
    assert settle("a 0.50\nb 0.60\n5 c", "a 0.51\nb 0.80\n6 c", Decimal(2)) == "a 0.50\nb 0.80\n6 c"


def test_the_outputs_themselves_stay_as_they_are():
    """nbval hands them on to nbdime when a cell fails."""
    kept, new = ([v4.new_output("stream", name="stdout", text=text)] for text in ("R 812.1", "R 811.9"))
    cell = SimpleNamespace(cell=v4.new_code_cell(), sanitize=str, compare_outputs=lambda test, ref, _: test == ref)
    pytest_itemcollected(cell)
    assert cell.compare_outputs(new, kept)
    assert (kept[0].text, new[0].text) == ("R 812.1", "R 811.9")


def printed(text: str):
    return f"print({text!r})", lambda kept: [v4.new_output("stream", name="stdout", text=kept + "\n")]


def shown(text: str, kind: str = "text/plain"):
    data = {"text/plain": "a page", kind: text}
    source = f"from IPython.display import display\ndisplay({data!r}, raw=True)"
    return source, lambda kept: [v4.new_output("display_data", data={"text/plain": "a page", kind: kept})]


def together(*parts):
    return "\n".join(source for source, _ in parts), lambda kept: [out for _, keep in parts for out in keep(kept)]


CELLS = {  # what a cell does, how its output is kept, its tags; whether it passes without the plug-in, and with it
    "equal": (printed("AUROC 0.948"), "AUROC 0.948", [], True, True),
    "near": (printed("AUROC 0.948 of 110"), "AUROC 0.946 of 110", [], False, True),
    "near, not printed": (shown("[0.948]"), "[0.946]", [], False, True),
    "far": (printed("near 0.50\nfar 0.80"), "near 0.51\nfar 0.60", [], False, False),
    "far, not printed": (shown("[0.948]"), "[0.746]", [], False, False),
    "count": (printed("111 images"), "110 images", [], False, False),
    "whole": (printed("711 against 571"), "720 against 565", ["tolerance-2%-all"], False, True),
    "wide": (printed("R 550.0"), "R 500.0", ["tolerance-10%"], False, True),
    "exact": (printed("R 500.0"), "R 500.1", ["tolerance-0"], False, False),
    "html": (shown("<b>0.948</b>", "text/html"), "<b>0.946</b>", [], False, False),
    "several": (together(printed("0.50"), shown("0.51"), printed("0.52"), shown("0.53")), "0.52", [], False, True),
    "last of several": (together(printed("0.50"), shown("0.51"), shown("0.60")), "0.50", [], False, False),
    "sanitised": (printed("0.50 took 2.7 s"), "0.51 took 1 min 3 s", [], False, True),
    "unread": (printed("R 500.0"), "R 500.0", ["tolerance-ten"], True, False),
}


def outcomes(folder: Path, *options: str) -> tuple[dict[str, bool], str]:
    """Which cells of CELLS pass in a pytest of their own, and what it says."""
    cells = []
    for (source, keep), kept, tags, *_ in CELLS.values():
        metadata = {"tags": tags}
        cells.append(v4.new_code_cell(source, execution_count=1, outputs=keep(kept), metadata=metadata))
    nbformat.write(v4.new_notebook(cells=cells), folder / "small.ipynb")
    (folder / "sanitise.cfg").write_text("regex: took .* s\nreplace: took TIME\n", encoding="utf-8")
    options += ("--nbval-sanitize-with=sanitise.cfg", f"--rootdir={folder}", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-vv", "-rA", "--color=no", *options]
    path = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run([*command, "small.ipynb"], cwd=folder, capture_output=True, text=True, env=path, timeout=300)
    said = run.stdout
    found = {int(cell): word for word, cell in re.findall(r"^(PASSED|FAILED) \S+::Cell (\d+)", said, re.MULTILINE)}
    assert len(found) == len(CELLS), said + run.stderr
    return {name: found[i] == "PASSED" for i, name in enumerate(CELLS)}, said


def test_nbval_alone_refuses_near_numbers(tmp_path):
    passed, _ = outcomes(tmp_path)
    assert passed == {name: alone for name, (*_, alone, _) in CELLS.items()}


def test_nbval_with_the_plug_in_accepts_near_numbers_and_shows_far_ones(tmp_path):
    passed, said = outcomes(tmp_path, "-p", "tests.notebooks.nbval_numbers")
    assert passed == {name: plugged for name, (*_, plugged) in CELLS.items()}
    far = said[said.index(" small.ipynb::Cell 3 _") : said.index(" small.ipynb::Cell 4 _")]
    for line in ("mismatch 'stdout'", "- far 0.80", "+ far 0.60", "    near 0.51", "Numbers within 2 % or two units"):
        assert line in far
    assert "near 0.50" not in far.split("Input:")[1].split("mismatch")[1]
    assert "Received: tolerance-ten." in said
    assert "INTERNALERROR" not in said and "Warning" not in said
