"""The capstone: AnoGAN from scratch in 60 lines. Its three parts are checked one by one, then the whole."""

from functools import cache

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from anogan_lib.exercises import cases
from anogan_lib.exercises.check import exercise, share
from anogan_lib.exercises.inverse_mapping import _path
from anogan_lib.paper import dcgan
from anogan_lib.paper.score import anomaly_score, discrimination_loss, residual_loss


def _built(networks) -> float:
    """Return 1 for networks G, D and f as asked. Raises ValueError that says what is not."""
    try:
        generator, discriminator, features = networks
    except (TypeError, ValueError):
        raise ValueError("asked are three networks: return generator, discriminator, features") from None
    z, x = (np.random.default_rng(0).normal(0, 50, shape).astype("float32") for shape in ((9, 8), (9, 16, 16, 1)))
    outcomes = []
    for name, network, given in (("G", generator, z), ("D", discriminator, x), ("f", features, x)):
        try:
            outcomes.append(np.asarray(network(given), "float32"))
        except Exception:
            raise ValueError(f"{name} is no network that takes {given.shape}; return G, D, f in this order") from None
    made, logits, seen = outcomes
    own = {id(each) for each in discriminator.trainable_variables}
    for wrong, words in (
        (made.shape != x.shape, f"G makes {made.shape} of 9 z; images are (9, 16, 16, 1)"),
        (np.abs(made).max() > 1, "G draws beyond [-1, 1]: end it with a tanh"),
        (made.min() >= 0, "G draws in [0, 1], but images lie in [-1, 1]: tanh, not a sigmoid or ReLU"),
        (logits.shape != (9, 1), f"D gives {logits.shape} for 9 images; asked is one logit each, (9, 1)"),
        (
            logits.min() >= 0 and logits.max() <= 1,
            "D ends in a sigmoid; the losses take its logit, which has no bounds",
        ),
        (
            len(seen) != 9 or seen[0].size < 10,
            f"f gives {seen.shape} for 9 images; take a whole layer before the logit",
        ),
        (not {id(each) for each in features.trainable_variables} < own, "f has weights of its own: take a layer of D"),
        (not features.trainable_variables, "f has no weights, it is the image itself: take a layer of D"),
    ):
        if wrong:
            raise ValueError(words)
    return 1.0


@exercise(cases=lambda: [()], effect=_built)
def networks():
    """Build G: z (N, 8) to images (N, 16, 16, 1) in [-1, 1]; D: images to logits (N, 1); f: images to a layer of D.
    Return the three in this order."""
    from keras import Input, Model, Sequential, layers

    generator = Sequential([Input((8,)), layers.Dense(4 * 4 * 32), layers.Reshape((4, 4, 32))])
    generator.add(layers.BatchNormalization())
    generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(16, 4, strides=2, padding="same"))
    generator.add(layers.BatchNormalization())
    generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh"))
    image = Input((16, 16, 1))
    y = layers.LeakyReLU(0.2)(layers.Conv2D(16, 4, strides=2, padding="same")(image))
    y = layers.LeakyReLU(0.2)(layers.Conv2D(32, 4, strides=2, padding="same")(y))
    logit = layers.Dense(1)(layers.Flatten()(y))
    return generator, Model(image, logit), Model(image, y)


LOSSES = {"d_loss": "discriminator_loss", "g_loss": "generator_loss"}  # of _step, in paper.dcgan


class Descent:
    """Plain gradient descent, called as an optimiser of Keras; it remembers how some variables were."""

    def __init__(self, rate: float, variables=()):
        self.rate, self.before = rate, [(variable, variable.numpy()) for variable in variables]

    def undo(self):
        for variable, value in self.before:
            variable.assign(value)

    def apply(self, gradients, variables):
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(self.rate * gradient)

    def apply_gradients(self, pairs):
        self.apply(*zip(*pairs, strict=True))


def _games() -> list[tuple]:
    """Return the games of `_pairs` with their first weights, since a step that broke off has left others."""
    for _, _, g_optimizer, *_ in _pairs():
        g_optimizer.undo()
    return _pairs()


@cache
def _pairs() -> list[tuple]:
    """Build two small pairs of networks with their optimisers; draw images and z for them."""
    games = []
    for seed, (count, side) in enumerate(((2, 2), (5, 3))):
        kernels = keras.initializers.GlorotNormal(seed)
        first, last, hidden, logit = (layers.Dense(n, kernel_initializer=kernels) for n in (6, side**2, 6, 1))
        g = [keras.Input((3,)), first, layers.BatchNormalization(), layers.ReLU(), last]
        g = keras.Sequential([*g, layers.Reshape((side, side, 1))])
        d = keras.Sequential([keras.Input((side, side, 1)), layers.Flatten(), hidden, layers.LeakyReLU(), logit])
        rng = np.random.default_rng(seed)
        x, z = (tf.constant(rng.normal(size=size), tf.float32) for size in ((count, side, side, 1), (count, 3)))
        games.append((g, d, Descent(0.1, g.variables + d.variables), Descent(0.05), x, z))
    return games


def _played(losses, g, d, g_optimizer, *_) -> np.ndarray:
    """Return the losses and what G and D have learned after a step, and put their weights back as they were."""
    learned = [np.ravel(variable.numpy()) for variable in g.trainable_variables + d.trainable_variables]
    g_optimizer.undo()
    try:
        d_loss, g_loss = map(float, losses)
    except (TypeError, ValueError):
        raise ValueError("asked are two numbers: return D's loss, G's loss") from None
    return np.concatenate([[d_loss, g_loss], *learned])


def _step(g, d, g_optimizer, d_optimizer, x, z, order="DG", moves="", still="", training=True, up=1, **loss):
    """Play a step of D and one of G, with mistakes on request."""
    d_loss, g_loss = (loss.get(name, getattr(dcgan, long)) for name, long in LOSSES.items())
    times = {"D": len(x), "G": len(x)} if "of" in loss else {"D": 1, "G": 1}  # sums over the batch
    weights = {"D": d.trainable_variables, "G": g.trainable_variables}
    weights |= {who: weights["D"] + weights["G"] for who in moves}
    optimizers, found = {"D": d_optimizer, "G": g_optimizer}, {}

    def look(who):
        with tf.GradientTape() as tape:
            fake = d(g(z, training=training is True or who == training), training=bool(training))
            real = d(x, training=bool(training))
            found[who] = times[who] * (d_loss(real, fake) if who == "D" else g_loss(fake))
        return [up * each for each in tape.gradient(found[who], weights[who])]

    if order == "together":
        for who, slope in [(who, look(who)) for who in "DG"]:
            optimizers[who].apply(slope, weights[who])
        return found["D"], found["G"]
    for who in order:
        slope = look(who)
        if who != still:
            optimizers[who].apply(slope, weights[who])
    return found["D"], found["G"]


def _probabilities(label, logits):
    return tf.reduce_mean(keras.losses.binary_crossentropy(label * tf.ones_like(logits), logits))


@exercise(right=_step, cases=_games, effect=_played)
def training_step(generator, discriminator, g_optimizer, d_optimizer, x, z):
    """One step of D, then one of G, on images x and the same z for both, in training mode. Return (D's loss, G's
    loss). Optimisers move weights by `apply(gradients, variables)`; D judges x and G(z) in two calls."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        fake = discriminator(generator(z, training=True), training=True)
        real = discriminator(x, training=True)
        d_loss = tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
    weights = discriminator.trainable_variables
    d_optimizer.apply(tape.gradient(d_loss, weights), weights)
    with tf.GradientTape() as tape:
        fake = discriminator(generator(z, training=True), training=True)
        g_loss = tf.reduce_mean(tf.nn.softplus(-fake))
    weights = generator.trainable_variables
    g_optimizer.apply(tape.gradient(g_loss, weights), weights)
    return d_loss, g_loss


def _queries() -> list[tuple]:
    """Return small G and f twice, images of which the first and the last are the same, lambda and steps."""
    generator, features = cases.networks()
    images = [cases.queries(count, count)[0] for count in (2, 4)]
    return [
        (generator, features, np.concatenate([x, x[:1]]), lam, 150) for x, lam in zip(images, (0.1, 0.3), strict=True)
    ]


def _searched(found, generator, features, x, lam, steps) -> float:
    """Return 1 for a search as asked. Raises ValueError that says what is wrong with its A(x) and z."""
    try:
        scores, z = (np.asarray(each, "float32") for each in found)
    except (TypeError, ValueError):
        raise ValueError("asked are two things: return A(x), (N,), and z, (N, L)") from None
    if scores.shape != (len(x),) or z.shape != (len(x), generator.input_shape[1]):
        raise ValueError(f"asked are A(x) of shape (N,) and z of (N, L); yours are {scores.shape} and {z.shape}")
    before = cases.networks()[0].variables
    if any((a.numpy() != b.numpy()).any() for a, b in zip(before, generator.variables, strict=True)):
        raise ValueError("G's weights have moved; z alone is searched, and both networks stay as they are")
    y = generator(z, training=False)
    r, d = (loss.numpy() for loss in _losses(features, x, y))
    squares = (np.square(a - b).sum((1, 2, 3)) for a, b in ((x, y), (features(x), features(y))))
    others = {
        "": anomaly_score(r, d, lam),
        "lam weighs D, and 1 - lam weighs R; yours is the other way round": anomaly_score(d, r, lam),
        "that is R alone": r,
        "that is D alone": d,
        "that is R + D; weigh them with 1 - lam and lam": r + d,
        "R has no weight; it is (1 - lam) R": r + lam * d,
        "those are squares; R and D are sums of absolute values": anomaly_score(*squares, lam),
        "that is a mean over pixels; R and D are sums": anomaly_score(r / x[0].size, d / 12, lam),
    }
    about = next((words for words, other in others.items() if np.allclose(scores, other, 1e-3, 1e-3)), None)
    if about is None:
        raise ValueError(
            f"A(x) is not (1 - lam) R + lam D at the z that you return: yours is {scores[0]:.4g} for the first image, "
            f"right is {others[''][0]:.4g}. Sums over pixels, in inference mode, after the last step?"
        )
    if about:
        raise ValueError(about)
    if not np.allclose(z[0], z[-1], 1e-2, 1e-2):
        raise ValueError("the first and the last image are the same, but their z differ: start all from one random z")
    more = _path(generator, features, x, tf.constant(z), lam, 0.02, 60, "normal")
    lowest = np.min([anomaly_score(*losses, lam) for _, *losses in more], axis=0)
    drawn = generator(np.random.default_rng(0).normal(size=(200, z.shape[1])).astype("float32"))
    blind = [np.median(anomaly_score(*_losses(features, image[None], drawn), lam)) for image in x]
    if np.allclose(z, z[0], 1e-3, 1e-3):
        raise ValueError("all images share one z; each has a z of its own")
    if np.mean(scores) > min(np.mean(blind), max(1.3 * np.mean(lowest), 0.75 * np.mean(blind))):
        raise ValueError(
            f"A(x) is {np.mean(scores):.3g} on average; 60 small steps from your z bring it to {np.mean(lowest):.3g}. "
            "Has each image a z of its own, moved against the gradient, in steps that are not too large?"
        )
    return 1.0


def _losses(features, x, y):
    return residual_loss(x, y), discrimination_loss(features(x, training=False), features(y, training=False))


@exercise(cases=_queries, effect=_searched)
def mapping(generator, features, x, lam, steps):
    """Search for each image x the z that minimises (1 - lam) R + lam D, in so many steps, all from the same random
    z: Adam or plain gradient descent. Return A(x), (N,), and z, (N, L)."""
    import keras
    import tensorflow as tf

    start = tf.random.stateless_normal((1, generator.input_shape[1]), seed=(0, 0))
    z, optimizer = tf.Variable(tf.repeat(start, len(x), axis=0)), keras.optimizers.Adam(0.1)
    optimizer.build([z])

    @tf.function(jit_compile=False)
    def score():
        y = generator(z, training=False)
        apart = tf.abs(features(x, training=False) - features(y, training=False))
        r, d = tf.reduce_sum(tf.abs(x - y), axis=(1, 2, 3)), tf.reduce_sum(apart, axis=(1, 2, 3))
        return (1 - lam) * r + lam * d

    @tf.function(jit_compile=False)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(score())
        optimizer.apply([tape.gradient(loss, z)], [z])

    for _ in range(steps):
        step()
    return score(), z


def _library(library_auroc=None) -> float:
    if library_auroc is None:
        raise ValueError("call ex.check_capstone(my_prediction, my_auroc, library_auroc)")
    return float(library_auroc)


def _shortfall(auroc, library_auroc: float) -> float:
    """Return by how much an AUROC is more than 0.02 below the library's."""
    if np.size(share(auroc)) != 1:
        raise ValueError("asked is one number, the AUROC of all scores together")
    if auroc < 0.5:
        raise ValueError(
            "below 0.5, eights score above the other digits: is y = 1 for the anomalies, and A(x) positive"
        )
    return max(0.0, library_auroc - 0.02 - float(auroc))


@exercise(given=_library, right=lambda library_auroc: library_auroc, effect=_shortfall)
def capstone(library_auroc):
    """Train your G and D on the eights, and score `some`: all test eights and every fourth of the other digits.
    Predict, then measure: which AUROC does your A(x) reach? It may lie 0.02 below the library's."""
    import keras
    import numpy as np
    import tensorflow as tf

    from anogan_lib import datasets
    from anogan_lib.evaluation.metrics import auroc

    digits, rng = datasets.load("digits:8", size=16), np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    generator, discriminator, features = networks()
    g_optimizer, d_optimizer = keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(5e-4, 0.5)
    g_optimizer.build(generator.trainable_variables)
    d_optimizer.build(discriminator.trainable_variables)
    step = tf.function(training_step, jit_compile=False)
    for _ in range(2000):
        x = digits.train.images[rng.integers(len(digits.train), size=32)]
        z = rng.normal(size=(32, 8)).astype("float32")
        step(generator, discriminator, g_optimizer, d_optimizer, tf.constant(x), tf.constant(z))
    eights, others = (np.flatnonzero(digits.test.labels == label) for label in (0, 1))
    some = digits.test[[*eights, *others[::4]]]
    scores, _ = mapping(generator, features, some.images, 0.1, 100)
    return auroc(some.labels, np.asarray(scores))
