"""The steps of the search for z: the gradient, and Adam.

Steps ten times as large as usual, forgotten sooner and brought down to nothing along a half cosine, reach with a fifth
of the paper's 500 what those reach.

Every step is made for the same number of images, the lanes, filled up where there are fewer: the networks' sums are
then formed in the same order however the images are batched. A difference in the seventh digit, as another order makes
it, would grow from step to step; like this A(x) is a function of x alone. Not every number of lanes will do: matrix
products are made a few rows at a time, and rows that are left over are summed in another order. How many at a time
differs from processor to processor, so it is tried out.

Newer processors multiply numbers of 16 bits twice to eight times as fast (AVX512-BF16, AMX). The steps may be made so;
the losses and pictures of what they find are always computed in float32.
"""

from functools import cached_property
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from anogan_lib import latent, scoring

EPSILON = 1e-8  # Adam's
# Every search has graphs of its own. TensorFlow counts them by the line of code, and would warn of too many.
tf.get_logger().addFilter(lambda record: "tf.function retracing" not in record.getMessage())
MOST_LANES = {"CPU": 8, "GPU": 64}
MEMORY = {"CPU": 2**25, "GPU": 2**31}  # bytes for the layers' outputs of a step; a processor's cache holds so many


class Pace(NamedTuple):
    """How the search walks: Adam's first step size, and how long it remembers slope and steepness."""

    step_size: float
    beta_1: float
    beta_2: float


def pace(step_size: float | None, init: str) -> Pace:
    """The paper's walk where a step size is named; else the short one, more careful from an encoder's good start."""
    if step_size is not None:
        return Pace(step_size, 0.9, 0.99)
    return Pace({"random": 0.5, "encoder": 0.2}[init], 0.8, 0.9)


class LatentSearch:
    """Gradient descent on z for a generator G and a feature layer f, both frozen.

    Args:
        generator: G, z (N, latent_dim) -> (N, H, W, C).
        features: f, (N, H, W, C) -> (N, h, w, channels).
        prior: where z may lie; after each step it is brought back there.
        region: (H, W) bool, the region of interest, or None for the whole image.
        elsewhere: (H, W, C), what x and G(z) are replaced by outside the region.
        near: the discriminator's block nearest the image, as `features`; score="best" looks there too. None for f.

    Attributes:
        lanes: images in each step: as many as the memory allows, if all of them are computed alike, or else fewer.
    """

    def __init__(self, generator, features, prior: str, region=None, elsewhere=None, near=None):
        self.generator, self.features, self.prior, self.near = generator, features, prior, near or features
        self.region, self.elsewhere = region, elsewhere

    def at(self, precision: str) -> "LatentSearch":
        """The search that makes the steps: this one, or one whose networks multiply in bfloat16."""
        return self if check_precision(precision) == "float32" else self._in_bfloat16

    @cached_property
    def _in_bfloat16(self) -> "LatentSearch":
        networks = (in_bfloat16(network) for network in (self.generator, self.features))
        return LatentSearch(*networks, self.prior, self.region, self.elsewhere)

    @cached_property
    def lanes(self) -> int:
        most = _most_lanes(self.generator, self.features)
        return next(count for count in (most, *_fewer(most)) if self._alike(count))

    def _alike(self, count: int) -> bool:
        """Is the gradient, to the last bit, the same in each of so many lanes that hold the same image?"""
        z = latent.draw(1, self.latent_dim, self.prior, (0, 0))
        x = tf.repeat(self.within(self.generator(-z, training=False)), count, axis=0)
        gradient = self.gradient(x, self.features(x, training=False), tf.repeat(z, count, axis=0), (1.0, 1.0)).numpy()
        return bool((gradient == gradient[:1]).all())

    @property
    def latent_dim(self) -> int:
        return self.generator.input_shape[-1]

    def within(self, images):
        """The images with what lies outside the region of interest replaced, (N, H, W, C)."""
        return images if self.region is None else tf.where(self.region[..., None], images, self.elsewhere)

    def start(self, count: int, init: str, restart: int, seed: int, x=None, encoder=None):
        """z_0 (count, latent_dim). A random start depends on (seed, restart) alone: it is the same for every image."""
        if init == "encoder":
            return self._encode(encoder, x)
        z = latent.draw(1, self.latent_dim, self.prior, (seed, restart))
        return tf.repeat(z, count, axis=0)

    def objective(self, x, feature_x, z, weights):
        """L(z) = weights[0] R(z) + weights[1] D(z), (N,)."""
        y = self.within(self.generator(z, training=False))
        r = scoring.residual_loss(x, y)
        d = scoring.discrimination_loss(feature_x, self.features(y, training=False))
        return weights[0] * r + weights[1] * d

    def gradient(self, x, feature_x, z, weights):
        """dL/dz, (N, latent_dim). The sum over the batch keeps images apart; a mean would tie z to the batch size."""
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = tf.reduce_sum(self.objective(x, feature_x, z, weights))
        return tape.gradient(loss, z)

    @tf.function(jit_compile=False, reduce_retracing=True)  # XLA is slower here on a CPU
    def descend(self, x, feature_x, state, first, last, total, pace, weights):
        """Steps `first` to `last` of `total` of Adam, the step size falling along a half cosine. state = (z, m, v)."""
        z, m, v = state
        step_size, beta_1, beta_2 = pace
        for t in tf.range(first, last):
            tf.autograph.experimental.set_loop_options(maximum_iterations=last - first)
            g = self.gradient(x, feature_x, z, weights)
            m = beta_1 * m + (1 - beta_1) * g
            v = beta_2 * v + (1 - beta_2) * g**2
            count = tf.cast(t + 1, tf.float32)
            m_hat, v_hat = m / (1 - beta_1**count), v / (1 - beta_2**count)
            rate = step_size * 0.5 * (1.0 + tf.cos(np.pi * tf.cast(t, tf.float32) / tf.cast(total, tf.float32)))
            z = latent.onto_prior(z - rate * m_hat / (tf.sqrt(v_hat) + EPSILON), self.prior)
        return z, m, v

    @tf.function(jit_compile=False, reduce_retracing=True)
    def _encode(self, encoder, x):
        return latent.onto_prior(encoder(x, training=False), self.prior)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def measure(self, x, feature_x, z):
        """G(z) (N, H, W, C), `blocks_of` it, R and D (N,)."""
        y = self.within(self.generator(z, training=False))
        near_y, feature_y = self.near(y, training=False), self.features(y, training=False)
        return y, (near_y, feature_y), scoring.residual_loss(x, y), scoring.discrimination_loss(feature_x, feature_y)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def blocks_of(self, x):
        """The features of the block nearest the image, and f(x): (N, h, w, channels) each."""
        return self.near(x, training=False), self.features(x, training=False)


def check_precision(precision: str) -> str:
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f'precision is "float32" or "bfloat16". Received: {precision!r}')
    return precision


def in_bfloat16(network: keras.Model) -> keras.Model:
    """A frozen copy that multiplies in bfloat16; everything else in it, and what comes out of it, is float32."""

    def copied(layer):
        config = layer.get_config()
        if getattr(layer, "kernel", None) is not None:
            config["dtype"] = "bfloat16"  # the kernel too: it is rounded once, not in each step
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return keras.Model(copy.inputs, keras.ops.cast(copy.outputs[0], "float32"))


def _most_lanes(*networks) -> int:
    """As many images as the memory allows, a power of two: each layer's output counts, and its gradient."""
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    outputs = sum(int(np.prod(layer.output.shape[1:])) for network in networks for layer in network.layers)
    return 2 ** int(np.log2(np.clip(MEMORY[device] // (4 * outputs), 1, MOST_LANES[device])))


def _fewer(count: int):
    """Three quarters of a power of two, half of it, three quarters of that ... down to 1."""
    while count > 1:
        if count >= 4:
            yield count * 3 // 4
        count //= 2
        yield count
