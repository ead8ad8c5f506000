"""Detectors to start a notebook with: a trained one, the reader's own, or a small one trained in a minute or two."""

import math
import re
from pathlib import Path

from anogan_lib.datasets import places

PROFILES = ("quick", "full")
SMALL = {"width": 12, "latent_dim": 32, "learning_rate": 2e-3, "d_learning_rate": 5e-4, "ema_decay": 0.9}
SMALL_STEPS = 400  # of training: enough to see that something is learned
RUNS = Path("runs")  # of the working folder


def folder_name(spec: str) -> str:
    """Return the name of a data set's folder in weights/ and runs/: "digits:8" has digits-8, "textures:brick" brick.

    That of a path is its last part.
    """
    return re.sub(r"[^\w.-]+", "-", Path(spec).name.removeprefix("textures:"))


def settings(data, profile: str = "quick") -> dict:
    """Return the settings of a new DCGAN for this data set: `DCGAN(data.image_shape, **settings(data, profile))`."""
    if profile not in PROFILES:
        raise ValueError(f'PROFILE is "quick" or "full". Received: {profile!r}')
    return dict(SMALL) if profile == "quick" else {"flips": data.name == "hazelnut"}  # nuts may lie either way up


def epochs(data, profile: str = "quick") -> int | None:
    """Return how many epochs to train it: about 400 steps, or None, the DCGAN's default, with "full"."""
    steps_per_epoch = max(1, len(data.train) // 32)
    return math.ceil(SMALL_STEPS / steps_per_epoch) if profile == "quick" else None


def detector(data, profile: str = "quick", verbose: bool = True):
    """Return a calibrated AnoGAN (recipe "best") for a data set; what is trained here is saved in ./runs.

    "quick" loads the detector in weights/. If there is none with this image shape, it trains a small one, once.
    "full" loads the detector in ./runs that notebook 2 leaves. If there is none, it trains one, which takes long.
    """
    from anogan_lib import DCGAN, AnoGAN

    chosen, name = settings(data, profile), folder_name(data.name)
    quick = [places.root() / "weights" / name, RUNS / f"{name}-quick"]
    folders = quick if profile == "quick" else [RUNS / name]
    for folder in folders:
        if found := _saved(folder, data):
            return found
    gan = DCGAN(data.image_shape, seed=0, **chosen)
    gan.train(data.train, epochs=epochs(data, profile), verbose=verbose)
    lowest = 1 / (len(data.calibration) + 1)  # what so few calibration images can promise
    made = AnoGAN(gan, recipe="best").fit(data, max(0.05, lowest + 1e-9), verbose=verbose)
    made.save(folders[-1])
    return made


def paper(data, profile: str = "quick"):
    """Return AnoGAN as published, recipe "paper", for a data set: a plain DCGAN and a search.

    "quick" loads weights/NAME-paper. If there is none with this image shape, its DCGAN is that of `detector`.
    """
    from anogan_lib import AnoGAN

    folder = places.root() / "weights" / f"{folder_name(data.name)}-paper"
    if profile == "quick" and (found := _saved(folder, data)):
        return found
    return AnoGAN(detector(data, profile).gan)


def _saved(folder: Path, data):
    """Load the detector in a folder, or return None where there is none with the image shape of a data set."""
    from anogan_lib import AnoGAN

    if not (folder / "detector.json").is_file():
        return None
    found = AnoGAN.load(folder)
    return found if found.image_shape == data.image_shape else None
