"""Data sets, all in one form: `load` gives an AnomalyDataset, `write` makes folders of one.

>>> data = load("digits:8")
>>> data.train.images.shape
(86, 32, 32, 1)
"""

import difflib
import os
from pathlib import Path

from anogan_lib.datasets import digits, folders, images, mvtec
from anogan_lib.datasets.base import AnomalyDataset, Split
from anogan_lib.datasets.folders import write

__all__ = ["AnomalyDataset", "Split", "images", "load", "write"]

SPECS = ("hazelnut", "digits:8", "mnist:8", "fashion_mnist:3", "mvtec:hazelnut")


def load(
    spec: str | Path, size: int | tuple[int, int] | None = None, seed: int = 0, channels: int | None = None
) -> AnomalyDataset:
    """The data set that a spec names.

    Args:
        spec: `hazelnut` (rendered, built in; a folder of that name is `./hazelnut`), `digits:8`, `mnist:8`,
            `fashion_mnist:3` (the number is the normal class), `mvtec:hazelnut` (any category of MVTec AD),
            or a folder of images: a path, or the name of one in `$ANOGAN_DATA`. `folders` tells the layouts.
        size: of the images in pixels, one number (square) or (H, W); None is the source's own.
        seed: of the split into train, validation and calibration, and of the rendering.
        channels: 1 or 3, for a folder of images; None is 1 where all files are grey, else 3.

    Raises:
        ValueError: an unknown spec or size, no images, or too few.
        FileNotFoundError: no such folder.
        OSError: a download failed.
    """
    spec, size = os.fspath(spec), _check_size(size)
    if channels not in (None, 1, 3):
        raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels!r}.")
    source, colon, rest = spec.partition(":")
    if spec == "hazelnut":
        from anogan_lib.datasets import hazelnut

        return hazelnut.load(size, seed)
    if colon and source in digits.SOURCES:
        return digits.load(source, int(rest) if rest.isdecimal() else rest, size, seed)
    if colon and source == "mvtec":
        return mvtec.load(rest, size, seed)
    folder = _find_folder(spec)
    return folders.load(folder, size, seed, name=spec, channels=channels)


def _find_folder(spec: str) -> Path:
    path, data = Path(spec).expanduser(), os.environ.get("ANOGAN_DATA")
    if spec and path.is_dir():
        return path
    if path.is_file():
        raise ValueError(f"A folder of images is wanted, not a single file. Received: {spec!r}.")
    if spec and data and (Path(data) / spec).is_dir():
        return Path(data) / spec
    if spec and (spec.startswith(".") or path.name != spec):
        raise FileNotFoundError(f"There is no folder {spec}.")
    known = {name.partition(":")[0]: name for name in reversed(SPECS)}  # hazelnut itself before mvtec:hazelnut
    around = [Path.cwd()] + ([Path(data)] if data and Path(data).is_dir() else [])
    known |= {p.name: p.name for place in around for p in place.iterdir() if p.is_dir() and p.name not in known}
    near = difflib.get_close_matches(spec.partition(":")[0].rstrip("0123456789"), known, 1)
    hint = f" Did you mean {known[near[0]]}?" if near else ""
    raise ValueError(
        f"Unknown data {spec!r}: wanted is one of {', '.join(SPECS)}, the path of a folder of images, "
        f"or the name of one in $ANOGAN_DATA ({data or 'not set'}).{hint}"
    )


def _check_size(size) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list | tuple) else ()
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 8 for side in sides):
        raise ValueError(f"A size is a number of pixels, 8 or more, or a pair (H, W) of them. Received: {size!r}.")
    return sides
