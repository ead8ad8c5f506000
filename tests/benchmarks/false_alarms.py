"""Does the threshold keep its promise? False alarms on freshly rendered good hazelnuts that no split has seen.

    python -m tests.benchmarks.false_alarms [DETECTOR] [IMAGES]

The conformal threshold promises its rate on average over calibration sets; the rate of this one calibration set, of n
images, varies around that like a Beta(n + 1 - k, k) variable, and the nuts rendered here add the interval of their own
number. Both are printed.
"""

import sys

import numpy as np

from anogan_lib.datasets import hazelnut
from anogan_lib.datasets.images import from_uint8
from anogan_lib.evaluation import metrics
from tests.benchmarks.apart import ROOT

SEED = 2024  # the shipped nuts are of seed 0


def fresh_nuts(count: int, size) -> np.ndarray:
    """Good nuts, (count, H, W, 3) in [-1, 1]; about a tenth of a second each."""
    from tqdm import tqdm

    return from_uint8(np.stack([hazelnut.render((SEED, i), size)[0] for i in tqdm(range(count), "rendering")]))


def measure(detector, images: np.ndarray) -> dict:
    """False alarms of images and of maps, beside what was asked for and what one calibration set may give."""
    from scipy.stats import beta

    found = detector.predict(images)
    n, rate = len(detector.calibration_scores), detector.false_alarm_rate
    above = int(np.sum(detector.calibration_scores > detector.threshold)) + 1  # of n + 1 images, with the next one
    alarms = {"images": found.verdicts}
    alarms["maps"] = (found.maps > detector.pixel_threshold).any(axis=(1, 2))
    return {
        "asked": rate,
        "one_calibration_set": tuple(map(float, beta.interval(0.95, above, n + 1 - above))),
        "drift": detector.drift(found.scores)[1],
    } | {
        what: {"false_alarms": int(called.sum()), "rate": float(called.mean())}
        | {"interval": metrics.wilson_interval(called.sum(), len(called))}
        for what, called in alarms.items()
    }


def main(folder=ROOT / "weights" / "hazelnut", count: int = 1000) -> dict:
    from anogan_lib import AnoGAN

    detector = AnoGAN.load(folder)
    said = measure(detector, fresh_nuts(int(count), detector.image_shape[:2]))
    low, high = said["one_calibration_set"]
    print(f"asked for {said['asked']:.3f}; one calibration set may give {low:.3f} to {high:.3f}")
    for what in ("images", "maps"):
        (low, high), alarms = said[what]["interval"], said[what]["false_alarms"]
        print(f"{what}: {alarms} of {count} good nuts, rate {said[what]['rate']:.4f}, 95 % {low:.4f} to {high:.4f}")
    print(said["drift"])
    return said


if __name__ == "__main__":
    main(*sys.argv[1:])
