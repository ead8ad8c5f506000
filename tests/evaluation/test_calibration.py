"""Normal images are looked at some at a time: the same numbers, in memory that does not grow with their number."""

import numpy as np
import pytest

from anogan_lib import AnoGAN
from anogan_lib.evaluation import calibration


def test_some_at_a_time_give_what_all_at_once_give(tiny_detector, tiny_data, monkeypatch):
    """All similar images and maps were kept: 340 GB for the calibration images of a million photographs."""
    detector, images = AnoGAN.load(tiny_detector), tiny_data.calibration
    whole = calibration.look_at(images, detector.invert, detector._all_maps)
    found = detector.invert(images)
    monkeypatch.setattr(calibration, "AT_ONCE", 5)
    monkeypatch.setattr(calibration, "MAPS", 3)
    counts = []

    def invert(some):
        counts.append(len(some))
        return detector.invert(some)

    losses, peaks, maps = calibration.look_at(images, invert, detector._all_maps)
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
        monkeypatch.setattr(calibration, "AT_ONCE", at_once)
        detector = AnoGAN.load(tiny_detector)
        detector.standardise(tiny_data.validation).calibrate(tiny_data.calibration, false_alarm_rate=0.2)
        scales.append(detector.map_scale)
        thresholds.append(float(detector.threshold))
    assert scales[0] == pytest.approx(scales[1], rel=1e-5)
    assert thresholds[0] == pytest.approx(thresholds[1], rel=1e-4)
