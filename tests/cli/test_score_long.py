"""`anogan score` on many images: it goes on where it stopped, reads ahead, and holds no more than it needs."""

import csv
import json
import threading

import numpy as np
import pytest
from PIL import Image

from anogan_lib import AnoGAN
from anogan_lib.cli import files, main

COUNT = 23


def read_csv(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(files, "BATCH", 4)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (16, 16)).astype("uint8")).save(folder / f"{i % 12}.{'gb'[i < 12]}mp.png")
    return folder


@pytest.fixture
def scored(photos, tiny_detector, tmp_path):
    """A run without an interruption: the command's beginning, its table, its folder of pictures."""
    table, pictures = tmp_path / "whole.csv", tmp_path / "whole"
    command = ["score", str(tiny_detector), str(photos)]
    assert main([*command, "--csv", str(table), "--overlays", str(pictures)]) == 0
    return command, table, pictures


def test_an_interrupted_run_goes_on_where_it_stopped(scored, tmp_path, monkeypatch, capsys):
    command, whole, pictures = scored
    table, content = tmp_path / "torn.csv", tmp_path / "torn.json"
    table.write_bytes(whole.read_bytes()[: 2 * whole.stat().st_size // 3])  # torn in the middle of a row
    kept = table.read_bytes().count(b"\n") - 1
    predict, looked_at = AnoGAN.predict, []

    def counted(self, images, **options):
        looked_at.append(len(images))
        return predict(self, images, **options)

    monkeypatch.setattr(AnoGAN, "predict", counted)
    again = [*command, "--csv", str(table), "--resume"]
    assert main([*again, "--json", str(content), "--overlays", str(tmp_path / "torn")]) == 0
    # One of the kept rows is looked at again, and those that began a batch with others.
    assert 0 < kept < COUNT and sum(looked_at) == COUNT - kept // files.BATCH * files.BATCH + 1
    assert table.read_bytes() == whole.read_bytes()
    first = read_csv(whole)
    listed = json.loads(content.read_text())["images"]
    assert [row["name"] for row in listed] == [row["name"] for row in first]
    assert [type(value) for value in listed[0].values()] == [type(value) for value in listed[-1].values()]
    drawn = [{path.name for path in folder.rglob("*.png")} for folder in (pictures, tmp_path / "torn")]
    assert drawn[1] < drawn[0] and len(drawn[1]) == 2 * (COUNT - kept)

    before = table.read_bytes()
    assert main(again) == 0 and table.read_bytes() == before  # nothing is left to do
    capsys.readouterr()
    assert main([*again, "--lam", "0.9"]) == 2
    assert "other settings" in capsys.readouterr().err and table.read_bytes() == before


def test_resume_needs_a_table_of_scores(scored, tmp_path, capsys):
    command, other = scored[0], tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    for options in (["--resume"], ["--resume", "--csv", str(other)]):
        assert main([*command, *options]) == 2
        assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("anogan:")]) == 1
    assert other.read_text() == "a,b\n1,2\n"
    assert main([*command, "--resume", "--csv", str(tmp_path / "new.csv")]) == 0
    assert len(read_csv(tmp_path / "new.csv")) == COUNT


def test_the_next_images_are_read_while_some_are_looked_at(photos, monkeypatch):
    read, started = files.shaped, threading.Semaphore(0)

    def told(image, *how):
        started.release()
        return read(image, *how)

    monkeypatch.setattr(files, "shaped", told)
    batches = files.read_batches(list(files.find([str(photos)])), (16, 16, 1))
    next(batches)
    for _ in range(2 * files.BATCH):  # those of the second batch too, though nobody has asked for it
        assert started.acquire(timeout=30)
    assert not started.acquire(timeout=0.5)  # and no more: memory holds two batches
    assert sum(len(images) for _, images in batches) == COUNT - files.BATCH
