"""Load data sets, all in one form: `load` gives an AnomalyDataset, `write` makes a folder of images from one.

>>> data = load("digits:8")
>>> data.train.images.shape
(86, 32, 32, 1)
"""

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from anogan_lib.checks import check_seed
from anogan_lib.datasets import digits, folders, hazelnut, images, mvtec, textures
from anogan_lib.datasets.base import AnomalyDataset, Source, Split
from anogan_lib.datasets.folders import write

__all__ = ["AnomalyDataset", "Split", "images", "labelled_folder", "load", "write"]

MOST_SIDE = 1024
SPECS = ("hazelnut", "digits:8", "mnist:8", "fashion_mnist:3", "textures:brick", "mvtec:hazelnut")


def load(
    spec: str | Path,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    channels: int | None = None,
    normal: str | None = None,
    value_range: tuple[float, float] | None = None,
    groups: str | Callable[[str], object] | None = None,
) -> AnomalyDataset:
    """Load the data set that a spec names.

    Args:
        spec: `hazelnut` (rendered, built in; a folder of that name is `./hazelnut`), `digits:8`, `mnist:8`,
            `fashion_mnist:3` (the number is the normal class), `textures:brick` (or gravel, or grass),
            `mvtec:hazelnut` (any category of MVTec AD), or a folder of images: a path, or the name of one in
            `$ANOGAN_DATA`. `folders` describes the layouts.
        size: of the images in pixels, one number (square) or (H, W); None is the source's own, but of a
            folder's larger photographs 64 on the shorter side.
        seed: of the split into train, validation and calibration, and of the rendering.
        channels: 1 or 3, for a folder of images; None is 1 where all files are grey, else 3.
        normal: the folder of normal images, where its name is not one that is known (good, OK, normal ...); "." for
            a folder all of whose images are normal, in whatever folders they lie.
        value_range: the values that become -1 and 1 where a folder's files have more than 8 bits a channel; None is
            that of the training images, as `images.choose_range` takes it.
        groups: the images of a folder that belong together (one part, lot, patient or day), as `groups.named` takes
            them: a regular expression on the name, a .csv file, or a function of the name. Splits keep them together.
            None keeps near-copies together, "" nothing.

    Raises:
        ValueError: an unknown spec or size, no images, or too few, or nothing to learn from them.
        FileNotFoundError: no such folder.
        OSError: a download failed.
    """
    return _read(spec, size, seed, channels, normal, value_range, groups).split(seed)


def labelled_folder(spec: str | Path, **options) -> Split:
    """Load all images of a folder (or any other spec of `load`) as one split with labels, kinds, masks and names.

    For images that a detector is only evaluated on: any number will do, none is held back, those of `train/good` are
    among them as good ones, and those of a flat folder are all normal. Options and errors are those of `load`.
    """
    return _read(spec, **options).images


def _read(spec, size=None, seed=0, channels=None, normal=None, value_range=None, groups=None) -> Source:
    spec, size, seed = os.fspath(spec), None if size is None else _check_size(size), check_seed(seed)
    if channels is not None and (type(channels) is not int or channels not in (1, 3)):
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels!r}.")
    if normal is not None and not isinstance(normal, str):
        raise ValueError(f"normal is the name of a folder. Received: {normal!r}.")
    normal = normal and normal.rstrip("/")
    value_range = None if value_range is None else images.check_range(value_range)
    source, colon, rest = spec.partition(":")
    if groups and (spec == "hazelnut" or (colon and source in (*digits.SOURCES, "textures"))):
        raise ValueError(f"groups is for images of your own, in a folder. Received: {groups!r} for {spec}.")
    if spec == "hazelnut":
        return hazelnut.read(size, seed)
    if colon and source in digits.SOURCES:
        return digits.read(source, int(rest) if rest.isdecimal() else rest, size, seed)
    if colon and source == "textures":
        return textures.read(rest, size, seed)
    if colon and source == "mvtec":
        return mvtec.read(rest, size, seed, groups)
    return folders.read(_find_folder(spec), size, seed, spec, None, channels, normal, value_range, groups)


def _find_folder(spec: str) -> Path:
    path, data = Path(os.path.expanduser(spec)), os.environ.get("ANOGAN_DATA")
    if spec and path.is_dir():
        return path
    if path.is_file():
        raise ValueError(f"A folder of images is wanted, not a single file. Received: {spec!r}.")
    if spec and data and (Path(data) / spec).is_dir():
        return Path(data) / spec
    if spec and (spec.startswith(".") or path.name != spec):
        raise FileNotFoundError(f"There is no folder {spec}.")
    known = {name.partition(":")[0]: name for name in reversed(SPECS)}  # hazelnut itself before mvtec:hazelnut
    folders_here = [p.name for place in (Path.cwd(), *([Path(data)] if data else [])) for p in place.glob("*/")]
    near = difflib.get_close_matches(spec.partition(":")[0].rstrip("0123456789"), [*known, *folders_here], 1)
    hint = f" Did you mean {known.get(near[0], near[0])}?" if near else ""
    raise ValueError(
        f"Unknown data {spec!r}: wanted is one of {', '.join(SPECS)}, the path of a folder of images, "
        f"or the name of one in $ANOGAN_DATA ({data or 'not set'}).{hint}"
    )


def _check_size(size) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else size
    pair = isinstance(sides, list | tuple) and len(sides) == 2
    if not (pair and all(isinstance(side, int) and 8 <= side <= MOST_SIDE for side in sides)):
        span = f"from 8 to {MOST_SIDE}"
        raise ValueError(f"A size is a number of pixels {span}, or a pair (H, W) of them. Received: {size!r}.")
    return tuple(sides)
