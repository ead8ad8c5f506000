"""Exercises of notebook 03: from R(x) to the whole search, and a search with a bug."""

from functools import cache, partial

import numpy as np

import anogan_lib
from anogan_lib.exercises.check import exercise
from anogan_lib.exercises.tiny import networks, queries


def _pairs() -> list[tuple]:
    rng = np.random.default_rng(6)
    shapes = ((1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), (1, 3, 2, 3), (4, 5, 6, 1), (3, 8, 4, 3))
    return [tuple(rng.uniform(-1, 1, shape).astype("float32") for _ in range(2)) for shape in shapes]


@exercise(
    "a sum over pixels and channels, one number for each image",
    right=lambda x, y: anogan_lib.scoring.residual_loss(x, y),
    cases=_pairs,
    mistakes={
        "this is the mean over pixels; the paper's R is the sum": lambda x, y: np.abs(x - y).mean(axis=(1, 2, 3)),
        "without the absolute value, too light and too dark cancel": lambda x, y: (x - y).sum(axis=(1, 2, 3)),
        "take the absolute value of each pixel, then the sum": lambda x, y: np.abs((x - y).sum(axis=(1, 2, 3))),
        "the channels are not summed: axis=(1, 2, 3)": lambda x, y: np.abs(x - y).sum(axis=(1, 2)),
        "this sums over the batch as well; each image has its own R": lambda x, y: np.abs(x - y).sum(),
        "these are squares; R takes absolute values": lambda x, y: ((x - y) ** 2).sum(axis=(1, 2, 3)),
    },
)
def residual(x, y):
    """R(x) = sum |x - G(z)|: images x and y = G(z), (N, H, W, C) each, to (N,)."""
    return np.abs(x - y).sum(axis=(1, 2, 3))


def _with_features() -> list[tuple]:
    return [(networks()[1], queries(count)[0], queries(count, 1)[0]) for count in (1, 2, 5)]


def _discrimination(features, x, y, training=False):
    return anogan_lib.scoring.discrimination_loss(features(x, training=training), features(y, training=training))


@exercise(
    "a sum over all numbers of the feature layer, in inference mode",
    right=_discrimination,
    cases=_with_features,
    mistakes={
        "this is the mean over the features; the paper's D is the sum": lambda f, x, y: _discrimination(f, x, y) / 12,
        "f is in training mode: features depend on the neighbours": partial(_discrimination, training=True),
        "without the absolute value, differences cancel": lambda f, x, y: np.sum(f(x) - f(y), axis=(1, 2, 3)),
        "the channels are not summed: axis=(1, 2, 3)": lambda f, x, y: np.sum(np.abs(f(x) - f(y)), axis=(1, 2)),
        "this sums over the batch as well; each image has its own D": lambda f, x, y: np.sum(np.abs(f(x) - f(y))),
        "this is R: send both images through f first": lambda f, x, y: anogan_lib.scoring.residual_loss(x, y),
    },
)
def discrimination(features, x, y):
    """D(x) = sum |f(x) - f(G(z))|: f = features, images x and y = G(z), (N, H, W, C) each, to (N,)."""
    return np.abs(features(x, training=False) - features(y, training=False)).sum(axis=(1, 2, 3))


def _latents() -> list[tuple]:
    shapes = ((1, 2), (2, 2), (1, 8), (5, 16))
    return [(np.random.default_rng(7).normal(0, 1.5, shape).astype("float32"),) for shape in shapes]


def _lengths(z):
    return np.linalg.norm(z, axis=1, keepdims=True)


@exercise(
    "every z is scaled to the radius sqrt(L), where the prior has it",
    right=lambda z: anogan_lib.latent.onto_prior(z, "sphere"),
    cases=_latents,
    mistakes={
        "this has length 1; the radius is sqrt(L), as long as a usual Gaussian z": lambda z: z / _lengths(z),
        "this has length L; the radius is its square root": lambda z: z.shape[1] * z / _lengths(z),
        "this is the length of the whole batch; each z has its own": lambda z: (
            z * z.shape[1] ** 0.5 / np.linalg.norm(z)
        ),
        "this scales each number over the batch: axis 1 holds the numbers of one z": lambda z: (
            z * z.shape[1] ** 0.5 / np.linalg.norm(z, axis=0)
        ),
        "clipping gives a cube; scale the whole z": lambda z: z.clip(-1, 1),
    },
)
def onto_sphere(z):
    """Bring z (N, L) back onto the prior, the sphere of radius sqrt(L): each z keeps its direction."""
    return z * np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=1, keepdims=True)


def _searches(*how) -> list[tuple]:
    generator, features, _ = networks()
    return [(generator, features, *queries(count, count), lam, *how) for count, lam in ((1, 0.1), (2, 0.3), (4, 0.1))]


def _walk(g, f, x, z, lam, step_size, steps, *, prior="sphere", batch_mean=False, training=False):
    """Plain gradient descent with the library's gradient, and with mistakes on request: the last z, and its A(x)."""
    if training:
        g, f = (partial(lambda network, given, training: network(given, training=True), network) for network in (g, f))
    descent = anogan_lib.inversion.LatentSearch(g, f, prior)
    fx, weights = f(x, training=False), (1 - lam, lam)
    for _ in range(steps):
        step = step_size * descent.gradient(x, fx, z, weights) / (len(x) if batch_mean else 1)
        z = anogan_lib.latent.onto_prior(z - step, prior)
    return z, descent.objective(x, fx, z, weights)


def _step(g, f, x, z, lam, size, **mistake):
    return _walk(g, f, x, z, lam, size, 1, prior="normal", **mistake)[0]


@exercise(
    "downhill, and z alone has moved",
    right=_step,
    cases=lambda: _searches(0.1),
    tolerance=1e-3,
    mistakes={
        "this step goes uphill: subtract the gradient": lambda *to: _step(*to[:-1], -to[-1]),
        "a mean over the batch makes steps shrink as the batch grows: sum it": partial(_step, batch_mean=True),
        "lambda is on the wrong term: it weighs D": lambda g, f, x, z, lam, size: _step(g, f, x, z, 1 - lam, size),
        "this is the step for R alone: D's term is missing": lambda g, f, x, z, lam, size: _step(g, f, x, z, 0, size),
        "the networks are in training mode: images pull at their neighbours": partial(_step, training=True),
        "this is the gradient; asked is where the step leads": lambda *to: to[3] - _step(*to[:-1], 1),
    },
)
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


def _search(*to, **mistake):
    return _walk(*to, **mistake)[1]


def _residual_found(g, f, x, *to):
    return anogan_lib.scoring.residual_loss(x, g(_walk(g, f, x, *to)[0]))


def _one_after_another(g, f, x, z, *how):
    """The Dense-layer trap: each image's search goes on from where the last one ended."""
    z, scores = z[:1], []
    for image in x:
        z, score = _walk(g, f, image[None], z, *how)
        scores.append(score[0])
    return scores


@exercise(
    "that is AnoGAN: search, stay on the prior, measure",
    right=_search,
    cases=lambda: _searches(0.1, 5),
    tolerance=2e-3,
    mistakes={
        "z leaves the prior, where G may draw anything: bring it back each time": partial(_search, prior="normal"),
        "this is A(x) of the start: the new z must take the place of the old": lambda *to: _search(*to[:-1], 0),
        "this is A(x) before the last step: measure at the end": lambda *to: _search(*to[:-1], to[-1] - 1),
        "a mean over the batch makes a score depend on the batch size: sum it": partial(_search, batch_mean=True),
        "an image goes on where the last one ended: scores depend on the order": _one_after_another,
        "lambda is on the wrong term: it weighs D": lambda g, f, x, z, lam, *how: _search(g, f, x, z, 1 - lam, *how),
        "the networks are in training mode: a score depends on its neighbours": partial(_search, training=True),
        "the search goes uphill: subtract the gradient": lambda *to: _search(*to[:-2], -to[-2], to[-1]),
        "this is R alone at the end; A(x) is (1 - lam) R + lam D": _residual_found,
    },
)
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
    """The records of three searches for the same four images, each an `inversion.Trace`; one of them has a bug.

    "A" and "C" search with lambda 0.1, "B" with 0.95; a search starts from one random z.
    """
    (g, f, _), (x, _), steps = networks(), queries(4, 9), np.arange(0, 22, 3)
    start = anogan_lib.inversion.LatentSearch(g, f, "sphere").start(4, "random", 0, seed=9)

    def record(x, z, lam):
        rows, z = [], anogan_lib.inversion.tf.constant(z)
        for _ in steps:
            y = g(z)
            rows.append((z, anogan_lib.scoring.residual_loss(x, y), _discrimination(f, x, y)))
            z = _walk(g, f, x, z, lam, 0.1, 3)[0]
        return [np.stack(column) for column in zip(*rows, strict=True)]  # (T, N, L), (T, N), (T, N)

    found = {name: record(x, start, lam) for name, lam in (("A", 0.1), ("B", 0.95))}
    alone, z = [], start[:1]
    for image in x:  # the bug: z is not drawn anew
        alone.append(record(image[None], z, 0.1))
        z = alone[-1][0][-1]
    found["C"] = [np.concatenate(parts, axis=1) for parts in zip(*alone, strict=True)]
    return {name: anogan_lib.inversion.Trace(steps, *parts) for name, parts in found.items()}


@exercise(
    "its images start from different z: each search went on from where the last one ended, so the order matters",
    given=traces,
    mistakes={
        "B's R rises for an image, but with lambda 0.95 it is D that the search pulls down: no bug": "B",
        "A is as it should be: one start for all images, and R falls": "A",
    },
    otherwise='answer with "A", "B" or "C". A random start is the same for every image: look at each trace.z[0]',
)
def buggy_trace(traces):
    """Which search of `ex.traces()` has a bug: "A", "B" or "C"? Each record has steps, z, residual, discrimination."""
    return max(traces, key=lambda name: np.ptp(traces[name].z[0], axis=0).max())
