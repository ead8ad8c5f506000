"""Detectors in folders: what `AnoGAN.save` writes and `AnoGAN.load` reads."""

import json
import time
from pathlib import Path

import keras
import numpy as np

from anogan_lib import scoring, usual
from anogan_lib.dcgan import DCGAN
from anogan_lib.networks import save

FORMAT = 2
# What detector.json keeps of the constructor's arguments.
SETTINGS = ("lam", "score", "steps", "feature_layer", "seed", "precision")


def write(detector, folder: Path, card: dict | None) -> None:
    """The DCGAN, E and the G that learned along with it as .keras; detector.json, calibration.npz, usual.npz and
    card.json."""
    detector.gan.save(folder)
    adapted = detector.generator is not detector.gan.generator
    if adapted:
        save(detector.generator, folder / "adapted.keras")
    if detector.encoder is not None:
        save(detector.encoder, folder / "encoder.keras")
    if detector.calibration is not None:
        np.savez_compressed(folder / "calibration.npz", **detector.calibration)
    if detector.usual:
        usual.write(folder / "usual.npz", detector.usual)
    if detector.region is not None:
        np.save(folder / "region.npy", detector.region)
    about = {
        "format": FORMAT,
        "settings": {name: getattr(detector, name) for name in SETTINGS},
        "false_alarm_rate": detector.false_alarm_rate,
        "aim": detector.aim,
        "spreads": detector.spreads.spreads if detector.spreads else None,
        "map_scale": detector.map_scale,
        "encoder": detector.encoder is not None,
        "adapted": adapted,
        "usual": bool(detector.usual),
        "calibrated": detector.calibration is not None,
        "region": detector.region is not None,
    }
    (folder / "detector.json").write_text(json.dumps(about, indent=1))
    card = detector.card if card is None else card
    (folder / "card.json").unlink(missing_ok=True)  # another detector's
    if card:
        written = {"written": time.strftime("%Y-%m-%d")} | card
        (folder / "card.json").write_text(json.dumps(written, indent=1))


def read(kind, folder: Path, settings: dict):
    """A detector of class `kind` from `folder`, these settings of its constructor set anew."""
    if not (folder / "detector.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no detector (detector.json is missing); `anogan train DATA --out {folder}` makes one."
        )
    about = json.loads((folder / "detector.json").read_text())
    if about.get("format") != FORMAT:
        received = f"{folder} has format {about.get('format')}"
        raise ValueError(f"This version reads detectors of format {FORMAT}: train it anew. Received: {received}.")
    if "score" in settings and "lam" not in settings and settings["score"] != about["settings"]["score"]:
        settings = settings | {"lam": None}  # the other score's own lambda
    if about.get("region"):
        settings = settings | {"region": np.load(folder / "region.npy")}
    detector = kind(DCGAN.load(folder), **about["settings"] | settings)
    encoder = _network(folder / "encoder.keras") if about["encoder"] else None
    detector.use(_network(folder / "adapted.keras") if about.get("adapted") else detector.gan.generator, encoder)
    if about.get("usual"):
        detector.usual = usual.read(folder / "usual.npz")
    if (folder / "card.json").is_file():
        detector.card = json.loads((folder / "card.json").read_text())
    if about["spreads"]:
        detector.spreads = scoring.Standardisation({n: tuple(v) for n, v in about["spreads"].items()})
    if about["calibrated"]:
        with np.load(folder / "calibration.npz") as kept:
            detector.calibration = {name: kept[name] for name in kept.files}
    detector.aim = tuple(about["aim"]) if about["aim"] else None
    detector.map_scale = about["map_scale"]
    detector.false_alarm_rate = about["false_alarm_rate"]
    return detector


def _network(file: Path) -> keras.Model:
    return keras.models.load_model(file, compile=False)
