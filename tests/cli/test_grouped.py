"""Groups on the command line: from the folder through training, its card, evaluation, report and export."""

import json

import numpy as np
import pytest
from PIL import Image

from anogan_lib import AnoGAN, datasets
from anogan_lib.cli import main
from anogan_lib.evaluation import thresholds
from anogan_lib.fast import encoder
from anogan_lib.litert import LiteDetector

LOTS = r"lot(\d+)"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Digits as parts of 20 lots, three each, in a folder with an unusual name; and others."""
    folder = tmp_path_factory.mktemp("photos")
    data = datasets.load("digits:8", size=16)
    eights = data.train.images[:60]
    others = data.test.images[data.test.labels == 1][:10]
    for kind, images in (("fine", eights), ("other", others)):
        (folder / kind).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(np.uint8((image[..., 0] + 1) * 127.5)).save(folder / kind / f"lot{i // 3:02d}_{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """Detectors of one epoch: one whose groups keep a promise, one with an estimate."""
    out = tmp_path_factory.mktemp("trained")
    words = ["train", str(photos), "--normal", "fine", "--groups", LOTS]
    words += ["--latent-dim", "4", "--width", "4", "--epochs", "1", "--out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "ADAPTED", encoder.ADAPTED._replace(steps=20))
        assert main([*words, str(out / "refused")]) == 2
        assert main([*words, str(out / "promise"), "--false-alarm-rate", "0.3"]) == 0
        assert main([*words, str(out / "estimate"), "--estimate"]) == 0
    return out


def test_so_few_groups_are_refused_before_any_training(trained, photos, capsys):
    assert not (trained / "refused").exists()
    words = ["train", str(photos), "--normal", "fine", "--groups", LOTS, "--out", str(trained / "no")]
    assert main(words) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("anogan:")]
    assert len(said) == 1 and "3 groups of normal images cannot promise a false-alarm rate of 5 %" in said[0]
    assert main([*words[:-3], "x", "--out", str(trained / "no")]) == 2
    assert "names no group for the image fine/lot00_00.png" in capsys.readouterr().err


def test_the_detector_keeps_what_its_threshold_needs(trained, photos):
    data = datasets.load(photos, normal="fine", groups=LOTS)
    for name, rate in (("promise", 0.3), ("estimate", 0.05)):
        detector, card = AnoGAN.load(trained / name), json.loads((trained / name / "card.json").read_text())
        assert card["groups"] == LOTS and card["groups_in"]["calibration"] == data.calibration.group_count == 3
        assert "groups in: train" in (trained / name / "card.md").read_text()
        scores, groups = detector.predict(data.calibration).scores, data.calibration.groups
        wanted = thresholds.hierarchical(scores, rate, groups, estimate=name == "estimate")
        assert detector.threshold == pytest.approx(float(wanted), rel=1e-4)
        assert detector.threshold.description == wanted.description and "in 3 groups" in wanted.description
        new = detector.predict(data.test)
        assert new.p_values == pytest.approx(thresholds.p_values(scores, new.scores, groups), abs=0.09)
        assert set(np.round(new.p_values, 6)) <= set(np.round((1 + np.arange(10) / 3) / 4, 6))
    words = ["score", str(trained / "estimate"), str(photos / "fine" / "lot00_00.png"), "--steps", "1"]
    assert main(words) == 0  # calibrated again, an estimate stays one
    detector.calibration.estimate = False
    with pytest.raises(ValueError, match="3 groups"):
        detector.threshold  # noqa: B018


def test_evaluate_takes_the_folder_of_normal_images_and_the_groups_from_the_card(trained, photos, tmp_path, capsys):
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    words = ["evaluate", str(trained / "promise"), str(photos), "--json", str(figures)]
    assert main([*words, "--report", str(page)]) == 0
    told = json.loads(figures.read_text())
    test = datasets.load(photos, normal="fine", groups=LOTS).test
    assert dict(zip(told["names"], told["groups"], strict=True)) == dict(zip(test.names, test.groups, strict=True))
    assert told["group_count"] == test.group_count
    assert f"in {test.group_count} groups" in capsys.readouterr().out
    assert f"The images come in {test.group_count} groups." in page.read_text(encoding="utf-8")
    assert main([*words, "--groups", ""]) == 0
    assert json.loads(figures.read_text())["group_count"] is None
    assert main([*words, "--normal", "other"]) == 0
    assert json.loads(figures.read_text())["kinds"].count("good") == 10


def test_an_exported_detector_counts_the_same_groups(trained, photos, tmp_path):
    detector, images = AnoGAN.load(trained / "estimate"), datasets.labelled_folder(photos, normal="fine")[50:]
    assert main(["export", str(trained / "estimate"), "--out", str(tmp_path / "it.tflite")]) == 0
    lite, wanted = LiteDetector(tmp_path / "it.tflite"), detector.predict(images)
    assert lite.threshold == pytest.approx(float(detector.threshold), rel=1e-6)
    assert lite.threshold.description == detector.threshold.description
    raw = [float(lite._run(image=image[None])["p_value"][0]) for image in images.images]
    assert raw == pytest.approx(lite.predict(images.images).p_values, abs=1e-6)
    assert lite.predict(images.images).p_values == pytest.approx(wanted.p_values, abs=0.09)
