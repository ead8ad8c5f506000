"""Detectors in folders: the format of before is still read."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from anogan_lib import AnoGAN, datasets, saving

FORMAT_2 = Path(__file__).parent / "format2"  # a detector of two epochs, written by commit da58f03


def test_a_detector_of_format_2_is_what_it_was(tmp_path):
    expected = np.load(FORMAT_2 / "expected.npz")
    images = datasets.load("digits:8", size=16).test.images[:20]
    detector = AnoGAN.load(FORMAT_2)
    assert repr(detector) == "AnoGAN(16x16x1, recipe='best')"
    for _ in range(2):  # as it was read, and as it is written and read again
        found = detector.predict(images)
        np.testing.assert_allclose(found.scores, expected["scores"], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.p_values, expected["p_values"])
        np.testing.assert_allclose(found.maps.mean(axis=(1, 2)), expected["maps"], rtol=1e-3)
        np.testing.assert_allclose(detector.invert(images).scores(0.1, "paper"), expected["paper"], rtol=1e-4)
        for name in ("threshold", "pixel_threshold", "map_scale"):
            assert getattr(detector, name) == pytest.approx(float(expected[name]), rel=1e-4)
        detector.save(tmp_path)
        detector = AnoGAN.load(tmp_path)
    assert detector.card["data"] == "digits:8" and detector.card["recipe"] == "best"


def test_a_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "below" / "a.txt"
    saving.write_text(file, "before")
    monkeypatch.setattr(saving.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"a\.txt"):
        saving.write_text(file, "after")
    assert file.read_text() == "before" and [path.name for path in file.parent.iterdir()] == ["a.txt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "kept").mkdir()
    for name in ("old.txt", "new.txt"):
        (tmp_path / name).symlink_to(f"kept/{name}")
    (tmp_path / "kept" / "old.txt").write_text("before")
    for name in ("old.txt", "new.txt"):  # new.txt leads to no file yet
        saving.write_text(tmp_path / name, "after")
        assert (tmp_path / name).is_symlink() and (tmp_path / "kept" / name).read_text() == "after"
    assert len(list((tmp_path / "kept").iterdir())) == 2
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        saving.write_text(tmp_path / "loop", "text")
    assert (tmp_path / "loop").is_symlink()


def test_a_fifo_and_a_device_are_written_through(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    (tmp_path / "null").symlink_to("/dev/null")
    with ThreadPoolExecutor(1) as pool:
        for name in ("fifo", "link"):
            reader = pool.submit((tmp_path / "fifo").read_text)
            saving.write_text(tmp_path / name, "text")
            assert reader.result(10) == "text"
    saving.write_text(tmp_path / "null", "text")
    assert (tmp_path / "fifo").is_fifo() and len(list(tmp_path.iterdir())) == 3


def test_a_text_is_utf_8_whatever_names_it_holds(tmp_path):
    saving.write_text(tmp_path / "a.txt", "caf\udce9 é \ud800\n")
    assert (tmp_path / "a.txt").read_bytes() == "caf\\udce9 é \\ud800\n".encode()


def test_a_card_is_a_page_for_people():
    card = {"data": "nuts", "description": "Nuts.", "command": "anogan train nuts", "threshold": 1.23456}
    text = saving.card_as_text(card | {"results": {"auroc": 0.98765, "baselines": {"PCA": 0.5}}})
    assert text.startswith("# Detector trained on nuts\n\nNuts.\n\nanogan train nuts\n")
    assert "- threshold: 1.235\n- auroc: 0.9877\n- baselines: PCA 0.5\n" in text
