"""Normal images are looked at some at a time: the same numbers, in memory that does not grow with their number."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import anogan_lib.detector
from anogan_lib import AnoGAN
from anogan_lib.evaluation import calibration


def test_some_at_a_time_give_what_all_at_once_give(tiny_detector, tiny_data, monkeypatch):
    """All similar images and maps were kept: 340 GB for the calibration images of a million photographs."""
    detector, images = AnoGAN.load(tiny_detector), tiny_data.calibration
    whole = calibration.look_at(images, detector.invert, detector._all_maps)
    found = detector.invert(images)
    monkeypatch.setattr(calibration, "MAPS", 3)
    counts = []

    def invert(some):
        counts.append(len(some))
        return detector.invert(some)

    losses, peaks, maps = calibration.look_at(images, invert, detector._all_maps, at_once=5)
    assert max(counts) == 5 and sum(counts) == len(images)
    for parts, at_once in ((losses, whole[0]), (peaks, whole[1])):
        assert parts.keys() == at_once.keys() and parts
        for name, values in parts.items():
            assert values.shape == (len(images),)
            assert values == pytest.approx(at_once[name], rel=1e-5), name
    rows = [0, (len(images) - 1) // 2, len(images) - 1]
    for name, of_all in detector._all_maps(found).items():
        assert maps[name].shape == (3, *images.image_shape[:2])
        assert np.allclose(maps[name], of_all[rows], rtol=1e-4, atol=1e-6)
        assert peaks[f"{name}_peak"] == pytest.approx(of_all.max(axis=(1, 2)), rel=1e-4)
        assert whole[2][name].shape == of_all.shape  # fewer than MAPS: all of them


def test_a_detector_of_many_images_is_calibrated_as_one_of_few_at_a_time(tiny_detector, tiny_data, monkeypatch):
    scales, thresholds = [], []
    for at_once in (512, 8):
        monkeypatch.setattr(anogan_lib.detector, "AT_ONCE", at_once)
        detector = AnoGAN.load(tiny_detector, steps=0)
        detector.standardise(tiny_data.validation).calibrate(tiny_data.calibration, false_alarm_rate=0.2)
        scales.append(detector.map_scale)
        thresholds.append(float(detector.threshold))
    assert scales[0] == pytest.approx(scales[1], rel=1e-5)
    assert thresholds[0] == pytest.approx(thresholds[1], rel=1e-4)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def fitted(gan, data, folder=None, lam=0.1):
    """A detector with a search, as `anogan train --recipe paper` fits it."""
    return AnoGAN(gan, steps=4, lam=lam, score="standardised").fit(data, 0.2, False, folder)


@pytest.fixture
def counted(monkeypatch):
    """Counts the images that z was searched for; raises `Killed` once there are `most` of them."""
    count, invert = SimpleNamespace(images=0, most=float("inf")), AnoGAN.invert

    def counting(self, images, **options):
        if count.images >= count.most:
            raise Killed
        count.images += len(images)
        return invert(self, images, **options)

    monkeypatch.setattr(AnoGAN, "invert", counting)
    return count


def learned(detector, folder):
    """All that fitting gives a detector, as it is saved."""
    detector.save(folder)
    about = json.loads((folder / "detector.json").read_text())
    del about["files"]  # digests of the networks' files, which hold names that Keras counts in one process
    return about, (folder / "calibration.npz").read_bytes()


def test_an_interrupted_fit_goes_on_at_the_images_not_looked_at(tiny_detector, tiny_data, tmp_path, counted):
    """It began anew: two minutes for 500 digits, hours for the calibration images of a million photographs."""
    gan = AnoGAN.load(tiny_detector).gan
    wanted = learned(fitted(gan, tiny_data), tmp_path / "wanted")
    in_all, counted.images, kills = counted.images, 0, 0
    assert in_all == 2 * len(tiny_data.validation) + len(tiny_data.calibration)
    counted.most = step = in_all // 5
    while True:
        try:
            detector = fitted(gan, tiny_data, tmp_path / "kept")
            break
        except Killed:
            kills, counted.most = kills + 1, counted.most + step
    assert kills >= 4
    assert counted.images == in_all  # not one image was searched twice
    assert learned(detector, tmp_path / "found") == wanted


def test_what_was_kept_serves_no_other_detector(tiny_detector, tiny_data, tmp_path, counted):
    gan, other = AnoGAN.load(tiny_detector).gan, AnoGAN.load(tiny_detector).gan
    fitted(gan, tiny_data, tmp_path)
    in_all, counted.images = counted.images, 0
    other.averaged.variables[0].assign(2 * other.averaged.variables[0])
    for changed, lam in ((gan, 0.3), (other, 0.1)):
        found, counted.images = fitted(changed, tiny_data, tmp_path, lam), 0
        assert found.calibration_scores == pytest.approx(fitted(changed, tiny_data, lam=lam).calibration_scores)
    assert counted.images == in_all


def test_a_damaged_part_is_looked_at_again_and_a_full_disk_is_a_sentence(tiny_detector, tiny_data, tmp_path, counted):
    gan = AnoGAN.load(tiny_detector).gan
    wanted = fitted(gan, tiny_data, tmp_path).calibration_scores
    parts = sorted((tmp_path / "looked").iterdir())
    assert len(parts) > 5 and {part.suffix for part in parts} == {".npz"}
    parts[0].write_bytes(parts[0].read_bytes()[:100])
    counted.images = 0
    assert np.array_equal(fitted(gan, tiny_data, tmp_path).calibration_scores, wanted)
    assert 0 < counted.images < 20  # those of one part
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is wanted")
    with pytest.raises(OSError, match=r"Cannot write into .*looked"):
        fitted(gan, tiny_data, blocked)
