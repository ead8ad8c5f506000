"""RpGAN: a DCGAN that keeps the diversity of its images, in a quarter of the steps.

The plain DCGAN of `paper/` soon draws one good image over and over where images have much in common: on photographs of
pills, all on one background, it lost the red specks by which they differ. Four changes cure that:

- **Units of the data.** m is the mean training image, s the root mean square of x - m. G draws m + s * output, so that
  it spends its training on what makes images differ. D sees x and (x - m) / s side by side.
- **Pairs.** D compares each real image with a generated one (relativistic pairing, Jolicoeur-Martineau 2018, arXiv
  1807.00734); gradient penalties on both, R1 and R2, make the game converge (Huang et al. 2024, arXiv 2501.05441).
- **The batch at a glance.** D is also given the spread of its features within groups of images (minibatch deviation,
  Karras et al. 2017, arXiv 1710.10196).
- **A floor for diversity.** G's loss rises where generated images differ less than 0.9 as much as real ones.
"""

import math
from dataclasses import dataclass

import keras
import tensorflow as tf
from keras import layers, ops

from anogan_lib.datasets.base import as_split, iterate_batches
from anogan_lib.paper.dcgan import DCGAN, called_real, diversity
from anogan_lib.paper.networks import block_channels, downsampling, upsampling
from anogan_lib.training.augmentation import differentiable, flip
from anogan_lib.training.distribution import GROUP
from anogan_lib.training.settings import Settings

PENALTY = 1.0  # weight of R1 and of R2, halved as in their papers
DIVERSITY_FLOOR = 0.9
EPOCHS, MOST_STEPS = 45, 6000  # passes where images are many, and steps at most; else `default_steps`


class Standardise(layers.Layer):
    """(x - m) / s, with the mean training image m (H, W, C) and the spread s of the training images around it.

    With `inverse` it returns m + s * x, outside training cut off at [-1, 1].
    """

    def __init__(self, inverse: bool = False, **options):
        super().__init__(**options)
        self.inverse = inverse

    def build(self, shape):
        self.mean = self.add_weight(shape=shape[1:], initializer="zeros", trainable=False, name="mean")
        self.spread = self.add_weight(shape=(), initializer="ones", trainable=False, name="spread")

    def call(self, x, training=False):
        if not self.inverse:
            return (x - self.mean) / self.spread
        images = self.mean + self.spread * x
        return images if training else ops.clip(images, -1.0, 1.0)

    def get_config(self):
        return super().get_config() | {"inverse": self.inverse}


class MinibatchDeviation(layers.Layer):
    """Add a channel with the mean standard deviation of all features within groups of four images of the batch."""

    def call(self, y):
        count = ops.shape(y)[0]
        group = ops.where(count % GROUP == 0, GROUP, 1)  # of one image, the deviation is 0
        spread = ops.sqrt(ops.var(ops.reshape(y, (group, count // group, *y.shape[1:])), axis=0) + 1e-6)
        spread = ops.tile(ops.mean(spread, axis=(1, 2, 3)), (group,))  # (N,)
        return ops.concatenate([y, ops.zeros_like(y[..., :1]) + spread[:, None, None, None]], axis=-1)

    def compute_output_shape(self, shape):
        return (*shape[:-1], shape[-1] + 1)


@dataclass(frozen=True)
class RpSettings(Settings):
    """The settings of an RpGAN; see `training.settings.Settings`."""

    normalisation: str = ""
    learning_rate: float = 1e-3
    d_learning_rate: float = 1e-3

    def __post_init__(self):
        super().__post_init__()
        if self.normalisation:
            raise ValueError(f"D of an RpGAN has no normalisation; leave it out. Received: {self.normalisation!r}")


class RpGAN(DCGAN):
    """Two networks that train each other on normal images, in units of these; used like `DCGAN`.

    >>> gan = RpGAN((64, 64, 3), seed=0)
    >>> history = gan.train(data.train)
    """

    default_steps = 1500
    guessing = (math.log(2), math.log(2))  # where D finds real images no more real than generated ones
    settings_type = RpSettings

    def __init__(self, image_shape=(64, 64, 3), **settings):
        super().__init__(image_shape, **settings)
        seen = self.discriminator.get_layer("seen").output  # augmentation comes between the two halves of D
        self.stem = keras.Model(self.discriminator.input, seen)
        self.head = keras.Model(seen, self.discriminator.output)

    def default_epochs(self, steps_an_epoch: int) -> int:
        steps = min(max(self.default_steps, EPOCHS * steps_an_epoch), MOST_STEPS)
        return max(1, steps // steps_an_epoch)

    def build_generator(self) -> keras.Model:
        s = self.settings
        z = keras.Input((s.latent_dim,), name="z")
        image = Standardise(inverse=True, dtype="float32", name="image")(upsampling(z, s.image_shape, s.width))
        return keras.Model(z, image, name="generator")

    def build_discriminator(self) -> keras.Model:
        s = self.settings
        image = keras.Input(s.image_shape, name="image")
        y = layers.Concatenate(name="seen")([image, Standardise(name="standardise")(image)])
        y = downsampling(y, block_channels(s.image_shape, s.width), initializer="he_normal")
        logit = layers.Dense(1, name="logit", dtype="float32")(layers.Flatten()(MinibatchDeviation()(y)))
        return keras.Model(image, logit, name="discriminator")

    def train(self, images, *args, **options):
        """Train on normal images, as `DCGAN.train` does; the first training sets m and s."""
        images = as_split(images)
        if not int(self.steps_done.numpy()):
            self.learn_units(images)
        return super().train(images, *args, **options)

    def learn_units(self, images) -> None:
        """Set the mean image m and the spread s of both networks, from normal images (N, H, W, C) in [-1, 1]."""
        split, total, squares = as_split(images), 0.0, 0.0
        for batch in iterate_batches(split, 256):
            batch = batch.astype("float64")
            total, squares = total + batch.sum(axis=0), squares + (batch**2).sum(axis=0)
        mean = total / len(split)
        spread = float((squares / len(split) - mean**2).mean() ** 0.5)
        for network in (self.generator, self.averaged, self.discriminator):
            layer = units_of(network)
            layer.mean.assign(mean)
            layer.spread.assign(max(spread, 1e-3))

    def discriminator_step(self, images):
        s, count = self.settings, tf.shape(images)[0]
        fake = self.generator(self.noise(images, 0), training=True)
        real = flip(images, self._seed(1)) if s.flips else images
        real, fake = self.seen(real, 2), self.seen(fake, 3)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch((real, fake))
                real_logits, fake_logits = (self.head(each, training=True) for each in (real, fake))
            slopes = [self.in_units(each) for each in inner.gradient((real_logits, fake_logits), (real, fake))]
            penalties = sum(tf.reduce_sum(each**2) for each in slopes) / tf.cast(count, tf.float32)  # R1 + R2
            loss = tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))
            objective = loss + 0.5 * PENALTY * penalties
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(objective, variables), variables)
        told = called_real(real_logits - fake_logits)  # share of pairs in which the real image looks more real
        return {"d_loss": loss, "d_real": told, "d_fake": 1.0 - told}

    def generator_step(self, images):
        real_logits = self.head(self.seen(images, 9), training=True)
        z = self.noise(images, 4)
        with tf.GradientTape() as tape:
            fake = self.generator(z, training=True)
            fake_logits = self.head(self.seen(fake, 5), training=True)
            loss = tf.reduce_mean(tf.nn.softplus(real_logits - fake_logits))
            diverse = diversity(fake, images)
            objective = loss + tf.nn.relu(DIVERSITY_FLOOR - diverse)
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(objective, variables), variables)
        return {"g_loss": loss, "diversity": diverse}

    def seen(self, images, purpose: int):
        """Return what D sees of images in training, (N, H, W, 2C): x and (x - m) / s, moved alike."""
        return differentiable(self.stem(images), self.settings.augment, self._seed(purpose))

    def in_units(self, slopes):
        """Return D's gradient by x, in units of s, from that by what D sees, (N, H, W, 2C) -> (N, H, W, C)."""
        by_image, by_departure = tf.split(slopes, 2, axis=-1)
        return by_image * units_of(self.discriminator).spread + by_departure


def units_of(network: keras.Model) -> Standardise | None:
    """Return the layer that holds a network's m and s, or None where it has none."""
    return next((layer for layer in network.layers if isinstance(layer, Standardise)), None)
