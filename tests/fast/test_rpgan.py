"""RpGAN: images that differ as much as real ones, in units of the data; and its files."""

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import DCGAN, AnoGAN, RpGAN
from anogan_lib.fast.rpgan import MinibatchDeviation, units_of

SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def images():
    """Images that are nearly alike: a bright square, and on it a faint dot at one of many places."""
    rng = np.random.default_rng(0)
    images = np.full((128, *SHAPE), -0.9, "float32")
    images[:, 3:13, 3:13] = 0.8
    for image, (row, column) in zip(images, rng.integers(4, 11, (128, 2)), strict=True):
        image[row : row + 2, column : column + 2] -= 0.2
    return images


@pytest.fixture(scope="module")
def gan(images):
    gan = RpGAN(SHAPE, latent_dim=8, width=8, seed=1)
    gan.train(images, epochs=100, verbose=False)
    return gan


def apart(images):
    """Mean |a - b| of pairs."""
    return float(np.abs(images - np.roll(images, 1, axis=0)).mean())


def test_units_are_those_of_the_training_images(gan, images):
    for network in (gan.generator, gan.averaged, gan.discriminator):
        np.testing.assert_allclose(units_of(network).mean, images.mean(axis=0), atol=1e-6)
        assert float(units_of(network).spread) == pytest.approx(float((images - images.mean(axis=0)).std()), rel=1e-4)


def test_generated_images_differ_as_real_ones_do(gan, images):
    plain = DCGAN(SHAPE, latent_dim=8, width=8, seed=1)
    plain.train(images, epochs=100, verbose=False)
    ratio, before = apart(gan.sample(128)) / apart(images), apart(plain.sample(128)) / apart(images)
    assert abs(np.log(ratio)) < 0.9 and abs(np.log(ratio)) < 0.5 * abs(np.log(before)), (ratio, before)
    samples = gan.sample(64)
    assert samples.min() >= -1 and samples.max() <= 1
    assert np.abs(samples.mean(axis=0) - images.mean(axis=0)).mean() < 0.05


def test_a_setting_that_would_do_nothing_is_refused():
    with pytest.raises(ValueError, match="has no normalisation"):
        RpGAN(SHAPE, normalisation="batch")


def test_it_is_saved_and_read_as_what_it_is(gan, images, tmp_path):
    gan.save(tmp_path)
    again = DCGAN.load(tmp_path)
    assert isinstance(again, RpGAN) and again.settings == gan.settings
    np.testing.assert_array_equal(again.sample(4), gan.sample(4))
    np.testing.assert_array_equal(again.discriminator(images[:8]), gan.discriminator(images[:8]))


def test_an_interruption_leaves_no_trace(images, tmp_path):
    whole, cut = (RpGAN(SHAPE, latent_dim=4, width=4, flips=True, seed=2) for _ in range(2))
    whole.train(images, epochs=3, verbose=False)
    cut.train(images, epochs=2, checkpoint_dir=tmp_path, verbose=False)
    again = RpGAN(SHAPE, latent_dim=4, width=4, flips=True, seed=2)
    again.train(images, epochs=3, checkpoint_dir=tmp_path, verbose=False)
    for a, b in zip(whole.averaged.get_weights(), again.averaged.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_detector_of_it_searches_encodes_and_comes_back(gan, images, tmp_path):
    detector = AnoGAN(gan, recipe="best").fit_encoder(images, epochs=3, verbose=False)
    assert units_of(detector.encoder) is not None
    detector.standardise(images[:32]).calibrate(images[32:64])
    searched = detector.invert(images[:4], init="random", steps=20)
    start = detector.invert(images[:4], init="random", steps=0)
    assert searched.scores(score="paper").mean() < start.scores(score="paper").mean()
    detector.save(tmp_path)
    again = AnoGAN.load(tmp_path)
    np.testing.assert_allclose(again.predict(images[:8]).scores, detector.predict(images[:8]).scores, rtol=1e-5)


def test_minibatch_deviation_is_that_of_groups_of_four():
    y = np.random.default_rng(0).normal(size=(8, 2, 3, 5)).astype("float32")
    told = MinibatchDeviation()(y).numpy()
    np.testing.assert_array_equal(told[..., :5], y)
    for i in range(8):
        group = y[i % 2 :: 2]  # images i, i + 2, ...
        np.testing.assert_allclose(told[i, ..., 5], group.std(axis=0).mean(), rtol=1e-3)
    assert (MinibatchDeviation()(y[:3]).numpy()[..., 5] < 0.01).all(), "three images make no group"


def test_gradient_penalties_are_in_units_of_the_spread(gan, images):
    """Images and spread scaled alike have the same penalty: the chain rule by hand against finite differences."""
    x = tf.constant(images[:2])
    seen = gan.stem(x)
    with tf.GradientTape() as tape:
        tape.watch(seen)
        logits = gan.head(seen)
    slopes = gan.in_units(tape.gradient(logits, seen)).numpy()
    direction = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    spread, small = float(units_of(gan.discriminator).spread), 1e-3
    ahead, behind = (gan.discriminator(x + sign * small * spread * direction).numpy() for sign in (1, -1))
    numeric = (ahead - behind)[:, 0] / (2 * small)
    np.testing.assert_allclose((slopes * direction).sum(axis=(1, 2, 3)), numeric, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", [DCGAN, RpGAN])
def test_losses_of_guessing_are_those_of_a_discriminator_that_says_nothing(kind, images):
    gan, rows = kind(SHAPE, latent_dim=4, width=4, seed=0), images[:16]
    for weight in gan.discriminator.get_layer("logit").weights:
        weight.assign(tf.zeros_like(weight))
    told = gan.discriminator_step(tf.constant(rows))
    for weight in gan.discriminator.get_layer("logit").weights:  # Adam has changed them
        weight.assign(tf.zeros_like(weight))
    told |= gan.generator_step(tf.constant(rows))
    assert gan.guessing == pytest.approx((float(told["d_loss"]), float(told["g_loss"])), rel=1e-6)
