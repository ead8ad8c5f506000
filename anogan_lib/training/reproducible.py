"""Networks that start from the same weights for the same seed, and their weights in files."""

import json
import os
import random
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from anogan_lib.checks import whole
from anogan_lib.training.reading import CheckedFolder, naming, planned
from anogan_lib.training.writing import DCGAN_FILES, replacing

FORMAT = 1


@contextmanager
def seeded(seed: int):
    """Within this context new layers get the initial weights that belong to `seed`.

    Keras draws the seed of each initial weight from Python's `random`; its state is put back afterwards.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def unnamed(make, **options):
    """Make a tf.Variable without the name of its layer: TensorFlow never forgets what it keeps for each new name."""
    with tf.name_scope(""):
        return make(**options | {"name": None})


def step_seed(seed: int, purpose: int, step: tf.Variable):
    """Return a seed for one purpose (0 to 63) in one step of a training, however it began."""
    return tf.stack([tf.constant(seed * 64 + purpose, tf.int64), step])


def save_dcgan(gan, folder: Path) -> None:
    """Write generator.keras (the averaged weights), discriminator.keras and dcgan.json, whole or not at all."""
    if (folder / "detector.json").exists():
        raise ValueError(f"{folder} holds a detector, which needs its own DCGAN: choose another folder.")
    with replacing(folder) as new:
        write_dcgan(gan, new)


def write_dcgan(gan, folder: Path) -> None:
    """Write the three files of a DCGAN."""
    gan.averaged.save(folder / "generator.keras")
    gan.discriminator.save(folder / "discriminator.keras")
    trained = {"epochs": int(gan.epochs_done.numpy()), "steps": int(gan.steps_done.numpy())}
    about = {"format": FORMAT, "kind": type(gan).__name__, "settings": asdict(gan.settings)} | trained
    (folder / "dcgan.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def load_dcgan(kind, source: CheckedFolder):
    """Read what `write_dcgan` wrote, as an object of the class `kind` or of the subclass that was saved.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what `write_dcgan` writes.
    """
    folder = source.folder
    if missing := [name for name in DCGAN_FILES if not os.path.lexists(folder / name)]:
        raise FileNotFoundError(f"{folder} holds no DCGAN ({', '.join(missing)} missing); gan.save(folder) writes one.")
    about = source.json("dcgan.json")
    with naming(folder / "dcgan.json"):
        if about["format"] != FORMAT:
            raise ValueError(f"it has format {about['format']!r}, and this version reads {FORMAT}")
        about["settings"].pop("r1", None)  # a gradient penalty that earlier versions had, always 0 in what they saved
        epochs, steps = (whole(name, about[name], 0, 2**62) for name in ("epochs", "steps"))
        kinds = {each.__name__: each for each in (kind, *kind.__subclasses__())}
        if (name := about.get("kind", "DCGAN")) not in kinds:
            raise ValueError(f"it describes a {name!r}, and {', '.join(kinds)} is read here")
        kind = kinds[name]
        plan = object.__new__(kind)  # of its networks, without memory for their weights
        plan.settings = kind.settings_type(**about["settings"])
        wanted = {"generator.keras": planned(plan.build_generator)}
        wanted["discriminator.keras"] = planned(plan.build_discriminator)
    contents = {name: source.weights(name, shapes) for name, shapes in wanted.items()}
    gan = kind(**about["settings"])
    for name, network in zip(contents, (gan.averaged, gan.discriminator), strict=True):
        source.give_weights(network, name, contents[name])
    gan.generator.set_weights(gan.averaged.get_weights())
    gan.epochs_done.assign(epochs)
    gan.steps_done.assign(steps)
    return gan
