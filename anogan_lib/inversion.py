"""The search for z: given an image x, which z lets G(z) explain it?

Schlegl et al. 2017 (arXiv 1703.05921), section 2.2. There is no inverse of G, so z is found by gradient descent on

    L(z) = (1 - lambda) R(z) + lambda D(z),    R(z) = sum |x - G(z)|,    D(z) = sum |f(x) - f(G(z))|

z itself is the variable, one for each image. Both networks are in inference mode, the loss is a sum over the batch and
Adam acts on each number by itself, so no image sees another: A(x) is a function of x alone.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib import latent, scoring
from anogan_lib.datasets.base import iterate_batches

BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8  # Adam's
RECORD_EVERY = 10  # steps between two looks at the search: trace, progress bar
STARTS = ("random", "encoder")


@dataclass(frozen=True)
class Trace:
    """What the search looked like at each recorded step.

    Attributes:
        steps: step numbers, (T,); the first is 0, the start.
        z: (T, N, latent_dim).
        residual: R, (T, N).
        discrimination: D, (T, N).
    """

    steps: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    discrimination: np.ndarray


@dataclass(frozen=True)
class Inversion:
    """What the search found for N images.

    Attributes:
        images: the query images x, (N, H, W, C).
        z: (N, latent_dim).
        reconstruction: G(z), (N, H, W, C).
        losses: per-image losses by name, each (N,): "residual", "discrimination" and those of score="best".
        trace: the recorded steps, or None.
        lam, score, spreads: the detector's, used where `scores` is not told otherwise.
    """

    images: np.ndarray
    z: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
    trace: Trace | None = None
    lam: float = 0.1
    score: str = "paper"
    spreads: scoring.Standardisation | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.z)

    @property
    def residual(self) -> np.ndarray:
        """R(x), (N,)."""
        return self.losses["residual"]

    @property
    def discrimination(self) -> np.ndarray:
        """D(x), (N,)."""
        return self.losses["discrimination"]

    def scores(self, lam: float | None = None, score: str | None = None) -> np.ndarray:
        """A(x), (N,), under this lambda and score: a re-weighting, no new search."""
        score = self.score if score is None else scoring.check_score(score)
        if lam is None:
            lam = self.lam if score == self.score else scoring.DEFAULT_LAM[score]
        return scoring.combine(self.losses, lam, score, self.spreads)

    def maps(self, signed: bool = False) -> np.ndarray:
        """Residual maps |x - G(z)|, or x - G(z), averaged over channels: (N, H, W)."""
        return np.asarray(scoring.residual_map(self.images, self.reconstruction, signed))

    def local_maps(self) -> np.ndarray:
        """The maps behind score="best": the residual's root mean square around each pixel, (N, H, W)."""
        return scoring.local_map(self.images, self.reconstruction)


class LatentSearch:
    """Gradient descent on z for a generator G and a feature layer f, both frozen.

    Args:
        generator: G, z (N, latent_dim) -> (N, H, W, C).
        features: f, (N, H, W, C) -> (N, h, w, channels).
        prior: where z may lie; after each step it is brought back there.
        region: (H, W) bool, the region of interest, or None for the whole image.
        elsewhere: (H, W, C), what x and G(z) are replaced by outside the region.
    """

    def __init__(self, generator, features, prior: str, region=None, elsewhere=None):
        self.generator, self.features, self.prior = generator, features, prior
        self.region, self.elsewhere = None if region is None else np.asarray(region)[..., None], elsewhere

    def within(self, images):
        """The images with what lies outside the region of interest replaced, (N, H, W, C)."""
        return images if self.region is None else tf.where(self.region, images, self.elsewhere)

    def start(self, count: int, init: str, restart: int, seed: int, x=None, encoder=None):
        """z_0 (count, latent_dim). A random start depends on (seed, restart) alone: it is the same for every image."""
        if init == "encoder" and restart == 0:
            return latent.onto_prior(encoder(x, training=False), self.prior)
        z = latent.draw(1, self.generator.input_shape[-1], self.prior, (seed, restart))
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
    def descend(self, x, feature_x, state, first, last, total, step_size, weights):
        """Steps `first` to `last` of `total` of Adam, the step size falling along a half cosine. state = (z, m, v)."""
        z, m, v = state
        for t in tf.range(first, last):
            tf.autograph.experimental.set_loop_options(maximum_iterations=last - first)
            g = self.gradient(x, feature_x, z, weights)
            m = BETA_1 * m + (1 - BETA_1) * g
            v = BETA_2 * v + (1 - BETA_2) * g**2
            count = tf.cast(t + 1, tf.float32)
            m_hat, v_hat = m / (1 - BETA_1**count), v / (1 - BETA_2**count)
            rate = step_size * 0.5 * (1.0 + tf.cos(np.pi * tf.cast(t, tf.float32) / tf.cast(total, tf.float32)))
            z = latent.onto_prior(z - rate * m_hat / (tf.sqrt(v_hat) + EPSILON), self.prior)
        return z, m, v

    @tf.function(jit_compile=False, reduce_retracing=True)
    def measure(self, x, feature_x, z):
        """G(z) (N, H, W, C), f(G(z)), R and D (N,)."""
        y = self.within(self.generator(z, training=False))
        feature_y = self.features(y, training=False)
        return y, feature_y, scoring.residual_loss(x, y), scoring.discrimination_loss(feature_x, feature_y)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def features_of(self, x):
        return self.features(x, training=False)


def invert(
    search: LatentSearch,
    images,
    *,
    steps: int,
    weights,
    step_size: float = 0.05,
    restarts: int = 1,
    init: str = "random",
    encoder=None,
    seed: int = 0,
    batch_size: int = 64,
    trace: bool = False,
    progress: bool = False,
    **about,
) -> Inversion:
    """Search z for every image, a batch at a time; of several restarts the one that ends with the lowest L(z) is kept.

    Args:
        search: G, f and the prior.
        images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        steps: gradient steps; 0 measures the start.
        weights: of R and of D in L(z).
        step_size: Adam's first step size.
        restarts: how many starts; from an encoder, the second and later ones are random.
        init: "random" or "encoder".
        trace: record z, R and D every 10 steps.
        about: `lam`, `score` and `spreads`, handed on to the Inversion.
    """
    if init not in STARTS:
        raise ValueError(f'init is "random" or "encoder". Received: {init!r}')
    if init == "encoder" and encoder is None:
        raise ValueError('init="encoder" needs an encoder: call detector.fit_encoder(data.train) first.')
    if steps < 0 or restarts < 1:
        raise ValueError(f"steps is at least 0 and restarts at least 1. Received: {steps} and {restarts}")
    weights = tf.constant(weights, tf.float32)
    queries, parts = [], []
    with tqdm(desc="inverse mapping", unit="image", disable=not progress) as bar:
        for batch in iterate_batches(images, batch_size):
            x = search.within(tf.convert_to_tensor(batch))
            feature_x = search.features_of(x)
            best = None
            for restart in range(restarts):
                z = search.start(len(batch), init, restart, seed, x, encoder)
                found = _run(search, x, feature_x, z, steps, step_size, weights, trace)
                best = found if best is None else _better(best, found)
            queries.append(x.numpy())
            parts.append(best)
            bar.update(len(batch))
    return _join(queries, parts, about)


class _Found(NamedTuple):
    """What one search found for one batch."""

    z: np.ndarray
    reconstruction: np.ndarray
    losses: dict[str, np.ndarray]
    objective: np.ndarray  # L(z), (N,)
    record: list[tuple]  # (step, z, R, D) of each recorded step


def _run(search, x, feature_x, z, steps, step_size, weights, trace) -> _Found:
    """One search for one batch."""
    state = (z, tf.zeros_like(z), tf.zeros_like(z))
    record = []
    every = RECORD_EVERY if trace else max(steps, 1)
    for first in range(0, steps, every):
        if trace:
            record.append(_look(search, x, feature_x, state[0], first))
        last = min(first + every, steps)
        span = [tf.constant(n, tf.int32) for n in (first, last, steps)]
        state = search.descend(x, feature_x, state, *span, tf.constant(step_size, tf.float32), weights)
    z = state[0]
    y, feature_y, residual, discrimination = (part.numpy() for part in search.measure(x, feature_x, z))
    losses = {"residual": residual, "discrimination": discrimination}
    losses |= scoring.local_losses(x, y, feature_x, feature_y)
    if trace:
        record.append((steps, z.numpy(), residual, discrimination))
    objective = np.array(weights[0]) * residual + np.array(weights[1]) * discrimination
    return _Found(z.numpy(), y, losses, objective, record)


def _look(search, x, feature_x, z, step) -> tuple:
    _, _, residual, discrimination = search.measure(x, feature_x, z)
    return step, z.numpy(), residual.numpy(), discrimination.numpy()


def _better(one: _Found, other: _Found) -> _Found:
    """Image by image, the result with the lower objective."""
    take = other.objective < one.objective  # (N,)

    def pick(a, b):
        return np.where(take.reshape(-1, *[1] * (np.ndim(a) - 1)), b, a)

    return _Found(
        pick(one.z, other.z),
        pick(one.reconstruction, other.reconstruction),
        {name: pick(one.losses[name], other.losses[name]) for name in one.losses},
        pick(one.objective, other.objective),
        [(step, *map(pick, a, b)) for (step, *a), (_, *b) in zip(one.record, other.record, strict=True)],
    )


def _join(queries: list[np.ndarray], parts: list[_Found], about: dict) -> Inversion:
    """The batches' results, one after the other."""
    losses = {name: np.concatenate([part.losses[name] for part in parts]) for name in parts[0].losses}
    trace = None
    if parts[0].record:
        columns = list(zip(*(part.record for part in parts), strict=True))  # T x batches
        steps = np.array([column[0][0] for column in columns])
        z, r, d = (np.stack([np.concatenate([entry[i] for entry in column]) for column in columns]) for i in (1, 2, 3))
        trace = Trace(steps, z, r, d)
    z = np.concatenate([part.z for part in parts])
    y = np.concatenate([part.reconstruction for part in parts])
    return Inversion(np.concatenate(queries), z, y, losses, trace, **about)
