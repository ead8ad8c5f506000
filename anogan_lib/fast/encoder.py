"""f-AnoGAN's encoder: z = E(x) in one pass instead of hundreds of steps.

Schlegl et al. 2019 (f-AnoGAN, Medical Image Analysis 54), training "izi_f": image -> z -> image on normal images, with
the residual also in the discriminator's feature space; G and f are frozen, and only E learns.

Four ideas are added here, and each can be left out:
- `patches`: E sees images with a patch of another image pasted in and has to return the image without it. It learns to
  see the normal image behind a defect.
- `adapt`: a copy of G learns along with E, as in ADGAN (Deecke et al. 2018). A GAN draws likely images, but was never
  asked to explain each one. Adapted, it explains normal images that it has not seen far better. The residual of each
  image is then measured in the image's own contrast, so that pale images are learned as well.
- `validation`: training ends when held-back normal images are explained no better, since from then on E and G learn the
  training images by heart. It returns to the best networks, and ends with 300 steps of a falling learning rate.
- `moved`: E also learns from mirrored and slightly shifted images. That helps where such images are as normal as the
  others: where held-back images are explained about as well once they are moved. There both are tried, and the training
  that explains held-back images better is kept.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm.auto import tqdm

from anogan_lib.checks import real, whole
from anogan_lib.datasets.base import Split, as_split, iterate_batches, sample_images, steps_from
from anogan_lib.fast.rpgan import Standardise, units_of
from anogan_lib.paper.dcgan import DCGAN, MOST_EPOCHS, move_average
from anogan_lib.paper.networks import block_channels, downsampling, feature_extractor
from anogan_lib.paper.prior import onto_prior
from anogan_lib.paper.search import Search
from anogan_lib.training import distribution
from anogan_lib.training.augmentation import flip, patch, translate
from anogan_lib.training.checkpoints import Checkpoints, History, diverged
from anogan_lib.training.reproducible import seeded, step_seed
from anogan_lib.training.settings import check_image_shape


class Defaults(NamedTuple):
    """The default settings of a training of E."""

    steps: int  # at most
    kappa: float  # weight of the feature term
    learning_rate: float


PUBLISHED = Defaults(steps=3000, kappa=1.0, learning_rate=5e-4)
ADAPTED = Defaults(steps=4000, kappa=0.15, learning_rate=2e-3)
AVERAGE = 0.98  # decay of the averaged weights, which are the ones that are used
EVERY, PATIENCE, GAIN = 50, 4, 0.02  # steps between looks at validation images; looks that leave 2 % less at least
LAST = 300  # steps in which the learning rate falls to 0, from when validation images are explained no better
MOST_VALIDATION = 256  # images looked at
SMALL_SHIFT = 32  # images are moved by up to 1/32 of their side
ALIKE = 1.2  # mirrored and shifted images count as normal where they leave at most 1.2 times the residual,
TIE = 1.05  # and that training is kept where it leaves at most 1.05 times what the plain one leaves


def build_encoder(image_shape=(64, 64, 3), latent_dim: int = 64, width: int = 32, standardised=False) -> keras.Model:
    """Build E: images (N, H, W, C) in [-1, 1] -> z (N, latent_dim), not yet brought onto the prior.

    Args:
        standardised: E sees images in units of the training images, as an RpGAN's D does.
    """
    image = keras.Input(check_image_shape(image_shape), name="image")
    y = Standardise(name="standardise")(image) if standardised else image
    y = layers.Flatten()(downsampling(y, block_channels(image_shape, width), "batch"))
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
    """Return the mean of (x - G(E(x)))^2 over everything: image -> z -> image, scalar."""
    return tf.reduce_mean((x - y) ** 2)


def izi_f_loss(x, y, feature_x, feature_y, kappa: float = 1.0):
    """Return izi_loss + kappa * mean of (f(x) - f(G(E(x))))^2, scalar (f-AnoGAN, equation 6)."""
    return izi_loss(x, y) + kappa * tf.reduce_mean((feature_x - feature_y) ** 2)


def contrast(x):
    """Return each image's own standard deviation, (N, H, W, C) -> (N, 1, 1, 1)."""
    return tf.sqrt(tf.math.reduce_variance(x, axis=(1, 2, 3), keepdims=True) + 1e-3)


def train_encoder(
    gan: DCGAN,
    images,
    validation=None,
    *,
    adapt: bool = True,
    patches: bool = True,
    moved: bool | None = None,
    epochs: int | None = None,
    batch_size: int = 32,
    kappa: float | None = None,
    learning_rate: float | None = None,
    checkpoint_dir=None,
    verbose: bool = True,
) -> tuple[keras.Model, keras.Model, History]:
    """Train E on normal images; with adapt=False, patches=False and no validation images, as f-AnoGAN was published.

    Args:
        gan: a trained DCGAN; it stays as it is.
        images, validation: normal images to learn from, and others that say when to stop; (N, H, W, C) in [-1, 1]; an
            array, a split or a tf.data.Dataset. Without `validation`, training does not end early.
        adapt: let a copy of G learn along with E.
        patches: paste patches of other images into what E sees.
        moved: learn from mirrored and shifted images too; None to try both and keep the better one, where there are
            validation images, else for False.
        epochs: most passes over the images; None for about 4,000 steps (3,000 without `adapt`), in proportion fewer
            where the DCGAN had fewer steps than by default, but as many as it had.
        batch_size: images in a step, of all replicas together.
        kappa: weight of the feature term; None for 0.15 of relative features with `adapt`, else 1, as published.
        learning_rate: Adam's at the start, falling along a half cosine; None for 0.002 (0.0005 without `adapt`).
        checkpoint_dir: where checkpoints are kept; an interrupted training goes on there, with the same result.
        verbose: show a progress bar.

    Returns:
        E, the G that belongs to it (the DCGAN's own, or the copy), and the history of the training: `loss`, the mean of
        each 50 steps, and `left`, the share of the validation images' variance that E and G then left unexplained;
        `moved`, which of the two was kept; `last`, the step that training ended with, None where it made all of them.
    """
    default, split = (ADAPTED if adapt else PUBLISHED), as_split(images)
    batch_size = distribution.joint_batch(whole("batch_size", batch_size, 1), len(split))
    kappa = real("kappa", default.kappa if kappa is None else kappa, 0)
    rate = default.learning_rate if learning_rate is None else learning_rate
    rate = real("learning_rate", rate, 0, 1, above=True)
    per_epoch = len(split) // batch_size
    if epochs is None:
        planned = gan.default_epochs(per_epoch) * per_epoch
        done = int(gan.steps_done.numpy()) or planned
        steps = min(default.steps, max(done, default.steps * done // planned))
        epochs = max(1, steps // per_epoch)
    whole("epochs", epochs, 1, MOST_EPOCHS)
    if validation is not None:
        validation = sample_images(validation, MOST_VALIDATION, gan.settings.seed)

    def trained(moved: bool) -> EncoderTraining:
        training = EncoderTraining(gan, adapt, patches, moved, epochs * per_epoch, kappa, rate)
        # A checkpoint belongs to a DCGAN of so many steps: after further training of the DCGAN, E starts again.
        folder = f"{int(gan.steps_done.numpy())}-steps-{'moved' if moved else 'plain'}"
        training.run(split, batch_size, validation, checkpoint_dir and Path(checkpoint_dir) / folder, verbose)
        return training

    chosen = trained(bool(moved))
    free = moved is None and validation is not None
    if free and chosen.left_of_moved(validation) < ALIKE * min(chosen.history["left"]):
        other = trained(True)
        if min(other.history["left"]) < TIE * min(chosen.history["left"]):
            chosen = other
    generator = chosen.best.get("generator", gan.averaged)
    generator.trainable = False
    return chosen.best["encoder"], generator, chosen.history


class EncoderTraining:
    """One training of E, and with `adapt` of a copy of G; the arguments are those of `train_encoder`.

    Attributes:
        learning, averaged, best: the networks by name, "encoder" and with `adapt` "generator": those that learn, their
            moving average, and the average that explained validation images best.
        history: of the training so far.
    """

    def __init__(self, gan: DCGAN, adapt: bool, patches: bool, moved: bool, steps: int, kappa: float, learning_rate):
        self.gan, self.adapt, self.patches, self.moved = gan, adapt, patches, moved
        self.kappa, self.steps, self.learning_rate = kappa, steps, learning_rate
        with seeded(gan.settings.seed):
            self.learning, self.averaged, self.best = (self._networks() for _ in range(3))
        for each in (self.averaged, self.best):
            copy(self.learning, each)
        self.variables = [v for network in self.learning.values() for v in network.trainable_variables]
        self.optimizer = distribution.adam(learning_rate)
        self.optimizer.build(self.variables)
        self.features = feature_extractor(gan.discriminator)
        self.steps_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.history = History(loss=[], left=[], moved=moved, last=None)

    def loss(self, x):
        """Compute the loss of one batch of normal images (N, H, W, C), scalar."""
        s = self.gan.settings
        if self.moved:
            x = self._move(x)
        elif s.flips:
            x = flip(x, self._seed(6))
        seen = patch(x, self._seed(8)) if self.patches else x
        z = onto_prior(self.learning["encoder"](seen, training=True), s.prior)
        y = self.learning.get("generator", self.gan.averaged)(z, training=self.adapt)
        feature_x, feature_y = (self.features(each, training=False) for each in (x, y))
        if not self.adapt:
            return izi_f_loss(x, y, feature_x, feature_y, self.kappa)
        scale, size = contrast(x), tf.sqrt(distribution.mean(tf.reduce_mean(feature_x**2)) + 1e-6)
        return izi_f_loss(x / scale, y / scale, feature_x / size, feature_y / size, self.kappa)

    @tf.function(autograph=False, jit_compile=False, reduce_retracing=True)
    @distribution.on_replicas
    def step(self, x):
        """Update the networks once, and move their average along; return the loss."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([each.value for each in self.variables])
            loss = self.loss(x)
        self.optimizer.apply(tape.gradient(loss, self.variables), self.variables)
        for name, network in self.learning.items():
            move_average(self.averaged[name], network, AVERAGE if self.adapt else 0.0, self.steps_done)
        self.steps_done.assign_add(1)
        return loss

    def run(self, split: Split, batch_size: int, validation, checkpoint_dir, verbose: bool) -> None:
        """Train until validation images are explained no better, or for all steps."""
        checkpoints = checkpoint_dir and self._checkpoints(checkpoint_dir)
        if checkpoints and (kept := checkpoints.restore(self.history)):
            self.history = kept
        losses = self.history.pop("unfinished", [])  # of the steps since the last look
        done = int(self.steps_done.numpy())
        with tqdm(total=self.steps, initial=done, desc="training encoder", unit="step", disable=not verbose) as bar:
            rows = distribution.rows_of_worker(batch_size)
            for batch in steps_from(split, batch_size, self.gan.settings.seed, done, self.steps, rows):
                if not self._set_learning_rate():
                    break
                losses.append(self.step(batch))
                bar.update()
                if len(losses) == EVERY or int(self.steps_done.numpy()) == self.steps:
                    self.look(losses, validation)
                    last = {name: self.history[name][-1:] for name in ("loss", "left")}
                    bar.set_postfix({name: f"{each[0]:.4f}" for name, each in last.items() if each}, refresh=False)
                    losses = []
                if checkpoints:
                    checkpoints.save_each_minute(self.history, losses)
        if checkpoints and int(self.steps_done.numpy()) > done:
            checkpoints.save(self.history)

    def look(self, losses: list, validation: np.ndarray | None) -> None:
        """Note the mean loss and what is left of the validation images, and keep the networks that leave least."""
        self.history["loss"].append(float(np.mean([float(each) for each in losses])))
        if not np.isfinite(self.history["loss"][-1]):
            raise diverged(" in the encoder", None)
        if validation is not None:
            self.history["left"].append(self._left("averaged", validation))
            if self.history["left"][-1] > min(self.history["left"]):
                return
        copy(self.averaged, self.best)

    def left_of_moved(self, validation: np.ndarray) -> float:
        """Return the share of mirrored and shifted validation images that the best networks leave unexplained."""
        return self._left("best", self._move(tf.convert_to_tensor(validation)).numpy())

    def _left(self, kind: str, images: np.ndarray) -> float:
        """Return the share of the images' variance about their mean image that G(E(x)) leaves: 0 is perfect."""
        squares = sum(float(self._squares(kind, x)) for x in iterate_batches(images, 64))
        return distribution.agreed(squares / max(float(((images - images.mean(axis=0)) ** 2).sum()), 1e-12))

    @tf.function(autograph=False, jit_compile=False, reduce_retracing=True)
    def _squares(self, kind: str, x):
        """Sum (x - G(E(x)))^2 over everything, of the networks "averaged" or "best"."""
        networks = getattr(self, kind)
        z = onto_prior(networks["encoder"](x, training=False), self.gan.prior)
        return tf.reduce_sum((x - networks.get("generator", self.gan.averaged)(z, training=False)) ** 2)

    def _move(self, x):
        return translate(flip(x, self._seed(6)), self._seed(7), SMALL_SHIFT)

    def _set_learning_rate(self) -> bool:
        """Set the learning rate of the next step, and return whether there is one.

        It falls along a half cosine. Once validation images are explained no better, training takes up the networks
        that explained them best again, and the rate falls to 0 within the last few steps.
        """
        step, left = int(self.steps_done.numpy()), self.history["left"]
        no_better = len(left) > PATIENCE and min(left[-PATIENCE:]) > (1.0 - GAIN) * min(left[:-PATIENCE])
        if no_better and self.history["last"] is None:
            self.history["last"] = step + LAST
            copy(self.best, self.learning)
            copy(self.best, self.averaged)
        last = self.history["last"]
        since = step if last is None else last - LAST
        rate = self.learning_rate * (1 + math.cos(math.pi * since / self.steps)) / 2
        if last is not None:
            rate *= (last - step) / LAST
        self.optimizer.learning_rate.assign(rate)
        return rate > 0.0

    def _networks(self) -> dict[str, keras.Model]:
        s, units = self.gan.settings, units_of(self.gan.discriminator)
        networks = {"encoder": build_encoder(s.image_shape, s.latent_dim, s.width, units is not None)}
        if units is not None:
            units_of(networks["encoder"]).set_weights(units.get_weights())
        if self.adapt:
            networks["generator"] = self.gan.build_generator()
            networks["generator"].set_weights(self.gan.averaged.get_weights())
        for network in networks.values():
            distribution.synchronise(network)
        return networks

    def _checkpoints(self, folder) -> Checkpoints:
        kinds, chosen = ("learning", "averaged", "best"), ("adapt", "patches", "moved", "kappa", "steps")
        networks = {f"{kind}_{name}": each for kind in kinds for name, each in getattr(self, kind).items()}
        settings = asdict(self.gan.settings) | {name: getattr(self, name) for name in chosen}
        return Checkpoints(folder, settings, **networks, optimizer=self.optimizer, steps_done=self.steps_done)

    def _seed(self, purpose: int):
        return step_seed(self.gan.settings.seed, purpose, self.steps_done)


def copy(networks: dict[str, keras.Model], into: dict[str, keras.Model]) -> None:
    """Copy the weights of networks into those of the same names."""
    for name, network in networks.items():
        into[name].set_weights(network.get_weights())
