"""Exercises on the search for z: from R(x) to the whole search, and a search with a bug."""

from functools import cache, partial

import numpy as np
import tensorflow as tf

from anogan_lib.exercises.cases import arrays, networks, queries
from anogan_lib.exercises.check import exercise
from anogan_lib.paper.prior import onto_prior
from anogan_lib.paper.score import anomaly_score, discrimination_loss, residual_loss
from anogan_lib.paper.search import Search, Trace

PIXELS = (1, 2, 3)  # the axes of one image, or of its features


@exercise(
    right=residual_loss,
    cases=lambda: arrays(2, (1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), (1, 3, 2, 3), (4, 5, 6, 1), (3, 8, 4, 3)),
)
def residual(x, y):
    """R(x) = sum |x - G(z)|: images x and y = G(z), (N, H, W, C) each, to (N,)."""
    return np.abs(x - y).sum(axis=(1, 2, 3))


def _discrimination(features, x, y, training=False):
    return discrimination_loss(features(x, training=training), features(y, training=training))


@exercise(
    right=_discrimination,
    cases=lambda: [(networks()[1], queries(count)[0], queries(count, 1)[0]) for count in (1, 2, 5)],
)
def discrimination(features, x, y):
    """D(x) = sum |f(x) - f(G(z))|: f = features, images x and y = G(z), (N, H, W, C) each, to (N,)."""
    return np.abs(features(x, training=False) - features(y, training=False)).sum(axis=(1, 2, 3))


def _scaled(z, axis=1, power=0.5, of=1):
    return z.shape[of] ** power * z / np.linalg.norm(z, axis=axis, keepdims=True)


@exercise(
    right=partial(onto_prior, prior="sphere"),
    cases=lambda: [(3 * z,) for (z,) in arrays(1, (1, 2), (2, 2), (1, 8), (5, 16))],
)
def onto_sphere(z):
    """Bring z (N, L) back onto the prior, the sphere of radius sqrt(L): each z keeps its direction."""
    return z * np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=1, keepdims=True)


def _searches(*how) -> list[tuple]:
    generator, features = networks()
    return [(generator, features, *queries(count, count), lam, *how) for count, lam in ((1, 0.1), (2, 0.3), (4, 0.1))]


def _path(
    g, f, x, z, lam, step_size, steps, prior="sphere", batch_mean=False, training=False, weights=None, size=lambda g: g
) -> list[tuple]:
    """Descend by the library's gradient, with mistakes on request; return z, R and D before and after each step."""
    if training:
        g, f = (partial(lambda network, given, training: network(given, training=True), network) for network in (g, f))
    search, feature_x, path = Search(g, f, "normal"), f(x, training=False), []
    for _ in range(steps + 1):
        path.append((z, *search.losses(x, feature_x, z)[:2]))
        gradient = search.gradient(x, feature_x, z, weights or (1 - lam, lam)) / (len(x) if batch_mean else 1)
        step = step_size * size(gradient)
        z = onto_prior(z - step, "sphere") / z.shape[1] ** 0.5 if prior == "short" else onto_prior(z - step, prior)
    return path


def _chained_path(g, f, x, z, *how) -> list[tuple]:
    """Fall into the Dense-layer trap: each image's search starts where the last one ended."""
    z, paths = z[:1], []
    for image in x:
        paths.append(_path(g, f, image[None], z, *how))
        z = paths[-1][-1][0]
    return [[np.concatenate(parts) for parts in zip(*steps, strict=True)] for steps in zip(*paths, strict=True)]


def _step(*case, prior="normal", **mistake):
    return _path(*case, steps=1, prior=prior, **mistake)[1][0]


def _other_step(g, f, x, z, lam, step_size, r=tf.abs, d=tf.abs, total=tf.reduce_sum, apart=lambda f, x, y: f(x) - f(y)):
    """Descend on another loss, by mistake."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = g(z)
        loss = (1 - lam) * total(r(x - y)) + lam * total(d(apart(f, x, y)))
    return z - step_size * tape.gradient(loss, z)


@exercise(right=_step, cases=lambda: _searches(0.1))
def search_step(generator, features, x, z, lam, step_size):
    """One step of gradient descent on L(z) = (1 - lam) R + lam D, summed over the batch: z (N, L) to the next z."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(z)
        y = generator(z, training=False)
        r = tf.reduce_sum(tf.abs(x - y), axis=(1, 2, 3))
        d = tf.reduce_sum(tf.abs(features(x, training=False) - features(y, training=False)), axis=(1, 2, 3))
        loss = tf.reduce_sum((1 - lam) * r + lam * d)
    return z - step_size * tape.gradient(loss, z)


def _search(*case, path=_path, **mistake):
    """Return A(x), (N,), at the end of a search."""
    _, r, d = path(*case, **mistake)[-1]
    return anomaly_score(r, d, case[4])


@exercise(right=_search, cases=lambda: _searches(0.1, 5))
def search(generator, features, x, z, lam, step_size, steps):
    """The whole search: so many steps of gradient descent on L(z), z back onto its sphere after each; A(x), (N,)."""
    import tensorflow as tf

    def score(z):
        y = generator(z, training=False)
        r = tf.reduce_sum(tf.abs(x - y), axis=(1, 2, 3))
        d = tf.reduce_sum(tf.abs(features(x, training=False) - features(y, training=False)), axis=(1, 2, 3))
        return (1 - lam) * r + lam * d

    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = tf.reduce_sum(score(z))
        z = z - step_size * tape.gradient(loss, z)
        z = z * z.shape[1] ** 0.5 / tf.norm(z, axis=1, keepdims=True)
    return score(z)


@cache
def traces() -> dict:
    """Record three searches for the same four images, each as a `search.Trace`; one of them has a bug.

    "A" and "C" search with lambda 0.1, "B" with 0.95; a search starts from one random z.
    """
    (g, f), (x, _) = networks(), queries(4, 9)
    start = Search(g, f, "sphere").start(x, restart=0, seed=9)
    paths = {name: _path(g, f, x, start, lam, 0.1, 21) for name, lam in (("A", 0.1), ("B", 0.95))}
    paths["C"] = _chained_path(g, f, x, start, 0.1, 0.1, 21)  # the bug: z is not drawn again
    recorded = {name: map(np.stack, zip(*path[::3], strict=True)) for name, path in paths.items()}
    return {name: Trace(np.arange(0, 22, 3), *parts) for name, parts in recorded.items()}


@exercise(given=traces)
def buggy_trace(traces):
    """Which search of `ex.traces()` has a bug: "A", "B" or "C"? Answer with a pair: its letter, and the record that
    shows it, "steps", "z", "residual" or "discrimination"."""
    return max(traces, key=lambda name: np.ptp(traces[name].z[0], axis=0).max()), "z"


@exercise(given=lambda: ())
def shortest_z():
    """Draw 10,000 z of 64 normal numbers each. Predict, then measure: how long is the shortest of them?"""
    return np.linalg.norm(np.random.default_rng(0).normal(size=(10000, 64)), axis=1).min()
