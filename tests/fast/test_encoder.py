"""The encoder: what it learns from, what it leaves alone; an adapted generator explains new images better."""

from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN
from anogan_lib.fast import encoder as encoding
from anogan_lib.fast.encoder import train_encoder
from anogan_lib.paper.prior import onto_prior
from anogan_lib.training import checkpoints

SHAPE = (16, 16, 1)


def discs(count, seed):
    """Bright discs at random places, (count, 16, 16, 1)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16]
    centres = rng.uniform(5, 11, (count, 2, 1, 1))
    near = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < 16
    return np.where(near, 0.8, -0.8).astype("float32")[..., None]


@pytest.fixture
def gan():
    gan = DCGAN(SHAPE, latent_dim=4, width=8, learning_rate=2e-3, ema_decay=0.9, seed=1)
    gan.train(discs(64, 0), epochs=80, verbose=False)
    return gan


def left_over(gan, encoder, generator, images):
    """Mean squared difference of images and G(E(x))."""
    y = generator(onto_prior(encoder(images, training=False), gan.prior), training=False)
    return float(np.mean((images - y) ** 2))


def copies(network):
    return [each.copy() for each in network.get_weights()]


def changed(before, network):
    return [not np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True)]


def test_without_adapting_only_the_encoder_learns(gan):
    generator, discriminator = copies(gan.averaged), copies(gan.discriminator)
    _, same, history = train_encoder(gan, discs(64, 0), epochs=60, adapt=False, verbose=False)
    assert same is gan.averaged
    assert not any(changed(generator, gan.averaged)) and not any(changed(discriminator, gan.discriminator))
    assert len(history.loss) == 3 and history.loss[-1] < history.loss[0], "120 steps, a figure each 50 and at the end"


def test_adapted_generator_explains_images_never_seen_better(gan):
    new, generator, discriminator = discs(64, 5), copies(gan.averaged), copies(gan.discriminator)
    options = {"epochs": 60, "learning_rate": 2e-3, "verbose": False}
    alone, own, _ = train_encoder(gan, discs(64, 0), adapt=False, **options)
    together, adapted, history = train_encoder(gan, discs(64, 0), **options)
    assert left_over(gan, together, adapted, new) < 0.8 * left_over(gan, alone, own, new)
    assert len(history.loss) == 3 and history.left == []
    assert any(changed(generator, adapted)) and not any(changed(generator, gan.averaged)), "a copy learns along"
    assert not any(changed(discriminator, gan.discriminator)), "f is what the search is judged by"


def test_the_same_seed_gives_the_same_encoder(gan):
    one, *_ = train_encoder(gan, discs(64, 0), epochs=2, adapt=False, verbose=False)
    other, *_ = train_encoder(gan, discs(64, 0), epochs=2, adapt=False, verbose=False)
    plain, *_ = train_encoder(gan, discs(64, 0), epochs=2, adapt=False, patches=False, verbose=False)
    assert not any(changed(copies(one), other))
    assert any(changed(copies(one), plain))


def test_training_ends_when_images_held_back_are_explained_no_better(gan):
    held_back = discs(32, 9)
    options = {"epochs": 1000, "learning_rate": 4e-3, "verbose": False}
    encoder, generator, history = train_encoder(gan, discs(8, 0), held_back, moved=False, **options)
    assert len(history.left) < 1000 // encoding.EVERY, "not all steps were made"
    spread = np.mean((held_back - held_back.mean(axis=0)) ** 2)
    left = left_over(gan, encoder, generator, held_back) / spread
    assert left == pytest.approx(min(history.left), rel=1e-3), "the networks that explained them best are kept"


def test_moved_images_are_learned_from_only_where_images_held_back_say_so(gan):
    def kept(train, validation):
        return train_encoder(gan, train, validation, epochs=400 // (len(train) // 32 or 1), verbose=False)[2]["moved"]

    ramp = 0.5 * discs(80, 3) + np.linspace(-0.5, 0.5, 16, dtype="float32")[None, None, :, None]
    assert not kept(ramp[:64], ramp[64:]), "a mirror image is not normal here"
    assert kept(discs(12, 0), discs(64, 5)), "discs may lie anywhere"


def test_an_interrupted_training_of_the_encoder_ends_as_a_whole_one(gan, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(perf_counter=count().__next__))  # a second a step
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 20)  # also between two looks
    options = {"epochs": 150, "verbose": False}
    whole = train_encoder(gan, discs(64, 0), discs(32, 5), checkpoint_dir=tmp_path / "whole", **options)
    look, looks = encoding.EncoderTraining.look, []

    def cut(training, *args):
        look(training, *args)
        looks.append(1)
        if len(looks) in (2, 5):
            raise KeyboardInterrupt

    monkeypatch.setattr(encoding.EncoderTraining, "look", cut)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_encoder(gan, discs(64, 0), discs(32, 5), checkpoint_dir=tmp_path / "cut", **options)
    resumed = train_encoder(gan, discs(64, 0), discs(32, 5), checkpoint_dir=tmp_path / "cut", **options)
    assert resumed[2] == whole[2]
    assert not any(changed(copies(whole[0]), resumed[0])) and not any(changed(copies(whole[1]), resumed[1]))


def test_a_detector_keeps_the_dcgan_beside_the_generator_that_learned_along(gan, tmp_path):
    before, samples = copies(gan.averaged), gan.sample(4)
    one, other = (AnoGAN(gan, recipe="best").fit_encoder(discs(64, 0), epochs=3, verbose=False) for _ in range(2))
    assert not any(changed(before, gan.averaged)) and any(changed(before, one.generator))
    assert not any(changed(copies(one.generator), other.generator)), "the second one begins where the first did"
    found = one.invert(discs(4, 7))
    np.testing.assert_allclose(found.reconstruction, one.generator(found.z, training=False), atol=1e-5)
    one.save(tmp_path)
    again = AnoGAN.load(tmp_path)
    np.testing.assert_allclose(again.gan.sample(4), samples, atol=1e-5)
    np.testing.assert_allclose(again.invert(discs(4, 7)).reconstruction, found.reconstruction, atol=1e-5)
    AnoGAN(gan).save(tmp_path / "plain")
    assert not (tmp_path / "plain" / "adapted.keras").exists()
