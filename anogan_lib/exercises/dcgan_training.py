"""Exercises on training a DCGAN: the two losses, parameters, mode collapse, which checkpoint to keep."""

import numpy as np
from keras import ops  # noqa: F401 - for mistakes.toml

from anogan_lib.exercises.cases import arrays, nuts
from anogan_lib.exercises.check import among, exercise, table
from anogan_lib.paper.dcgan import discriminator_loss as _d_loss
from anogan_lib.paper.dcgan import generator_loss as _g_loss


@exercise(right=_d_loss, cases=lambda: arrays(2, (1, 1), (2, 1), (5, 1), (16, 1)))
def discriminator_loss(real_logits, fake_logits):
    """D's loss - log D(x) - log(1 - D(G(z))), mean over the batch, from logits (N, 1); D is their sigmoid."""
    real, fake = 1 / (1 + np.exp(-real_logits)), 1 / (1 + np.exp(-fake_logits))
    return -np.log(real).mean() - np.log(1 - fake).mean()


@exercise(right=_g_loss, cases=lambda: arrays(1, (1, 1), (2, 1), (5, 1), (16, 1)))
def generator_loss(fake_logits):
    """G's non-saturating loss - log D(G(z)), mean over the batch, from logits (N, 1)."""
    return np.log(1 + np.exp(-fake_logits)).mean()


@exercise(cases=lambda: [(1, 1, 2), (4, 1, 1), (4, 3, 32), (4, 32, 64), (3, 5, 7)])
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


@exercise(given=generators)
def collapsed(train, samples):
    """Which generator of `train, samples = ex.generators()` has collapsed: "A", "B" or "C"? Answer with a pair:
    its letter, and the mean absolute difference between two of its samples."""
    apart = {name: float(np.mean([np.abs(one - some) for one in some])) for name, some in samples.items()}
    letter = min(apart, key=apart.get)
    return letter, apart[letter]


def checkpoints() -> list[dict]:
    """Return the record of a training (made up): R is the mean residual loss of images under the search for z."""
    return table("checkpoints")


@exercise(
    given=checkpoints, effect=lambda epoch, rows: among(epoch, [row["epoch"] for row in rows], "an epoch of the table")
)
def checkpoint(rows):
    """Which epoch of `ex.checkpoints()` do you keep?"""
    return min(rows, key=lambda row: row["validation_R"])["epoch"]
