"""The ready detector's promise on nuts that nobody has seen; `python -m tests.benchmarks.false_alarms` takes 1,000."""

from anogan_lib import AnoGAN
from tests.benchmarks.apart import ROOT
from tests.benchmarks.false_alarms import fresh_nuts, measure


def test_the_ready_detector_keeps_its_false_alarm_rate_on_fresh_good_nuts():
    detector = AnoGAN.load(ROOT / "weights" / "hazelnut")
    said = measure(detector, fresh_nuts(60, detector.image_shape[:2]))
    assert said["one_calibration_set"][0] < said["asked"] < said["one_calibration_set"][1]
    for what in ("images", "maps"):
        assert said[what]["interval"][0] < said["one_calibration_set"][1]
    assert said["drift"].startswith("No sign of drift")
