"""Which cells of a notebook its views need."""

import json

import pytest
import views

CELLS = [
    "import math\nfrom json import loads as read",  # 0
    "numbers = [1, 2]",  # 1
    "unused = math.pi\nfor number in range(3):\n    print(number)",  # 2
    "numbers.append(3)",  # 3
    "offset = read('4')",  # 4
    "def twice(values):\n    return [2 * value for value in values + [offset]]",  # 5
    "print(numbers)",  # 6
    "held = {}\nheld['all'] = None",  # 7
    "held['all'] = twice(numbers)",  # 8
    "shown = held['all']",  # 9
    "numbers = None",  # 10
]


def test_the_cells_that_a_view_needs_are_run_and_no_others():
    kept = views.needed(CELLS, {9})
    assert kept == [0, 1, 3, 4, 5, 7, 8, 9]
    names = {}
    for i in kept:
        exec(CELLS[i], names)
    assert names["shown"] == [2, 4, 6, 8]


def test_what_is_set_anew_needs_nothing_before():
    assert views.needed(["a = 1", "a = 2", "b = a"], {2}) == [1, 2]
    assert views.needed(["for a in range(3):\n    pass", "a = 0", "c = [a for a in range(2)]"], {2}) == [2]
    assert views.needed(["a = 1", "b = 1"], set()) == []


def test_a_progress_bar_is_no_view():
    bar = {"data": {views.WIDGET: {}, "text/plain": ["training"]}}
    assert not views.is_view(bar) and not views.is_view({"output_type": "stream"})
    assert views.is_view({"data": bar["data"] | {"image/png": ""}})


@pytest.mark.parametrize("path", sorted(views.FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_each_view_is_the_last_line_of_its_cell(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        shown = list(filter(views.is_view, cell.get("outputs", ())))
        assert len(shown) <= 1
        assert not shown or not {"exercise", "solution"} & set(cell["metadata"].get("tags", ()))
