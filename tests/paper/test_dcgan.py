"""Training: both losses, sampling, saving, and that an interruption leaves no trace."""

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import DCGAN
from anogan_lib.datasets.base import Split

SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def images():
    """Bright discs at random places: 48 images."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :16]
    centres = rng.uniform(5, 11, (48, 2, 1, 1))
    near = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < 16
    return np.where(near, 0.8, -0.8).astype("float32")[..., None]


def small(**settings):
    return DCGAN(**{"image_shape": SHAPE, "latent_dim": 4, "width": 8, "seed": 3} | settings)


def test_default_is_64x64_colour():
    assert DCGAN().image_shape == (64, 64, 3)


def test_training_moves_both_networks_and_records_both_losses(images):
    gan = small()
    before = [w.copy() for w in gan.generator.get_weights() + gan.discriminator.get_weights()]
    history = gan.train(images, epochs=3, batch_size=16, verbose=False)
    assert len(history.d_loss) == len(history["g_loss"]) == len(history["seconds"]) == 3
    after = gan.generator.get_weights() + gan.discriminator.get_weights()
    assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert gan.sample(5, seed=1).shape == (5, *SHAPE)
    np.testing.assert_array_equal(gan.sample(5, seed=1), gan.sample(5, seed=1))
    assert not np.array_equal(gan.sample(5, seed=1), gan.sample(5, seed=2))


def test_samples_come_to_look_like_the_images(images):
    gan = small(augment="", ema_decay=0.9, normalisation="batch", learning_rate=2e-3, d_learning_rate=2e-3)
    gan.train(images, epochs=80, batch_size=16, verbose=False)
    mean, generated = images.mean(axis=0), gan.sample(64).mean(axis=0)
    assert np.corrcoef(mean.ravel(), generated.ravel())[0, 1] > 0.8


def test_interrupted_equals_uninterrupted(images, tmp_path):
    options = {"batch_size": 16, "checkpoint_every": 1, "verbose": False}
    whole = small(flips=True, augment="translation,colour")
    history = whole.train(images, epochs=4, checkpoint_dir=tmp_path / "whole", **options)
    small(flips=True, augment="translation,colour").train(images, epochs=2, checkpoint_dir=tmp_path / "cut", **options)
    resumed = small(flips=True, augment="translation,colour")
    resumed_history = resumed.train(images, epochs=4, checkpoint_dir=tmp_path / "cut", **options)
    np.testing.assert_allclose(resumed_history.g_loss, history.g_loss, rtol=1e-4)
    for a, b in zip(whole.averaged.get_weights(), resumed.averaged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_long_epoch_goes_on_where_it_was_stopped(images, tmp_path, monkeypatch):
    def stop(gan, logs):
        if int(gan.steps_done) == 8:  # in the third epoch
            raise KeyboardInterrupt

    monkeypatch.setattr("anogan_lib.training.checkpoints.EVERY_SECONDS", 0.0)
    options = {"epochs": 4, "batch_size": 16, "verbose": False}
    with pytest.raises(KeyboardInterrupt):
        small().train(images, checkpoint_dir=tmp_path, on_step=stop, **options)
    resumed, whole, seen = small(), small(), []
    history = resumed.train(
        images, checkpoint_dir=tmp_path, on_step=lambda gan, _: seen.append(int(gan.steps_done)), **options
    )
    expected = whole.train(images, **options)
    assert seen[0] == 9  # and not 7, the third epoch's first step
    assert history.keys() == expected.keys()
    assert {name: history[name] for name in expected if name != "seconds"} == {
        name: expected[name] for name in expected if name != "seconds"
    }
    np.testing.assert_array_equal(resumed.sample(4), whole.sample(4))


@pytest.mark.parametrize(
    "name, content",
    [("ckpt-1.index", b""), ("ckpt-1.data-00000-of-00001", b"cut"), ("ckpt-1.json", b""), ("checkpoint", b"rubbish")],
)
def test_a_damaged_checkpoint_is_refused(name, content, images, tmp_path):
    options = {"batch_size": 16, "checkpoint_dir": tmp_path, "verbose": False}
    small().train(images, epochs=1, **options)
    assert (tmp_path / name).is_file()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read"):
        small().train(images, epochs=2, **options)


def test_a_finished_run_is_not_trained_further(images, tmp_path):
    options = {"epochs": 2, "batch_size": 16, "checkpoint_dir": tmp_path, "verbose": False}
    first = small()
    first.train(images, **options)
    second = small()
    assert len(second.train(images, **options).d_loss) == 2
    np.testing.assert_array_equal(second.sample(2), first.sample(2))


def test_a_checkpoint_of_other_settings_is_refused(images, tmp_path):
    small().train(images, epochs=1, batch_size=16, checkpoint_dir=tmp_path, verbose=False)
    with pytest.raises(ValueError, match="other settings"):
        small(width=4).train(images, epochs=2, batch_size=16, checkpoint_dir=tmp_path, verbose=False)


def test_a_callback_ends_training_and_keeps_what_was_learned(images):
    gan = small()
    history = gan.train(images, epochs=9, batch_size=16, on_epoch=lambda _, logs: True, verbose=False)
    assert len(history.d_loss) == 1
    assert int(gan.epochs_done) == 1


def test_training_ends_with_the_step_a_callback_names_and_the_epoch_begun_counts_nowhere(images, tmp_path):
    # Three steps make an epoch.
    options = {"batch_size": 16, "checkpoint_dir": tmp_path, "checkpoint_every": 1, "verbose": False}
    gan, seen = small(), []

    def after_four_steps(gan, logs):
        seen.append(float(logs["d_loss"]))
        return int(gan.steps_done) == 4

    history = gan.train(images, epochs=9, on_step=after_four_steps, **options)
    assert len(seen) == int(gan.steps_done) == 4
    assert {len(values) for values in history.values()} == {int(gan.epochs_done)} == {1}
    assert history.d_loss[0] == pytest.approx(np.mean(seen[:3]))
    resumed, whole = small(), small()  # from the checkpoint, the epoch begun is made anew
    resumed.train(images, epochs=2, **options)
    whole.train(images, epochs=2, batch_size=16, verbose=False)
    np.testing.assert_allclose(resumed.sample(4), whole.sample(4), atol=1e-5)
    learned = gan.sample(4)  # and without one, training goes on from the weights of the step it ended with
    further = gan.train(images, epochs=1, batch_size=16, verbose=False)
    assert (int(gan.steps_done), int(gan.epochs_done), len(further.d_loss)) == (7, 2, 1)
    assert not np.allclose(gan.sample(4), learned)


@pytest.mark.parametrize("settings", [{"normalisation": "spectral"}, {"normalisation": "batch", "prior": "normal"}])
def test_what_the_literature_offers_is_a_plain_argument(images, settings):
    history = small(**settings).train(images, epochs=1, batch_size=16, verbose=False)
    assert np.isfinite(history.d_loss[0] + history.g_loss[0])


def test_split_array_and_dataset_train_alike(images):
    ways = [images, Split(images), tf.data.Dataset.from_tensor_slices(images).batch(16)]
    counts = []
    for way in ways:
        gan = small()
        gan.train(way, epochs=1, batch_size=16, verbose=False)
        counts.append(int(gan.steps_done))
    assert counts == [3, 3, 3]


def test_saved_and_loaded_samples_agree(images, tmp_path):
    gan = small()
    gan.train(images, epochs=1, batch_size=16, verbose=False)
    gan.save(tmp_path)
    loaded = DCGAN.load(tmp_path)
    np.testing.assert_allclose(loaded.sample(3), gan.sample(3), atol=1e-6)
    np.testing.assert_allclose(loaded.discriminator(images), gan.discriminator(images), atol=1e-5)


def test_errors_say_what_is_right(images, tmp_path):
    with pytest.raises(ValueError, match=r"size=\(16, 16\)"):
        small().train(np.zeros((4, 32, 32, 1), "float32"), epochs=1)
    with pytest.raises(FileNotFoundError, match="no DCGAN"):
        DCGAN.load(tmp_path)
    with pytest.raises(ValueError, match="sphere, normal"):
        small(prior="uniform")
    with pytest.raises(ValueError, match="translation, colour"):
        small(augment="mixup")


def test_the_seed_decides_the_order_of_the_images(images):
    """Only the weights differed between seeds before, and the spread over seeds lacked a part."""
    first = []
    for seed in (1, 2):
        gan = small(seed=seed)
        seen = []
        step = gan.train_step
        gan.train_step = lambda batch, step=step, seen=seen: seen.append(np.array(batch)) or step(batch)
        gan.train(images, epochs=1, batch_size=16, verbose=False)
        first.append(seen[0])
    assert not np.array_equal(*first)


def test_a_dcgan_leaves_other_peoples_random_numbers_alone():
    import random

    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - the global one is what is tested
    small()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002


def test_the_same_seed_gives_the_same_weights():
    one, same, other = (small(seed=seed).generator.get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_average_follows_the_generator_and_is_frozen(images):
    gan = small(ema_decay=0.0)
    gan.train(images, epochs=1, batch_size=16, verbose=False)
    for average, learned in zip(gan.averaged.get_weights(), gan.generator.get_weights(), strict=True):
        np.testing.assert_allclose(average, learned, atol=1e-6)
    assert gan.generator.trainable_variables and not gan.averaged.trainable_variables


@pytest.mark.parametrize("count", [1, 5])
def test_images_that_are_all_the_same_are_refused(count):
    with pytest.raises(ValueError, match=f"at least two different images. Received: {count}"):
        DCGAN((16, 16, 1), latent_dim=4, width=4).train(np.zeros((count, 16, 16, 1)), epochs=1, verbose=False)
