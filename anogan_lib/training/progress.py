"""The progress of a training: its history, checkpoints, progress bar and callbacks."""

import time
import warnings

import numpy as np
from tqdm.auto import tqdm

from anogan_lib.training.checkpoints import Checkpoints, History, diverged, finite

FIGURES = ("d_loss", "g_loss", "d_real", "d_fake", "diversity")  # of each epoch, beside its seconds
ENOUGH_STEPS = 500  # before that, nothing is said of how the training goes
LEAST_DIVERSITY = 0.6  # below it, G repeats itself


def empty_history() -> History:
    """Return the history of a training that has not begun."""
    return History({name: [] for name in (*FIGURES, "seconds")})


class Progress:
    """What `DCGAN.train` keeps and shows while it trains; its arguments are those of `train`.

    Args:
        epochs: passes in all with `checkpoints`, else beyond those that the DCGAN has made.
        checkpoints: `Checkpoints` to resume from and to write, or None.

    Attributes:
        epochs: the numbers of the epochs that are left.
        history, steps: figures of the epochs made, and of the steps of the present one; an interruption loses none.
    """

    def __init__(self, gan, epochs: int, checkpoints: Checkpoints | None, checkpoint_every, on_epoch, on_step, verbose):
        self.gan, self.checkpoints, self.checkpoint_every = gan, checkpoints, checkpoint_every
        self.on_epoch, self.on_step = on_epoch, on_step
        self.history = (checkpoints and checkpoints.restore(empty_history())) or empty_history()
        self.steps = self.history.pop("unfinished", [])
        done = int(gan.epochs_done.numpy())
        self.epochs = range(done, epochs if checkpoints else done + epochs)
        self.bar = tqdm(total=self.epochs.stop, initial=done, desc="training", unit="epoch", disable=not verbose)
        self.began = time.perf_counter() - self.history.pop("unfinished_seconds", 0.0)

    def after_step(self, logs: dict) -> bool:
        """Record a step. Returns whether training ends here."""
        self.steps.append([logs[name] for name in FIGURES])
        if self.checkpoints:
            seconds = time.perf_counter() - self.began
            self.checkpoints.save_each_minute(self.history | {"unfinished_seconds": seconds}, self.steps)
        return bool(self.on_step and self.on_step(self.gan, logs))

    def after_epoch(self) -> bool:
        """Record an epoch, and write a checkpoint where one is due. Returns whether training ends here.

        Raises:
            ValueError: the losses or the weights are no longer finite.
        """
        self.gan.epochs_done.assign_add(1)
        now, number = time.perf_counter(), int(self.gan.epochs_done.numpy())
        for name, values in zip(FIGURES, zip(*self.steps, strict=True), strict=True):
            self.history[name].append(float(np.mean([float(each) for each in values])))
        self.history["seconds"].append(now - self.began)
        logs = {name: values[-1] for name, values in self.history.items()}
        weights = self.gan.generator.variables + self.gan.discriminator.variables
        if not np.isfinite(logs["d_loss"] + logs["g_loss"]) or not finite(weights):
            raise diverged(f" in epoch {number}", self.checkpoints)
        self.bar.set_postfix({name: f"{logs[name]:.3f}" for name in FIGURES[:2]}, refresh=False)
        self.bar.update()
        stop = bool(self.on_epoch and self.on_epoch(self.gan, logs))
        due = stop or number == self.epochs.stop or number % self.checkpoint_every == 0
        if self.checkpoints and due:
            self.checkpoints.save(self.history)
        self.steps, self.began = [], time.perf_counter()
        if (stop or number == self.epochs.stop) and int(self.gan.steps_done.numpy()) >= ENOUGH_STEPS:
            for sentence in advice(self.history):
                warnings.warn(sentence, stacklevel=3)
        return stop


def advice(history: dict) -> list[str]:
    """Return what went wrong in the last quarter of a training, and what may help, a sentence each."""
    last = max(1, len(history["d_loss"]) // 4)
    real, fake, diverse = (float(np.mean(history[name][-last:])) for name in ("d_real", "d_fake", "diversity"))
    found = []
    if diverse < LEAST_DIVERSITY:
        found.append(
            f"The generator repeats itself: its images differ from one another {100 * diverse:.0f} % as much as the "
            "training images do. RpGAN, more images, or fewer epochs may help."
        )
    if real > 0.98 and fake < 0.02:
        found.append(
            f"The discriminator has won: it recognises {100 * real:.0f} % of real and {100 - 100 * fake:.0f} % of "
            "generated images, and G no longer learns. A smaller d_learning_rate, augmentation or more images may help."
        )
    return found
