"""The inputs that answers are tried on, the same at each call: random arrays, nuts, networks of two layers."""

from functools import cache

import keras
import numpy as np
import tensorflow as tf

from anogan_lib.datasets import hazelnut
from anogan_lib.datasets.images import from_uint8
from anogan_lib.paper.prior import draw

LATENT_DIM, HIDDEN, IMAGE, FEATURES = 3, 8, (4, 4, 1), (2, 2, 3)  # lengths and shapes of the tiny networks


def arrays(count: int, *shapes: tuple, low: float = -1) -> list[tuple]:
    """Draw a case of `count` arrays, float32 in [low, 1], for each shape."""
    rng = np.random.default_rng(6)
    return [tuple(rng.uniform(low, 1, shape).astype("float32") for _ in range(count)) for shape in shapes]


@cache
def nuts(first: int, count: int) -> np.ndarray:
    """Render good nuts, (count, 16, 16, 3) in [-1, 1], once."""
    return from_uint8(np.stack([hazelnut.render((77, i), 16)[0] for i in range(first, first + count)]))


class TinyNetwork:
    """Dense, batch normalisation, leaky ReLU, dense, tanh; called as a Keras network: `network(x, training=False)`.

    In training mode, which only mistakes use, it normalises by its batch and leaves the moving statistics alone.
    """

    def __init__(self, seed: int, takes: tuple, gives: tuple):
        rng = np.random.default_rng(seed)
        self.input_shape, self.output_shape = (None, *takes), (None, *gives)
        self.inputs = [keras.KerasTensor(self.input_shape)]
        sizes = (np.prod(takes), HIDDEN), (HIDDEN, np.prod(gives))
        self.trainable_variables = [tf.Variable(rng.normal(0, s[0] ** -0.5, s), dtype="float32") for s in sizes]
        statistics = rng.normal(0, 0.3, HIDDEN), rng.uniform(0.5, 1.5, HIDDEN)
        self.non_trainable_variables = [tf.Variable(s, trainable=False, dtype="float32") for s in statistics]
        self.variables = self.trainable_variables + self.non_trainable_variables

    def __call__(self, x, training: bool = False):
        first, second = self.trainable_variables
        y = tf.reshape(tf.cast(x, tf.float32), (-1, first.shape[0])) @ first  # (N, hidden)
        mean, variance = tf.nn.moments(y, 0) if training else self.non_trainable_variables
        y = tf.nn.leaky_relu((y - mean) * tf.math.rsqrt(variance + 1e-3), 0.2)
        return tf.reshape(tf.tanh(y @ second), (-1, *self.output_shape[1:]))


def networks() -> tuple[TinyNetwork, TinyNetwork]:
    """Build G: z (N, 3) -> images (N, 4, 4, 1), and f: images -> features (N, 2, 2, 3)."""
    return TinyNetwork(0, (LATENT_DIM,), IMAGE), TinyNetwork(1, IMAGE, FEATURES)


def queries(count: int, seed: int = 0):
    """Draw images (count, 4, 4, 1) that G can explain but for some noise, and z (count, 3) to start a search from."""
    z = draw(2 * count, LATENT_DIM, "sphere", (seed, 1))
    noise = np.random.default_rng(seed).normal(0, 0.1, (count, *IMAGE))
    return (networks()[0](z[:count]).numpy() + noise).clip(-1, 1).astype("float32"), z[count:]
