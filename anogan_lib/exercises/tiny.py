"""Networks of two layers, so small that an exercise about the search is answered at once."""

import numpy as np

import anogan_lib

LATENT_DIM, IMAGE, FEATURES = 3, (4, 4, 1), (2, 2, 3)  # the shapes of z, of an image and of its features


class TinyNetwork:
    """Dense, batch normalisation, leaky ReLU, dense, tanh; called as a Keras network: `network(x, training=False)`.

    In training mode, which is for mistakes, it normalises by the batch it is given. It keeps no memory of its calls.
    """

    def __init__(self, seed: int, takes: tuple, gives: tuple, hidden: int = 8):
        tf = anogan_lib.latent.tf  # imported at first use, and quietly
        rng = np.random.default_rng(seed)
        self.input_shape, self.output_shape = (None, *takes), (None, *gives)
        sizes = (np.prod(takes), hidden), (hidden, np.prod(gives))
        self.trainable_variables = [tf.Variable(rng.normal(0, s[0] ** -0.5, s), dtype="float32") for s in sizes]
        statistics = rng.normal(0, 0.3, hidden), rng.uniform(0.5, 1.5, hidden)
        self.non_trainable_variables = [tf.Variable(s, trainable=False, dtype="float32") for s in statistics]

    @property
    def variables(self) -> list:
        return self.trainable_variables + self.non_trainable_variables

    def __call__(self, x, training: bool = False):
        tf = anogan_lib.latent.tf
        first, second = self.trainable_variables
        y = tf.reshape(tf.cast(x, tf.float32), (-1, first.shape[0])) @ first  # (N, hidden)
        mean, variance = tf.nn.moments(y, 0) if training else self.non_trainable_variables
        y = tf.nn.leaky_relu((y - mean) * tf.math.rsqrt(variance + 1e-3), 0.2)
        return tf.reshape(tf.tanh(y @ second), (-1, *self.output_shape[1:]))


def networks() -> tuple[TinyNetwork, TinyNetwork, TinyNetwork]:
    """G: z (N, 3) -> images (N, 4, 4, 1); f: images -> features (N, 2, 2, 3); E: images -> z."""
    sizes = ((LATENT_DIM,), IMAGE), (IMAGE, FEATURES), (IMAGE, (LATENT_DIM,))
    return tuple(TinyNetwork(seed, takes, gives) for seed, (takes, gives) in enumerate(sizes))


def queries(count: int, seed: int = 0):
    """Images (count, 4, 4, 1) that G can draw but for some noise, and the z (count, 3) that a search starts from."""
    z = anogan_lib.latent.draw(2 * count, LATENT_DIM, "sphere", (seed, 1))
    noise = np.random.default_rng(seed).normal(0, 0.1, (count, *IMAGE))
    return (networks()[0](z[:count]).numpy() + noise).clip(-1, 1).astype("float32"), z[count:]
