"""f-AnoGAN's encoder: z = E(x) in one pass instead of hundreds of steps.

Schlegl et al. 2019 (f-AnoGAN, Medical Image Analysis 54), training "izi_f": image -> z -> image, with the residual in
the discriminator's feature space. There G and f are frozen and only E learns. Here two things are added, each of
which can be left out. E is shown images with a patch of another one pasted in and has to explain the whole one, so that
it learns to look past a defect. And a copy of G learns along with E, as in ADGAN (Deecke et al. 2018): a GAN draws
likely images, but was never asked to explain each one; adapted, it explains normal images that it has never seen far
better. Then each image's residual is measured in its own contrast, so that pale images are learned as well.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib import latent
from anogan_lib.augmentation import flip, patch
from anogan_lib.datasets.base import as_source
from anogan_lib.networks import build_encoder, feature_extractor

FEATURE_LAYER = -1  # f, which E learns to match: the deepest


class Recipe(NamedTuple):
    """What a training takes where it is not told otherwise."""

    steps: int
    kappa: float
    learning_rate: float


ALONE = Recipe(steps=3000, kappa=1.0, learning_rate=5e-4)
WITH_G = Recipe(steps=4000, kappa=0.3, learning_rate=2e-3)


def izi_loss(x, y):
    """Mean of (x - G(E(x)))^2 over everything: image -> z -> image, scalar."""
    return tf.reduce_mean((x - y) ** 2)


def izi_f_loss(x, y, feature_x, feature_y, kappa: float = 1.0):
    """izi_loss + kappa * mean of (f(x) - f(G(E(x))))^2, scalar (f-AnoGAN, equation 6)."""
    return izi_loss(x, y) + kappa * tf.reduce_mean((feature_x - feature_y) ** 2)


def ziz_loss(z, z_again):
    """Mean of (z - E(G(z)))^2: z -> image -> z, scalar (f-AnoGAN, equation 4)."""
    return tf.reduce_mean((z - z_again) ** 2)


def contrast(x):
    """Each image's own standard deviation, (N, H, W, C) -> (N, 1, 1, 1)."""
    return tf.sqrt(tf.math.reduce_variance(x, axis=(1, 2, 3), keepdims=True) + 1e-3)


def train_encoder(
    gan,
    images,
    *,
    adapt: bool = True,
    patches: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    kappa: float | None = None,
    width: int | None = None,
    learning_rate: float | None = None,
    verbose: bool = True,
) -> tuple[keras.Model, keras.Model, list[float]]:
    """Train E on normal images; where G stays as it is, on generated ones too, whose z is known.

    Args:
        gan: a trained DCGAN; it stays as it is.
        images: normal images, (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        adapt: let a copy of G learn along with E. False, and patches=False, is f-AnoGAN's training.
        patches: show E images with a patch of another one, to be explained as if it were not there.
        epochs: passes over the images; None for as many as the DCGAN was given, at most about 4,000 steps (3,000
            without `adapt`).
        kappa: weight of the feature term; None for 0.3 (1 without `adapt`, as published).
        learning_rate: Adam's at the start, falling along a half cosine; None for 0.002 (0.0005 without `adapt`).

    Returns:
        E, the G that goes with it (the DCGAN's own, or the copy that learned along), and the loss, a mean for each
        epoch.
    """
    recipe = WITH_G if adapt else ALONE
    split, count = as_source(images)
    batch_size = min(batch_size, count)
    steps_per_epoch = max(1, count // batch_size)
    if epochs is None:
        epochs = max(1, min(recipe.steps // steps_per_epoch, int(gan.epochs_done) or recipe.steps))
    keras.utils.set_random_seed(gan.seed)
    encoder = build_encoder(gan.image_shape, gan.latent_dim, width or gan.settings["width"])
    generator = _copy_that_learns(gan.generator) if adapt else gan.generator
    variables = encoder.trainable_variables + generator.trainable_variables
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate or recipe.learning_rate, epochs * steps_per_epoch)
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.5)
    optimizer.build(variables)
    loss = _loss(gan, generator, encoder, recipe.kappa if kappa is None else kappa, adapt, patches)

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
            batches = gan.epoch_batches(split, batch_size, epoch)
            first = epoch * steps_per_epoch
            values = [step(batch, tf.constant(first + i, tf.int64)) for i, batch in enumerate(batches)]
            losses.append(float(np.mean([float(each) for each in values])))
            bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
            bar.update()
    generator.trainable = False
    return encoder, generator, losses


def _copy_that_learns(generator: keras.Model) -> keras.Model:
    generator.trainable = True  # a copy of a frozen network could never learn
    copy = keras.models.clone_model(generator)
    generator.trainable = False
    copy.set_weights(generator.get_weights())
    return copy


def _loss(gan, generator, encoder, kappa: float, adapt: bool, patches: bool):
    """The loss as a function of a batch x (N, H, W, C) and the step's number, which its random draws depend on."""
    features = feature_extractor(gan.discriminator, FEATURE_LAYER)

    def explain(shown):
        z = latent.onto_prior(encoder(shown, training=True), gan.prior)
        return z, generator(z, training=adapt)

    def loss(x, number):
        flip_seed, z_seed, patch_seed = (tf.stack([gan.seed * 64 + n, number]) for n in (6, 7, 8))
        x = flip(x, flip_seed) if gan.flips else x
        shown = patch(x, patch_seed) if patches else x
        if adapt:
            _, y = explain(shown)
            features_x, features_y = features(x, training=False), features(y, training=False)
            return izi_f_loss(x / contrast(x), y / contrast(x), features_x, features_y, kappa)
        z = latent.draw(tf.shape(x)[0], gan.latent_dim, gan.prior, z_seed)
        drawn = generator(z, training=False)
        both = tf.concat([x, drawn], axis=0)  # (2N, H, W, C): real, then generated
        z_both, y = explain(tf.concat([shown, drawn], axis=0))
        value = izi_f_loss(both, y, features(both, training=False), features(y, training=False), kappa)
        return value + 0.1 * ziz_loss(z, z_both[tf.shape(x)[0] :])

    return loss
