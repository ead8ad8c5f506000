"""Answers to the parts of the capstone, written from the questions: networks, a training step, a search, an AUROC."""

# ruff: noqa: E501 - an answer a line

import keras
import numpy as np
import tensorflow as tf
from keras import Input, Model, Sequential, layers


def built(last="tanh", out=1, logit=1, end=None, layer=2, own=False, pair=False, flat=False):
    """G, D and f of dense layers, with mistakes on request."""

    def networks():
        g = Sequential(
            [Input((8,)), layers.Dense(32, "relu"), layers.Dense(256 * out, last, kernel_initializer="he_normal")]
        )
        g.add(layers.Flatten() if flat else layers.Reshape((16, 16, out)))
        stack = [layers.Flatten(), layers.Dense(20, "relu"), layers.Dense(logit, end)]
        d = Sequential([Input((16, 16, 1)), *stack])
        f = (
            Sequential([Input((16, 16, 1)), layers.Flatten(), layers.Dense(20)])
            if own
            else Model(d.inputs[0], stack[layer - 1].output)
        )
        return (g, d) if pair else (g, d, f)

    return networks


def convolutional():
    g = Sequential([Input((8,)), layers.Dense(4 * 4 * 8), layers.Reshape((4, 4, 8)), layers.UpSampling2D(4)])
    g.add(layers.Conv2D(1, 3, padding="same", activation="tanh"))
    d = Sequential(
        [Input((16, 16, 1)), layers.Conv2D(8, 3, strides=2, activation="relu"), layers.Flatten(), layers.Dense(1)]
    )
    return [g, d, Model(d.inputs[0], d.layers[0].output)]


def softplus(t):
    return tf.reduce_mean(tf.math.softplus(t))


def entropy(real, fake):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)


def stepped(d_loss=lambda real, fake: softplus(-real) + softplus(fake), g_loss=lambda fake: softplus(-fake), mode=True,
            sign=1, first="D", d_moves="D", g_moves="G", back=lambda d, g: (d, g), pairs=False):  # fmt: skip
    """A step of D, and one of G, with mistakes on request."""

    def training_step(generator, discriminator, g_optimizer, d_optimizer, x, z):
        variables = {"D": discriminator.trainable_variables, "G": generator.trainable_variables, "": []}
        variables["DG"], losses = variables["D"] + variables["G"], {}
        for who in ("DG", "GD")[first == "G"]:
            moved = variables[d_moves if who == "D" else g_moves]
            with tf.GradientTape() as tape:
                fake = discriminator(generator(z, training=mode), training=mode)
                losses[who] = d_loss(discriminator(x, training=mode), fake) if who == "D" else g_loss(fake)
            gradients = [sign * each for each in tape.gradient(losses[who], moved)]
            optimizer = d_optimizer if who == "D" else g_optimizer
            optimizer.apply_gradients(zip(gradients, moved, strict=True)) if pairs else optimizer.apply(
                gradients, moved
            )
        return back(losses["D"], losses["G"])

    return training_step


def one_tape(generator, discriminator, g_optimizer, d_optimizer, x, z):
    with tf.GradientTape(persistent=True) as tape:
        fake = discriminator(generator(z, training=True), training=True)
        d_loss, g_loss = softplus(-discriminator(x, training=True)) + softplus(fake), softplus(-fake)
    for loss, network, optimizer in ((d_loss, discriminator, d_optimizer), (g_loss, generator, g_optimizer)):
        optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)
    return d_loss, g_loss


def searched(rate=0.05, mode=False, starts="one", axes=(1, 2, 3), how=None, reduce=tf.reduce_sum, shared=False, late=False,
             back=lambda a, z: (a, z), size=tf.abs, adam=False):  # fmt: skip
    """A search for z, with mistakes on request."""

    def mapping(generator, features, x, lam, steps):
        n, length = len(x), generator.input_shape[-1]
        draws = tf.random.stateless_normal((n if starts == "own" else 1, length), (3, 4))
        z = tf.Variable(tf.repeat(draws, n // len(draws), 0))
        optimizer = keras.optimizers.Adam(0.1)

        def losses(z):
            y = generator(z, training=mode)
            d = reduce(size(features(x, training=mode) - features(y, training=mode)), axes)
            return reduce(size(x - y), axes), d

        for _ in range(steps):
            with tf.GradientTape() as tape:
                r, d = losses(z)
                loss = tf.reduce_sum((1 - lam) * r + lam * d)
            slope = tape.gradient(loss, z)
            slope = tf.repeat(tf.reduce_sum(slope, 0, keepdims=True), n, 0) if shared else slope
            optimizer.apply([slope], [z]) if adam else z.assign_sub(rate * slope)
        r, d = (r, d) if late else losses(z)
        return back((how or (lambda r, d, lam: (1 - lam) * r + lam * d))(r, d, lam), z)

    return mapping


def one_by_one(generator, features, x, lam, steps):
    found = [searched()(generator, features, x[i : i + 1], lam, steps) for i in range(len(x))]
    return [float(a[0]) for a, _ in found], [z.numpy()[0] for _, z in found]


RIGHT = {
    "networks": [
        built(),
        convolutional,
        lambda: tuple(built()()),
        built(last="softsign"),
        lambda: dict(zip("GDF", built()(), strict=True)).values(),
    ],
    "training_step": [
        stepped(),
        stepped(pairs=True),
        stepped(d_loss=entropy),
        stepped(g_loss=lambda fake: tf.reduce_mean(tf.math.log(1 + tf.exp(-fake)))),
        stepped(back=lambda d, g: np.array([d, g])),
        stepped(back=lambda d, g: [float(d), float(g)]),
    ],
    "mapping": [searched(), searched(rate=0.02), searched(adam=True), one_by_one, searched(back=lambda a, z: [a.numpy(), z.numpy()])],
    "capstone": [(0.9, 0.95, 0.96), (0.5, 0.99, 0.96), (1, 0.941, 0.96), (0.9, np.float32(0.96), 0.96), (0.9, tf.constant(0.97), 0.95)],
}  # fmt: skip

WRONG = {
    "networks": [
        (built(last="linear"), "tanh"),
        (built(last="sigmoid"), r"\[0, 1\]"),
        (built(last="relu"), r"\[0, 1\]|tanh"),
        (built(out=3), r"\(9, 16, 16, 1\)"),
        (built(flat=True), r"\(9, 16, 16, 1\)"),
        (built(end="sigmoid"), "sigmoid"),
        (built(logit=2), r"\(9, 1\)"),
        (built(layer=3), "before the logit"),
        (built(layer=1), "image itself"),
        (built(own=True), "weights of its own"),
        (built(pair=True), "three networks"),
        (lambda: built()()[0], "three networks"),
        (lambda: None, "return"),
    ],
    "training_step": [
        (stepped(first="G"), "D goes first"),
        (one_tape, "old weights"),
        (stepped(mode=False), "training=True"),
        (stepped(sign=-1), "[Uu]phill"),
        (stepped(d_loss=lambda real, fake: softplus(real) + softplus(-fake)), "swapped"),
        (stepped(g_loss=softplus), "sign of its logits"),
        (stepped(g_loss=lambda fake: -softplus(fake)), "log D"),
        (stepped(d_moves="DG"), "D's variables alone"),
        (stepped(g_moves="DG"), "G's variables alone"),
        (stepped(d_moves="DG", g_moves="DG"), "both networks"),
        (stepped(d_moves=""), "D has not moved"),
        (stepped(g_moves=""), "G has not moved"),
        (stepped(d_loss=lambda real, fake: softplus(-real)), "real images alone"),
        (stepped(d_loss=lambda real, fake: entropy(real, fake) / 2), "halved"),
        (stepped(back=lambda d, g: (g, d)), "order"),
        (stepped(back=lambda d, g: None), "return"),
    ],
    "mapping": [
        (searched(starts="own"), "one random z"),
        (searched(how=lambda r, d, lam: lam * r + (1 - lam) * d), "other way round"),
        (searched(how=lambda r, d, lam: r), "R alone"),
        (searched(how=lambda r, d, lam: r + d), "weigh them"),
        (searched(how=lambda r, d, lam: r + lam * d), "no weight"),
        (searched(reduce=tf.reduce_mean), "mean over pixels"),
        (searched(mode=True), "inference mode"),
        (searched(rate=-0.05), "against the gradient"),
        (searched(rate=0), "z of its own"),
        (searched(shared=True), "z of its own"),
        (searched(size=tf.square), r"R \+ lam D at the z"),
        (searched(back=lambda a, z: a), "two things"),
        (searched(back=lambda a, z: (tf.reduce_sum(a), z)), "shape"),
        (searched(back=lambda a, z: (a, z[:1])), "shape"),
        (searched(back=lambda a, z: (z, a)), "shape"),
    ],
    "capstone": [
        ((0.9, 0.9, 0.96), "samples"),
        ((0.9, 0.939, 0.96), "less 0.02"),
        ((0.9, 0.04, 0.96), "below 0.5"),
        ((0.9, 96.2, 0.96), "per cent"),
        ((0.9, 0.5, 0.96), "less 0.02"),
        ((0.9,), "measure"),
        ((0.9, 0.96), "library_auroc"),
        (("high",), "predict"),
        ((0.9, "0.96", 0.96), "of type str"),
        ((0.9, [0.96, 0.97], 0.96), "of type list"),
    ],
}  # fmt: skip
