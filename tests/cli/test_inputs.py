"""What the command line says of a folder's images and masks, and how it reads more than 8 bits."""

import csv

import numpy as np
import pytest
from PIL import Image

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib.cli.main import main


def save(folder, n, start=0, top=255, dtype=np.uint8):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        pixels = np.random.default_rng(start + i).uniform(0, top, (16, 16)).astype(dtype)
        Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture
def parts(tmp_path):
    """A folder OK/ of 12-bit images, NG/ with one mask of two beside its image, by-products and a broken file."""
    save(tmp_path / "parts" / "OK", 20, top=4000, dtype=np.uint16)
    save(tmp_path / "parts" / "NG" / "monday", 2, 50, top=4000, dtype=np.uint16)
    save(tmp_path / "parts" / "__MACOSX" / "NG", 2)
    mask = np.zeros((16, 16), np.uint8)
    mask[2:5, 3:6] = 3
    Image.fromarray(mask).save(tmp_path / "parts" / "NG" / "monday" / "1_gt.PNG")
    (tmp_path / "parts" / "OK" / "broken.jp2").write_bytes(b"no image")
    return tmp_path / "parts"


def test_data_says_what_is_read_and_what_is_not(parts, capsys):
    assert main(["data", str(parts)]) == 0
    out, error = capsys.readouterr()
    assert "values from 0 (black) to 4095 (white)" in out and "masks: yes" in out and error == ""
    notes = [line for line in out.splitlines() if line.startswith("- ")]
    assert len(notes) == 2 and "broken.jp2: it is not an image file. It is left out." in notes[0]
    assert "There is no mask of" in notes[1] and "NG/monday/0.png" in notes[1]
    assert [line.split() for line in out.splitlines() if "NG" in line.split()] == [["test", "NG", "2"]]


def test_nothing_is_said_that_names_no_file(tmp_path, capsys):
    """Neither by Pillow, of EXIF tags that are damaged, nor by NumPy, of numbers beyond those of their type."""
    rng = np.random.default_rng(0)
    (tmp_path / "jpg").mkdir()
    for i in range(15):
        Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)).save(
            tmp_path / "jpg" / f"{i}.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0"
        )
    for top, dtype in ((1, np.float16), (2**63, np.uint64)):
        (tmp_path / dtype.__name__).mkdir()
        for i in range(15):
            np.save(tmp_path / dtype.__name__ / f"{i}.npy", rng.uniform(0, top, (20, 20)).astype(dtype))
    for folder in (tmp_path / "float16", tmp_path / "uint64", tmp_path / "jpg"):
        assert main(["data", str(folder), "--normal", "."]) == 0
        out, error = capsys.readouterr()
        assert error == "" and not [
            line for line in out.splitlines() if line.startswith("- ") and str(tmp_path) not in line
        ]


def test_the_name_of_a_kind_steers_no_terminal(parts, tiny_detector, capsys):
    (parts / "NG").rename(parts / "\x1b[2JNG\nx")
    assert main(["data", str(parts)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "  \\x1b[2JNG\\nx " in out
    for path in parts.rglob("[0-9]*.png"):
        Image.open(path).convert("L").save(path)
    assert main(["evaluate", str(tiny_detector), str(parts)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "  \\x1b[2JNG\\nx" in out


def test_the_normal_folder_can_be_named(parts, capsys):
    (parts / "OK").rename(parts / "Gutteile")
    assert main(["data", str(parts)]) == 2
    assert "The option normal names the folder" in capsys.readouterr().err
    assert main(["data", str(parts), "--normal", "gutteile"]) == 0
    assert ["test", "NG", "2"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_training_refuses_images_without_contrast(tmp_path, capsys):
    for i in range(20):
        (tmp_path / "even").mkdir(exist_ok=True)
        Image.new("L", (16, 16), i).save(tmp_path / "even" / f"{i}.png")
    assert main(["train", str(tmp_path / "even"), "--out", str(tmp_path / "out")]) == 2
    assert "20 normal images are without any contrast" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_new_images_are_read_in_the_range_of_the_training_images(parts, tmp_path, capsys):
    data = datasets.load(parts)
    detector = AnoGAN(DCGAN(data.image_shape, latent_dim=4, width=4, seed=0), steps=1)
    detector.standardise(data.validation).calibrate(data.calibration, false_alarm_rate=0.3)
    detector.save(tmp_path / "detector")
    save(tmp_path / "new", 3, 90, top=1000, dtype=np.uint16)  # a range of their own would be 0 to 1023
    bright = np.full((16, 16), 9000, np.uint16)
    bright[:8] = 100
    Image.fromarray(bright).save(tmp_path / "new" / "bright.png")
    assert main(["score", str(tmp_path / "detector"), str(tmp_path / "new"), "--csv", str(tmp_path / "t.csv")]) == 0
    assert "bright.png: 50% of its values lie outside the range 0 to 4095" in capsys.readouterr().err
    with open(tmp_path / "t.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    for row in rows[:3]:
        image = 2 * np.asarray(Image.open(row["name"]), "float32") / 4095 - 1
        score = detector.predict(image[None, ..., None]).scores[0]
        assert float(row["score"]) == pytest.approx(score, rel=1e-4)


def test_masks_are_not_scored_and_further_frames_are_said(parts, tiny_detector, tmp_path, capsys):
    assert main(["score", str(tiny_detector), str(parts / "NG")]) == 2  # 16 bits, and it has learned 8
    assert "1_gt.PNG: masks are not scored." in (said := capsys.readouterr().err) and "_gt.PNG: its values" not in said
    for path in parts.rglob("[01].png"):
        Image.open(path).convert("L").save(path)
    frames = [Image.new("L", (16, 16), 90 * i) for i in range(3)]
    frames[0].save(parts / "NG" / "moving.gif", save_all=True, append_images=frames[1:])
    assert main(["score", str(tiny_detector), str(parts / "NG"), "--csv", str(tmp_path / "t.csv")]) == 0
    assert "note: " in (said := capsys.readouterr().err) and "moving.gif: the first of several frames is read." in said
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4
