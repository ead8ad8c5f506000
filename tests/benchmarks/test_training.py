"""The benchmark of training: what it gathers from its parts, and what its clock counts."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from tests.benchmarks import training


def measured(out: Path, recipe: str, spec: str, seed: int, part: int, seconds: float, auroc: float) -> None:
    file = training.file_of((recipe, spec, seed), part, out)
    file.parent.mkdir(parents=True, exist_ok=True)
    about = {"recipe": recipe, "data": spec, "seed": seed, "part": part}
    file.write_text(json.dumps(about | {"gan_seconds": seconds - 1, "encoder_seconds": 1, "auroc": auroc}))


def test_the_time_ratio_is_that_of_the_seeds_that_are_whole_in_both_recipes(tmp_path):
    for part in training.PARTS:
        for seed, more in ((0, 0.0), (1, 0.02)):
            measured(tmp_path, "0.2", "hazelnut", seed, part, 1000 * part / 16, 0.85 + 0.005 * part + more)
            if seed == 0 or part < 16:
                measured(tmp_path, "new", "hazelnut", seed, part, 400 * part / 16, 0.88 + 0.005 * part)
    told = training.gather(tmp_path)
    # seed 0 of version 0.2 ends at 0.93; less 0.005 that is the new one's 9/16: of the parts measured, all of it
    assert told["seeds"] == {"hazelnut": 1} and told["time_ratio"] == {"hazelnut": 0.4}
    measured(tmp_path, "new", "hazelnut", 0, 8, 200, 0.926)
    assert training.gather(tmp_path)["time_ratio"] == {"hazelnut": 0.2}
    measured(tmp_path, "new", "hazelnut", 1, 16, 400, 0.95)  # now the mean of two seeds counts: 0.94 for version 0.2
    told = training.gather(tmp_path)
    assert told["seeds"] == {"hazelnut": 2} and told["time_ratio"] == {"hazelnut": 0.4}
    assert "| hazelnut | 0.2 | 2 | 0.865 (1.0 min)" in training.table(told)
    assert "| 0.955 (6.7 min) | 0.4 |" in training.table(told)
    assert training.table(told).endswith("| mvtec_pill | new |  |  |  |  |  |  |  |")  # still to be measured


def test_a_recipe_that_never_gets_there_has_no_ratio(tmp_path):
    for part in training.PARTS:
        measured(tmp_path, "0.2", "mnist:8", 0, part, 100, 0.95)
        measured(tmp_path, "new", "mnist:8", 0, part, 10, 0.9)
    assert training.gather(tmp_path)["time_ratio"] == {"mnist:8": None}


def test_the_kept_figures_follow_from_their_parts(tmp_path):
    kept = json.loads(training.KEPT.read_text())
    files = {tmp_path / "training" / f"{name}.json": each for name, each in kept["parts"].items()}
    training.apart.go_on_with(files)
    assert training.gather(tmp_path) == kept
    assert all(0.5 < each["auroc"] <= 1 and each["commit"] for each in kept["parts"].values())


def test_the_figure_is_drawn_from_the_kept_figures():
    with Image.open(training.FIGURE) as figure:
        assert figure.text["Comment"] == training.digest(json.loads(training.KEPT.read_text()))


def test_seconds_of_an_interrupted_training_are_kept(tmp_path, monkeypatch):
    now = iter([5.0, 11.0, 2.0, 9.0])
    monkeypatch.setattr(training, "time", SimpleNamespace(process_time=lambda: next(now)))

    def ended(clock, epoch):
        clock.note(SimpleNamespace(epochs_done=SimpleNamespace(numpy=lambda: epoch)), {})

    first = training.Clock(tmp_path / "a")
    ended(first, 1)
    ended(first, 2)
    again = training.Clock(tmp_path / "a")  # in another process, whose clock begins anew; epoch 2 is made once more
    ended(again, 2)
    ended(again, 3)
    assert again.seconds(1) == 5 and again.seconds(2) == pytest.approx(5 + 6) and again.seconds(3) == 5 + 6 + 7
