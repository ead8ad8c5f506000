"""Detectors in folders, as `AnoGAN.save` writes and `AnoGAN.load` reads them; files written whole or not at all."""

import hashlib
import json
import math
import os
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np

from anogan_lib.checks import check_seed, flag, one_of, printable, real, whole, writing
from anogan_lib.datasets.base import file_sha256
from anogan_lib.datasets.images import check_range
from anogan_lib.evaluation.calibration import Calibration
from anogan_lib.evaluation.regions import check_region
from anogan_lib.evaluation.thresholds import check_rate
from anogan_lib.training.reading import MOST_JSON, MOST_PARTS, MOST_SETTINGS, CheckedFolder, naming, planned
from anogan_lib.training.writing import FILES, replacing, settle

FORMAT = 4
BACKGROUNDS = {1: "usual.npz", 2: "usual.npz"} | dict.fromkeys((3, 4), "backgrounds.npz")  # by format
MOST_CALIBRATION = 2**24  # losses of calibration images, in all
R_AND_D = ("residual", "discrimination")
SETTINGS = ("recipe", "lam", "score", "init", "steps", "feature_layer", "seed")  # of the constructor
LEARNED = ("weights", "map_scales", "false_alarm_rate", "value_range")


def write(detector, folder: Path, card: dict) -> None:
    """Write a detector: its networks, detector.json, calibration.npz, backgrounds.npz, splits.json and the card."""
    with replacing(folder) as new:
        try:
            _write_files(detector, new, card)
            written = CheckedFolder(new)
            _read_card(written, (new / "card.json").exists())
            _read_splits(written)
            for name in ("detector.json", *["card.md"] * bool(card)):
                written.read(name, MOST_SETTINGS)
        except (ValueError, TypeError) as error:
            raise ValueError(f"This detector is not saved, for it could not be read again: {error}") from None


def _write_files(detector, folder: Path, card: dict) -> None:
    from anogan_lib.scores.background import rounded
    from anogan_lib.scores.local import EarlierLocal
    from anogan_lib.training.reproducible import write_dcgan

    write_dcgan(detector.gan, folder)
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
    earlier = isinstance(detector.scores["best"], EarlierLocal)
    about = {"format": 3 if earlier else FORMAT, "settings": {name: getattr(detector, name) for name in SETTINGS}}
    about |= {name: getattr(detector, name) for name in LEARNED}
    about["calibrated_search"] = getattr(detector.calibration, "search", None)
    about["estimate"] = getattr(detector.calibration, "estimate", False)
    about["spreads"] = {name: detector.scores[name].spreads for name in ("standardised", "best")}
    splits = detector.split_digests
    named = json.dumps(splits)  # names of so many images, or with so many brackets, would be too much to read
    if len(named) > MOST_JSON / 2 or sum(map(named.count, ",[{")) > MOST_PARTS / 2:
        splits = {part: dict(enumerate(digests.values())) for part, digests in splits.items()}
    write_json(folder / "splits.json", splits)
    if card:
        card = {"written": time.strftime("%Y-%m-%d"), "recipe": detector.recipe} | card
        write_json(folder / "card.json", card)
        write_text(folder / "card.md", card_as_text(card))
    about["files"] = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    write_json(folder / "detector.json", about)


def digest(detector) -> str:
    """Return the SHA-256 of all that a detector's searches, losses and maps depend on."""
    about = [getattr(detector, name) for name in (*SETTINGS, "weights")]
    parts = [np.frombuffer(json.dumps(about).encode(), "uint8"), np.asarray(detector.region)]
    for network in filter(
        None, (detector.generator, detector.gan.averaged, detector.gan.discriminator, detector.encoder)
    ):
        parts += map(np.asarray, network.variables)
    for each in detector.scores["best"].backgrounds.values():
        parts += map(np.asarray, asdict(each).values())
    found = hashlib.sha256()
    for part in parts:
        found.update(part.tobytes())
    return found.hexdigest()


def read(kind, folder: Path, settings: dict):
    """Read a detector of the class `kind`, with these settings of its constructor in place of its own.

    Raises:
        FileNotFoundError: there is no detector in the folder.
        ValueError: it has a format that this version does not know, or a file is damaged.
    """
    from anogan_lib.paper.dcgan import DCGAN
    from anogan_lib.training.reproducible import load_dcgan

    settle(folder)
    if not os.path.lexists(folder / "detector.json"):
        raise FileNotFoundError(
            f"{folder} holds no detector (detector.json is missing); `anogan train DATA --out {folder}` makes one."
        )
    about = CheckedFolder(folder).json("detector.json")
    with naming(folder / "detector.json"):
        about = _checked(_in_this_format(about, folder))
    source, own = CheckedFolder(folder, about["files"]), about["settings"]
    gan, region = load_dcgan(DCGAN, source), None
    if "score" in settings and "lam" not in settings and settings["score"] != own["score"]:
        settings = settings | {"lam": None}  # the other score's own lambda
    networks = _networks(source, gan)
    if "region.npy" in about["files"]:
        region = source.array("region.npy", "bool", gan.image_shape[:2])
        with naming(folder / "region.npy"):
            check_region(region, gan.image_shape)
    with naming(folder / "detector.json"):
        detector = kind(gan, **own, region=region)
    if settings:
        detector = kind(gan, **own | settings, region=region)
    detector.adopt(*networks)
    _give_learned(detector, source, about)
    return detector


def _networks(source: CheckedFolder, gan):
    """Build the G that z is searched in, and E or None, from the DCGAN's settings, and load their weights."""
    from anogan_lib.fast.encoder import build_encoder
    from anogan_lib.fast.rpgan import units_of

    s, standardised = gan.settings, units_of(gan.discriminator) is not None
    build = {"adapted.keras": gan.build_generator}
    build["encoder.keras"] = lambda: build_encoder(s.image_shape, s.latent_dim, s.width, standardised)
    networks = {}
    for name in build.keys() & source.checksums.keys():
        content = source.weights(name, planned(build[name]))
        networks[name] = build[name]()
        source.give_weights(networks[name], name, content)
        networks[name].trainable = False
    return networks.get("adapted.keras", gan.averaged), networks.get("encoder.keras")


def _give_learned(detector, source: CheckedFolder, about: dict) -> None:
    """Give a detector what it has learned beside its networks."""
    from anogan_lib.scores.background import MOST_COORDINATES, Background, restored
    from anogan_lib.scores.local import EarlierLocal

    if about["format"] < 4:
        detector.scores.objects["best"] = EarlierLocal(blocks=2)
    for name, spreads in about["spreads"].items():
        detector.scores[name].spreads = spreads
    best = detector.scores["best"]
    if (file := BACKGROUNDS[about["format"]]) in about["files"]:
        wanted = {}
        for name, (_, *shape) in detector.scores.shapes().items():
            p = math.prod(shape)
            parts = {"mean": ("float32", (p,)), "directions": ("int8", (None, p)), "steps": ("float32", (None, 1))}
            parts |= {"variances": ("float32", (None,)), "share": ("float64", ())}
            wanted |= {f"{name}.{part}": about for part, about in parts.items()}
        arrays = source.arrays(file, wanted, 4 * MOST_COORDINATES, _renamed)
        with naming(source.folder / file):
            for name in sorted({name.split(".")[0] for name in arrays}):
                mean, whole, steps, variances, share = (arrays[f"{name}.{part}"] for part in parts)
                if not len(whole) == len(steps) == len(variances) or min(variances) < 0 or share <= 0:
                    raise ValueError(f"the directions, steps and variances of {name} do not belong together")
                best.backgrounds[name] = Background(mean, restored(whole, steps), variances, float(share))
    if about["calibrated_search"] is not None:
        names = {
            name for score in detector.scores.objects.values() for name in (*score.needs, f"{score.map_name}_peak")
        }
        wanted = dict.fromkeys(names, ("float32", (None,))) | {"groups": ("int32", (None,))}
        learned = source.arrays("calibration.npz", wanted, MOST_CALIBRATION, _renamed)
        with naming(source.folder / "calibration.npz"):
            r_and_d = {name: learned[name] for name in R_AND_D}
            if len({len(values) for values in learned.values()}) != 1:
                raise ValueError("its arrays have different lengths")
        learned = r_and_d if about["format"] == 1 else learned
        detector.calibration = Calibration(learned, about["calibrated_search"], about["estimate"])
    for name in LEARNED:
        setattr(detector, name, about[name])
    detector.card = _read_card(source, "card.json" in about["files"])
    if "splits.json" in about["files"]:
        detector.split_digests = _read_splits(source)
    if "card.md" in about["files"]:
        source.read("card.md", MOST_SETTINGS)


def _read_card(source: CheckedFolder, there: bool) -> dict:
    card, kinds = source.json("card.json") if there else {}, dict.fromkeys(("data", "description", "command"), str)
    kinds |= {"results": dict} | dict.fromkeys(("normal", "groups"), str | None)
    if wrong := [name for name in kinds.keys() & card.keys() if not isinstance(card[name], kinds[name])]:
        raise ValueError(f"Cannot read {source.folder / 'card.json'}: {wrong[0]} is not of its kind.")
    return card


def _read_splits(source: CheckedFolder) -> dict[str, dict[str, str]]:
    splits = source.json("splits.json", MOST_JSON)
    if not all(isinstance(part, dict) and set(map(type, part.values())) <= {str} for part in splits.values()):
        raise ValueError(f"Cannot read {source.folder / 'splits.json'}: it gives no digest for each name.")
    return splits


def _checked(about: dict) -> dict:
    """Check what detector.json says, but for the settings' values, which the constructor checks."""
    from anogan_lib.fast.ways import MOST_STEPS, PACES

    own, files = {name: about["settings"][name] for name in SETTINGS}, dict(about["files"])
    if unknown := [name for name in (*about["settings"], *files) if name not in (*SETTINGS, *FILES)]:
        raise ValueError(f"{unknown[0]!r} is neither a setting nor a file of a detector")
    if (search := about["calibrated_search"]) is not None:
        search = {
            "init": one_of("init", search["init"], PACES),
            "steps": whole("steps", search["steps"], 0, MOST_STEPS),
            "seed": check_seed(search["seed"]),
        }
        if "calibration.npz" not in files:
            raise ValueError("calibration.npz is missing among its files")
    weights = tuple(real("a weight in the search", weight, 0, 1e30) for weight in about["weights"])
    if len(weights) != 2:
        raise ValueError(f"the search has two weights, not {len(weights)}")
    scales = {name: real("the scale of maps", scale, 0, above=True) for name, scale in about["map_scales"].items()}
    spreads = {}
    for score in ("standardised", "best"):
        spreads[score] = {
            loss: (real("the mean of a loss", mean, -1e30, 1e30), real("the spread of a loss", spread, 1e-9, 1e30))
            for loss, (mean, spread) in about["spreads"][score].items()
        }
    rate = check_rate(about["false_alarm_rate"])
    values = None if about.get("value_range") is None else check_range(about["value_range"])  # it came later
    learned = {"weights": weights, "map_scales": scales, "spreads": spreads, "false_alarm_rate": rate}
    learned |= {"value_range": values, "estimate": flag("estimate", about.get("estimate", False))}
    return about | learned | {"settings": own, "calibrated_search": search, "files": files}


def _in_this_format(about: dict, folder: Path) -> dict:
    """Return what detector.json says; of formats 1 and 2, in the words of this one.

    In format 1, score="best" looked at other things: of what it learned, only what R and D need is still true.
    """
    if about["format"] in (3, FORMAT):  # their scores "best" differ, not their files
        return about
    if about["format"] not in (1, 2):
        raise ValueError(f"it has format {about['format']!r}, and this version reads 1 to {FORMAT}: train it again")
    old = {name: value for name, value in about["settings"].items() if name != "precision"}
    files = {name: None for name in FILES if (folder / name).is_file()}  # without checksums
    for name in ("encoder", "adapted"):
        if about.get(name, False) != (f"{name}.keras" in files):
            raise ValueError(f"{name} is {about.get(name)!r}, which is not so for {name}.keras")
    init = "encoder" if about["encoder"] else "random"
    steps = old["steps"] if old["steps"] is not None else (0 if about["encoder"] else 100)
    spreads = {_renamed(name): pair for name, pair in (about["spreads"] or {}).items()}
    score, lam = about.get("aim") or ("paper", old["lam"])
    widths = [spreads[name][1] if spreads and score != "paper" else 1.0 for name in R_AND_D]
    # Before there were precisions, a search of as many steps ended elsewhere.
    calibrated = about["calibrated"] and ("precision" in about["settings"] or not steps)
    map_scales = {"local_map" if old["score"] == "best" else "map": about.get("map_scale")}
    if about["format"] == 1:
        files.pop("usual.npz", None)
        spreads, map_scales = {name: pair for name, pair in spreads.items() if name in R_AND_D}, {}
        if old["score"] == "best":
            warnings.warn(
                f'{folder} is of format 1, whose score "best" is no more: "standardised" is used.', stacklevel=5
            )
            old["score"] = "standardised"
    recipe = "best" if old["score"] == "best" else "paper"
    return about | {
        "settings": old | {"recipe": recipe, "init": init, "steps": steps},
        "weights": ((1.0 - lam) / widths[0], lam / widths[1]),
        "map_scales": map_scales,
        "spreads": {"standardised": spreads, "best": spreads},
        "calibrated_search": {"init": init, "steps": steps, "seed": old["seed"]} if calibrated else None,
        "files": files,
    }


def _renamed(name: str) -> str:
    """Name a loss, or an array of calibration.npz or usual.npz, in the words of this format."""
    return name.replace("near_discrimination", "fine_discrimination")


def as_learned(detector) -> dict:
    """Return the options of `datasets.load` with which images are read as the detector has learned them."""
    *size, channels = detector.image_shape
    read = {"size": tuple(size), "channels": channels, "value_range": detector.value_range}
    return read | {name: detector.card.get(name) for name in ("normal", "groups")}


def own_data(detector, data=None):
    """Return the data set that a detector was made from: `data`, or what its card names.

    Raises:
        ValueError: it cannot be loaded, or its calibration images are others than the detector's.
    """
    from anogan_lib import datasets

    spec, wanted = detector.card.get("data"), detector.split_digests.get("calibration")
    if not wanted or not (spec or data):
        raise ValueError("The detector does not say which images it was calibrated on: give its data set.")
    if data is None:
        try:
            data = datasets.load(spec, **as_learned(detector))
        except (ValueError, OSError) as error:
            raise ValueError(f"The detector's own images are needed, and {spec} cannot be loaded: {error}") from None
    if data.calibration.digests() != list(wanted.values()):
        raise ValueError(f"{data.name} does not give the images that the detector was calibrated on.")
    return data


# ---- files


def write_text(path, text: str) -> None:
    """Write a text file whole or not at all. Raises OSError, with the file's name, where that fails.

    A link stays a link: the file that it leads to is written. A FIFO or a device gets the text as a stream.
    """
    path, text = Path(path), text.encode(errors="backslashreplace")  # names may hold bytes that are no UTF-8
    if path.exists() and not path.is_file():
        with writing(path):
            path.write_bytes(text)
        return
    path = Path(os.path.realpath(path))
    if path.is_symlink():
        path.stat()  # raises: it leads to itself
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with writing(path):
            unfinished.write_bytes(text)
            os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path, content) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def short(value) -> str:
    """Return a card's entry for people: no braces, numbers of four digits."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {short(each)}" for key, each in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(short, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def card_as_text(card: dict) -> str:
    """Return the card as a small Markdown page."""
    lines = [f"# Detector trained on {card.get('data', 'images')}", ""]
    lines += [part for name in ("description", "command") if name in card for part in (card[name], "")]

    def listed(values: dict) -> list[str]:
        return [f"- {name.replace('_', ' ')}: {short(value)}" for name, value in values.items()]

    shown = ("data", "description", "command", "results")
    lines += listed({name: value for name, value in card.items() if name not in shown})
    if card.get("results"):
        lines += ["", "On test images:", "", *listed(card["results"])]
    return "\n".join(map(printable, "\n".join(lines).split("\n"))) + "\n"
