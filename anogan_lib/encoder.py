"""f-AnoGAN's encoder: z = E(x) in one pass instead of hundreds of steps.

Schlegl et al. 2019 (f-AnoGAN, Medical Image Analysis 54), training "izi_f": image -> z -> image, with the residual in
the discriminator's feature space. There G and f are frozen and only E learns. Here two things are added, each of
which can be left out. E is shown images with a patch of another one pasted in and has to explain the whole one, so that
it learns to look past a defect. And once E is trained, a copy of G learns along for a while, as in ADGAN (Deecke et al.
2018): a GAN draws likely images, but was never asked to explain each one; adapted, it explains normal images that it
has never seen far better.
"""

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib import latent
from anogan_lib.augmentation import flip, patch
from anogan_lib.datasets.base import as_source
from anogan_lib.networks import build_encoder, feature_extractor

DEFAULT_STEPS = 3000  # of E alone; two thirds as many again with G
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
    adapt: bool = True,
    patches: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    kappa: float = 1.0,
    width: int | None = None,
    learning_rate: float = 5e-4,
    verbose: bool = True,
) -> tuple[keras.Model, keras.Model, list[float]]:
    """Train E on normal images and on generated ones, whose z is known.

    Args:
        gan: a trained DCGAN; it stays as it is.
        images: normal images, (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
        adapt: afterwards let a copy of G learn along with E, for two thirds as many epochs. False, and patches=False,
            is f-AnoGAN's training.
        patches: show E images with a patch of another one, to be explained as if it were not there.
        epochs: passes over the images of E alone; None for as many as the DCGAN was given, at most about 3,000 steps.
        kappa: weight of the feature term.

    Returns:
        E, the G that goes with it (the DCGAN's own, or the copy that learned along), and the loss, a mean for each
        epoch.
    """
    split, count = as_source(images)
    batch_size = min(batch_size, count)
    steps_per_epoch = max(1, count // batch_size)
    if epochs is None:
        epochs = max(1, min(DEFAULT_STEPS // steps_per_epoch, int(gan.epochs_done) or DEFAULT_STEPS))
    keras.utils.set_random_seed(gan.seed)
    encoder = build_encoder(gan.image_shape, gan.latent_dim, width or gan.settings["width"])
    generator, stages = gan.generator, [(epochs, encoder.trainable_variables)]
    if adapt:
        gan.generator.trainable = True  # a copy of a frozen network could never learn
        generator = keras.models.clone_model(gan.generator)
        gan.generator.trainable = False
        generator.set_weights(gan.generator.get_weights())
        stages.append((max(1, 2 * epochs // 3), encoder.trainable_variables + generator.trainable_variables))
        generator.trainable = False
    losses: list[float] = []
    with tqdm(total=sum(each for each, _ in stages), desc="training encoder", unit="epoch", disable=not verbose) as bar:
        for epochs, variables in stages:
            schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps_per_epoch)
            step = _training_step(gan, generator, encoder, variables, schedule, kappa, patches)
            for _ in range(epochs):
                first = len(losses) * steps_per_epoch
                batches = gan.epoch_batches(split, batch_size, len(losses))
                totals = [step(batch, tf.constant(first + i, tf.int64)) for i, batch in enumerate(batches)]
                losses.append(float(np.mean([float(each) for each in totals])))
                bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
                bar.update()
    return encoder, generator, losses


def _training_step(gan, generator, encoder, variables, learning_rate, kappa, patches):
    """A function of a batch and the step's number that moves `variables` once and returns the loss."""
    features = feature_extractor(gan.discriminator, FEATURE_LAYER)
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.5)
    optimizer.build(variables)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def step(x, number):
        flip_seed, z_seed, patch_seed = (tf.stack([gan.seed * 64 + n, number]) for n in (6, 7, 8))
        x = flip(x, flip_seed) if gan.flips else x
        z = latent.draw(tf.shape(x)[0], gan.latent_dim, gan.prior, z_seed)
        drawn = generator(z, training=False)
        both = tf.concat([x, drawn], axis=0)  # (2n, H, W, C): real, then generated
        shown = tf.concat([patch(x, patch_seed), drawn], axis=0) if patches else both
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([each.value for each in variables])
            z_both = latent.onto_prior(encoder(shown, training=True), gan.prior)
            y = generator(z_both, training=False)
            loss = izi_f_loss(both, y, features(both, training=False), features(y, training=False), kappa)
            loss += 0.1 * ziz_loss(z, z_both[tf.shape(x)[0] :])
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step
