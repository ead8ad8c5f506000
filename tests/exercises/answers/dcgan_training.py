"""Answers to the exercises on training a DCGAN, written from the questions alone, without sight of the checkers."""

import numpy as np
import tensorflow as tf

from anogan_lib import exercises as ex


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def cross_entropy(label, logits):
    labels = np.full(np.shape(logits), float(label), "float32")
    return float(tf.keras.losses.BinaryCrossentropy(from_logits=True)(labels, np.asarray(logits, "float32")))


def sigmoid_cross_entropy(label, logits):
    logits = tf.cast(logits, tf.float64)
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(logits.shape, tf.cast(label, tf.float64)), logits)
    )


def by_keras(kernel, channels_in, channels_out):
    layer = tf.keras.layers.Conv2D(channels_out, kernel)
    layer.build((None, 8, 8, channels_in))
    return layer.count_params()


def apart(name):
    """The mean absolute difference between two samples of a generator."""
    some = ex.generators()[1][name]
    return float(np.mean([np.abs(some[i] - some[j]) for i in range(len(some)) for j in range(i)]))


def to_training(name):
    train, samples = ex.generators()
    return float(np.mean([np.abs(each - train).mean(axis=(1, 2, 3)).min() for each in samples[name]]))


COLLAPSED = min("ABC", key=apart)
HEALTHY = next(name for name in "BC" if name != COLLAPSED)


RIGHT = {
    "discriminator_loss": [
        lambda real, fake: np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean(),
        lambda real, fake: cross_entropy(1, real) + cross_entropy(0, fake),
        lambda real, fake: sigmoid_cross_entropy(1, real) + sigmoid_cross_entropy(0, fake),
        lambda real, fake: tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake)),
        lambda real, fake: -np.mean(np.log(sigmoid(real)) + np.log(1 - sigmoid(fake))),
    ],
    "generator_loss": [
        lambda fake: np.logaddexp(0, -fake).mean(),
        lambda fake: -np.log(sigmoid(fake)).mean(),
        lambda fake: cross_entropy(1, fake),
        lambda fake: sigmoid_cross_entropy(1, fake),
        lambda fake: np.log1p(np.exp(-fake)).mean(),
    ],
    "parameters": [
        lambda k, i, o: k**2 * i * o + o,
        lambda k, i, o: o * (1 + i * k * k),
        by_keras,
        lambda k, i, o: np.prod([k, k, i, o]) + o,
        lambda k, i, o: float(sum(k * k * i + 1 for _ in range(o))),
    ],
    "collapsed": [
        (COLLAPSED, apart(COLLAPSED)),
        [COLLAPSED, round(apart(COLLAPSED), 3)],
        (COLLAPSED.lower(), np.float32(apart(COLLAPSED))),
        (COLLAPSED, np.mean([np.abs(one - ex.generators()[1][COLLAPSED]) for one in ex.generators()[1][COLLAPSED]])),
        (f" {COLLAPSED} ", apart(COLLAPSED)),
    ],
    "checkpoint": [
        80,
        80.0,
        np.int64(80),
        min(ex.checkpoints(), key=lambda row: row["validation_R"])["epoch"],
        np.array(80),
    ],
}

WRONG = {
    "discriminator_loss": [
        (lambda real, fake: np.logaddexp(0, real).mean() + np.logaddexp(0, -fake).mean(), "swap"),
        (lambda real, fake: (np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()) / 2, "half"),
        (lambda real, fake: np.logaddexp(0, -real).mean(), "generated|fake"),
        (lambda real, fake: np.logaddexp(0, fake).mean(), "real"),
        (lambda real, fake: np.logaddexp(0, -real).sum() + np.logaddexp(0, fake).sum(), "mean"),
        (lambda real, fake: np.log(sigmoid(real)).mean() + np.log(1 - sigmoid(fake)).mean(), "sign|minus"),
        (lambda real, fake: -np.log(real).mean() - np.log(1 - fake).mean(), "logits|sigmoid"),
        (lambda real, fake: cross_entropy(1, sigmoid(real)) + cross_entropy(0, sigmoid(fake)), "twice"),
        (lambda real, fake: -(sigmoid(real).mean() + (1 - sigmoid(fake)).mean()), "log"),
        (lambda real, fake: -np.log(sigmoid(real).mean()) - np.log(1 - sigmoid(fake).mean()), "mean"),
        (lambda real, fake: np.logaddexp(0, -real) + np.logaddexp(0, fake), "one number|mean"),
        (lambda real, fake: fake.mean() - real.mean(), "log|Wasserstein|sigmoid"),
        (lambda real, fake: np.logaddexp(0, -real).mean() + np.logaddexp(0, -fake).mean(), "1 - |both|label"),
    ],
    "generator_loss": [
        (lambda fake: np.log(1 - sigmoid(fake)).mean(), "saturating"),
        (lambda fake: -np.log(1 - sigmoid(fake)).mean(), "label|D's"),
        (lambda fake: np.log(sigmoid(fake)).mean(), "sign|minus"),
        (lambda fake: np.logaddexp(0, -fake).sum(), "mean"),
        (lambda fake: -fake.mean(), "log|sigmoid|Wasserstein"),
        (lambda fake: cross_entropy(1, sigmoid(fake)), "twice"),
        (lambda fake: -sigmoid(fake).mean(), "log"),
        (lambda fake: -np.log10(sigmoid(fake)).mean(), "natural|base"),
        (lambda fake: -np.log(sigmoid(fake).mean()), "mean"),
        (lambda fake: np.logaddexp(0, -fake), "one number|mean"),
        (lambda fake: -np.log(fake).mean(), "logits|sigmoid"),
    ],
    "parameters": [
        (lambda k, i, o: k * k * i * o, "bias"),
        (lambda k, i, o: k * i * o + o, "square"),
        (lambda k, i, o: k * k * i * o + i, "output channel"),
        (lambda k, i, o: k * k * i * o + 1, "bias"),
        (lambda k, i, o: k * k * o + o, "channels_in|input channel"),
        (lambda k, i, o: k * k * i + 1, "channels_out|output channel"),
        (lambda k, i, o: (k * k + 1) * i * o, "bias"),
        (lambda k, i, o: k * k * i * o + 2 * o, "bias"),
        (lambda k, i, o: k * k * (i + o) + o, "product|times|multipl"),
        (lambda k, i, o: k * k * i * o + k * k, "bias"),
        (lambda k, i, o: k * k * i + i * o + o, "separable|each pair|times"),
    ],
    "collapsed": [
        (("A", apart("A")), "differ"),
        ((HEALTHY, apart(HEALTHY)), "differ"),
        (("A", apart(COLLAPSED)), "differ"),
        ((COLLAPSED, to_training(COLLAPSED)), "samples|each other|apart"),
        ((COLLAPSED, apart("A")), "apart"),
        (COLLAPSED, "number|both|two"),
        ((1, 0.2), "letter|name|first thing"),
        (("D", 0.2), "A, B|letter"),
        ((apart(COLLAPSED), COLLAPSED), "letter|first|order"),
        (None, "None|nothing|two"),
        ((COLLAPSED, None), "number"),
        (apart(COLLAPSED), "two|letter"),
    ],
    "checkpoint": [
        (100, "test"),
        (120, "G's loss|g_loss|diversity|collaps"),
        (60, "validation"),
        (20, "validation"),
        (40, "validation"),
        ("80", "text|number"),
        (640, "epoch"),
        (3, "epoch"),
        (ex.checkpoints()[3], "dict"),
        (None, "None|nothing"),
        (90, "table"),
    ],
}
