"""DCGAN: a generator G and a discriminator D train each other on normal images.

Goodfellow et al. 2014 (arXiv 1406.2661) give the two losses, Radford et al. 2016 (arXiv 1511.06434) the networks.
Two additions help where images are few: D sees images shifted at random (DiffAugment, Zhao et al. 2020, arXiv
2006.10738), and the G that is used is a moving average of the one that learns (Yazici et al. 2019, arXiv 1806.04498).
"""

import math
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from anogan_lib.checks import check_seed, whole
from anogan_lib.datasets.base import check_fit, epoch_batches, normal_split
from anogan_lib.paper.networks import build_discriminator, build_generator
from anogan_lib.paper.prior import draw
from anogan_lib.training import distribution
from anogan_lib.training.augmentation import differentiable, flip
from anogan_lib.training.checkpoints import Checkpoints, History
from anogan_lib.training.progress import Progress
from anogan_lib.training.reading import CheckedFolder
from anogan_lib.training.reproducible import load_dcgan, save_dcgan, seeded, step_seed
from anogan_lib.training.settings import Settings
from anogan_lib.training.writing import settle

MOST_EPOCHS, MOST_SAMPLES = 10**6, 10**4


def discriminator_loss(real_logits, fake_logits):
    """- log D(x) - log(1 - D(G(z))), mean over the batch; logits (N, 1) -> scalar."""
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def generator_loss(fake_logits):
    """- log D(G(z)), the non-saturating loss, mean over the batch; logits (N, 1) -> scalar."""
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def called_real(logits):
    """Return the share of images that D calls real: logits (N, 1) -> scalar in [0, 1]."""
    return tf.reduce_mean(tf.cast(logits > 0, tf.float32))


def diversity(fake, real):
    """Return mean |a - b| between generated images over the same between real ones: 1 is as diverse, 0 all alike."""
    fake, real = distribution.together(fake), distribution.together(real)
    apart = [tf.reduce_mean(tf.abs(x - tf.roll(x, 1, axis=0))) for x in (fake, real)]
    return apart[0] / tf.maximum(apart[1], 1e-6)


def move_average(average: keras.Model, model: keras.Model, decay: float, step) -> None:
    """Move averaged weights towards the model's. They forget quickly at first, and so lose the initial weights."""
    step = tf.cast(step, tf.float32)
    decay = tf.minimum(decay, (1.0 + step) / (10.0 + step))
    for kept, new in zip(average.weights, model.weights, strict=True):
        kept.assign(decay * kept + (1.0 - decay) * new)


class DCGAN:
    """Two networks that train each other on normal images.

    >>> gan = DCGAN((28, 28, 1), latent_dim=16, seed=0)
    >>> history = gan.train(data.train, epochs=20)
    >>> gan.sample(16, seed=0).shape
    (16, 28, 28, 1)

    Attributes:
        settings: what it is made from; the constructor takes the attributes of `Settings`.
        generator: the G that learns. averaged: its moving average, the G that samples and reconstructs.
        discriminator: D.
        steps_done, epochs_done: how long it has been trained.
    """

    default_steps = 6000  # when no number of epochs is given
    guessing = (2 * math.log(2), math.log(2))  # losses of D and of G where D says one half to every image

    def __init__(self, image_shape=(64, 64, 3), **settings):
        self.settings = s = self.settings_type(image_shape, **settings)
        with seeded(s.seed):
            self.generator, self.averaged = self.build_generator(), self.build_generator()
            self.discriminator = self.build_discriminator()
        for network in (self.generator, self.averaged, self.discriminator):
            distribution.synchronise(network)
        self.averaged.set_weights(self.generator.get_weights())
        self.averaged.trainable = False
        self.steps_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.epochs_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.d_optimizer = distribution.adam(s.d_learning_rate)
        self.g_optimizer = distribution.adam(s.learning_rate)
        self.d_optimizer.build(self.discriminator.trainable_variables)  # built now: a checkpoint finds all their state
        self.g_optimizer.build(self.generator.trainable_variables)

    settings_type = Settings
    image_shape = property(lambda self: self.settings.image_shape)
    latent_dim = property(lambda self: self.settings.latent_dim)
    prior = property(lambda self: self.settings.prior)

    def build_generator(self) -> keras.Model:
        s = self.settings
        return build_generator(s.image_shape, s.latent_dim, s.width)

    def build_discriminator(self) -> keras.Model:
        return build_discriminator(self.image_shape, self.settings.width, self.settings.normalisation)

    def default_epochs(self, steps_an_epoch: int) -> int:
        """Return the passes over the images where no number is given."""
        return max(1, self.default_steps // steps_an_epoch)

    # ---- training: two steps, one loop

    def discriminator_step(self, images):
        """Update D once, on real images (N, H, W, C) and as many generated ones; return its loss and verdicts."""
        augment = self.settings.augment
        fake = self.generator(self.noise(images, 0), training=True)
        real = flip(images, self._seed(1)) if self.settings.flips else images
        real = differentiable(real, augment, self._seed(2))
        fake = differentiable(fake, augment, self._seed(3))
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real, training=True)  # (N, 1)
            fake_logits = self.discriminator(fake, training=True)
            loss = discriminator_loss(real_logits, fake_logits)
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(loss, variables), variables)
        return {"d_loss": loss, "d_real": called_real(real_logits), "d_fake": called_real(fake_logits)}

    def generator_step(self, images):
        """Update G once, judged by D on as many generated images; return its loss and how diverse they are."""
        z = self.noise(images, 4)
        with tf.GradientTape() as tape:
            fake = self.generator(z, training=True)
            seen = differentiable(fake, self.settings.augment, self._seed(5))
            loss = generator_loss(self.discriminator(seen, training=True))
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        return {"g_loss": loss, "diversity": diversity(fake, images)}

    def noise(self, images, purpose: int):
        """Draw a z for each image of a batch: (N, H, W, C) -> (N, latent_dim)."""
        count = distribution.joint(tf.shape(images)[0])
        return distribution.share(draw(count, self.latent_dim, self.prior, self._seed(purpose)))

    @tf.function(autograph=False, jit_compile=False, reduce_retracing=True)  # XLA is slower here on a CPU
    @distribution.on_replicas
    def train_step(self, images):
        """Update D once, then G once, and move G's average along; return the losses and figures of both steps."""
        logs = self.discriminator_step(images) | self.generator_step(images)
        move_average(self.averaged, self.generator, self.settings.ema_decay, self.steps_done)
        self.steps_done.assign_add(1)
        return logs

    def train(
        self,
        images,
        epochs: int | None = None,
        batch_size: int = 32,
        checkpoint_dir=None,
        checkpoint_every: int = 10,
        on_epoch=None,
        on_step=None,
        verbose: bool = True,
    ) -> History:
        """Train on normal images.

        Args:
            images: (N, H, W, C) in [-1, 1]; an array, a split or a tf.data.Dataset.
            epochs: passes over the images; with a checkpoint_dir those of an interrupted call count. None for about
                `default_steps`, here 6,000.
            batch_size: images in a step, of all replicas together; see `training.distribution`.
            checkpoint_dir: where checkpoints are kept. Training resumes from the last one there, with the same result
                as without the interruption.
            checkpoint_every: most epochs between two checkpoints; there is one each minute too, and after the last.
            on_epoch, on_step: called as on_epoch(gan, logs) after every epoch, and on_step(gan, logs) after every step.
                Training ends where one returns True; the weights stay, but an epoch that was begun does not count.
            verbose: show a progress bar with both losses.

        Returns:
            The history, with the epochs before an interruption.
        """
        split = normal_split(images)
        check_fit("DCGAN", self.image_shape, split.image_shape)
        first = split[:1].digests()
        if all(split[i : i + 1].digests() == first for i in range(1, len(split))):
            raise ValueError(f"Training needs at least two different images. Received: {len(split)}")
        batch_size = distribution.joint_batch(whole("batch_size", batch_size, 1), len(split), self.steps_done)
        whole("checkpoint_every", checkpoint_every, 1)
        if epochs is None:
            epochs = self.default_epochs(len(split) // batch_size)
        whole("epochs", epochs, 1, MOST_EPOCHS)
        checkpoints = self._checkpoints(checkpoint_dir) if checkpoint_dir else None
        rows = distribution.rows_of_worker(batch_size)
        progress = Progress(self, epochs, checkpoints, checkpoint_every, on_epoch, on_step, verbose)
        with progress.bar:
            for epoch in progress.epochs:
                made = len(progress.steps)  # of this epoch, before an interruption
                for batch in epoch_batches(split, batch_size, self.settings.seed, epoch, rows, made):
                    if progress.after_step(self.train_step(batch)):
                        return progress.history
                if progress.after_epoch():
                    break
        return progress.history

    def _seed(self, purpose: int):
        """Return the seed of a purpose (0, 4: z; 1: flips; 2, 3, 5: augmentation) in this step of the training."""
        return step_seed(self.settings.seed, purpose, self.steps_done)

    def _checkpoints(self, folder) -> Checkpoints:
        names = ("generator", "averaged", "discriminator", "d_optimizer", "g_optimizer", "steps_done", "epochs_done")
        return Checkpoints(folder, asdict(self.settings), **{name: getattr(self, name) for name in names})

    # ---- use

    def sample(self, count: int = 16, seed: int = 0) -> np.ndarray:
        """Generate `count` images, (count, H, W, C) in [-1, 1]; the same seed gives the same images."""
        z = draw(whole("count", count, 1, MOST_SAMPLES), self.latent_dim, self.prior, (check_seed(seed), 0))
        return self.averaged(z, training=False).numpy()

    def save(self, folder) -> None:
        """Write generator.keras (the averaged weights), discriminator.keras and dcgan.json, whole or not at all."""
        save_dcgan(self, Path(folder))

    @classmethod
    def load(cls, folder) -> "DCGAN":
        """Read a DCGAN that `save` wrote. Raises FileNotFoundError or ValueError where the folder holds none."""
        settle(Path(folder))
        return load_dcgan(cls, CheckedFolder(folder))
