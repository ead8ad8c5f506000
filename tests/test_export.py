"""Exported detectors: the same scores as the library, in a process that has neither TensorFlow nor Keras."""

import csv
import json
import subprocess
import sys
import time
import zlib
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from anogan_lib import DCGAN, AnoGAN, datasets, export
from anogan_lib.cli import main
from anogan_lib.evaluation import thresholds
from anogan_lib.litert import LiteDetector, read_card

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_TENSORFLOW = """
import sys
import time
import zlib
class Hook:
    def find_spec(self, name, *where):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hook())
from anogan_lib.cli import main
sys.exit(main(sys.argv[1:]))
"""
RAW = {"score": "scores", "p_value": "p_values", "verdict": "verdicts", "map": "maps"}  # other outputs are named alike


def without_tensorflow(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def assert_alike(found, wanted) -> None:
    np.testing.assert_array_equal(found.verdicts, wanted.verdicts)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4, atol=1e-5)  # float32 has no more near 0
    np.testing.assert_allclose(found.p_values, wanted.p_values, atol=1.1 / 80)  # a score may equal a calibration score
    for name in ("residual", "discrimination"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-4)
    for name in ("maps", "reconstruction"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=1e-4)


def assert_outputs(outputs: dict, wanted) -> None:
    assert set(outputs) == set(export.OUTPUTS)
    for name, values in outputs.items():
        np.testing.assert_allclose(values, getattr(wanted, RAW.get(name, name)), rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def encoders(tiny_data):
    """Detectors that need no search, trained for seconds, the first with a region: by recipe."""
    gan = DCGAN(image_shape=tiny_data.image_shape, latent_dim=4, width=4, seed=0)
    gan.train(tiny_data.train, epochs=2, verbose=False)
    region = np.ones((16, 16), bool)
    region[:4] = False
    made = {name: AnoGAN(gan, recipe=name, region=region if name == "best" else None) for name in ("best", "f-anogan")}
    for detector in made.values():
        detector.fit_encoder(tiny_data.train, epochs=2, verbose=False)
        detector.standardise(tiny_data.validation).calibrate(tiny_data.calibration, 0.2)
    return made


@pytest.fixture(scope="module")
def exported(encoders, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny.tflite"
    export.write(encoders["best"], path)
    return path


@pytest.fixture(scope="module")
def photos(tiny_data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for i, image in enumerate(datasets.images.to_uint8(tiny_data.test.images[:30, ..., 0])):
        Image.fromarray(image).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.mark.parametrize(
    ("name", "spec"), [("digits-8", "digits:8"), ("mnist-8", "digits:8"), ("hazelnut", "hazelnut")]
)
def test_a_ready_detector_gives_the_same_scores_in_litert(name, spec, tmp_path):
    detector = AnoGAN.load(ROOT / "weights" / name)
    images = datasets.load(spec, size=detector.image_shape[:2]).test.images[::4][:60]
    export.write(detector, tmp_path / "it.tflite")
    lite, wanted = LiteDetector(tmp_path / "it.tflite"), detector.predict(images)
    assert_alike(lite.predict(images), wanted)
    assert repr(lite.threshold) == repr(detector.threshold)
    assert lite.drift(wanted.scores) == detector.drift(wanted.scores)


@pytest.mark.parametrize(("recipe", "score"), [("best", "paper"), ("best", "standardised"), ("f-anogan", "f-anogan")])
def test_every_score_can_be_exported(recipe, score, encoders, tiny_data, tmp_path):
    detector, own = encoders[recipe], encoders[recipe].score
    images = tiny_data.test.images[:20]
    try:
        detector.score = score
        export.write(detector, tmp_path / "it.tflite")
        assert_alike(LiteDetector(tmp_path / "it.tflite").predict(images), detector.predict(images))
    finally:
        detector.score = own


def test_the_graph_itself_gives_p_value_and_verdict(exported, encoders, tiny_data):
    """For those who run the .tflite file without this library, by the runtime's default settings."""
    from ai_edge_litert.interpreter import Interpreter

    images = tiny_data.test.images[:20]
    run = Interpreter(str(exported)).get_signature_runner()
    each = [run(image=image[None]) for image in images]
    outputs = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    assert_outputs(outputs, encoders["best"].predict(images))
    assert 0 < outputs["verdict"].sum() < 20


def test_onnx_gives_the_same_and_holds_the_card(encoders, tiny_data, tmp_path):
    import onnx
    from onnx.reference import ReferenceEvaluator

    images = tiny_data.test.images[:6]
    export.write(encoders["best"], tmp_path / "it.onnx")
    model = onnx.load(tmp_path / "it.onnx")
    assert [each.name for each in model.graph.input] == ["image"]
    run = ReferenceEvaluator(model)
    assert_outputs(
        dict(zip(run.output_names, run.run(None, {"image": images}), strict=True)), encoders["best"].predict(images)
    )
    (card,) = (each.value for each in model.metadata_props if each.key == "card")
    assert json.loads(card) == export.card(encoders["best"])


def test_a_folder_is_a_saved_model_with_a_card(encoders, tiny_data, tmp_path):
    images = tiny_data.test.images[:20]
    export.write(encoders["best"], tmp_path / "served")
    run = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    outputs = {name: each.numpy() for name, each in run(image=tf.constant(images)).items()}
    assert_outputs(outputs, encoders["best"].predict(images))
    assert json.loads((tmp_path / "served" / "card.json").read_text()) == export.card(encoders["best"])


def test_the_command_line_scores_without_tensorflow(exported, encoders, photos, tmp_path):
    """The same table as with the detector's folder, in which nothing but the last digits differs."""
    encoders["best"].save(tmp_path / "detector")
    table = {name: tmp_path / f"{name}.csv" for name in ("lite", "full")}
    said = without_tensorflow(
        "score", exported, photos, "--csv", table["lite"], "--json", tmp_path / "it.json", "--overlays", tmp_path / "o"
    )
    assert said.returncode == 0, said.stderr
    assert main(["score", str(tmp_path / "detector"), str(photos), "--csv", str(table["full"])]) == 0
    lite, full = (list(csv.DictReader(path.open(newline="", encoding="utf-8"))) for path in table.values())
    assert len(lite) == len(full) == 30
    for one, other in zip(lite, full, strict=True):
        assert (one["name"], one["verdict"]) == (other["name"], other["verdict"])
        assert float(one["score"]) == pytest.approx(float(other["score"]), rel=1e-4, abs=1e-5)
    settings = json.loads((tmp_path / "it.json").read_text())
    assert (settings["recipe"], settings["threshold"]) == ("best", pytest.approx(float(encoders["best"].threshold)))
    assert len(list((tmp_path / "o").glob("*_overlay.png"))) == 30
    assert "broken.png" in said.stderr
    again = without_tensorflow("score", exported, photos, "--csv", table["lite"], "--resume")
    assert again.returncode == 0, again.stderr


def test_another_false_alarm_rate_moves_the_threshold(exported, encoders, photos, tmp_path):
    said = without_tensorflow("score", exported, photos, "--false-alarm-rate", "0.4", "--csv", tmp_path / "it.csv")
    assert said.returncode == 0, said.stderr
    scores = encoders["best"].calibration_scores
    wanted = thresholds.conformal(scores, 0.4)
    assert wanted < encoders["best"].threshold
    rows = list(csv.DictReader((tmp_path / "it.csv").open(newline="", encoding="utf-8")))
    assert [row["verdict"] == "anomalous" for row in rows] == [float(row["score"]) > wanted for row in rows]
    assert f"(score above {wanted:.4g})" in said.stdout


def test_without_paths_the_card_is_shown(exported):
    said = without_tensorflow("score", exported)
    assert said.returncode == 0, said.stderr
    for part in ("recipe: best", "image shape: [16, 16, 1]", "value range: [-1, 1]", "threshold: ", "tensorflow "):
        assert part in said.stdout


def test_other_commands_say_that_tensorflow_is_missing():
    said = without_tensorflow("train", "digits:8", "--out", "nowhere")
    assert said.returncode == 2
    assert said.stderr.splitlines() == ["anogan: No module named 'tensorflow'"]


def complaint(capsys, *arguments) -> str:
    """The one sentence that a command ends with."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("anogan:"))
    return line


def test_a_detector_that_searches_is_refused(tiny_detector, tmp_path, capsys):
    said = complaint(capsys, "export", tiny_detector, "--out", tmp_path / "it.tflite")
    assert "by its encoder alone" in said and "searches in 4 steps" in said
    assert list(tmp_path.iterdir()) == []


def test_a_detector_without_threshold_is_refused(tiny_data, tmp_path):
    gan = DCGAN(image_shape=tiny_data.image_shape, latent_dim=4, width=4)
    with pytest.raises(ValueError, match="no threshold yet"):
        export.write(AnoGAN(gan, recipe="f-anogan"), tmp_path / "it.tflite")


@pytest.mark.parametrize("name", ["it.h5", "full", "file", "full.tflite"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(name, encoders, tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in ("full", "full.tflite"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=name):
        export.write(encoders["best"], tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_export_leaves_the_file_before(encoders, tmp_path, monkeypatch):
    (tmp_path / "it.tflite").write_bytes(b"before")
    monkeypatch.setattr(json, "dumps", lambda about: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export.write(encoders["best"], tmp_path / "it.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["it.tflite"]
    assert (tmp_path / "it.tflite").read_bytes() == b"before"


def with_card(exported, path: Path, changed=None, graph: bytes | None = None) -> Path:
    """Write an exported detector with a changed card, or with another graph and its checksum."""
    about = read_card(exported)
    about |= {"calibration_scores": about["calibration_scores"].tolist()}
    if graph is not None:
        about |= {"bytes": len(graph), "crc32": zlib.crc32(graph)}
    path.write_bytes(exported.read_bytes()[: about["bytes"]] if graph is None else graph)
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr("card.json", json.dumps(about | (changed or {})))
    return path


PEAK = """
import sys
from anogan_lib.litert import read_card
from tests.peak import peak
read_card(sys.argv[1])
before = peak()
read_card(sys.argv[2])
print(peak() - before)
"""


def test_a_large_file_is_held_once(exported, tmp_path):
    large = with_card(exported, tmp_path / "large.tflite", graph=bytes(100_000_000))
    told = subprocess.run([sys.executable, "-c", PEAK, exported, large], cwd=ROOT, capture_output=True, check=True)
    assert int(told.stdout) < 1.5 * large.stat().st_size


@pytest.mark.parametrize("damage", ["cut", "changed", "no detector"])
def test_a_damaged_file_is_one_sentence(damage, exported, tmp_path, capsys):
    whole, path = exported.read_bytes(), tmp_path / "it.tflite"
    half = len(whole) // 2
    changed = whole[:half] + bytes([whole[half] ^ 255]) + whole[half + 1 :]
    path.write_bytes({"cut": whole[:half], "changed": changed, "no detector": b"hello"}[damage])
    assert f"Cannot read {path}: " in complaint(capsys, "score", path, "x.png")


@pytest.mark.parametrize(
    "changed",
    [
        {"image_shape": [10**9, 16, 1]},
        {"image_shape": [32, 16, 1]},
        {"image_shape": 16},
        {"image_shape": [16, 16, True]},
        {"calibration_scores": [float("nan")]},
        {"calibration_scores": [[1.0], [2.0]]},
        {"calibration_scores": []},
        {"calibration_groups": [1]},
        {"calibration_groups": "ab"},
        {"false_alarm_rate": 1e-320},
        {"false_alarm_rate": None},
        {"recipe": "\x1b[31mred"},
        {"score": ["best"]},
        {"lam": "0.5"},
        {"lam": 2},
        {"steps": 10**6},
        {"map_scale": float("inf")},
        {"estimate": "no"},
        {"file_range": [1, 0]},
        {"bytes": -1},
        {"bytes": "many"},
        {"note": [[]] * 2_000_000},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_a_crafted_card_is_one_sentence(changed, exported, tmp_path, capsys):
    path = with_card(exported, tmp_path / "it.tflite", changed)
    began = time.process_time()
    said = complaint(capsys, "score", path, "x.png")
    assert f"Cannot read {path}: " in said and said.isprintable() and time.process_time() - began < 2


def test_a_card_does_not_steer_the_terminal(exported, tmp_path, capsys):
    path = with_card(exported, tmp_path / "it.tflite", {"description": "\x1b]0;red\x07\u202e", "\x1b[2J": 1})
    assert main(["score", str(path)]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_a_graph_that_is_none_is_one_sentence(exported, tmp_path, capsys):
    path = with_card(exported, tmp_path / "it.tflite", graph=b"TFL3" * 100)
    assert f"Cannot read {path}: " in complaint(capsys, "score", path, "x.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--lam", "0.3", "x.png"], "--lam cannot change"), (["--steps", "3", "x.png"], "--steps cannot change")],
)
def test_options_that_need_the_networks_are_refused(arguments, said, exported, capsys):
    assert said in complaint(capsys, "score", exported, *arguments)


def test_what_is_no_exported_detector_is_named(tmp_path, tiny_detector, capsys):
    (tmp_path / "it.onnx").write_bytes(b"onnx")
    assert "not a single file" in complaint(capsys, "score", tmp_path / "it.onnx", "x.png")
    assert "There is no file" in complaint(capsys, "score", tmp_path / "no.tflite", "x.png")
    assert "Name the images" in complaint(capsys, "score", tiny_detector)


def test_images_of_another_shape_are_refused(exported):
    with pytest.raises(ValueError, match=r"16 x 16 x 1. Received: shape \(1, 8, 8, 1\)"):
        LiteDetector(exported).predict(np.zeros((1, 8, 8, 1), "float32"))
