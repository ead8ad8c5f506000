"""What the notebooks begin with: a detector for any data set, and an odd image for any shape."""

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN, datasets, pretrained
from anogan_lib.datasets import odd_image, places


def test_a_folder_name_for_each_data_set():
    names = {
        "hazelnut": "hazelnut",
        "digits:8": "digits-8",
        "mvtec:hazelnut": "mvtec-hazelnut",
        "textures:brick": "brick",
    }
    for spec, name in (names | {"/some where/my parts": "my-parts", "../tiles/": "tiles"}).items():
        assert pretrained.folder_name(spec) == name
    for spec in ("hazelnut", "digits:8"):
        assert (places.root() / "weights" / pretrained.folder_name(spec)).is_dir()


def test_settings_are_those_of_a_dcgan(tiny_data):
    small = DCGAN(tiny_data.image_shape, seed=0, **pretrained.settings(tiny_data))
    full = DCGAN(tiny_data.image_shape, seed=0, **pretrained.settings(tiny_data, "full"))
    assert small.generator.count_params() < full.generator.count_params()
    steps = pretrained.epochs(tiny_data) * (len(tiny_data.train) // 32)
    assert pretrained.SMALL_STEPS <= steps < pretrained.SMALL_STEPS + len(tiny_data.train) // 32
    assert pretrained.epochs(tiny_data, "full") is None
    with pytest.raises(ValueError, match='PROFILE is "quick" or "full"'):
        pretrained.detector(tiny_data, "fast")


def test_it_is_trained_once_and_saved_in_the_working_folder(tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "SMALL_STEPS", 4)
    monkeypatch.setattr(pretrained, "SMALL", pretrained.SMALL | {"width": 4, "latent_dim": 4})
    made = pretrained.detector(tiny_data, verbose=False)
    assert made.recipe == "best"
    assert (tmp_path / "runs" / "digits-8-quick" / "detector.json").is_file()
    monkeypatch.setattr(DCGAN, "train", lambda *_, **__: pytest.fail("trained again"))
    again = pretrained.detector(tiny_data, verbose=False)
    images = tiny_data.test.images[:3]
    np.testing.assert_allclose(again.predict(images).scores, made.predict(images).scores, atol=1e-4)
    assert np.isclose(again.threshold, made.threshold)


def test_an_installed_library_is_not_written_to(tiny_data, tmp_path, monkeypatch):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(places, "root", lambda: tmp_path / "site-packages")
    monkeypatch.setattr(DCGAN, "train", lambda *_, **__: None)
    monkeypatch.setattr(AnoGAN, "fit", lambda self, *_, **__: self)
    for profile in pretrained.PROFILES:
        pretrained.detector(tiny_data, profile)
    assert not list((tmp_path / "site-packages").iterdir())
    assert {path.name for path in (tmp_path / "work" / "runs").iterdir()} == {"digits-8-quick", "digits-8"}


def test_the_weights_come_first_where_their_shape_fits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    detector = pretrained.detector(datasets.load("digits:8"))
    assert detector.image_shape == (32, 32, 1) and detector.card["data"] == "digits:8"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(64, 64, 3), (28, 28, 1), (48, 96, 3), (16, 16, 1)])
def test_an_odd_image_is_an_image(shape):
    name, image = odd_image.draw(shape)
    assert image.shape == shape and image.dtype == np.float32
    assert name == ("drawn face" if shape[-1] == 1 else "steel nut")
    assert image.min() >= -1 and image.max() <= 1 and image.max() - image.min() > 1
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.all(corners == image.min(axis=(0, 1)))  # it stands free, in the middle
    assert np.array_equal(image, odd_image.draw(shape)[1])


def test_an_odd_image_needs_a_shape_of_images():
    with pytest.raises(ValueError, match="Received: \\(64, 64, 4\\)"):
        odd_image.draw((64, 64, 4))


def test_an_odd_image_is_called_anomalous():
    for name in ("hazelnut", "digits-8"):
        detector = AnoGAN.load(places.root() / "weights" / name)
        assert detector.predict(odd_image.draw(detector.image_shape)[1][None]).verdicts.all()


def test_anogan_as_published_is_a_plain_dcgan_and_a_search(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nuts, digits = (pretrained.paper(datasets.load(spec)) for spec in ("hazelnut", "digits:8"))
    assert nuts.recipe == digits.recipe == "paper" and nuts.encoder is digits.encoder is None
    assert type(nuts.gan) is DCGAN and nuts.threshold.false_alarm_rate == 0.05 and nuts.card["recipe"] == "paper"
    ready = AnoGAN.load(places.root() / "weights" / "digits-8")  # where there is no such detector, the ready one's G
    z = np.ones((1, ready.gan.latent_dim), "float32")
    assert np.array_equal(digits.generator(z), ready.gan.averaged(z))
    assert not list(tmp_path.iterdir())
