"""f-AnoGAN's encoder: z = E(x) in one pass instead of hundreds of steps.

Schlegl et al. 2019 (f-AnoGAN, Medical Image Analysis 54), training "izi_f": image -> z -> image on normal images, with
the residual also in the discriminator's feature space; G and f are frozen, and only E learns.

Two ideas are added here, and each can be left out:
- `patches`: E sees images with a patch of another image pasted in and has to return the image without it. It learns to
  see the normal image behind a defect.
- `adapt`: a copy of G learns along with E, as in ADGAN (Deecke et al. 2018). A GAN draws likely images, but was never
  asked to explain each one. Adapted, it explains normal images that it has not seen far better. The residual of each
  image is then measured in the image's own contrast, so that pale images are learned as well.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm.auto import tqdm

from anogan_lib.datasets.base import as_split, epoch_batches
from anogan_lib.paper.dcgan import DCGAN
from anogan_lib.paper.networks import (
    block_channels,
    build_generator,
    check_image_shape,
    downsampling,
    feature_extractor,
)
from anogan_lib.paper.prior import onto_prior
from anogan_lib.paper.search import Search
from anogan_lib.training.augmentation import flip, patch
from anogan_lib.training.reproducible import seeded


class Recipe(NamedTuple):
    """What a training of E takes where it is not told otherwise."""

    steps: int
    kappa: float  # weight of the feature term
    learning_rate: float


PUBLISHED = Recipe(steps=3000, kappa=1.0, learning_rate=5e-4)
ADAPTED = Recipe(steps=4000, kappa=0.3, learning_rate=2e-3)


def build_encoder(image_shape=(64, 64, 3), latent_dim: int = 64, width: int = 32) -> keras.Model:
    """Build E: images (N, H, W, C) in [-1, 1] -> z (N, latent_dim), not yet brought onto the prior."""
    image = keras.Input(check_image_shape(image_shape), name="image")
    y = downsampling(image, block_channels(image_shape, width), "batch")
    return keras.Model(image, layers.Dense(latent_dim, name="z", dtype="float32")(y), name="encoder")


class EncoderSearch(Search):
    """A search whose first start is E(x); the others are random. Without steps it is the encoder alone."""

    def __init__(self, generator, features, prior: str, encoder):
        super().__init__(generator, features, prior)
        self.encoder = encoder

    def start(self, x, restart: int, seed: int):
        if restart:
            return super().start(x, restart, seed)
        return onto_prior(self.encoder(x, training=False), self.prior)


def izi_loss(x, y):
    """Mean of (x - G(E(x)))^2 over everything: image -> z -> image, scalar."""
    return tf.reduce_mean((x - y) ** 2)


def izi_f_loss(x, y, feature_x, feature_y, kappa: float = 1.0):
    """izi_loss + kappa * mean of (f(x) - f(G(E(x))))^2, scalar (f-AnoGAN, equation 6)."""
    return izi_loss(x, y) + kappa * tf.reduce_mean((feature_x - feature_y) ** 2)


def contrast(x):
    """Return each image's own standard deviation, (N, H, W, C) -> (N, 1, 1, 1)."""
    return tf.sqrt(tf.math.reduce_variance(x, axis=(1, 2, 3), keepdims=True) + 1e-3)


def train_encoder(
    gan: DCGAN,
    images,
    *,
    adapt: bool = True,
    patches: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    kappa: float | None = None,
    learning_rate: float | None = None,
    verbose: bool = True,
) -> tuple[keras.Model, keras.Model, list[float]]:
    """Train E on normal images; with adapt=False and patches=False, as f-AnoGAN was published.

    Args:
        gan: a trained DCGAN; it stays as it is.
        images: normal images, (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        adapt: let a copy of G learn along with E.
        patches: paste patches of other images into what E sees.
        epochs: passes over the images; None for as many as the DCGAN had, at most about 4,000 steps (3,000 without
            `adapt`).
        batch_size: images in a step.
        kappa: weight of the feature term; None for 0.3 (1 without `adapt`, as published).
        learning_rate: Adam's at the start, falling along a half cosine; None for 0.002 (0.0005 without `adapt`).
        verbose: show a progress bar.

    Returns:
        E, the G that belongs to it (the DCGAN's own, or the copy), and the mean loss of each epoch.
    """
    recipe = ADAPTED if adapt else PUBLISHED
    split, s = as_split(images), gan.settings
    batch_size = min(batch_size, len(split))
    steps_per_epoch = max(1, len(split) // batch_size)
    if epochs is None:
        epochs = max(1, min(recipe.steps // steps_per_epoch, int(gan.epochs_done) or recipe.steps))
    with seeded(s.seed):
        encoder = build_encoder(s.image_shape, s.latent_dim, s.width)
    generator = gan.averaged
    if adapt:
        generator = build_generator(s.image_shape, s.latent_dim, s.width)
        generator.set_weights(gan.averaged.get_weights())
    variables = encoder.trainable_variables + generator.trainable_variables
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate or recipe.learning_rate, epochs * steps_per_epoch)
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.5)
    optimizer.build(variables)
    features, kappa = feature_extractor(gan.discriminator), recipe.kappa if kappa is None else kappa

    def loss(x, number):
        flip_seed, patch_seed = (tf.stack([s.seed * 64 + purpose, number]) for purpose in (6, 8))
        x = flip(x, flip_seed) if s.flips else x
        seen = patch(x, patch_seed) if patches else x
        y = generator(onto_prior(encoder(seen, training=True), s.prior), training=adapt)
        scale = contrast(x) if adapt else 1.0
        return izi_f_loss(x / scale, y / scale, features(x, training=False), features(y, training=False), kappa)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def step(x, number):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([each.value for each in variables])
            value = loss(x, number)
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    losses: list[float] = []
    with tqdm(total=epochs, desc="training encoder", unit="epoch", disable=not verbose) as bar:
        for epoch in range(epochs):
            batches, first = epoch_batches(split, batch_size, s.seed, epoch), epoch * steps_per_epoch
            values = [step(batch, tf.constant(first + i, tf.int64)) for i, batch in enumerate(batches)]
            losses.append(float(np.mean([float(each) for each in values])))
            bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
            bar.update()
    generator.trainable = False
    return encoder, generator, losses
