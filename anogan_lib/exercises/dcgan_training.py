"""Exercises of notebook 02: the two losses, parameters, mode collapse, which checkpoint to keep."""

import numpy as np
from keras import ops

from anogan_lib.exercises.cases import arrays, nuts
from anogan_lib.exercises.check import exercise
from anogan_lib.paper.dcgan import discriminator_loss as _d_loss
from anogan_lib.paper.dcgan import generator_loss as _g_loss


@exercise(
    "a half for real images and a half for generated ones; a D that guesses has 2 log 2 = 1.386",
    right=_d_loss,
    cases=lambda: arrays(2, (1, 1), (2, 1), (5, 1), (16, 1)),
    mistakes={
        "the labels are swapped: D learns to call real images generated": lambda real, fake: _d_loss(fake, real),
        "real images alone: a D that calls everything real has loss 0": lambda real, fake: _g_loss(real),
        "the sigmoid is taken twice: these are logits": lambda *logits: _d_loss(*map(ops.sigmoid, logits)),
        "the mean is over the wrong axis: this is one number an image": lambda *logits: list(map(_d_loss, *logits)),
        "a sum over the batch depends on its size: take the mean": lambda real, fake: _d_loss(real, fake) * len(real),
        "this is the mean of the two halves; the formula adds them": lambda real, fake: _d_loss(real, fake) / 2,
    },
)
def discriminator_loss(real_logits, fake_logits):
    """D's loss - log D(x) - log(1 - D(G(z))), mean over the batch, from logits (N, 1); D is their sigmoid."""
    real, fake = 1 / (1 + np.exp(-real_logits)), 1 / (1 + np.exp(-fake_logits))
    return -np.log(real).mean() - np.log(1 - fake).mean()


@exercise(
    "it is steep where D sees through G, and there log(1 - D) is flat",
    right=_g_loss,
    cases=lambda: arrays(1, (1, 1), (2, 1), (5, 1), (16, 1)),
    mistakes={
        "this is log(1 - D(G(z))), the saturating loss: flat as long as D wins": lambda fake: -_g_loss(-fake),
        "this is D's half of it: G would learn to be found out": lambda fake: _g_loss(-fake),
        "the minus is missing: a loss falls, and G would learn to be found out": lambda fake: -_g_loss(fake),
        "the sigmoid is taken twice: these are logits": lambda fake: _g_loss(ops.sigmoid(fake)),
        "a sum over the batch depends on its size: take the mean": lambda fake: _g_loss(fake) * len(fake),
    },
)
def generator_loss(fake_logits):
    """G's non-saturating loss - log D(G(z)), mean over the batch, from logits (N, 1)."""
    return np.log(1 + np.exp(-fake_logits)).mean()


@exercise(
    "kernel * kernel * inputs weights and one bias for each output channel, whatever the image's size",
    cases=lambda: [(1, 1, 2), (4, 1, 1), (4, 3, 32), (4, 32, 64), (3, 5, 7)],
    mistakes={
        "the biases are missing, one for each output channel": lambda k, m, n: k * k * m * n,
        "a kernel has two sides: kernel * kernel weights": lambda k, m, n: (k * m + 1) * n,
        "biases belong to output channels, not to input channels": lambda k, m, n: (k * k * n + 1) * m,
        "an output channel has one bias, not one for each input channel": lambda k, m, n: (k * k + 1) * m * n,
    },
)
def parameters(kernel, channels_in, channels_out):
    """How many parameters does a convolution with a square kernel and biases have? Three ints to one."""
    return (kernel * kernel * channels_in + 1) * channels_out


def generators() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return training images (16, 16, 16, 3), and eight samples each of generators "A", "B" and "C".

    Rendered nuts stand in for them: training images with noise, new nuts, one nut again and again.
    """
    rng, train = np.random.default_rng(5), nuts(0, 16)
    drawn = {"A": train[[9, 2, 14, 5, 0, 11, 7, 3]], "B": nuts(16, 8), "C": np.repeat(nuts(20, 1), 8, axis=0)}
    noisy = {name: images + rng.normal(0, 0.01, images.shape) for name, images in drawn.items()}
    return train, {name: images.clip(-1, 1).astype("float32") for name, images in noisy.items()}


@exercise(
    "whatever z is, C draws one nut, and the distances between its samples are near 0",
    given=generators,
    mistakes={
        "A's samples differ from each other. See their nearest training images for its illness": lambda *_: "A",
        "B is well: its samples differ from each other and from the training images": "B",
    },
    otherwise='answer with "A", "B" or "C". The sign is in the distances between samples of one generator',
)
def collapsed(train, samples):
    """Which generator of `train, samples = ex.generators()` has collapsed: "A", "B" or "C"?"""
    diversity = {name: np.mean([np.abs(one - some) for one in some]) for name, some in samples.items()}
    return min(diversity, key=diversity.get)


def checkpoints() -> list[dict]:
    """Return the record of a training (made up): R is the mean residual loss of images under the search for z."""
    columns = {
        "epoch": (20, 40, 60, 80, 100, 120, 140),
        "g_loss": (1.9, 1.4, 1.2, 1.3, 1.6, 0.7, 2.1),
        "diversity": (31, 36, 37, 36, 38, 9, 35),
        "train_R": (940, 760, 640, 560, 500, 880, 430),
        "validation_R": (950, 790, 690, 640, 670, 900, 730),
        "test_auroc": (0.71, 0.83, 0.88, 0.90, 0.93, 0.62, 0.89),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@exercise(
    "held-back normal images are explained best there, and no test image was asked",
    given=checkpoints,
    mistakes={
        "its AUROC on the test images is best, but a choice made by them makes the figure dishonest": 100,
        "it explains training images best and held-back ones worse than before: it has learned by heart": 140,
        "G's loss is lowest, but that says who is ahead, not how good the samples are: see diversity": 120,
    },
    otherwise="name an epoch of the table, and choose it by the images that serve choices: validation",
)
def checkpoint(rows):
    """Which epoch of `ex.checkpoints()` do you keep?"""
    return min(rows, key=lambda row: row["validation_R"])["epoch"]
