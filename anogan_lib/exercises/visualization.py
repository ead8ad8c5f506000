"""Exercises of notebook 05: one scale, pixel AUROC, a false alarm, colours for everyone."""

import numpy as np
from matplotlib import colormaps

from anogan_lib import pictures
from anogan_lib.evaluation.metrics import pixel_auroc as _pixels
from anogan_lib.exercises.cases import arrays, nuts
from anogan_lib.exercises.check import exercise


def _each(maps):
    """Make the mistake of scaling each map by itself."""
    return maps / maps.max((1, 2), keepdims=True)


@exercise(
    "one scale for all images, from normal ones: now a dark map means a good part",
    right=lambda normal, maps: np.clip(maps / pictures.common_scale(normal), 0, 1),
    cases=lambda: [(normal / 2, maps) for normal, maps in arrays(2, (1, 1, 4), (2, 2, 2), (4, 6, 6), low=0)],
    mistakes={
        "each map has its own scale, so that every good part has a bright spot": lambda normal, maps: _each(maps),
        "each map is stretched from its lowest to its highest value, and every good part has a bright spot": (
            lambda normal, maps: _each(maps - maps.min((1, 2), keepdims=True))
        ),
        "by the scale of the maps shown, a map looks different beside others": lambda _, x: levels.solution(x, x),
        "what lies beyond the scale must be clipped to 1": lambda normal, maps: maps / np.quantile(normal, 0.999),
    },
)
def levels(normal, maps):
    """Maps (N, H, W) as colour levels 0 to 1: 0 stays 0, the 99.9 % quantile of normal maps and more become 1."""
    return np.clip(maps / np.quantile(normal, 0.999), 0, 1)


@exercise(
    "all pixels of all images together, since there is one threshold for all",
    right=_pixels,
    cases=lambda: [
        (maps * np.arange(1, 1 + len(maps))[:, None, None], np.arange(maps.size).reshape(maps.shape) % 3 == 0)
        for (maps,) in arrays(1, (1, 1, 4), (2, 2, 2), (4, 6, 6), low=0)
    ],
    mistakes={
        "a mean over images gives each its own threshold: put all pixels together": (
            lambda maps, masks: np.mean([*map(_pixels, maps[:, None], masks[:, None])])
        ),
        "scaled by itself, each map has its own threshold": lambda maps, masks: _pixels(_each(maps), masks),
        "the masks are turned round: True is a defect": lambda maps, masks: _pixels(maps, ~masks),
    },
)
def pixel_auroc(maps, masks):
    """Pixel AUROC of maps (N, H, W) against masks (N, H, W) bool; one number."""
    bad, good = maps[masks], maps[~masks]
    return np.mean((bad[:, None] > good) + 0.5 * (bad[:, None] == good))


def false_alarm() -> tuple[np.ndarray, np.ndarray]:
    """Return a good part that was called anomalous and its reconstruction, (16, 16, 3) each, as stand-ins."""
    image = nuts(2, 1)[0]
    return image, np.roll(image, 2, axis=1)


@exercise(
    "moved by two pixels, the reconstruction fits; edges light up, too light here, too dark there",
    given=false_alarm,
    mistakes={
        "a defect lies in one place; this residual follows the nut's edge on both sides": "defect",
        "with other light, x - G(z) would have one sign nearly everywhere": "light",
        "a blurred reconstruction lacks the streaks; this one has them, in another place": "blur",
    },
    otherwise='answer with "light", "position", "blur" or "defect", and look at the signed residual x - G(z)',
)
def explained(image, reconstruction):
    """Why was the good part of `ex.false_alarm()` called anomalous: "light", "position", "blur" or "defect"?"""
    residual = {shift: np.abs(image - np.roll(reconstruction, shift, axis=1)).sum() for shift in range(-3, 4)}
    return "position" if min(residual, key=residual.get) else "light"


# Red, green and blue as seen without green cones: Machado et al. 2009, severity 1.
_DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]


def _seen(name, *_) -> list[bool]:
    """Return whether a colour map changes in lightness one way only, and whether its ends look alike without green."""
    if getattr(name, "name", name) not in colormaps:
        raise ValueError(f"matplotlib has no colour map {name!r}")
    colours = colormaps[getattr(name, "name", name)](np.linspace(0, 1, 64))[:, :3] @ np.transpose(_DEUTERANOPIA)
    steps = np.diff(colours @ [0.2126, 0.7152, 0.0722])
    return [min((steps < -0.005).sum(), (steps > 0.005).sum()) == 0, np.abs(colours[0] - colours[-1]).max() < 0.15]


@exercise(
    "its lightness goes one way alone, so that it is read in grey and without green cones, too",
    given=lambda: (),
    effect=_seen,
    mistakes={
        "its lightness rises and falls: it draws edges where there are none": "jet",
        "to that colleague its two ends look alike, the highest value and the lowest": "RdYlGn",
    },
    otherwise="look at it in grey, and with red and green made one",
)
def colours():
    """Name a colour map for |x - G(z)| that a colleague who cannot tell red from green reads as you do."""
    return "magma"
