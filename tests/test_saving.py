"""Detectors in folders: those of earlier formats are still read, and what is saved is read again."""

import contextlib
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN, datasets, saving
from anogan_lib.datasets.base import Split

FORMAT_2 = Path(__file__).parent / "format2"  # a detector of two epochs, written by commit da58f03
FORMAT_1 = Path(__file__).parent / "format1"  # another, by commit 306a59b; expected.npz is of its standardised score


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


def test_of_a_detector_of_format_1_r_and_d_are_what_they_were(tmp_path):
    expected = np.load(FORMAT_1 / "expected.npz")
    images = datasets.load("digits:8", size=16).test.images[:20]
    with pytest.warns(UserWarning, match='format 1, whose score "best" is no more: "standardised" is used'):
        detector = AnoGAN.load(FORMAT_1)
    for _ in range(2):  # as it was read, and as it is written and read again
        assert detector.score == "standardised" and detector.card["data"] == "digits:8"
        found = detector.predict(images)
        np.testing.assert_allclose(found.scores, expected["standard"], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.p_values, expected["p_values"])
        assert float(detector.threshold) == pytest.approx(float(expected["threshold"]), rel=1e-4)
        detector.save(tmp_path)
        detector = AnoGAN.load(tmp_path)
    detector.score = "best"  # what it learned for it is forgotten
    with pytest.raises(ValueError, match="needs the spreads"):
        detector.predict(images)


def edited_format_1(folder, **settings):
    """Copy the detector of format 1, with other settings in its detector.json."""
    shutil.copytree(FORMAT_1, folder)
    about = json.loads((folder / "detector.json").read_text())
    about["settings"] |= settings
    (folder / "detector.json").write_text(json.dumps(about))
    return folder


def test_a_calibration_of_a_search_that_is_no_more_does_not_count(tmp_path):
    detector = AnoGAN.load(edited_format_1(tmp_path / "a", score="paper", steps=100))
    with pytest.raises(ValueError, match="no threshold yet"):
        detector.predict(np.zeros((1, 16, 16, 1), "float32"))


def test_format_1_is_checked_like_any_other(tmp_path):
    with pytest.raises(ValueError, match=r"detector\.json: steps is a whole number"):
        AnoGAN.load(edited_format_1(tmp_path / "a", steps=-1, score="paper"))


def digests(count, name):
    return {name.format(i): hashlib.sha256(b"%d" % i).hexdigest()[:16] for i in range(count)}


def test_a_detector_of_very_many_images_is_read_again(tmp_path):
    """Names are left out where they would make splits.json too large to be read."""
    detector = AnoGAN(DCGAN((16, 16, 1), latent_dim=2, width=2))
    detector.split_digests = {"train": digests(200_000, "a folder with a long name/and another one/{:06d}.png")}
    detector.save(tmp_path)
    kept = AnoGAN.load(tmp_path).split_digests["train"]
    assert list(kept.values()) == list(detector.split_digests["train"].values())


def test_names_full_of_brackets_are_read_again(tmp_path):
    detector = AnoGAN(DCGAN((16, 16, 1), latent_dim=2, width=2))
    detector.split_digests = {"train": digests(30_000, "[{{" * 20 + "{:05d}.png")}
    detector.save(tmp_path)
    assert [*AnoGAN.load(tmp_path).split_digests["train"].values()] == [*detector.split_digests["train"].values()]


@pytest.mark.parametrize(
    "card",
    [{"note": float("nan")}, {"note": np.float32(1)}, {"data": 3}, {"results": []}, {"note": [[[[[[[[[[[0]]]]]]]]]]]}],
)
def test_what_could_not_be_read_again_is_not_saved(card, tmp_path):
    """What was saved before stays as it was."""
    detector = AnoGAN(DCGAN((16, 16, 1), latent_dim=2, width=2))
    detector.save(tmp_path, {"note": "before"})
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"^This detector is not saved, for it could not be read again"):
        detector.save(tmp_path, card)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_loading_again_makes_no_new_names_of_variables():
    """TensorFlow keeps about 36 kB for each name of a variable that there ever was."""

    def names():
        gan = AnoGAN.load(FORMAT_2).gan
        variables = [*gan.averaged.weights, *gan.discriminator.weights, *gan.g_optimizer.variables]
        return [each.value.name for each in variables]

    assert names() == names()


def test_images_of_one_name_are_all_remembered():
    images = np.random.default_rng(0).uniform(-1, 1, (12, 16, 16, 1)).astype("float32")
    split = Split(images, names=["a.png"] * 12)
    detector = AnoGAN(DCGAN((16, 16, 1), latent_dim=2, width=2), steps=1)
    detector.standardise(split)
    assert len(detector.unseen(split)) == 0


def small(seed):
    return AnoGAN(DCGAN((16, 16, 1), latent_dim=2, width=2, seed=seed))


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def interrupt(monkeypatch, function, after):
    """Let a function of `os` work so many times, and then be interrupted."""
    works, left = getattr(os, function), iter(range(after))

    def once_too_often(*args, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return works(*args, **options)

    monkeypatch.setattr(os, function, once_too_often)


@pytest.mark.parametrize(
    "what, function, after, kept",
    [
        ("dcgan", "rename", 0, 1),
        ("dcgan", "replace", 1, 2),
        ("detector", "replace", 0, 1),  # by which a text is written
        ("detector", "rename", 0, 1),
        *[("detector", "replace", i, 2) for i in (3, 4, 6)],
        ("detector", "unlink", 2, 2),  # each of two texts before ends with one
    ],
)
def test_an_interruption_leaves_the_old_or_the_new_one(what, function, after, kept, tmp_path, monkeypatch):
    """Never a part of each, whoever reads it."""
    made = [small(seed) if what == "detector" else small(seed).gan for seed in (1, 2)]
    made[0].save(tmp_path, **{"card": {"note": "old"}} if what == "detector" else {})
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        interrupt(patch, function, after)
        made[1].save(tmp_path)
    gan, wanted = DCGAN.load(tmp_path), getattr(made[kept - 1], "gan", made[kept - 1])
    for name in ("averaged", "discriminator"):
        for one, other in zip(getattr(gan, name).get_weights(), getattr(wanted, name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert gan.settings.seed == kept
    if what == "detector":
        assert AnoGAN.load(tmp_path).card.get("note") == {1: "old", 2: None}[kept]
    assert not any(file.name.startswith(".") for file in tmp_path.iterdir())


def test_files_of_something_else_are_kept(tmp_path):
    others = {name: f"my {name}".encode() for name in ("card.json", "region.npy", "usual.npz", "notes.txt")}
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"card\.json is no file of a detector and would be lost"):
        small(1).save(tmp_path, {"note": "one"})
    assert contents(tmp_path) == others
    small(1).save(tmp_path)
    assert others.items() <= contents(tmp_path).items()
    small(2).save(tmp_path)  # over the one before
    assert others.items() <= contents(tmp_path).items() and AnoGAN.load(tmp_path).gan.settings.seed == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "generator.keras").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"generator\.keras is no file of a detector"):
        small(1).gan.save(tmp_path / "other")
    assert contents(tmp_path / "other") == {"generator.keras": b"mine"}


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "generator.keras").write_bytes(b"mine")
    (folder := tmp_path / "detector").mkdir()
    (folder / ".unfinished").symlink_to("../elsewhere")
    with pytest.raises(ValueError, match=r"\.unfinished is a link"):
        small(1).save(folder)
    assert contents(tmp_path / "elsewhere") == {"generator.keras": b"mine"}


def test_a_dcgan_is_not_saved_over_that_of_a_detector(tmp_path):
    small(1).save(tmp_path)
    with pytest.raises(ValueError, match="holds a detector"):
        small(2).gan.save(tmp_path)
    assert AnoGAN.load(tmp_path).gan.settings.seed == 1


def test_losses_that_format_1_lacks_are_named(tmp_path):
    folder = edited_format_1(tmp_path / "a")
    kept = {name: value for name, value in np.load(folder / "calibration.npz").items() if name != "discrimination"}
    np.savez_compressed(folder / "calibration.npz", **kept)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"calibration\.npz: 'discrimination' is missing"):
        AnoGAN.load(folder)


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
    assert "- threshold: 1.235\n\nOn test images:\n\n- auroc: 0.9877\n- baselines: PCA 0.5\n" in text
