"""Detectors in folders, as `AnoGAN.save` writes and `AnoGAN.load` reads them; files written whole or not at all."""

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

FORMAT = 3
COMPLETE = ".complete"
FILES = ("dcgan.json", "generator.keras", "discriminator.keras", "encoder.keras", "adapted.keras", "detector.json")
FILES += ("calibration.npz", "backgrounds.npz", "usual.npz", "region.npy", "splits.json", "card.json", "card.md")
SETTINGS = ("recipe", "lam", "score", "init", "steps", "feature_layer", "seed")  # of the constructor
LEARNED = ("weights", "map_scales", "false_alarm_rate", "calibrated_search")


def write(detector, folder: Path, card: dict) -> None:
    """Write a detector: its networks, detector.json, calibration.npz, backgrounds.npz, splits.json and the card.

    The files are written into a folder of their own first. Renaming it to `.complete` is the moment from which on the
    new detector counts: an interruption before leaves the old one, after it `read` puts the rest in place.
    """
    new = folder / ".unfinished"
    shutil.rmtree(new, ignore_errors=True)
    _write_files(detector, new, card)
    settle(folder)
    os.rename(new, folder / COMPLETE)
    settle(folder)


def settle(folder: Path) -> None:
    """Put the files of a complete detector in place, detector.json last, and remove those of the one before."""
    complete = folder / COMPLETE
    if (complete / "detector.json").is_file():
        files = json.loads((complete / "detector.json").read_text(encoding="utf-8"))["files"]
        for name in FILES:
            if name not in files and name != "detector.json":
                (folder / name).unlink(missing_ok=True)
        for name in [*files, "detector.json"]:
            if (complete / name).is_file():
                os.replace(complete / name, folder / name)
    if complete.is_dir():
        complete.rmdir()


def _write_files(detector, folder: Path, card: dict) -> None:
    from anogan_lib.scores.background import rounded

    detector.gan.save(folder)
    adapted = detector.generator is not detector.gan.averaged
    if adapted:
        detector.generator.save(folder / "adapted.keras")
    if detector.encoder is not None:
        detector.encoder.save(folder / "encoder.keras")
    if detector.calibration is not None:
        np.savez_compressed(folder / "calibration.npz", **detector.calibration)
    backgrounds = {}
    for name, each in detector.scores["best"].backgrounds.items():
        whole, steps = rounded(each.directions)
        parts = asdict(each) | {"directions": whole, "steps": steps}
        backgrounds |= {f"{name}.{part}": value for part, value in parts.items()}
    if backgrounds:
        np.savez_compressed(folder / "backgrounds.npz", **backgrounds)
    if detector.region is not None:
        np.save(folder / "region.npy", detector.region)
    about = {"format": FORMAT, "settings": {name: getattr(detector, name) for name in SETTINGS}}
    about |= {name: getattr(detector, name) for name in LEARNED}
    about |= {"encoder": detector.encoder is not None, "adapted": adapted}
    about["spreads"] = {name: detector.scores[name].spreads for name in ("standardised", "best")}
    write_json(folder / "splits.json", detector.split_digests)
    if card:
        card = {"written": time.strftime("%Y-%m-%d"), "recipe": detector.recipe} | card
        write_json(folder / "card.json", card)
        write_text(folder / "card.md", card_as_text(card))
    about["files"] = {file.name: _checksum(file) for file in sorted(folder.iterdir())}
    write_json(folder / "detector.json", about)


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def read(kind, folder: Path, settings: dict):
    """Read a detector of the class `kind`, with these settings of its constructor in place of its own.

    Raises:
        FileNotFoundError: there is no detector in the folder.
        ValueError: it has a format that this version does not know, or a file is damaged.
    """
    from anogan_lib.paper.dcgan import DCGAN
    from anogan_lib.scores.background import Background, restored

    settle(folder)
    if not (folder / "detector.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no detector (detector.json is missing); `anogan train DATA --out {folder}` makes one."
        )
    about = _about(folder)
    if "score" in settings and "lam" not in settings and settings["score"] != about["settings"]["score"]:
        settings = settings | {"lam": None}  # the other score's own lambda
    region = np.load(folder / "region.npy") if (folder / "region.npy").is_file() else None
    gan = DCGAN.load(folder)
    detector = kind(gan, **about["settings"] | settings, region=region)
    detector.adopt(*_networks(folder, gan, about))
    for name, spreads in about["spreads"].items():
        detector.scores[name].spreads = {loss: tuple(pair) for loss, pair in spreads.items()}
    file = folder / ("backgrounds.npz" if about["format"] == FORMAT else "usual.npz")
    if file.is_file():
        with np.load(file) as kept:
            parts = {_renamed(name): kept[name] for name in kept.files}
        for name in sorted({name.split(".")[0] for name in parts}):
            mean, whole, steps, variances, share = (
                parts[f"{name}.{part}"] for part in ("mean", "directions", "steps", "variances", "share")
            )
            directions = restored(whole, steps)
            detector.scores["best"].backgrounds[name] = Background(mean, directions, variances, float(share))
    if about["calibrated_search"] is not None:
        with np.load(folder / "calibration.npz") as kept:
            detector.calibration = {_renamed(name): kept[name] for name in kept.files}
    for name in LEARNED:
        setattr(detector, name, about[name])
    for name, attribute in (("card.json", "card"), ("splits.json", "split_digests")):
        if (folder / name).is_file():
            setattr(detector, attribute, json.loads((folder / name).read_text(encoding="utf-8")))
    return detector


def _networks(folder: Path, gan, about: dict):
    """The G that z is searched in, and E or None: built from the DCGAN's settings, their weights loaded."""
    from anogan_lib.fast.encoder import build_encoder
    from anogan_lib.paper.networks import build_generator

    s, generator, encoder = gan.settings, gan.averaged, None
    if about["adapted"]:
        generator = build_generator(s.image_shape, s.latent_dim, s.width)
        generator.load_weights(folder / "adapted.keras")
        generator.trainable = False
    if about["encoder"]:
        encoder = build_encoder(s.image_shape, s.latent_dim, s.width)
        encoder.load_weights(folder / "encoder.keras")
    return generator, encoder


def _about(folder: Path) -> dict:
    """What detector.json says; of format 2, in the words of this one."""
    about = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
    if about.get("format") == FORMAT:
        for name, checksum in about["files"].items():
            if not (folder / name).is_file() or _checksum(folder / name) != checksum:
                raise ValueError(
                    f"{folder / name} is missing or damaged: its checksum is not the one in detector.json."
                )
        return about
    if about.get("format") != 2:
        received = f"{folder} has format {about.get('format')}"
        raise ValueError(
            f"This version reads detectors of formats 2 and {FORMAT}: train it again. Received: {received}."
        )
    old = {name: value for name, value in about["settings"].items() if name != "precision"}
    init = "encoder" if about["encoder"] else "random"
    steps = old["steps"] if old["steps"] is not None else (0 if about["encoder"] else 100)
    recipe = "best" if old["score"] == "best" else "paper"
    spreads = {_renamed(name): pair for name, pair in (about["spreads"] or {}).items()}
    score, lam = about["aim"] or ("paper", old["lam"])
    widths = [spreads[name][1] if spreads and score != "paper" else 1.0 for name in ("residual", "discrimination")]
    return about | {
        "settings": old | {"recipe": recipe, "init": init, "steps": steps},
        "weights": ((1.0 - lam) / widths[0], lam / widths[1]),
        "map_scales": {"local_map" if recipe == "best" else "map": about["map_scale"]},
        "spreads": {"standardised": spreads, "best": spreads},
        "calibrated_search": {"init": init, "steps": steps, "seed": old["seed"]} if about["calibrated"] else None,
    }


def _renamed(name: str) -> str:
    """A loss, or an array of calibration.npz or usual.npz, in the words of this format."""
    return name.replace("near_discrimination", "fine_discrimination")


# ---- files


def write_text(path, text: str) -> None:
    """Write a text file whole or not at all. Raises OSError, with the file's name, where that fails.

    A link stays a link: the file that it leads to is written. A FIFO or a device gets the text as a stream.
    """
    path, text = Path(path), text.encode(errors="backslashreplace")  # names may hold bytes that are no UTF-8
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            stream.write(text)
        return
    path = Path(os.path.realpath(path))
    if path.is_symlink():
        path.stat()  # raises: it leads to itself
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_bytes(text)
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_json(path, content) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def short(value) -> str:
    """Return a card's entry for people: no braces, numbers of four digits."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {short(each)}" for key, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def card_as_text(card: dict) -> str:
    """Return the card as a small Markdown page."""
    lines = [f"# Detector trained on {card.get('data', 'images')}", ""]
    lines += [part for name in ("description", "command") if name in card for part in (card[name], "")]
    rest = {name: value for name, value in card.items() if name not in ("data", "description", "command", "results")}
    rest |= card.get("results", {})
    lines += [f"- {name.replace('_', ' ')}: {short(value)}" for name, value in rest.items()]
    return "\n".join(lines) + "\n"
