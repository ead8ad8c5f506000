"""Exercises of notebook 03: from R(x) to the whole search, and a search with a bug."""

from functools import cache, partial

import numpy as np

from anogan_lib.exercises.cases import arrays, networks, queries
from anogan_lib.exercises.check import exercise
from anogan_lib.paper.prior import onto_prior
from anogan_lib.paper.score import anomaly_score, discrimination_loss, residual_loss
from anogan_lib.paper.search import Search, Trace


@exercise(
    "a sum over pixels and channels, one number for each image",
    right=residual_loss,
    cases=lambda: arrays(2, (1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), (1, 3, 2, 3), (4, 5, 6, 1), (3, 8, 4, 3)),
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


def _discrimination(features, x, y, training=False):
    return discrimination_loss(features(x, training=training), features(y, training=training))


@exercise(
    "a sum over all numbers of the feature layer, in inference mode",
    right=_discrimination,
    cases=lambda: [(networks()[1], queries(count)[0], queries(count, 1)[0]) for count in (1, 2, 5)],
    mistakes={
        "this is the mean over the features; the paper's D is the sum": lambda f, x, y: _discrimination(f, x, y) / 12,
        "f is in training mode: features depend on the neighbours": partial(_discrimination, training=True),
        "without the absolute value, differences cancel": lambda f, x, y: np.sum(f(x) - f(y), axis=(1, 2, 3)),
        "the channels are not summed: axis=(1, 2, 3)": lambda f, x, y: np.sum(np.abs(f(x) - f(y)), axis=(1, 2)),
        "this sums over the batch as well; each image has its own D": lambda f, x, y: np.sum(np.abs(f(x) - f(y))),
        "this is R: send both images through f first": lambda f, x, y: residual_loss(x, y),
    },
)
def discrimination(features, x, y):
    """D(x) = sum |f(x) - f(G(z))|: f = features, images x and y = G(z), (N, H, W, C) each, to (N,)."""
    return np.abs(features(x, training=False) - features(y, training=False)).sum(axis=(1, 2, 3))


def _scaled(z, axis=1, power=0.5):
    return z.shape[1] ** power * z / np.linalg.norm(z, axis=axis, keepdims=True)


@exercise(
    "every z is scaled to the radius sqrt(L), where the prior has it",
    right=partial(onto_prior, prior="sphere"),
    cases=lambda: arrays(1, (1, 2), (2, 2), (1, 8), (5, 16)),
    mistakes={
        "this has length 1; the radius is sqrt(L), the typical length of a Gaussian z": partial(_scaled, power=0),
        "this has length L; the radius is its square root": partial(_scaled, power=1),
        "this is the length of the whole batch; each z has its own": partial(_scaled, axis=None),
        "this scales each number over the batch: axis 1 holds the numbers of one z": partial(_scaled, axis=0),
        "clipping gives a cube; scale the whole z": lambda z: z.clip(-1, 1),
    },
)
def onto_sphere(z):
    """Bring z (N, L) back onto the prior, the sphere of radius sqrt(L): each z keeps its direction."""
    return z * np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=1, keepdims=True)


def _searches(*how) -> list[tuple]:
    generator, features, _ = networks()
    return [(generator, features, *queries(count, count), lam, *how) for count, lam in ((1, 0.1), (2, 0.3), (4, 0.1))]


def _path(g, f, x, z, lam, step_size, steps, prior="sphere", batch_mean=False, training=False) -> list[tuple]:
    """Descend by the library's gradient, with mistakes on request; return z, R and D before and after each step."""
    if training:
        g, f = (partial(lambda network, given, training: network(given, training=True), network) for network in (g, f))
    search, feature_x, path = Search(g, f, prior), f(x, training=False), []
    for _ in range(steps + 1):
        path.append((z, *search.losses(x, feature_x, z)[:2]))
        step = step_size * search.gradient(x, feature_x, z, (1 - lam, lam)) / (len(x) if batch_mean else 1)
        z = onto_prior(z - step, prior)
    return path


def _chained_path(g, f, x, z, *how) -> list[tuple]:
    """Fall into the Dense-layer trap: each image's search starts where the last one ended."""
    z, paths = z[:1], []
    for image in x:
        paths.append(_path(g, f, image[None], z, *how))
        z = paths[-1][-1][0]
    return [[np.concatenate(parts) for parts in zip(*steps, strict=True)] for steps in zip(*paths, strict=True)]


def _step(*case, **mistake):
    return _path(*case, steps=1, prior="normal", **mistake)[1][0]


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


def _search(*case, path=_path, **mistake):
    """Return A(x), (N,), at the end of a search."""
    _, r, d = path(*case, **mistake)[-1]
    return anomaly_score(r, d, case[4])


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
        "an image goes on where the last one ended: scores depend on the order": partial(_search, path=_chained_path),
        "lambda is on the wrong term: it weighs D": lambda g, f, x, z, lam, *how: _search(g, f, x, z, 1 - lam, *how),
        "the networks are in training mode: a score depends on its neighbours": partial(_search, training=True),
        "the search goes uphill: subtract the gradient": lambda *to: _search(*to[:-2], -to[-2], to[-1]),
        "this is R alone at the end; A(x) is (1 - lam) R + lam D": lambda *to: _path(*to)[-1][1],
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
    """Record three searches for the same four images, each as a `search.Trace`; one of them has a bug.

    "A" and "C" search with lambda 0.1, "B" with 0.95; a search starts from one random z.
    """
    (g, f, _), (x, _) = networks(), queries(4, 9)
    start = Search(g, f, "sphere").start(x, restart=0, seed=9)
    paths = {name: _path(g, f, x, start, lam, 0.1, 21) for name, lam in (("A", 0.1), ("B", 0.95))}
    paths["C"] = _chained_path(g, f, x, start, 0.1, 0.1, 21)  # the bug: z is not drawn again
    recorded = {name: map(np.stack, zip(*path[::3], strict=True)) for name, path in paths.items()}
    return {name: Trace(np.arange(0, 22, 3), *parts) for name, parts in recorded.items()}


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
