"""What several tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("unhurried", deadline=None)  # a first call may import something large
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def tiny_data():
    """Handwritten digits at 16x16, 8 is normal: seconds to train on."""
    from anogan_lib import datasets

    return datasets.load("digits:8", size=16)


@pytest.fixture(scope="session")
def tiny_detector(tiny_data, tmp_path_factory):
    """A folder with a detector of two epochs: every part is there, though it knows little."""
    from anogan_lib import DCGAN, AnoGAN

    gan = DCGAN(image_shape=tiny_data.image_shape, latent_dim=4, width=4, seed=0)
    gan.train(tiny_data.train, epochs=2, verbose=False)
    detector = AnoGAN(gan, recipe="best", init="random", steps=4)
    detector.fit(tiny_data, false_alarm_rate=0.2)
    folder = tmp_path_factory.mktemp("detector")
    detector.save(folder)
    return folder


HOSTILE = "<script>alert('x')</script>&amp; \"quoted\".png"


@pytest.fixture(scope="session")
def masked_data():
    """Colour images of 16x16 with squares as defects, their masks, and names that are no HTML."""

    from anogan_lib.datasets.base import AnomalyDataset, Split

    rng = np.random.default_rng(0)

    def normal(count):
        return np.clip(0.3 * rng.standard_normal((count, 16, 16, 3)), -1, 1).astype("float32")

    test, masks = normal(50), np.zeros((50, 16, 16), bool)
    for i in range(20, 50):  # squares of 2 to 8 pixels a side
        side = 2 + i % 7
        masks[i, 4 : 4 + side, 5 : 5 + side] = True
        test[i][masks[i]] = 1.0
    kinds = ["good"] * 20 + ["<b>spot</b>"] * 15 + ["stain"] * 15
    names = [f"{i:02d} {HOSTILE}" for i in range(50)]
    about = "Noise & squares <of three sizes>."
    return AnomalyDataset(
        "squares", about, *map(Split, map(normal, (32, 20, 40))), Split(test, None, kinds, masks, names)
    )


@pytest.fixture(scope="session")
def masked_detector(masked_data):
    """A detector of `masked_data` whose DCGAN has learned nothing: every part of it is there."""
    from anogan_lib import DCGAN, AnoGAN

    gan = DCGAN(masked_data.image_shape, latent_dim=4, width=4, seed=0)
    detector = AnoGAN(gan, recipe="best", init="random", steps=2)
    detector.standardise(masked_data.validation).calibrate(masked_data.calibration, false_alarm_rate=0.1)
    detector.card = {"data": HOSTILE, "results": {"auroc": 0.5}}
    return detector


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Two batches of images, or of features, (3, 5, 4, 2) each."""
    return tuple(np.random.default_rng(0).uniform(-1, 1, (2, 3, 5, 4, 2)).astype("float32"))
