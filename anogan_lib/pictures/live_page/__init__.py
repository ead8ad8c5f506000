"""Write the live page: the search for z in a browser, in one file that needs neither Python nor a network.

>>> pictures.live(detector, "live.html")

`layers.py` lists the layers of G, f and E, and `networks.js` computes them; `search.js` does what `paper/search.py`
does; `page.html`, `page.css`, `easel.js` and `page.js` are what a person sees. Verdicts in the page come from normal
images that were searched here, from the same start and with the same steps.
"""

import zlib
from pathlib import Path

import numpy as np

from anogan_lib.datasets.base import AnomalyDataset, Split
from anogan_lib.datasets.images import from_uint8, to_uint8
from anogan_lib.evaluation import thresholds
from anogan_lib.pictures.images import common_scale
from anogan_lib.pictures.live_page.layers import Weights, chain
from anogan_lib.pictures.page import base64_of, write_page
from anogan_lib.pictures.style import drawing_script
from anogan_lib.saving import own_data

FOLDER = Path(__file__).parent
CALIBRATION = 200  # normal images that are searched at most
STARTS = 4
NORMAL, ANOMALOUS = 4, 8  # example images at most


def live(detector, path, data: AnomalyDataset | None = None, progress: bool = False) -> Path:
    """Write the page of a detector as one HTML file, 0.5 to 4 MB, nearly all of it weights.

    The page searches for z as the paper does, with the detector's lambda and R and D in the units of its score. It is
    calibrated for that search here, a minute for a hundred images of 64x64, whatever the detector's own way to z is.

    Args:
        data: the data set that the detector was made from; None to load it as the detector's card says. Its
            calibration images are searched, and its test images are the page's examples.

    Raises:
        ValueError: the data set is not there or gives other images, or the networks hold a layer that the page does
            not compute.
    """
    data = own_data(detector, data)
    state = _search(detector) | _calibration(detector, data.calibration, progress) | {"examples": _examples(data)}
    state |= {"product": base64_of((FOLDER / "product.wasm").read_bytes()), "name": data.name}
    files = ("page.css", "networks.js", "search.js", "easel.js", "page.js")
    style, *scripts = ((FOLDER / name).read_text(encoding="utf-8") for name in files)
    script, texts = "\n".join([drawing_script(), *scripts]), {"title": data.name, "about": data.description}
    return write_page(path, FOLDER / "page.html", style, script, state, **texts)


def _search(detector) -> dict:
    """Return what `Search` of search.js takes: networks, region of interest, prior, starts and pace."""
    from anogan_lib.fast.ways import PACES

    weights, region = Weights(), detector.ways.region
    about = {name: chain(getattr(detector, name), weights) for name in ("generator", "features")}
    about |= {"encoder": detector.encoder and chain(detector.encoder, weights), "region": None}
    if region is not None:
        about["region"] = {"inside": weights.add(region), "elsewhere": weights.add(detector.ways.elsewhere)}
    pace, seed = PACES["random"], detector.seed
    if detector.init == "random" and detector.steps:
        pace = pace._replace(steps=detector.steps)
    starts = [detector.search.start([0], restart, seed)[0].numpy() for restart in range(STARTS)]
    return about | {
        "shape": list(detector.image_shape),
        "latent": detector.gan.latent_dim,
        "prior": detector.gan.prior,
        "pace": pace._asdict(),
        "starts": [_short(start) for start in starts],
        "weights": base64_of(weights.packed()),
    }


def _calibration(detector, images: Split, progress: bool) -> dict:
    """Return R and D of normal images by both ways, lambda, the units of R and D, and the last colour's difference."""
    places = np.random.default_rng(0).permutation(len(images))
    if images.groups is not None:  # one image of each group: a new group's image is then one more of the same
        places = places[np.sort(np.unique(images.groups[places], return_index=True)[1])]
    normal = from_uint8(to_uint8(images[np.sort(places[:CALIBRATION])].images))  # the page reads images of 8 bits
    options = {"lam": detector.lam, "score": detector.score, "progress": progress}
    found = {"search": detector.invert(normal, init="random", **options)}
    if detector.encoder is not None:
        found["encoder"] = detector.invert(normal, init="encoder", steps=0, **options)
    scale = detector.scores[detector.score].weights(0.5)
    thresholds.conformal(found["search"].residual, detector.false_alarm_rate)  # refuses what so few cannot promise
    return {
        "calibration": {
            name: {"residual": _short(each.residual), "discrimination": _short(each.discrimination)}
            for name, each in found.items()
        },
        "lam": detector.lam,
        "units": [0.5 / each for each in scale],  # A = (1 - lambda) R / units[0] + lambda D / units[1]
        "false_alarm_rate": detector.false_alarm_rate,
        "last_colour": common_scale(found["search"].maps()),
        "empty": images.image_shape[2] == 1 and bool(np.mean(normal < -0.9) > 0.25),  # digits: one can draw on black
        "usual": _usual(normal),
    }


def _short(values) -> list[float]:
    """Return numbers of 32 bits in as many digits as they have."""
    return [float(f"{each:.8g}") for each in values]


def _usual(images: np.ndarray) -> dict[str, float]:
    """Find where bright things lie in images (N, H, W, C) on black: the longer side of their box, and their centre."""
    light = (images.mean(axis=-1) + 1) / 2  # (N, H, W)
    bright = light > 0.25
    sides = [bright.any(axis=axis).argmax(axis=1) for axis in (1, 2)]
    ends = [bright.any(axis=axis)[:, ::-1].argmax(axis=1) for axis in (1, 2)]
    lengths = [n - a - b for n, a, b in zip(light.shape[:0:-1], sides, ends, strict=True)]
    centres = [np.average(np.arange(light.shape[axis]) + 0.5, weights=light.sum(axis=(0, 3 - axis))) for axis in (1, 2)]
    return {"side": float(np.median(np.max(lengths, axis=0))), "cy": float(centres[0]), "cx": float(centres[1])}


def _examples(data: AnomalyDataset) -> list[dict]:
    """Choose some normal and anomalous test images, kinds in turn; without test images, validation images."""
    split = data.test if len(data.test) else data.validation
    kinds = np.full(len(split), "good") if split.kinds is None else split.kinds
    labels = np.zeros(len(split), int) if split.labels is None else split.labels
    good = np.random.default_rng(0).permutation(np.flatnonzero(labels == 0))[:NORMAL]
    by_kind = [np.flatnonzero((labels == 1) & (kinds == kind)) for kind in sorted(set(kinds[labels == 1]))]
    turns = [rows[turn] for turn in range(ANOMALOUS) for rows in by_kind if turn < len(rows)]
    chosen = [*good, *sorted(turns[:ANOMALOUS], key=lambda row: kinds[row])]
    images = [zlib.compress(to_uint8(split.images[row]).tobytes(), 9) for row in chosen]
    return [{"kind": str(kinds[row]), "image": base64_of(each)} for row, each in zip(chosen, images, strict=True)]
