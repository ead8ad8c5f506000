"""f-AnoGAN's encoder: z = E(x) in one pass instead of hundreds of steps.

Schlegl et al. 2019 (f-AnoGAN, Medical Image Analysis 54), training "izi_f": image -> z -> image, with the residual in
the discriminator's feature space. G and f are frozen; only E learns.
"""

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib import latent
from anogan_lib.augmentation import flip
from anogan_lib.datasets.base import as_source
from anogan_lib.networks import build_encoder, feature_extractor

DEFAULT_STEPS = 3000
FEATURE_LAYER = -1  # f, which E learns to match: the deepest


def izi_loss(x, y):
    """Mean of (x - G(E(x)))^2 over everything: image -> z -> image, scalar."""
    return tf.reduce_mean((x - y) ** 2)


def izi_f_loss(x, y, feature_x, feature_y, kappa: float = 1.0):
    """izi_loss + kappa * mean of (f(x) - f(G(E(x))))^2, scalar (f-AnoGAN, equation 6)."""
    return izi_loss(x, y) + kappa * tf.reduce_mean((feature_x - feature_y) ** 2)


def ziz_loss(z, z_again):
    """Mean of (z - E(G(z)))^2: z -> image -> z, scalar (f-AnoGAN, equation 4)."""
    return tf.reduce_mean((z - z_again) ** 2)


def train_encoder(
    gan,
    images,
    *,
    epochs: int | None = None,
    batch_size: int = 32,
    kappa: float = 1.0,
    width: int | None = None,
    learning_rate: float = 5e-4,
    verbose: bool = True,
) -> tuple[keras.Model, list[float]]:
    """Train E against a frozen DCGAN, on normal images and on generated ones, whose z is known.

    Args:
        gan: a trained DCGAN.
        images: normal images, (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        epochs: passes over the images; None for as many as the DCGAN was given, at most about 3,000 steps.
        kappa: weight of the feature term.

    Returns:
        E and its loss, a mean for each epoch.
    """
    split, count = as_source(images)
    features = feature_extractor(gan.discriminator, FEATURE_LAYER)
    batch_size = min(batch_size, count)
    steps_per_epoch = max(1, count // batch_size)
    if epochs is None:
        epochs = max(1, min(DEFAULT_STEPS // steps_per_epoch, int(gan.epochs_done) or DEFAULT_STEPS))
    seed = gan.seed
    keras.utils.set_random_seed(seed)
    encoder = build_encoder(gan.image_shape, gan.latent_dim, width or gan.settings["width"])
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps_per_epoch)
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.5)
    optimizer.build(encoder.trainable_variables)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def step(x, number):
        x = flip(x, tf.stack([tf.constant(seed * 64 + 6, tf.int64), number])) if gan.flips else x
        drawn = tf.stack([tf.constant(seed * 64 + 7, tf.int64), number])
        z = latent.draw(tf.shape(x)[0], gan.latent_dim, gan.prior, drawn)
        both = tf.concat([x, gan.generator(z, training=False)], axis=0)  # (2n, H, W, C): real, then generated
        with tf.GradientTape() as tape:
            z_both = latent.onto_prior(encoder(both, training=True), gan.prior)
            y = gan.generator(z_both, training=False)
            loss = izi_f_loss(both, y, features(both, training=False), features(y, training=False), kappa)
            loss += 0.1 * ziz_loss(z, z_both[tf.shape(x)[0] :])
        variables = encoder.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    losses, number = [], 0
    with tqdm(total=epochs, desc="training encoder", unit="epoch", disable=not verbose) as bar:
        for epoch in range(epochs):
            epoch_losses = []
            for batch in gan.epoch_batches(split, batch_size, epoch):
                epoch_losses.append(step(batch, tf.constant(number, tf.int64)))
                number += 1
            losses.append(float(np.mean([float(each) for each in epoch_losses])))
            bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
            bar.update()
    return encoder, losses
