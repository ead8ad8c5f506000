"""Networks that start from the same weights for the same seed, and their weights in files."""

import json
import random
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

FORMAT = 1
FILES = ("dcgan.json", "generator.keras", "discriminator.keras")


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


def save_dcgan(gan, folder) -> None:
    """Write generator.keras (the averaged weights), discriminator.keras and dcgan.json into `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    gan.averaged.save(folder / "generator.keras")
    gan.discriminator.save(folder / "discriminator.keras")
    trained = {"epochs": int(gan.epochs_done), "steps": int(gan.steps_done)}
    about = {"format": FORMAT, "settings": asdict(gan.settings)} | trained
    (folder / "dcgan.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def load_dcgan(kind, folder):
    """Read what `save_dcgan` wrote, as an object of the class `kind`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the folder has another format.
    """
    folder = Path(folder)
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise FileNotFoundError(f"{folder} holds no DCGAN ({', '.join(missing)} missing); gan.save(folder) writes one.")
    about = json.loads((folder / "dcgan.json").read_text(encoding="utf-8"))
    if about.get("format") != FORMAT:
        raise ValueError(f"{folder / 'dcgan.json'} has format {about.get('format')}; this version reads {FORMAT}.")
    about["settings"].pop("r1", None)  # a gradient penalty that earlier versions had, always 0 in what they saved
    gan = kind(**about["settings"])
    gan.averaged.load_weights(folder / "generator.keras")
    gan.generator.set_weights(gan.averaged.get_weights())
    gan.discriminator.load_weights(folder / "discriminator.keras")
    gan.epochs_done.assign(about["epochs"])
    gan.steps_done.assign(about["steps"])
    return gan
