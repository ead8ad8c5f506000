"""What the notebooks begin with: a detector for any data set, and a strange image for any shape."""

import numpy as np
import pytest

from anogan_lib import DCGAN, ready
from anogan_lib.datasets import strange


def test_a_folder_name_for_each_data_set():
    names = {"hazelnut": "hazelnut", "digits:8": "digits-8", "mvtec:hazelnut": "mvtec-hazelnut"}
    for spec, name in (names | {"/some where/my parts": "my-parts", "../tiles/": "tiles"}).items():
        assert ready.folder_name(spec) == name
    assert {(ready.ROOT / "weights" / ready.folder_name(spec)).is_dir() for spec in ("hazelnut", "digits:8")} == {True}


def test_settings_are_those_of_a_dcgan(tiny_data):
    small = DCGAN(tiny_data.image_shape, seed=0, **ready.settings(tiny_data))
    full = DCGAN(tiny_data.image_shape, seed=0, **ready.settings(tiny_data, "full"))
    assert small.generator.count_params() < full.generator.count_params()
    steps = ready.epochs(tiny_data) * (len(tiny_data.train) // 32)
    assert ready.SMALL_STEPS <= steps < ready.SMALL_STEPS + len(tiny_data.train) // 32
    assert ready.epochs(tiny_data, "full") is None
    with pytest.raises(ValueError, match='PROFILE is "quick" or "full"'):
        ready.detector(tiny_data, "fast")


def test_it_is_trained_once_and_kept(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(ready, "ROOT", tmp_path)
    monkeypatch.setattr(ready, "SMALL_STEPS", 4)
    monkeypatch.setattr(ready, "SMALL", ready.SMALL | {"width": 4, "latent_dim": 4})
    made = ready.detector(tiny_data, verbose=False)
    assert (tmp_path / "runs" / "digits-8-quick" / "detector.json").is_file()
    monkeypatch.setattr(DCGAN, "train", lambda *_, **__: pytest.fail("trained again"))
    again = ready.detector(tiny_data, verbose=False)
    images = tiny_data.test.images[:3]
    np.testing.assert_allclose(again.predict(images).scores, made.predict(images).scores, atol=1e-4)
    assert np.isclose(again.threshold, made.threshold)


def test_ready_weights_come_first_where_their_shape_fits(tiny_data):
    from anogan_lib import datasets

    detector = ready.detector(datasets.load("digits:8"))
    assert detector.image_shape == (32, 32, 1) and detector.card["data"] == "digits:8"


@pytest.mark.parametrize("shape", [(64, 64, 3), (28, 28, 1), (48, 96, 3), (16, 16, 1)])
def test_a_strange_image_is_an_image(shape):
    name, image = strange.draw(shape)
    assert image.shape == shape and image.dtype == np.float32
    assert name == ("drawn face" if shape[-1] == 1 else "steel nut")
    assert image.min() >= -1 and image.max() <= 1 and image.max() - image.min() > 1
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.all(corners == image.min(axis=(0, 1)))  # it stands free, in the middle
    assert np.array_equal(image, strange.draw(shape)[1])


def test_a_strange_image_needs_a_shape_of_images():
    with pytest.raises(ValueError, match="Received: \\(64, 64, 4\\)"):
        strange.draw((64, 64, 4))


def test_a_strange_image_is_called_anomalous():
    from anogan_lib import AnoGAN

    for name in ("hazelnut", "digits-8"):
        detector = AnoGAN.load(ready.ROOT / "weights" / name)
        assert detector.predict(strange.draw(detector.image_shape)[1][None]).verdicts.all()
