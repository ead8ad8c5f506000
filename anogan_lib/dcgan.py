"""DCGAN: a generator and a discriminator that learn what normal images look like.

Goodfellow et al. 2014 (arXiv 1406.2661), Radford et al. 2016 (arXiv 1511.06434); translation of what D sees after
Zhao et al. 2020 (DiffAugment, arXiv 2006.10738); averaged generator weights after Yazici et al. 2019 (arXiv
1806.04498).
"""

import json
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from anogan_lib import latent
from anogan_lib.augmentation import differentiable, flip
from anogan_lib.datasets.base import Split, as_source, check_fit, iterate_batches
from anogan_lib.networks import build_discriminator, build_generator, check_image_shape, save

FORMAT = 1
IN_MEMORY = 2**30  # bytes: smaller sets of images are read once and kept, larger ones streamed at each epoch
DEFAULT_STEPS = 6000  # generator steps when no number of epochs is given
CHECKPOINT_SECONDS = 60.0  # long epochs are kept one by one


class History(dict):
    """Per-epoch figures of a training: history["d_loss"], or history.d_loss; g_loss, d_real, d_fake, seconds."""

    def __getattr__(self, name: str):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def history(self) -> dict:
        """The same dictionary, under the name that Keras uses."""
        return self


def discriminator_loss(real_logits, fake_logits):
    """- log D(x) - log(1 - D(G(z))), mean over the batch; logits (N, 1) -> scalar."""
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def generator_loss(fake_logits):
    """- log D(G(z)), the non-saturating loss, mean over the batch; logits (N, 1) -> scalar."""
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


class DCGAN(keras.Model):
    """Two networks that train each other on normal images.

    >>> gan = DCGAN(image_shape=(28, 28, 1), latent_dim=16, seed=0)
    >>> history = gan.train(data.train, epochs=20)
    >>> gan.sample(16, seed=0).shape
    (16, 28, 28, 1)

    Args:
        image_shape: (H, W, C), sides from 16 to 256, C 1 or 3.
        latent_dim: length of z; None for one number for each 64 pixels, at most 64.
        width: channels of the blocks next to the image; computation grows with its square.
        prior: "sphere" or "normal", the distribution of z.
        augment: what both networks' images go through before D sees them: "", "translation", "colour", or both with a
            comma between them (DiffAugment). Helps most where images are few.
        flips: also show the training images mirrored, left-right and up-down: for objects that may lie either way.
        normalisation: of the discriminator: "batch", "layer", "spectral" or None.
        r1: weight of the gradient penalty on real images (Mescheder et al. 2018, arXiv 1801.04406).
        ema_decay: of the averaged generator, the one that samples and reconstructs; 0 for none.
        learning_rate, d_learning_rate: Adam's for generator and discriminator, beta_1 0.5.
        seed: of weights, noise and order.
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim: int | None = None,
        width: int = 32,
        prior: str = "sphere",
        augment: str = "translation",
        flips: bool = False,
        normalisation: str | None = "layer",
        r1: float = 0.0,
        ema_decay: float = 0.999,
        learning_rate: float = 4e-4,
        d_learning_rate: float = 2e-4,
        seed: int = 0,
    ):
        super().__init__(name="dcgan")
        self.image_shape = height, breadth, _ = check_image_shape(image_shape)
        latent_dim = min(64, max(1, height * breadth // 64)) if latent_dim is None else latent_dim
        if latent_dim < 1 or width < 1:
            raise ValueError(f"latent_dim and width are at least 1. Received: {latent_dim} and {width}")
        self.settings = {
            "image_shape": list(self.image_shape),
            "latent_dim": int(latent_dim),
            "width": int(width),
            "prior": latent.check_prior(prior),
            "augment": augment,
            "flips": bool(flips),
            "normalisation": normalisation,
            "r1": float(r1),
            "ema_decay": float(ema_decay),
            "learning_rate": float(learning_rate),
            "d_learning_rate": float(d_learning_rate),
            "seed": int(seed),
        }
        self.latent_dim = int(latent_dim)
        self.prior, self.augment, self.flips = prior, augment, flips
        self.r1, self.ema_decay, self.seed = float(r1), float(ema_decay), int(seed)
        keras.utils.set_random_seed(seed)
        self.trained = build_generator(image_shape, latent_dim, width)  # the generator that learns
        self.generator = build_generator(image_shape, latent_dim, width)  # its average, the one that is used
        self.generator.set_weights(self.trained.get_weights())
        self.discriminator = build_discriminator(image_shape, width, normalisation)
        self.steps_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.epochs_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.compile(
            keras.optimizers.Adam(d_learning_rate, beta_1=0.5),
            keras.optimizers.Adam(learning_rate, beta_1=0.5),
        )
        differentiable(tf.zeros((1, *self.image_shape)), augment, (0, 0))  # an unknown name is refused here
        self.generator.trainable = False

    def compile(self, d_optimizer, g_optimizer):
        """One optimiser for each network, built at once so that a checkpoint finds all of their state."""
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.g_optimizer.build(self.trained.trainable_variables)

    def call(self, z, training=False):
        """G(z) with the averaged weights: (N, latent_dim) -> (N, H, W, C) in [-1, 1]."""
        return self.generator(z, training=training)

    # ---- training

    def _seed(self, purpose: int):
        """A seed for this step and purpose alone: noise is the same whether or not training was interrupted."""
        return tf.stack([tf.constant(self.seed * 64 + purpose, tf.int64), self.steps_done])

    def discriminator_step(self, images):
        """One update of D on real images (N, H, W, C) and as many generated ones."""
        count = tf.shape(images)[0]
        fake = self.trained(latent.draw(count, self.latent_dim, self.prior, self._seed(0)), training=True)
        real = flip(images, self._seed(1)) if self.flips else images
        real = differentiable(real, self.augment, self._seed(2))
        fake = differentiable(fake, self.augment, self._seed(3))
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            loss = discriminator_loss(real_logits, fake_logits)
            if self.r1:
                loss += self.r1 / 2 * self._gradient_penalty(real)
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(loss, variables), variables)
        return {
            "d_loss": loss,
            "d_real": _share_called_real(real_logits),
            "d_fake": _share_called_real(fake_logits),
        }

    def _gradient_penalty(self, real):
        """E |grad_x D(x)|^2 over real images."""
        with tf.GradientTape() as tape:
            tape.watch(real)
            logits = self.discriminator(real, training=True)
        return tf.reduce_mean(tf.reduce_sum(tape.gradient(logits, real) ** 2, axis=(1, 2, 3)))

    def generator_step(self, count):
        """One update of G, judged by D on `count` generated images; then its average moves along."""
        z = latent.draw(count, self.latent_dim, self.prior, self._seed(4))
        with tf.GradientTape() as tape:
            fake = differentiable(self.trained(z, training=True), self.augment, self._seed(5))
            loss = generator_loss(self.discriminator(fake, training=True))
        variables = self.trained.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        # A short memory at first, so that the average does not carry the initial weights about.
        step = tf.cast(self.steps_done, tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for average, new in zip(self.generator.weights, self.trained.weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * new)
        return {"g_loss": loss}

    @tf.function(jit_compile=False, reduce_retracing=True)
    def train_step(self, images):
        """One update of D, then one of G. Returns their losses and the shares that D calls real."""
        logs = self.discriminator_step(images)
        logs |= self.generator_step(tf.shape(images)[0])
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
        """Train on normal images until `epochs` passes have been made in all.

        Args:
            images: (N, H, W, C) in [-1, 1]; a split, an array or a tf.data.Dataset.
            epochs: passes over the images in all, those of an earlier, interrupted call included; None for about
                6,000 steps.
            batch_size: images in a step.
            checkpoint_dir: where the state is kept; training goes on from what lies there, and what comes out is the
                same as without the interruption.
            checkpoint_every: most epochs between two checkpoints; there is one after a minute too, and after the last.
            on_epoch: called as on_epoch(gan, logs) after every epoch; training ends early where it returns True.
            on_step: called as on_step(gan, logs) after every step, logs being tensors; where it returns True, training
                ends there. The weights stay as they are, but the epoch begun counts in neither history nor checkpoint:
                training again makes it anew, from these weights, or with a checkpoint_dir from its last checkpoint.
            verbose: show a progress bar with both losses.

        Returns:
            The history, earlier epochs from the checkpoint included.
        """
        split, count = as_source(images)
        first = next(iterate_batches(split, 1))
        check_fit("DCGAN", self.image_shape, first.shape[1:])
        if count < 2:
            raise ValueError(f"Training needs at least two images. Received: {count}")
        batch_size = min(batch_size, count)
        if epochs is None:
            epochs = max(1, DEFAULT_STEPS // (count // batch_size))
        history = History(d_loss=[], g_loss=[], d_real=[], d_fake=[], seconds=[])
        checkpoint = self._restore(checkpoint_dir, history) if checkpoint_dir else None
        done, kept = int(self.epochs_done), time.perf_counter()
        if checkpoint is None:
            epochs += done  # without a checkpoint, `epochs` more
        with tqdm(total=epochs, initial=done, desc="training", unit="epoch", disable=not verbose) as bar:
            for epoch in range(done, epochs):
                started = time.perf_counter()
                totals: list[dict] = []
                for batch in self.epoch_batches(split, batch_size, epoch):
                    totals.append(self.train_step(batch))
                    if on_step and on_step(self, totals[-1]):
                        return history
                for name in ("d_loss", "g_loss", "d_real", "d_fake"):
                    history[name].append(float(np.mean([float(each[name]) for each in totals])))
                history["seconds"].append(time.perf_counter() - started)
                self.epochs_done.assign_add(1)
                logs = {name: values[-1] for name, values in history.items()}
                if not np.isfinite(logs["d_loss"] + logs["g_loss"]):
                    raise ValueError(f"Training diverged in epoch {epoch + 1}; a smaller learning_rate may help.")
                bar.set_postfix(d_loss=f"{logs['d_loss']:.3f}", g_loss=f"{logs['g_loss']:.3f}", refresh=False)
                bar.update()
                stop = bool(on_epoch and on_epoch(self, logs))
                due = stop or epoch + 1 == epochs or (epoch + 1) % checkpoint_every == 0
                if checkpoint and (due or time.perf_counter() - kept > CHECKPOINT_SECONDS):
                    self._checkpoint(checkpoint, history)
                    kept = time.perf_counter()
                if stop:
                    break
        return history

    @staticmethod
    def epoch_batches(split, batch_size: int, epoch: int):
        """Whole batches in an order that depends on the epoch alone; a rest would upset batch normalisation."""
        if isinstance(split, Split) and len(split) * np.prod(split.image_shape) * 4 < IN_MEMORY:
            order = np.random.default_rng(epoch).permutation(len(split))
            for first in range(0, len(split) - batch_size + 1, batch_size):
                yield tf.convert_to_tensor(split.images[order[first : first + batch_size]])
            return
        batches = split.batches(batch_size, shuffle_seed=epoch) if isinstance(split, Split) else split
        for batch in iterate_batches(batches, batch_size):
            if len(batch) == batch_size:
                yield tf.convert_to_tensor(batch)

    def _state(self) -> tf.train.Checkpoint:
        return tf.train.Checkpoint(
            trained=self.trained,
            generator=self.generator,
            discriminator=self.discriminator,
            d_optimizer=self.d_optimizer,
            g_optimizer=self.g_optimizer,
            steps_done=self.steps_done,
            epochs_done=self.epochs_done,
        )

    def _restore(self, folder, history: History) -> tf.train.CheckpointManager:
        manager = tf.train.CheckpointManager(self._state(), str(folder), max_to_keep=2)
        latest = manager.latest_checkpoint
        unreadable = f"The checkpoint in {folder} cannot be read: choose another folder, or delete this one."
        if latest:
            try:
                kept = json.loads(Path(f"{latest}.json").read_text())
                settings, epochs = kept["settings"], kept["history"]
            except (OSError, ValueError, KeyError, TypeError):
                raise ValueError(unreadable) from None
            if settings != self.settings:
                raise ValueError(
                    f"The checkpoint in {folder} was made with other settings ({settings}); choose another "
                    f"folder or the same settings. Received: {self.settings}"
                )
            try:
                manager.checkpoint.restore(latest).assert_consumed()
            except (tf.errors.OpError, IndexError, ValueError, AssertionError):
                raise ValueError(unreadable) from None
            history.update(epochs)
        elif any(Path(folder).glob("ckpt-*.index")):
            raise ValueError(unreadable)
        return manager

    def _checkpoint(self, manager: tf.train.CheckpointManager, history: History):
        # The history goes first: a checkpoint is found only once it is whole.
        upcoming = f"{manager.directory}/ckpt-{int(manager.checkpoint.save_counter) + 1}.json"
        Path(upcoming).parent.mkdir(parents=True, exist_ok=True)
        Path(upcoming).write_text(json.dumps({"settings": self.settings, "history": history}))
        try:
            manager.save()
        except tf.errors.OpError as error:
            raise OSError(f"Cannot write a checkpoint into {manager.directory}: {error.message}") from None

    # ---- use

    def sample(self, count: int = 16, seed: int = 0) -> np.ndarray:
        """`count` generated images, (count, H, W, C) in [-1, 1]; the same for the same seed."""
        z = latent.draw(count, self.latent_dim, self.prior, (seed, 0))
        return self.generator(z, training=False).numpy()

    def save(self, folder) -> None:
        """Write generator.keras (averaged weights), discriminator.keras and dcgan.json into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save(self.generator, folder / "generator.keras")
        save(self.discriminator, folder / "discriminator.keras")
        about = {
            "format": FORMAT,
            "settings": self.settings,
            "epochs": int(self.epochs_done),
            "steps": int(self.steps_done),
        }
        (folder / "dcgan.json").write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder) -> "DCGAN":
        """A DCGAN from what `save` wrote."""
        folder = Path(folder)
        missing = [n for n in ("dcgan.json", "generator.keras", "discriminator.keras") if not (folder / n).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{folder} holds no DCGAN ({', '.join(missing)} missing); gan.save(folder) writes one."
            )
        about = json.loads((folder / "dcgan.json").read_text())
        if about.get("format") != FORMAT:
            raise ValueError(f"{folder / 'dcgan.json'} has format {about.get('format')}; this version reads {FORMAT}.")
        gan = cls(**about["settings"])
        gan.generator.load_weights(folder / "generator.keras")
        gan.trained.set_weights(gan.generator.get_weights())
        gan.discriminator.load_weights(folder / "discriminator.keras")
        gan.epochs_done.assign(about["epochs"])
        gan.steps_done.assign(about["steps"])
        return gan


def _share_called_real(logits):
    """Share of the images that D takes for real, logits (N, 1) -> scalar in [0, 1]."""
    return tf.reduce_mean(tf.cast(logits > 0, tf.float32))
