"""Answers to the exercises on the search for z, written from the questions alone, without sight of the checkers."""

# ruff: noqa: E501, B008 - an answer a line

import numpy as np
import tensorflow as tf

from anogan_lib import exercises as ex

PIXELS = (1, 2, 3)


def differences(generator, features, x, z, training=False):
    """R and D of each image, and all that a search step needs."""
    y = generator(z, training=training)
    fx, fy = features(x, training=training), features(y, training=training)
    return x - y, fx - fy


def losses(generator, features, x, z, training=False):
    pixels, fs = differences(generator, features, x, z, training)
    return tf.reduce_sum(tf.abs(pixels), axis=PIXELS), tf.reduce_sum(tf.abs(fs), axis=PIXELS)


def gradient(loss, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = loss(z)
    return tape.gradient(value, z)


def stepper(loss, scale=lambda g: g):
    """A wrong search step that follows `loss(r, d, lam)`."""

    def step(generator, features, x, z, lam, step_size):
        return z - step_size * scale(gradient(lambda z: loss(*losses(generator, features, x, z), lam), z))

    return step


def total(r, d, lam):
    return tf.reduce_sum((1 - lam) * r + lam * d)


def sphere(z):
    return z * np.sqrt(z.shape[1]) / tf.norm(z, axis=1, keepdims=True)


def with_optimiser(generator, features, x, z, lam, step_size, optimiser=tf.keras.optimizers.SGD):
    z = tf.Variable(z)
    with tf.GradientTape() as tape:
        loss = total(*losses(generator, features, x, z), lam)
    optimiser(step_size).apply_gradients([(tape.gradient(loss, z), z)])
    return z.numpy()


def image_by_image(generator, features, x, z, lam, step_size):
    step = stepper(total)
    each = [step(generator, features, x[i : i + 1], z[i : i + 1], lam, step_size) for i in range(len(x))]
    return tf.concat(each, axis=0)


def two_gradients(generator, features, x, z, lam, step_size):
    r = gradient(lambda z: tf.reduce_sum(losses(generator, features, x, z)[0]), z)
    d = gradient(lambda z: tf.reduce_sum(losses(generator, features, x, z)[1]), z)
    return z - step_size * ((1 - lam) * r + lam * d)


def in_training_mode(generator, features, x, z, lam, step_size):
    return z - step_size * gradient(lambda z: total(*losses(generator, features, x, z, True), lam), z)


def squared(generator, features, x, z, lam, step_size):
    def loss(z):
        pixels, fs = differences(generator, features, x, z)
        return (1 - lam) * tf.reduce_sum(pixels**2) + lam * tf.reduce_sum(fs**2)

    return z - step_size * gradient(loss, z)


def on_sphere_step(generator, features, x, z, lam, step_size):
    return sphere(stepper(total)(generator, features, x, z, lam, step_size))


def searcher(step=stepper(total), back=sphere, result=None, count=0, at_end=False):
    """A whole search out of parts, of which one is wrong."""

    def search(generator, features, x, z, lam, step_size, steps):
        for _ in range(steps + count):
            z = step(generator, features, x, z, lam, step_size)
            z = z if at_end else back(z)
        z = back(z) if at_end else z
        r, d = losses(generator, features, x, z)
        return result(r, d, lam, z) if result else (1 - lam) * r + lam * d

    return search


def best_on_the_way(generator, features, x, z, lam, step_size, steps):
    step, scores = stepper(total), []
    for _ in range(steps):
        r, d = losses(generator, features, x, z)
        scores.append((1 - lam) * r + lam * d)
        z = sphere(step(generator, features, x, z, lam, step_size))
    return np.min(scores, axis=0)


def score_before_the_step(generator, features, x, z, lam, step_size, steps):
    for _ in range(steps):
        r, d = losses(generator, features, x, z)
        z = sphere(stepper(total)(generator, features, x, z, lam, step_size))
    return (1 - lam) * r + lam * d


def search_with_variable(generator, features, x, z, lam, step_size, steps):
    z, optimiser = tf.Variable(z), tf.keras.optimizers.SGD(step_size)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = total(*losses(generator, features, x, z), lam)
        optimiser.apply_gradients([(tape.gradient(loss, z), z)])
        z.assign(sphere(z))
    r, d = losses(generator, features, x, z)
    return ((1 - lam) * r + lam * d).numpy()


def search_each(generator, features, x, z, lam, step_size, steps):
    parts = [
        searcher()(generator, features, x[i : i + 1], z[i : i + 1], lam, step_size, steps)[0] for i in range(len(x))
    ]
    return [float(part) for part in parts]


def buggy():
    return max(ex.traces(), key=lambda name: np.ptp(ex.traces()[name].z[0], axis=0).max())


def other(which):
    return [name for name in "ABC" if name != buggy()][which]


def drawn_z(seed=0):
    return np.random.default_rng(seed).normal(size=(10000, 64))


def shortest(seed=0):
    return np.linalg.norm(drawn_z(seed), axis=1).min()


def flat(x):
    return np.reshape(x, (len(x), -1))


RIGHT = {
    "residual": [
        lambda x, y: np.abs(x - y).sum(axis=PIXELS),
        lambda x, y: np.linalg.norm(flat(x - y), ord=1, axis=1),
        lambda x, y: tf.reduce_sum(tf.abs(x - y), axis=PIXELS),
        lambda x, y: [float(np.abs(a - b).sum()) for a, b in zip(x, y, strict=True)],
        lambda x, y: np.sqrt((x - y) ** 2).sum(axis=(3, 2, 1)),
    ],
    "discrimination": [
        lambda f, x, y: np.abs(f(x, training=False) - f(y, training=False)).sum(axis=PIXELS),
        lambda f, x, y: tf.reduce_sum(tf.abs(f(x, training=False) - f(y, training=False)), axis=PIXELS),
        lambda f, x, y: np.linalg.norm(flat(f(x, training=False) - f(y, training=False)), ord=1, axis=1),
        lambda f, x, y: np.abs(flat(f(y, training=False)) - flat(f(x, training=False))).sum(axis=-1),
        lambda f, x, y: [float(np.abs(a - b).sum()) for a, b in zip(f(x, training=False), f(y, training=False), strict=True)],
    ],
    "onto_sphere": [
        lambda z: z * np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=1, keepdims=True),
        lambda z: tf.math.l2_normalize(z, axis=1) * z.shape[1] ** 0.5,
        lambda z: z / np.sqrt(np.mean(z**2, axis=1, keepdims=True)),
        lambda z: np.array([len(each) ** 0.5 * each / np.sqrt(each @ each) for each in z]),
        sphere,
    ],
    "search_step": [stepper(total), with_optimiser, image_by_image, two_gradients,
                    stepper(lambda r, d, lam: (1 - lam) * r + lam * d)],
    "search": [searcher(), search_with_variable, search_each, searcher(step=image_by_image), searcher(step=two_gradients)],
    "buggy_trace": [(buggy(), "z"), [buggy(), "z"], (buggy().lower(), "Z"), (buggy(), "trace.z"), (f" {buggy()}", "z ")],
    "shortest_z": [(0, shortest()), (1.0, shortest(1)), (8, 5.4), (64, float(shortest(2))), (2.5, tf.constant(5.3))],
}  # fmt: skip

WRONG = {
    "residual": [
        (lambda x, y: np.abs(x - y).mean(axis=PIXELS), "mean"),
        (lambda x, y: (x - y).sum(axis=PIXELS), "absolute|cancel|sign"),
        (lambda x, y: ((x - y) ** 2).sum(axis=PIXELS), "square"),
        (lambda x, y: np.linalg.norm(flat(x - y), axis=1), "root|square|L2|Euclid"),
        (lambda x, y: np.abs(x - y).sum(), "each image|one number"),
        (lambda x, y: np.abs(x - y).sum(axis=(1, 2)), "channel"),
        (lambda x, y: np.abs(x - y).sum(axis=(0, 1, 2)), "image|axis"),
        (lambda x, y: np.abs(x - y), "sum|map"),
        (lambda x, y: np.abs(x - y).max(axis=PIXELS), "largest|max"),
        (lambda x, y: np.abs((x - y).sum(axis=PIXELS)), "absolute|cancel|sign"),
        (lambda x, y: np.abs(x - y).mean(axis=3).sum(axis=(1, 2)), "channel"),
        (lambda x, y: np.abs(np.abs(x) - np.abs(y)).sum(axis=PIXELS), "difference|first|\\|x\\|"),
    ],
    "discrimination": [
        (lambda f, x, y: np.abs(f(x, training=False) - f(y, training=False)).mean(axis=PIXELS), "mean"),
        (lambda f, x, y: np.abs(f(x, training=True) - f(y, training=True)).sum(axis=PIXELS), "training"),
        (lambda f, x, y: np.abs(x - y).sum(axis=PIXELS), "pixels|features"),
        (lambda f, x, y: ((f(x, training=False) - f(y, training=False)) ** 2).numpy().sum(axis=PIXELS), "square"),
        (
            lambda f, x, y: (f(x, training=False) - f(y, training=False)).numpy().sum(axis=PIXELS),
            "absolute|cancel|sign",
        ),
        (lambda f, x, y: np.abs(f(x, training=False)).sum(axis=PIXELS), "f\\(G|difference|G\\(z\\)"),
        (lambda f, x, y: np.abs(f(x, training=False) - f(y, training=False)).sum(), "each image|one number"),
        (lambda f, x, y: np.abs(f(x, training=False) - f(y, training=False)).sum(axis=(1, 2)), "channel|axis"),
        (lambda f, x, y: np.abs(f(x - y, training=False)).sum(axis=PIXELS), "difference|linear|each"),
        (
            lambda f, x, y: np.linalg.norm(flat(f(x, training=False) - f(y, training=False)), axis=1),
            "root|square|L2|Euclid",
        ),
        (lambda f, x, y: np.abs(f(x, training=False) - f(y, training=False)).max(axis=PIXELS), "largest|max"),
        (
            lambda f, x, y: np.abs(f(x, training=False) - f(y, training=False)).mean(axis=3).sum(axis=(1, 2)),
            "channel|mean",
        ),
    ],
    "onto_sphere": [
        (lambda z: z / np.linalg.norm(z, axis=1, keepdims=True), "length 1"),
        (lambda z: np.clip(z, -1, 1), "clip|direction"),
        (lambda z: z * np.sqrt(z.shape[1]) / np.linalg.norm(z), "each z|batch|all"),
        (lambda z: z / np.sqrt(z.shape[1]), "length|divide"),
        (lambda z: z * z.shape[1] / np.linalg.norm(z, axis=1, keepdims=True), "root|sqrt"),
        (lambda z: z * np.minimum(1, np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=1, keepdims=True)), "short|inside"),
        (lambda z: z * np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=0, keepdims=True), "axis|each z"),
        (lambda z: (z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True), "mean|direction"),
        (np.tanh, "direction"),
        (lambda z: z * np.sqrt(z.shape[1]) / np.sum(z**2, axis=1, keepdims=True), "root|square"),
        (lambda z: z * np.sqrt(len(z)) / np.linalg.norm(z, axis=1, keepdims=True), "N|number of images|batch"),
        (lambda z: np.abs(z) * np.sqrt(z.shape[1]) / np.linalg.norm(z, axis=1, keepdims=True), "direction|sign"),
    ],
    "search_step": [
        (stepper(total, lambda g: -g), "uphill"),
        (stepper(lambda r, d, lam: tf.reduce_mean((1 - lam) * r + lam * d)), "mean"),
        (stepper(lambda r, d, lam: total(d, r, lam)), "lambda"),
        (stepper(lambda r, d, lam: tf.reduce_sum(r)), "R alone|D is missing|alone"),
        (stepper(lambda r, d, lam: tf.reduce_sum(d)), "D alone|R is missing|alone"),
        (on_sphere_step, "3.5|later|sphere|next"),
        (lambda *args: with_optimiser(*args, optimiser=tf.keras.optimizers.Adam), "Adam"),
        (squared, "square"),
        (lambda g, f, x, z, lam, s: stepper(total)(g, f, x, z, lam, 1.0), "step_size|step size"),
        (in_training_mode, "training"),
        (stepper(total, lambda g: g / tf.norm(g, axis=1, keepdims=True)), "length|normal"),
        (lambda g, f, x, z, lam, s: gradient(lambda z: total(*losses(g, f, x, z), lam), z), "gradient"),
        (stepper(lambda r, d, lam: tf.reduce_sum(r + lam * d)), "1 - lam|lambda"),
        (lambda g, f, x, z, lam, s: total(*losses(g, f, x, z), lam), "loss|shape|next z"),
    ],
    "search": [
        (searcher(count=1), "step"),
        (searcher(back=lambda z: z), "prior|sphere"),
        (searcher(back=lambda z: sphere(z) / z.shape[1] ** 0.5), "length 1|radius|sqrt"),
        (searcher(result=lambda r, d, lam, z: lam * r + (1 - lam) * d), "lambda"),
        (searcher(result=lambda r, d, lam, z: r), "R alone|D is missing|alone"),
        (best_on_the_way, "last|end|best"),
        (searcher(result=lambda r, d, lam, z: z), "z|score"),
        (score_before_the_step, "last|step"),
        (searcher(at_end=True), "each step|each time|only"),
        (searcher(result=lambda r, d, lam, z: total(r, d, lam)), "each image|one number"),
        (searcher(step=stepper(total, lambda g: -g)), "uphill|subtract"),
        (searcher(step=stepper(lambda r, d, lam: tf.reduce_sum(r))), "R alone|alone"),
        (searcher(count=-1), "step"),
    ],
    "buggy_trace": [
        ((other(0), "z"), "no bug|begin|same|right"),
        ((other(1), "z"), "no bug|begin|same|right"),
        ((other(0), "residual"), "no bug|right"),
        ((other(1), "residual"), "no bug|right"),
        ((buggy(), "residual"), "z|record"),
        ((buggy(), "discrimination"), "z|record"),
        ((buggy(), "steps"), "z|record"),
        (buggy(), "record|two|both"),
        (("D", "z"), "A, B"),
        ((buggy(), "lam"), "steps|record"),
        (("z", buggy()), "A, B|letter|first"),
        (None, "None|nothing|two"),
    ],
    "shortest_z": [
        ((0,), "measure"),
        ((0, 0), "length|norm"),
        ((0, float(np.linalg.norm(drawn_z(), axis=1).mean())), "mean|typical|shortest"),
        ((0, float(np.linalg.norm(drawn_z(), axis=1).max())), "longest|shortest"),
        ((0, 1.0), "length|norm"),
        ((0, 64), "length|root|norm"),
        ((0, float(shortest() ** 2)), "root|square"),
        ((0, float(drawn_z().min())), "length|coordinate|norm"),
        ((0, shortest() / 8), "sqrt|length|unit|8"),
        ((None, 5.4), "predict"),
        ((0, "5.4"), "number"),
        ((0, float(np.linalg.norm(drawn_z(), axis=0).min())), "axis|100|z"),
    ],
}
