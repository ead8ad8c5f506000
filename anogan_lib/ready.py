"""A detector to begin with, for the notebooks: the ready one, the reader's own, or one trained in a minute or two."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROFILES = ("quick", "full")
SMALL = {"width": 12, "latent_dim": 32, "learning_rate": 2e-3, "d_learning_rate": 5e-4, "ema_decay": 0.9}
SMALL_STEPS = 400  # of training: enough to see that something is learned


def folder_name(spec: str) -> str:
    """The name of a data set's folder in weights/ and runs/: "digits:8" has digits-8, a path its last part."""
    return re.sub(r"[^\w.-]+", "-", Path(spec).name)


def settings(data, profile: str = "quick") -> dict:
    """The settings of a new DCGAN for this data set: `DCGAN(data.image_shape, **settings(data, profile))`."""
    if profile not in PROFILES:
        raise ValueError(f'PROFILE is "quick" or "full". Received: {profile!r}')
    return dict(SMALL) if profile == "quick" else {"flips": data.name == "hazelnut"}  # nuts may lie either way up


def epochs(data, profile: str = "quick") -> int | None:
    """How many epochs to train it: about 400 steps; None, with "full", is the DCGAN's own number."""
    steps_per_epoch = max(1, len(data.train) // 32)
    return -(-SMALL_STEPS // steps_per_epoch) if profile == "quick" else None


def detector(data, profile: str = "quick", verbose: bool = True):
    """A calibrated AnoGAN for a data set.

    "quick": the one in weights/; where there is none of these images' shape, a small one, trained once and kept in
    runs/. "full": the one in runs/ that notebook 2 leaves; where there is none, it is trained here, which takes long.

    Args:
        data: an AnomalyDataset.
        profile: "quick" or "full".
        verbose: show the progress of a training.
    """
    from anogan_lib import DCGAN, AnoGAN

    chosen, name = settings(data, profile), folder_name(data.name)
    quick = [ROOT / "weights" / name, ROOT / "runs" / f"{name}-quick"]
    places = quick if profile == "quick" else [ROOT / "runs" / name]
    for place in places:
        if (place / "detector.json").is_file():
            found = AnoGAN.load(place)
            if found.image_shape == data.image_shape:
                return found
    gan = DCGAN(data.image_shape, seed=0, **chosen)
    gan.train(data.train, epochs=epochs(data, profile), verbose=verbose)
    lowest = 1 / (len(data.calibration) + 1)  # what so few calibration images can promise
    made = AnoGAN(gan).fit(data, false_alarm_rate=max(0.05, lowest + 1e-9), verbose=verbose)
    made.save(places[-1])
    return made
