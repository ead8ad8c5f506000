"""The runs of the notebooks on other data: which there are, what they read, and that a failing cell is told."""

import nbformat
import numpy as np

from anogan_lib import datasets
from tests import other_data


def test_nine_turns_run_every_notebook_on_both():
    assert [file.name[:2] for file in other_data.named()] == [f"{i:02d}" for i in range(9)]
    assert len(set(other_data.runs())) == len(other_data.runs()) == 18
    assert {run for turn in range(300, 309) for run in other_data.runs(turn)} == set(other_data.runs())


def test_the_folder_is_read_as_a_set_with_masks(tmp_path):
    data = datasets.load(str(other_data.make_folder(tmp_path)))
    assert data.image_shape == (40, 48, 1) and np.bincount(data.test.labels).tolist() == [40, 30]
    masks = data.test.masks
    assert (masks.any((1, 2)) == (data.test.labels == 1)).all() and masks.sum((1, 2)).max() == 25


def test_a_failing_cell_is_told(tmp_path, monkeypatch):
    cells = ['DATA = "hazelnut"  # or another', "print(DATA)", 'if DATA != "hazelnut":\n    raise ValueError(DATA)']
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, tmp_path / "00_some.ipynb")
    monkeypatch.setattr(other_data, "NOTEBOOKS", tmp_path)
    file = tmp_path / "00_some.ipynb"
    assert other_data.run(file, "hazelnut") == ""
    assert other_data.run(file, "a folder\\of mine").endswith(": a folder\\of mine\n")
