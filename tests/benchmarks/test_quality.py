"""The quality benchmark's bookkeeping, and that the tables of README and results page are what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from anogan_lib.datasets.base import Split
from anogan_lib.evaluation import metrics
from tests.benchmarks import ablation, ladder, quality, speed, tables


@pytest.fixture
def kept() -> dict:
    return json.loads(quality.KEPT.read_text())


def measured(out: Path, spec: str, seed: int, part: str, auroc: float) -> None:
    file = quality.folder_of(spec, seed, out) / f"{part}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"auroc": auroc, "commit": f"c{seed}", "seconds": 2.0, "test_images": 7}))


def test_readme_and_results_page_show_what_was_measured():
    for path, table in tables.tables():
        text = path.read_text(encoding="utf-8")
        assert table in text, f"{path.name}: run `.venv/bin/python -m tests.benchmarks.tables`"
        assert tables.put(text, table) == text


def test_a_table_takes_the_place_of_the_old_one_alone():
    page = "before\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n| c |\n|---|\n| 5 |\n"
    assert tables.put(page, "| a | b |\n|---|---|\n| 9 | 8 |") == page.replace("| 1 | 2 |\n| 3 | 4 |", "| 9 | 8 |")
    with pytest.raises(ValueError, match="One table of the page begins with"):
        tables.put(page, "| d |\n|---|")


def test_the_table_of_the_ready_detectors_says_what_the_cards_say():
    results = {"auroc": 0.91, "auroc_interval": [0.88, 0.93], "hit_rate": 0.5, "false_alarm_rate": 0.04}
    results |= {"baselines": {"PCA": 0.8, "3-NN": 0.93}}
    images = {"calibration": 24}
    nuts = {"results": results | {"pixel_auroc": 0.97, "auroc": 0.92, "auroc_interval": [0.9, 0.94]}, "images": images}
    drawn = tables.ready({"small": {"results": results, "images": images}, "nuts": nuts})
    assert "| `weights/small` | 0.910 | 0.880 to 0.930 |  | 50 % | 4.0 % | 24 | 0.930 (3-NN) |" in drawn
    assert "| `weights/nuts` | 0.920 | 0.900 to 0.940 | 0.970 | 50 %" in drawn
    assert set(tables.cards()) == {path.name for path in (tables.ROOT / "weights").iterdir()}


def test_cards_hold_the_intervals_that_were_measured_on_the_same_networks(kept):
    results = {name: card["results"] for name, card in tables.cards().items()}
    for name, part in (("hazelnut", "hazelnut-0"), ("mnist-8", "mnist-8-0"), ("digits-8", "digits-8-0")):
        measured = kept["parts"][part]["detector"]
        assert results[name]["auroc"] == measured["auroc"]
        assert results[name]["auroc_interval"] == pytest.approx(measured["interval"], abs=1e-12)
    rungs = json.loads(ladder.KEPT.read_text())
    labels, scores = np.array(rungs["labels"]), np.array(rungs["rungs"]["AnoGAN"])  # weights/hazelnut-paper
    interval = metrics.bootstrap_interval(metrics.auroc, labels, scores)
    assert results["hazelnut-paper"]["auroc_interval"] == pytest.approx(interval, abs=1e-12)


def test_the_table_of_speed_shows_medians_and_ratios():
    part = {"spread_ms": {way: {"median": 1234.5} for way in speed.ROWS}}
    part |= {f"{way}_ratio": 15.55 for way in speed.ROWS} | {"encoder_start_reached": False}
    drawn = speed.table({"networks": {"weights/small": part, "usual networks": part}})
    assert "| `weights/small` | usual networks |" in drawn and "| textbook loop | 1,230 | 1,230 |" in drawn
    assert "| encoder alone, one pass | 1,230 (16) | 1,230 (16) |" in drawn
    assert "no image higher | not reached | not reached |" in drawn


def test_the_kept_run_follows_from_its_parts(kept, tmp_path):
    quality.go_on_with(kept, tmp_path)
    assert quality.gather(tmp_path, kept["command"]) == kept
    assert kept["whole"] == (not quality.missing(tmp_path))
    for parts in kept["parts"].values():
        assert all(part["commit"] and part["seconds"] > 0 and "seed" in part for part in parts.values())


def test_what_each_switch_brings_follows_from_its_parts(tmp_path):
    kept = json.loads(ablation.KEPT.read_text())
    ablation.go_on_with(kept, tmp_path)
    assert ablation.gather(tmp_path) == kept
    for row in kept.values():
        for told in row.values():
            aurocs = [*told["by_lam"].values(), *told.get("instead", {}).values()]
            assert min(aurocs) > 0.5 and max(aurocs) < 1


def test_a_digit_is_measured_on_all_test_images(kept):
    found = [kept["parts"].get(f"mnist-{digit}-0", {}).get("detector") for digit in range(10)]
    assert kept["mnist"]["per_digit"] == [each and each["auroc"] for each in found]
    assert {each["test_images"] for each in found if each} == {10_000}
    assert all(0.5 < each["auroc"] <= 1 for each in found if each)


def test_what_is_measured_so_far_is_gathered(tmp_path):
    for digit in range(9):
        measured(tmp_path, f"mnist:{digit}", 0, "detector", 0.9 + digit / 100)
    measured(tmp_path, "mnist:2", 1, "detector", 0.8)
    measured(tmp_path, "hazelnut", 0, "paper", 0.7)
    told = quality.gather(tmp_path, "make quality")
    assert told["mnist"]["per_digit"] == pytest.approx([0.9 + d / 100 for d in range(9)] + [None])
    assert told["mnist"]["mean_auroc"] is None  # of nine there is no mean of ten
    assert told["mnist"]["per_digit_by_seed"]["2"] == [pytest.approx(0.92), 0.8, None]
    assert quality.seeds_table(told).splitlines()[2:] == ["| MNIST 2 | 0.920 | 0.800 | 0.860 | 0.120 |"]
    assert told["hazelnut"]["baselines"]["paper"]["auroc"] == 0.7 and "magnetic_tile" not in told
    measured(tmp_path, "mnist:9", 0, "detector", 1.0)
    whole = quality.gather(tmp_path, "make quality")["mnist"]
    assert whole["mean_auroc"] == pytest.approx(0.946) and whole["held_mean_auroc"] == pytest.approx(0.972)
    assert whole["commit"] == ["c0"] and whole["seconds"] == 20


def test_the_detector_stands_in_the_readme_with_the_mean_of_its_seeds(kept):
    parts = kept["parts"]
    aurocs, low, high = [], [], []
    for seed in (0, 1, 2):
        found = parts[f"mvtec_pill-{seed}"]["detector"]
        aurocs.append(found["auroc"])
        low.append(found["interval"][0])
        high.append(found["interval"][1])
    cell = f"{sum(aurocs) / 3:.3f} [{sum(low) / 3:.2f}, {sum(high) / 3:.2f}]"
    row = next(line for line in quality.summary(kept).splitlines() if "pills" in line)
    assert row.split(" | ")[3] == cell
    measured = [[parts.get(f"mnist-{digit}-{seed}", {}).get("detector") for seed in (0, 1, 2)] for digit in range(10)]
    digits = [np.mean([each["auroc"] for each in seeds if each]) for seeds in measured]
    row = next(line for line in quality.summary(kept).splitlines() if "MNIST" in line)
    assert row.split(" | ")[3] == f"{np.mean(digits):.3f}"


def test_what_was_reached_is_told_beside_the_best_rival_and_the_digit_least_ahead(kept):
    rows = [line.split(" | ") for line in quality.aims_table(kept).splitlines()[2:]]
    digits = [np.mean([each["auroc"] for each in quality.of_seeds(kept, f"mnist:{d}") if each]) for d in range(10)]
    ahead = np.array(digits) - kept["mnist"]["knn_unit_norm_per_digit"]
    assert rows[1][0].endswith(f": {np.argmin(ahead)}") and rows[1][4] == f"{ahead.min():+.4f} |"
    pills = next(row for row in rows if row[0] == "| MVTec AD's pills, pixels")
    rivals = kept["mvtec_pill"]["baselines"]
    best = max(rivals[name]["pixel_auroc"] for name in ("PCA", "PCA, unit norm"))
    assert pills[3].startswith(f"{best:.4f}") and float(pills[2]) - best == pytest.approx(float(pills[4][:7]), abs=1e-4)


def test_an_unfinished_run_is_gone_on_with_elsewhere(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    measured(here, "mnist:3", 0, "detector", 0.9)
    measured(here, "mnist:4", 0, "detector", 0.9)
    measured(there, "mnist:4", 0, "detector", 0.8)
    before = quality.missing(there)
    assert ("detector", "mnist:3", 0) in before and ("detector", "mnist:4", 0) not in before
    quality.go_on_with(quality.gather(here, "make quality"), there)
    assert quality.missing(there) == [step for step in before if step != ("detector", "mnist:3", 0)]
    assert quality.read("mnist:3", 0, there) == quality.read("mnist:3", 0, here)
    assert quality.read("mnist:4", 0, there)["detector"]["auroc"] == 0.8, "what was measured here stays"


def test_a_part_of_the_test_images_keeps_the_shares_of_their_kinds():
    kinds = np.repeat(["good", "crack", "hole"], [600, 300, 100])
    split = Split(np.zeros((1000, 4, 4, 1)), kinds=kinds, names=[str(i) for i in range(1000)])
    some = quality.by_class(split, 50, seed=0)
    assert [int((some.kinds == kind).sum()) for kind in ("good", "crack", "hole")] == [30, 15, 5]
    assert len(set(some.names)) == 50
    assert some.names.tolist() == quality.by_class(split, 50, seed=0).names.tolist()
    assert len(quality.by_class(split, 2000, seed=0)) == 1000
