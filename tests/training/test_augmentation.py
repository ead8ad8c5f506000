"""How images are changed before a network sees them."""

import numpy as np
import tensorflow as tf

from anogan_lib.training.augmentation import differentiable, flip, patch


def test_augmentation_is_differentiable_and_drawn_per_image():
    seed = tf.constant((1, 2), tf.int64)
    x = tf.tile(tf.random.stateless_uniform((1, 16, 16, 1), (0, 0)), (8, 1, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = differentiable(x, "translation,colour", seed)
    assert float(tf.norm(tape.gradient(y, x))) > 0
    assert len({y.numpy()[i].tobytes() for i in range(8)}) > 1
    np.testing.assert_array_equal(differentiable(x, "", seed), x)
    flipped = flip(x, seed).numpy()
    four = [x[0].numpy()[::a, ::b] for a in (1, -1) for b in (1, -1)]
    assert all(any(np.array_equal(image, way) for way in four) for image in flipped)


def test_a_patch_is_a_square_of_another_image():
    images = tf.constant(np.arange(200, dtype="float32").reshape(200, 1, 1, 1) * np.ones((1, 28, 28, 3), "float32"))
    patched = patch(images, tf.constant([3, 4], tf.int64)).numpy()
    foreign = (patched != images.numpy()).any(axis=-1)  # (200, 28, 28)
    assert 0.5 < foreign.any(axis=(1, 2)).mean() < 0.85
    for i in np.flatnonzero(foreign.any(axis=(1, 2))):
        rows, columns = np.flatnonzero(foreign[i].any(axis=1)), np.flatnonzero(foreign[i].any(axis=0))
        assert foreign[i].sum() == len(rows) * len(columns), "one rectangle, cut off at the border at most"
        assert max(len(rows), len(columns)) <= 28 * 4 / 7 + 1
        np.testing.assert_array_equal(patched[i][foreign[i]], (i - 1) % 200)
