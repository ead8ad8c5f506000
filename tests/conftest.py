"""What several tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import pytest


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
    detector = AnoGAN(gan, steps=4)
    detector.fit(tiny_data, false_alarm_rate=0.2, encoder=False)
    folder = tmp_path_factory.mktemp("detector")
    detector.save(folder)
    return folder
