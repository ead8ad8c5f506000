"""The command line as its users meet it: what it writes and prints, and what it says of bad input."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anogan_lib import DCGAN, AnoGAN, datasets, scores
from anogan_lib.cli import main
from anogan_lib.cli.files import kind_of
from anogan_lib.cli.main import RECIPES, SCORES
from anogan_lib.cli.tables import COLUMNS
from anogan_lib.datasets.images import read_image
from anogan_lib.fast import encoder

TINY = ["train", "digits:8", "--size", "16", "--latent-dim", "4", "--width", "4"]


@pytest.fixture(autouse=True)
def short_encoder_training(monkeypatch):
    for name in ("ADAPTED", "PUBLISHED"):
        monkeypatch.setattr(encoder, name, getattr(encoder, name)._replace(steps=20))


def read_csv(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def complaints(capsys) -> list[str]:
    """The lines on standard error that are the command's own; progress bars are not."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return [line for line in said.replace("\r", "\n").splitlines() if line.startswith("anogan:")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Images of every mode and size, broken files among them: (folder, readable names, other names)."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)

    def noise(height, width, *channels, dtype="uint8"):
        return rng.integers(0, np.iinfo(dtype).max, (height, width, *channels)).astype(dtype)

    made = {
        "grey.png": Image.fromarray(noise(16, 16)),
        "wide.png": Image.fromarray(noise(20, 90, 3)),
        "tall.bmp": Image.fromarray(noise(70, 11, 3)),
        "clear.png": Image.fromarray(noise(24, 24, 4), "RGBA"),
        "press.jpg": Image.fromarray(noise(24, 24, 4), "CMYK"),
        "deep.png": Image.fromarray(noise(18, 18, dtype="uint16")),
        "palette.gif": Image.fromarray(noise(18, 18, 3)).convert("P"),
        "same.png": Image.fromarray(noise(16, 16)),
        "same.jpg": Image.fromarray(noise(16, 16)),
        "good/2.png": Image.fromarray(noise(16, 16)),
        "good/10.png": Image.fromarray(noise(16, 16)),
        "crack/2.png": Image.fromarray(noise(16, 16)),
    }
    for name, image in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        image.save(path)
    whole = (folder / "wide.png").read_bytes()
    broken = {
        "cut off.png": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "text.png": b"no",
        "notes.txt": b"hello",
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    (folder / ".hidden.png").write_bytes(b"")
    return folder, set(made), set(broken)


@pytest.fixture(scope="module")
def scored(photos, tiny_detector, tmp_path_factory):
    """One run of `anogan score` over the photos, as a process of its own."""
    out = tmp_path_factory.mktemp("scored")
    options = ["--csv", out / "scores.csv", "--json", out / "scores.json", "--overlays", out / "pictures"]
    command = [sys.executable, "-m", "anogan_lib", "score", tiny_detector, photos[0], *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True), out


def test_score_gives_a_row_for_each_readable_image_and_names_the_others(photos, scored):
    folder, readable, broken = photos
    said, out = scored
    assert said.returncode == 0, said.stderr
    found = read_csv(out / "scores.csv")
    assert {row["name"] for row in found} == {(folder / name).as_posix() for name in readable}
    assert len(found) == len(readable)
    assert tuple(found[0]) == COLUMNS
    lines = [line for line in said.stderr.replace("\r", "\n").splitlines() if line.startswith("anogan:")]
    assert len(lines) == len(broken)
    for name in broken:
        assert sum(str(folder / name) in line for line in lines) == 1
    assert "Traceback" not in said.stderr


def test_score_is_what_the_library_says(scored, tiny_detector):
    detector = AnoGAN.load(tiny_detector)
    rows = read_csv(scored[1] / "scores.csv")
    found = detector.predict(np.stack([read_image(row["name"], detector.image_shape) for row in rows]))
    for column in ("residual", "discrimination", "p_value"):
        name = {"p_value": "p_values"}.get(column, column)
        np.testing.assert_allclose([float(row[column]) for row in rows], getattr(found, name), rtol=1e-4)
    np.testing.assert_allclose([float(row["score"]) for row in rows], found.scores, rtol=1e-4, atol=1e-4)
    for row in rows:
        assert (row["verdict"] == "anomalous") == (float(row["score"]) > detector.threshold)


def test_score_knows_kind_and_label_where_the_folder_tells(photos, scored):
    known = {row["name"]: (row["kind"], row["label"]) for row in read_csv(scored[1] / "scores.csv")}
    assert known[f"{photos[0]}/good/10.png"] == ("good", "0")
    assert known[f"{photos[0]}/crack/2.png"] == ("crack", "1")
    assert known[f"{photos[0]}/grey.png"] == ("", "")


@pytest.mark.parametrize(
    ("files", "given", "expected"),
    [
        (["good/a.png", "new/b.png"], ["new"], {"new/b.png": (None, None)}),  # photographs beside the training images
        (["good/a.png", "new/b.png"], ["new/b.png"], {"new/b.png": (None, None)}),
        (["good/a.png", "cut/b.png"], ["."], {"good/a.png": ("good", 0), "cut/b.png": ("cut", 1)}),
        (["good/a.png", "cut/b.png"], ["good", "cut"], {"good/a.png": ("good", 0), "cut/b.png": (None, None)}),
        (["good/a.png", "cut/deep/b.png", "c.png"], ["."], {"cut/deep/b.png": (None, None), "c.png": (None, None)}),
        (["good/a.png", "test/b.png"], ["."], {"test/b.png": (None, None)}),
        (["train/good/a.png", "test/cut/b.png"], ["test"], {"test/cut/b.png": ("cut", 1)}),
        (["test/good/a.png", "test/cut/b.png"], ["test/cut"], {"test/cut/b.png": ("cut", 1)}),
        (
            ["train/good/a.png", "test/cut/b.png"],
            ["."],
            {"train/good/a.png": ("good", 0), "test/cut/b.png": ("cut", 1)},
        ),
        (["test/cut/b.png"], ["."], {"test/cut/b.png": (None, None)}),
    ],
)
def test_a_folder_is_a_kind_of_defect_only_within_a_data_set(files, given, expected, tmp_path, monkeypatch):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for start in ("", f"{tmp_path}/"):  # relative and absolute paths
        monkeypatch.chdir(tmp_path)
        paths = [f"{start}{path}" for path in given]
        assert {name: kind_of(Path(start) / name, paths) for name in expected} == expected


def test_score_goes_through_folders_in_natural_order(scored):
    names = [row["name"] for row in read_csv(scored[1] / "scores.csv")]
    good = [name for name in names if "/good/" in name]
    assert [name.rpartition("/")[2] for name in good] == ["2.png", "10.png"]


def test_score_json_has_the_same_rows_and_the_threshold(scored, tiny_detector):
    content = json.loads((scored[1] / "scores.json").read_text())
    assert content["threshold"] == pytest.approx(AnoGAN.load(tiny_detector).threshold)
    rows = read_csv(scored[1] / "scores.csv")
    assert [row["name"] for row in content["images"]] == [row["name"] for row in rows]
    assert [row["score"] for row in content["images"]] == [float(row["score"]) for row in rows]
    assert content["images"][0].keys() == set(COLUMNS)


def test_score_writes_two_pictures_for_each_image_that_never_collide(photos, scored):
    pictures = scored[1] / "pictures"
    names = {path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png")}
    assert len(names) == 2 * len(photos[1])
    assert {"good/2.png", "good/2_overlay.png", "crack/2.png", "crack/2_overlay.png"} <= names
    assert {"same.png", "same-2.png", "same_overlay.png", "same-2_overlay.png"} <= names
    for name in names:
        with Image.open(pictures / name) as image:
            image.load()
            assert image.width >= 16


def test_several_folders_of_one_naming_stay_apart(photos, tiny_detector, tmp_path):
    good, crack = str(photos[0] / "good"), str(photos[0] / "crack")
    assert main(["score", str(tiny_detector), good, crack, "--overlays", str(tmp_path)]) == 0
    assert sorted(tmp_path.rglob("2.png")) == [tmp_path / "crack" / "2.png", tmp_path / "good" / "2.png"]


def test_score_without_csv_prints_a_table(photos, tiny_detector, capsys):
    assert main(["score", str(tiny_detector), f"{photos[0]}/good"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["score", "p-value", "verdict", "name"]
    assert [line.rpartition("/")[2] for line in lines[1:3]] == ["2.png", "10.png"]


def test_score_fails_only_where_nothing_could_be_scored(photos, tiny_detector, tmp_path, capsys):
    folder, table = photos[0], tmp_path / "scores.csv"

    def score(*paths):
        return main(["score", str(tiny_detector), *(str(folder / path) for path in paths), "--csv", str(table)])

    assert score("no-such.png", "good") == 0
    before = table.read_bytes()
    assert [f"{folder}/no-such.png" in line for line in complaints(capsys)] == [True]
    assert score("text.png") != 0
    assert len(complaints(capsys)) == 2
    assert table.read_bytes() == before  # what an earlier run wrote stays


def test_an_interruption_keeps_the_rows_written_so_far(photos, tiny_detector, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("anogan_lib.cli.files.BATCH", 3)
    predict, calls = AnoGAN.predict, []

    def interrupted(self, images, **options):
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(self, images, **options)

    monkeypatch.setattr(AnoGAN, "predict", interrupted)
    options = ["--csv", str(tmp_path / "a.csv"), "--json", str(tmp_path / "a.json")]
    assert main(["score", str(tiny_detector), str(photos[0]), *options]) == 130
    assert len(read_csv(tmp_path / "a.csv")) == sum(calls[:2]) > 0
    assert len(json.loads((tmp_path / "a.json").read_text())["images"]) == sum(calls[:2])
    assert "interrupted" in complaints(capsys)[-1]


def test_options_set_lambda_score_and_false_alarm_rate_anew(photos, tiny_detector, tmp_path, capsys):
    table = tmp_path / "scores.csv"

    def rows(*options):
        assert main(["score", str(tiny_detector), str(photos[0]), "--csv", str(table), *options]) == 0
        return read_csv(table)

    for lam, column in (("0", "residual"), ("1", "discrimination")):
        for row in rows("--score", "paper", "--lam", lam):
            assert float(row["score"]) == pytest.approx(float(row[column]))
    for rate in (0.1, 0.6):
        for row in rows("--false-alarm-rate", str(rate)):
            assert (row["verdict"] == "anomalous") == (float(row["p_value"]) <= rate)


@pytest.fixture(scope="module")
def digits_detector(tiny_detector, tmp_path_factory):
    """The tiny detector, with a card that names its data."""
    folder = tmp_path_factory.mktemp("carded") / "detector"
    AnoGAN.load(tiny_detector).save(folder, card={"data": "digits:8"})
    return folder


def test_other_steps_get_a_threshold_of_their_own(photos, digits_detector, tiny_data, tmp_path, capsys):
    words = ["score", str(digits_detector), f"{photos[0]}/good", "--json", str(tmp_path / "a.json")]
    expected, found = AnoGAN.load(digits_detector), {}
    for steps, notes in ((4, 0), (6, 1)):  # 4 are its own
        assert main([*words, "--steps", str(steps), "--false-alarm-rate", "0.3"]) == 0
        assert [f"calibrated again for {steps} steps" in line for line in complaints(capsys)] == [True] * notes
        found = json.loads((tmp_path / "a.json").read_text())
        expected.steps = steps
        expected.standardise(tiny_data.validation).calibrate(tiny_data.calibration, 0.3)
        assert found["threshold"] == pytest.approx(expected.threshold, rel=1e-4) and found["steps"] == steps
    assert found["recipe"] == "best"
    assert main([*words, "--steps", "6", "--lam", "0.9", "--score", "standardised"]) == 0
    again = json.loads((tmp_path / "a.json").read_text())  # weighed again, not searched again
    assert [row["residual"] for row in again["images"]] == [row["residual"] for row in found["images"]]
    assert again["lam"] == 0.9 and again["score"] == "standardised"


@pytest.mark.parametrize("card", [{}, {"data": "digits:7"}, {"data": "no such folder"}])
def test_other_steps_are_refused_without_the_calibration_images(card, photos, tiny_detector, tmp_path, capsys):
    AnoGAN.load(tiny_detector).save(tmp_path / "detector", card=card)
    words = ["score", str(tmp_path / "detector"), f"{photos[0]}/good", "--csv", str(tmp_path / "a.csv")]
    assert main([*words, "--steps", "7"]) == 2
    said = complaints(capsys)
    assert len(said) == 1 and "--steps 7" in said[0] and not (tmp_path / "a.csv").exists()


def test_drift_is_told_where_a_batch_does_not_look_like_calibration(tiny_detector, tiny_data, tmp_path, capsys):
    rng = np.random.default_rng(0)
    folders = {
        "same": tiny_data.calibration.images[:25, ..., 0],
        "noise": rng.uniform(-1, 1, (25, 16, 16)),
        "few": rng.uniform(-1, 1, (19, 16, 16)),
    }
    said = {}
    for name, images in folders.items():
        (tmp_path / name).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(np.uint8((image + 1) * 127.5)).save(tmp_path / name / f"{i}.png")
        # the paper's raw sums: what a detector of two epochs thinks normal is no matter to them
        assert main(["score", str(tiny_detector), str(tmp_path / name), "--score", "paper"]) == 0
        said[name] = complaints(capsys)
    assert said["same"] == said["few"] == []
    assert len(said["noise"]) == 1 and "note: Drift" in said["noise"][0] and "p = " in said["noise"][0]


def test_train_evaluate_and_resume(tmp_path, capsys):
    out, figures, table = tmp_path / "detector", tmp_path / "figures.json", tmp_path / "table.csv"
    command = [*TINY, "--out", str(out)]
    assert main([*command, "--epochs", "1"]) == 0
    card = json.loads((out / "card.json").read_text())
    assert card["command"].startswith("anogan train digits:8 ") and card["epochs"] == 1
    assert 0 <= card["results"]["auroc"] <= 1
    assert "digits:8" in (out / "card.md").read_text()
    detector = AnoGAN.load(out)
    assert detector.recipe == "best" and detector.image_shape == (16, 16, 1)
    assert (out / "checkpoint" / "encoder").is_dir() and not [*out.rglob("looked")], "what was kept to go on from goes"

    assert main([*command, "--epochs", "2"]) == 2
    assert "--resume" in complaints(capsys)[-1]
    assert main([*command, "--epochs", "2", "--resume"]) == 0
    assert json.loads((out / "card.json").read_text())["epochs"] == 2

    capsys.readouterr()
    page = tmp_path / "pages" / "report.html"
    options = ["--json", str(figures), "--csv", str(table), "--report", str(page)]
    assert main(["evaluate", str(out), "digits:8", *options]) == 0
    said, found = capsys.readouterr().out, json.loads(figures.read_text())
    evaluation = AnoGAN.load(out).evaluate(datasets.load("digits:8", size=16))
    for name in ("auroc", "average_precision", "accuracy", "trivial_accuracy", "hit_rate", "threshold"):
        assert found[name] == pytest.approx(getattr(evaluation, name), abs=1e-6)
    assert found["baselines"] == pytest.approx(evaluation.baselines)
    assert "3-NN" in said and "PCA" in said and f"{evaluation.auroc:.3f}" in said
    shown = page.read_text(encoding="utf-8")
    assert f"{evaluation.auroc:.3f}" in shown and "anogan train digits:8" in shown
    rows = read_csv(table)
    assert [row["name"] for row in rows] == list(evaluation.names)
    assert {row["label"] for row in rows} == {"0", "1"}


def test_an_unfinished_training_goes_on_when_asked(tmp_path, monkeypatch, capsys):
    command = [*TINY, "--out", str(tmp_path), "--epochs", "2"]
    train = DCGAN.train

    def interrupted(self, *args, **options):
        train(self, *args, **options | {"epochs": 1, "verbose": False})
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DCGAN, "train", interrupted)
        assert main(command) == 130
    assert main(command) == 2
    assert "--resume" in complaints(capsys)[-1]
    assert main([*command, "--resume"]) == 0
    assert json.loads((tmp_path / "card.json").read_text())["epochs"] == 2


def test_training_on_good_images_alone_needs_no_anomalies(photos, tmp_path, capsys):
    folder = tmp_path / "good"
    folder.mkdir()
    for i, image in enumerate(datasets.load("digits:0", size=16).train.images[:60, ..., 0]):
        Image.fromarray(np.uint8((image + 1) * 127.5)).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"no image")
    out = tmp_path / "detector"
    command = ["train", str(folder), "--out", str(out), "--width", "4", "--latent-dim", "4", "--epochs", "1"]
    assert main([*command, "--false-alarm-rate", "0.2"]) == 0
    assert [str(folder / "broken.png") in line for line in complaints(capsys)] == [True]
    assert AnoGAN.load(out).false_alarm_rate == 0.2
    assert main(["score", str(out), str(photos[0] / "good")]) == 0


def test_the_names_on_the_command_line_are_the_librarys():
    assert set(SCORES) == set(scores.NAMES)
    gan = DCGAN(image_shape=(16, 16, 1), width=4)
    assert {AnoGAN(gan, recipe=name).recipe for name in RECIPES} == {"best", "f-anogan", "paper"}


SMALL = ["--width", "4", "--latent-dim", "4", "--epochs", "1", "--false-alarm-rate", "0.2"]


@pytest.fixture
def parts(tmp_path, tiny_data):
    """A folder of sixty good parts and nine bad ones."""
    images = {"good": tiny_data.train.images[:60], "bad": -tiny_data.train.images[:9]}
    for kind, some in images.items():
        for i, image in enumerate(some):
            save_image(tmp_path / "parts" / kind / f"{i:02d}.png", image)
    return tmp_path / "parts"


@pytest.fixture
def parts_detector(parts):
    out = parts.parent / "detector"
    assert main(["train", str(parts), "--out", str(out), *SMALL]) == 0
    return out


def save_image(path: Path, image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8((image[..., 0] + 1) * 127.5)).save(path)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_detector_names_its_recipe(recipe, parts, tmp_path, capsys):
    out = tmp_path / "detector"
    assert main(["train", str(parts), "--out", str(out), *SMALL, "--recipe", recipe]) == 0
    assert json.loads((out / "card.json").read_text())["recipe"] == recipe
    assert f"recipe: {recipe}" in (out / "card.md").read_text() and AnoGAN.load(out).recipe == recipe
    capsys.readouterr()
    assert main(["score", str(out), str(parts / "bad")]) == 0
    assert f'recipe "{recipe}"' in capsys.readouterr().out.splitlines()[-1]


def test_images_that_were_learned_from_are_not_tested_on(parts, parts_detector, tiny_data, tmp_path, capsys):
    table, figures, page = tmp_path / "a.csv", tmp_path / "a.json", tmp_path / "a.html"
    data = datasets.load(parts, size=16)
    learned = {name for part in (data.train, data.validation, data.calibration) for name in part.names}

    def evaluated() -> list[dict]:
        paths = ["--csv", str(table), "--json", str(figures), "--report", str(page)]
        assert main(["evaluate", str(parts_detector), str(parts), *paths]) == 0
        return read_csv(table)

    unchanged = evaluated()
    assert sorted(row["name"] for row in unchanged) == sorted(data.test.names)
    assert str(parts) in page.read_text()
    assert json.loads(figures.read_text())["baselines"].keys() >= {"3-NN", "PCA"}

    save_image(parts / "good" / "000 new.png", tiny_data.calibration.images[0])  # another split is drawn now
    grown = {row["name"] for row in evaluated()}
    assert grown == {row["name"] for row in unchanged} | {"good/000 new.png"}
    assert not grown & learned
    capsys.readouterr()
    evaluated()
    assert re.search(rf"\b{len(learned)} (test )?images left out", capsys.readouterr().out)


def test_a_labelled_folder_of_new_images_is_evaluated_whole(parts_detector, tiny_data, tmp_path):
    for i in range(4):  # too few to train on
        save_image(tmp_path / "new" / "good" / f"{i}.png", tiny_data.calibration.images[i])
        save_image(tmp_path / "new" / "bad" / f"{i}.png", -tiny_data.calibration.images[i])
    table, page = tmp_path / "a.csv", tmp_path / "a.html"
    words = ["evaluate", str(parts_detector), str(tmp_path / "new"), "--csv", str(table), "--report", str(page)]
    assert main(words) == 0
    assert {(row["name"], row["label"]) for row in read_csv(table)} == {
        (f"{kind}/{i}.png", label) for kind, label in (("good", "0"), ("bad", "1")) for i in range(4)
    }


def test_nothing_is_left_to_test_on(parts, parts_detector, tmp_path, capsys):
    seen = datasets.load(parts, size=16).train.names
    for name in seen:
        path = tmp_path / "seen" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((parts / name).read_bytes())
    capsys.readouterr()
    assert main(["evaluate", str(parts_detector), str(tmp_path / "seen")]) == 2
    said = complaints(capsys)
    assert len(said) == 1 and "learned from every image" in said[0]


def test_a_rate_that_the_images_cannot_promise_is_refused_before_training(tmp_path, capsys):
    out = tmp_path / "detector"
    assert main(["train", "digits:8", "--out", str(out), "--false-alarm-rate", "0.001"]) == 2
    assert len(complaints(capsys)) == 1
    assert not out.exists()


def test_data_tells_what_is_there_and_writes_it_as_folders(tmp_path, capsys):
    out = tmp_path / "digits"
    assert main(["data", "digits:8", "--out", str(out)]) == 0
    data, again = datasets.load("digits:8"), datasets.load(out)
    assert str(len(data.train)) in capsys.readouterr().out
    np.testing.assert_allclose(again.calibration.images, data.calibration.images, atol=1 / 255)
    assert sorted(again.test.kinds) == sorted(data.test.kinds)
    assert main(["data", "digits:8", "--out", str(out)]) == 2
    assert str(out) in complaints(capsys)[-1]


@pytest.mark.parametrize(
    ("own", "advice"),
    [((96, 144), "read at 64x96. If defects are fine, --size 96x144"), ((200, 200), "--size 128x128"), ((48, 48), "")],
)
def test_data_tells_what_a_larger_size_would_show(own, advice, tmp_path, capsys):
    random = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(random.integers(0, 256, own, "uint8")).save(tmp_path / f"{i}.png")
    assert main(["data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert advice in said and ("--size" in said) == bool(advice)


@pytest.mark.parametrize(
    "command",
    [
        "score {tmp}/none {photos}",
        "score {photos} {photos}",
        "score {detector} {photos}/notes.txt --lam 1.5",
        "score {detector} {photos} --false-alarm-rate 2",
        "score {detector} {photos} --false-alarm-rate 0.0001",
        "score {detector} {photos} --steps -1",
        "score {detector} {photos}/good --csv {photos}",
        "evaluate {detector} hazelnuts",
        "evaluate {detector} {photos}/none",
        "evaluate {detector} digits:12",
        "evaluate {detector} digits:8 --report {photos}",
        "train {tmp}/none --out {tmp}/out",
        "train digits:8 --out {detector}",
        "train digits:8 --out {detector} --resume",
        "train digits:8 --out {photos}/notes.txt",
        "train digits:8 --out {tmp}/out --size 4",
        "train digits:8 --out {tmp}/out --size 16 --width 0",
        "train digits:8 --out {tmp}/out --size 16 --epochs 0",
        "train digits:8 --out {tmp}/out --seed -1",
        "data nothing",
        "data {photos}/notes.txt",
    ],
)
def test_bad_input_gets_one_sentence(command, photos, tiny_detector, tmp_path, capsys):
    words = command.format(tmp=tmp_path, photos=photos[0], detector=tiny_detector).split()
    assert main(words) == 2
    own = complaints(capsys)
    assert len(own) == 1 and len(own[0]) > 30
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("broken", ["detector.json", "dcgan.json", "generator.keras", "calibration.npz"])
@pytest.mark.parametrize("content", [b"", b"{}", b"rubbish"])
def test_a_broken_detector_gets_one_sentence(broken, content, photos, tiny_detector, tmp_path, capsys):
    folder = tmp_path / "detector"
    folder.mkdir()
    for file in tiny_detector.iterdir():
        (folder / file.name).write_bytes(content if file.name == broken else file.read_bytes())
    assert main(["score", str(folder), str(photos[0] / "good")]) == 2
    own = complaints(capsys)
    assert len(own) == 1 and str(folder) in own[0]


def test_a_bug_is_not_taken_for_a_broken_detector(photos, tiny_detector, monkeypatch):
    def buggy(*_, **__):
        raise AttributeError("a bug")

    monkeypatch.setattr(AnoGAN, "load", buggy)
    with pytest.raises(AttributeError):
        main(["score", str(tiny_detector), str(photos[0] / "good")])


@pytest.mark.parametrize("words", [[], ["demo"], ["train"], ["score"], ["evaluate"], ["data"]])
def test_help_names_every_option(words, capsys):
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: anogan")
    assert ("DATA is one of" in said) == ("demo" not in words and "score" not in words)


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "usage: anogan" in capsys.readouterr().err
