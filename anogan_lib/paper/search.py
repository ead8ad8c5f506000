"""The search for z: which z lets G(z) explain an image x? (Schlegl et al. 2017, section 2.2)

G has no inverse. So z is found by gradient descent on

    L(z) = (1 - lambda) R(z) + lambda D(z)      R(z) = sum |x - G(z)|      D(z) = sum |f(x) - f(G(z))|

z itself is the variable, one for each image. No image sees another: the networks run in inference mode, L is a sum over
the batch, and Adam moves each number by itself. So A(x) is a function of x alone, but for rounding, which `fast.lanes`
takes care of.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from anogan_lib.paper.prior import draw, onto_prior
from anogan_lib.paper.score import anomaly_score, check_lam, discrimination_loss, residual_loss, residual_map


class Pace(NamedTuple):
    """How a search walks: its number of steps, Adam's first step size, and Adam's memory of the gradient g and g^2."""

    steps: int
    step_size: float
    beta_1: float
    beta_2: float


PAPER = Pace(steps=500, step_size=0.05, beta_1=0.9, beta_2=0.99)
SHORT = Pace(steps=100, step_size=0.5, beta_1=0.8, beta_2=0.9)  # reaches the loss of PAPER within 1 % on hazelnuts
EPSILON = 1e-8  # Adam's


class Search:
    """Gradient descent on z for a generator G and a feature layer f, both frozen.

    >>> found = Search(gan.averaged, feature_extractor(gan.discriminator), gan.prior).invert(images)
    >>> found.scores(lam=0.1)

    Args:
        generator: G, z (N, L) -> images (N, H, W, C).
        features: f, images -> (N, h, w, channels).
        prior: G's, "sphere" or "normal"; each step of the search ends there.
    """

    def __init__(self, generator, features, prior: str):
        self.generator, self.features, self.prior = generator, features, prior

    def start(self, x, restart: int, seed: int):
        """Draw z_0 from the prior, (N, L): the same for every image, since it depends on seed and restart alone."""
        z = draw(1, self.generator.input_shape[-1], self.prior, (seed, restart))
        return tf.repeat(z, len(x), axis=0)

    def losses(self, x, feature_x, z):
        """Return R(z) and D(z), (N,) each, and y = G(z), (N, H, W, C)."""
        y = self.generator(z, training=False)
        return residual_loss(x, y), discrimination_loss(feature_x, self.features(y, training=False)), y

    def loss(self, x, feature_x, z, weights):
        """L(z) = weights[0] R(z) + weights[1] D(z), (N,). In the paper the weights are (1 - lambda, lambda)."""
        r, d, _ = self.losses(x, feature_x, z)
        return weights[0] * r + weights[1] * d

    def gradient(self, x, feature_x, z, weights):
        """dL/dz, (N, L). L is summed over the batch: a mean would tie each z to the number of images beside it."""
        with tf.GradientTape() as tape:
            tape.watch(z)
            total = tf.reduce_sum(self.loss(x, feature_x, z, weights))
        return tape.gradient(total, z)

    def step(self, x, feature_x, z, m, v, t, pace, weights):
        """Move z (N, L) one step downhill with Adam (Kingma and Ba 2015), its step size falling along a half cosine.

        m and v, (N, L) each, are Adam's running means of the gradient and of its square. t counts the steps from 0.
        """
        steps, step_size, beta_1, beta_2 = tf.unstack(pace)
        g = self.gradient(x, feature_x, z, weights)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1 ** (t + 1)), v / (1 - beta_2 ** (t + 1))
        rate = step_size * 0.5 * (1 + tf.cos(np.pi * t / steps))
        return onto_prior(z - rate * m_hat / (tf.sqrt(v_hat) + EPSILON), self.prior), m, v

    def descend(self, x, z, pace: Pace, weights, record_every: int = 0) -> list:
        """Walk downhill from z (N, L); return z after every `record_every` steps, the first and the last included.

        With record_every=0 the last z is all that is returned, still as a list.
        """
        if not pace.steps:
            return [z]
        feature_x, path = self.features(x, training=False), []
        pace_now, weights = (tf.constant(each, tf.float32) for each in (pace, weights))
        m = v = tf.zeros_like(z)
        for t in range(pace.steps):
            if record_every and t % record_every == 0:
                path.append(z)
            z, m, v = self.compiled_step(x, feature_x, z, m, v, tf.constant(t, tf.float32), pace_now, weights)
        return [*path, z]

    def invert(
        self, images, pace: Pace = SHORT, weights=(0.9, 0.1), restarts: int = 1, seed: int = 0, record_every: int = 0
    ) -> "Inversion":
        """Search z for each image (N, H, W, C) in [-1, 1]; of several restarts keep the one with the lowest L(z).

        Args:
            weights: of R and D in L(z), (1 - lambda, lambda).
            record_every: steps between two records for the trace; 0 for no trace.
        """
        x = tf.convert_to_tensor(images, tf.float32)
        feature_x = self.features(x, training=False)
        starts = [self.start(x, restart, seed) for restart in range(restarts)]
        path = self.descend(tf.tile(x, (restarts, 1, 1, 1)), tf.concat(starts, axis=0), pace, weights, record_every)
        if restarts > 1:
            found = (self.compiled_losses(x, feature_x, z) for z in tf.split(path[-1], restarts))
            ends = [weights[0] * r + weights[1] * d for r, d, _ in found]  # L(z), (N,), for each restart
            lowest = np.argmin(ends, axis=0) * len(x) + np.arange(len(x))  # its row in path, for each image
            path = [tf.gather(z, lowest) for z in path]
        r, d, y = self.compiled_losses(x, feature_x, path[-1])
        trace = None
        if record_every:
            steps = np.array([*range(0, pace.steps, record_every), pace.steps])
            recorded = [self.compiled_losses(x, feature_x, z)[:2] for z in path]
            trace = Trace(steps, np.stack(path), *(np.stack(each) for each in zip(*recorded, strict=True)))
        return Inversion(*map(np.asarray, (x, path[-1], y, r, d)), trace)

    @cached_property
    def compiled_step(self):
        """`step` as a TensorFlow graph, made once for any number of images: several times faster than eagerly."""
        z = tf.TensorSpec(self.generator.input_shape)
        return self._compiled(self.step, z, z, z, tf.TensorSpec(()), tf.TensorSpec((4,)), tf.TensorSpec((2,)))

    @cached_property
    def compiled_losses(self):
        """`losses` as a TensorFlow graph."""
        return self._compiled(self.losses, tf.TensorSpec(self.generator.input_shape))

    def _compiled(self, function, *more):
        images, features = map(tf.TensorSpec, (self.generator.output_shape, self.features.output_shape))
        return tf.function(function, autograph=False, jit_compile=False).get_concrete_function(images, features, *more)


@dataclass(frozen=True)
class Trace:
    """The recorded steps of a search.

    Attributes:
        steps: step numbers, (T,), from 0, the start, to the last.
        z: (T, N, L).
        residual, discrimination: R and D, (T, N) each.
    """

    steps: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray


@dataclass(frozen=True)
class Inversion:
    """What a search found for N images.

    Attributes:
        images, reconstruction: the query images x and G(z), (N, H, W, C) each.
        z: (N, L).
        residual, discrimination: R(x) and D(x) as raw sums, (N,) each.
        trace: the recorded steps, or None.
    """

    images: np.ndarray
    z: np.ndarray
    reconstruction: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray
    trace: Trace | None

    def __len__(self) -> int:
        return len(self.z)

    def scores(self, lam: float = 0.1) -> np.ndarray:
        """A(x), (N,), for any lambda: the losses are weighed again, without a new search."""
        return anomaly_score(self.residual, self.discrimination, check_lam(lam))

    def maps(self, signed: bool = False) -> np.ndarray:
        """Return where x and G(z) differ, |x - G(z)| or with `signed` x - G(z), averaged over channels: (N, H, W)."""
        return np.asarray(residual_map(self.images, self.reconstruction, signed))
