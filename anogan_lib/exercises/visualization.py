"""Exercises on visualization: one scale, pixel AUROC, a false alarm, colours for everyone."""

import numpy as np
from matplotlib import colormaps

from anogan_lib import pictures
from anogan_lib.evaluation import metrics  # noqa: F401 - for mistakes.toml
from anogan_lib.evaluation.metrics import pixel_auroc as _pixels
from anogan_lib.exercises.cases import arrays, nuts
from anogan_lib.exercises.check import exercise, share
from anogan_lib.exercises.scores import won  # noqa: F401


@exercise(
    right=lambda normal, maps: np.clip(maps / pictures.common_scale(normal), 0, 1),
    cases=lambda: [(normal / 2, maps) for normal, maps in arrays(2, (1, 1, 4), (2, 2, 2), (4, 6, 6), low=0.02)],
)
def levels(normal, maps):
    """Maps (N, H, W) as colour levels 0 to 1: 0 stays 0, the 99.9 % quantile of normal maps and more become 1."""
    return np.clip(maps / np.quantile(normal, 0.999), 0, 1)


def _pixel_cases() -> list[tuple]:
    maps = [x * np.arange(1, 1 + len(x))[:, None, None] for (x,) in arrays(1, (1, 1, 4), (2, 2, 2), (4, 6, 6), low=0)]
    maps.append(np.rint(4 * maps[-1]))  # with equal values
    return [(each, np.arange(each.size).reshape(each.shape) % 3 == 0) for each in maps]


@exercise(right=_pixels, cases=_pixel_cases)
def pixel_auroc(maps, masks):
    """Pixel AUROC of maps (N, H, W) against masks (N, H, W) bool; one number."""
    bad, good = maps[masks], maps[~masks]
    return np.mean((bad[:, None] > good) + 0.5 * (bad[:, None] == good))


def false_alarm() -> tuple[np.ndarray, np.ndarray]:
    """Return a good part that was called anomalous and its reconstruction, (16, 16, 3) each, as stand-ins."""
    image = nuts(2, 1)[0]
    return image, np.roll(image, 2, axis=1)


@exercise(given=false_alarm)
def explained(image, reconstruction):
    """Why was the good part of `ex.false_alarm()` called anomalous: "light", "position", "blur" or "defect"? Answer
    with a pair: the cause, and its size (grey levels lighter, pixels moved, pixels of blur, or pixels across)."""
    residual = {by: np.abs(image - np.roll(reconstruction, by, axis=1)).sum() for by in range(-3, 4)}
    return "position", abs(min(residual, key=residual.get))


# Red, green and blue as seen without green cones: Machado et al. 2009, severity 1.
_DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]


def _seen(name, *_) -> list[bool]:
    """Return whether a colour map changes in lightness one way only, and whether its ends look alike without green."""
    if getattr(name, "name", name) not in colormaps:
        raise ValueError(f"asked is the name of a colour map; matplotlib has none that is called {name!r}")
    colours = colormaps[getattr(name, "name", name)](np.linspace(0, 1, 64))[:, :3] @ np.transpose(_DEUTERANOPIA)
    steps = np.diff(colours @ [0.2126, 0.7152, 0.0722])
    return [min((steps < -0.005).sum(), (steps > 0.005).sum()) == 0, np.abs(colours[0] - colours[-1]).max() < 0.15]


@exercise(given=lambda: (), effect=_seen)
def colours():
    """Name a colour map for |x - G(z)| that a colleague who cannot tell red from green reads as you do."""
    return "magma"


@exercise(given=lambda: (), effect=share)
def bright_pixels():
    """Normal maps of 64 x 64 pixels, all pixels independent; 99.9 % of pixels lie below a level. Predict, then
    measure: what share of the maps has a pixel above it?"""
    return 1 - 0.999 ** (64 * 64)
