"""Checkpoints: an interrupted training goes on where it stopped, and ends as it would have without the interruption."""

import json
import math
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from anogan_lib.training.distribution import chief
from anogan_lib.training.reading import read_plain

EVERY_SECONDS = 60.0  # so much is lost at most


class History(dict):
    """Figures of a training by name, such as those of each epoch: history["d_loss"] or history.d_loss."""

    def __getattr__(self, name: str):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def finite(variables) -> bool:
    """Whether all weights are finite numbers."""
    return all(np.isfinite(np.asarray(each)).all() for each in variables if "float" in str(each.dtype))


def diverged(when: str, checkpoints: "Checkpoints | None") -> ValueError:
    """Return the error of a training whose losses or weights are no longer finite."""
    kept = f"; the last good weights are in {checkpoints.folder}" if checkpoints else ""
    return ValueError(
        f"Training diverged{when}{kept}. A smaller learning_rate or another seed, in a new folder, may help."
    )


class Checkpoints:
    """Save and restore a training in a folder; the last two checkpoints are kept.

    Args:
        folder: where they are kept.
        settings: of the training, as JSON holds them. A checkpoint made with other settings is refused.
        state: by name, everything the training changes: networks, optimisers, variables.
    """

    def __init__(self, folder, settings: dict, **state):
        self.folder, self.settings = Path(folder), json.loads(json.dumps(settings))
        variables = [v for each in state.values() for v in getattr(each, "variables", [each])]
        self.variables, self.bytes = variables, sum(4 * math.prod(v.shape) for v in variables)
        checkpoint = tf.train.Checkpoint(**state)
        checkpoint.save_counter.numpy()  # made now, by all workers: making a variable is an exchange between them
        self.manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
        self.saved = time.perf_counter()

    def restore(self, blank: Mapping | None = None) -> History | None:
        """Restore the last checkpoint and return its history, or None where there is none.

        What `save_each_minute` wrote has the figures of unfinished steps as "unfinished".

        Args:
            blank: the history of a training that has not begun; what is restored has the same names and kinds.

        Raises:
            ValueError: the checkpoint was made with other settings, or cannot be read.
        """
        self._check_room()
        latest = self.manager.latest_checkpoint
        unreadable = f"The checkpoint in {self.folder} cannot be read: choose another folder, or delete this one."
        if not latest:
            if any(self.folder.glob("ckpt-*.index")):
                raise ValueError(unreadable)
            return None
        try:
            latest = str(self.folder / Path(latest).name)  # whatever else the list of checkpoints says
            kept = json.loads(read_plain(Path(f"{latest}.json")), parse_constant=int)  # which raises ValueError
            settings, history = kept["settings"], History(kept["history"])
            lists = {name: isinstance(value, list) for name, value in history.items() if name[:10] != "unfinished"}
            figures = {type(each) for each in tf.nest.flatten(dict(history))}
            like = blank is None or lists == {name: isinstance(value, list) for name, value in blank.items()}
            if not like or not figures <= {int, float, bool, type(None)}:
                raise ValueError
            if settings == self.settings:
                self.manager.checkpoint.restore(latest).assert_consumed()
        except Exception:  # whatever TensorFlow and json raise on damaged files
            raise ValueError(unreadable) from None
        if settings != self.settings:
            raise ValueError(
                f"The checkpoint in {self.folder} was made with other settings ({settings}); choose another folder "
                f"or the same settings. Received: {self.settings}"
            )
        return history

    def _check_room(self) -> None:
        """Raise OSError now, not after hours, if the folder cannot be written to or has too little room."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder):
            pass
        needed = 3 * self.bytes  # while one is written, two are kept
        if (free := shutil.disk_usage(self.folder).free) < needed:
            raise OSError(f"{self.folder} has {free / 1e6:.0f} MB left, and checkpoints need {needed / 1e6:.0f} MB.")

    def save_each_minute(self, history: History, steps: list) -> None:
        """Save a minute after the last time, with the figures of steps that are not in `history` yet, if finite."""
        if time.perf_counter() - self.saved > EVERY_SECONDS:
            self.saved, figures = time.perf_counter(), tf.nest.map_structure(float, steps)
            if np.isfinite(figures).all():
                self.save(history | {"unfinished": figures})

    def save(self, history: History) -> None:
        """Write a checkpoint; of several workers the chief alone does, and all of them read from one folder.

        Raises:
            ValueError: a weight is not finite.
            OSError: it cannot be written. In both cases the last one is kept.
        """
        self.saved = time.perf_counter()
        if not finite(self.variables):
            raise diverged("", self)
        if not chief():
            return
        # The history is written first: TensorFlow lists a checkpoint only once it is whole.
        upcoming = self.folder / f"ckpt-{int(self.manager.checkpoint.save_counter.numpy()) + 1}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            upcoming.write_text(json.dumps({"settings": self.settings, "history": history}), encoding="utf-8")
            self.manager.save()
        except (OSError, tf.errors.OpError) as error:
            for part in self.folder.glob(f"{upcoming.stem}[._]*"):  # what was written of it fills the disk
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            reason = getattr(error, "message", None) or error.strerror
            raise OSError(f"Cannot write a checkpoint into {self.folder}: {reason}. The last one is kept.") from None
        for old in self.folder.glob("ckpt-*.json"):
            if not old.with_suffix(".index").is_file():
                old.unlink()
