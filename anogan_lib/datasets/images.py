"""Read image files as arrays with values in [-1, 1], whatever their mode, depth and size."""

import math
import os
import re
import stat
import sys
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Condition
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

MOST_MEMORY = 2**30  # bytes for decoding, in all threads together
CLIPPED = 0.01  # share of an image's values outside the range, above which we warn
NATURAL = [(0, 1), (-1, 1)] + [(0, 2**bits - 1) for bits in range(8, 17)]  # ranges that cameras and programs use

_BY_PRODUCTS = r"[.~]|(__macosx|__pycache__|(eh)?thumbs.*\.db|desktop\.ini|@eadir|[$#@]recycle.*|lost\+found|icon\r"
_BY_PRODUCTS += r"|.*~|.*\.(bak|tmp)|#snapshot|network trash folder|system volume information)$"
_GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_BANDS, _BITS, _FORMAT, _WHITE = 277, 258, 339, 262  # TIFF tags
_TURNED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}  # orders of bytes


def from_uint8(array: np.ndarray) -> np.ndarray:
    """Convert uint8 values, 0 to 255, to float32 in [-1, 1]."""
    return np.asarray(array, np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(array: np.ndarray) -> np.ndarray:
    """Convert floats in [-1, 1] to uint8 values, 0 to 255, rounded and clipped."""
    return np.clip(np.rint((np.asarray(array, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def resize_all(images: np.ndarray, size: tuple[int, int], filter=Image.Resampling.BICUBIC) -> np.ndarray:
    """Resize uint8 images (N, h, w) or (N, h, w, 3) to (N, H, W) or (N, H, W, 3), antialiased."""
    if images.shape[1:3] == size:
        return images
    return np.stack([Image.fromarray(x).resize((size[1], size[0]), filter) for x in images])


def walk(folder: Path) -> list[Path]:
    """List all files of a folder and of those below it, 2.png before 10.png, without hidden ones and by-products.

    Links are followed, and no folder is visited twice. A folder that cannot be read is left out with a warning.
    """

    def natural_key(name: str) -> list:
        return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name.lower()))]

    def refused(error: OSError) -> None:
        warnings.warn(f"Cannot read the folder {error.filename}: {error.strerror}. It is left out.", stacklevel=4)

    seen, found = set(), []
    for place, below, names in os.walk(folder, onerror=refused, followlinks=True):
        real = os.path.realpath(place)
        below[:] = [] if real in seen else [name for name in below if not re.match(_BY_PRODUCTS, name, re.I)]
        if real not in seen:
            seen.add(real)
            found += [Path(place, name) for name in names if not re.match(_BY_PRODUCTS, name, re.I)]
    return sorted(found, key=lambda file: list(map(natural_key, file.parts)))


def tell(sentences: Iterable[tuple[Path, str]]) -> None:
    """Warn of each file, with the sentence that names it; of many files with one sentence, warn of the first three."""
    groups = defaultdict(list)
    for path, sentence in sentences:
        groups[sentence.replace(str(path), "")].append((path, sentence))
    for alike in groups.values():
        for _, sentence in alike[:3]:
            warnings.warn(sentence, stacklevel=4)
        if alike[3:]:
            warnings.warn(f"The same holds for {len(alike) - 3} more, the last of them {alike[-1][0]}.", stacklevel=4)


class Look(NamedTuple):
    """What a file holds: shape (H, W, C), a checksum of its pixels (None if they are all the same), sentences on it.

    `small` is a grey version, (32, 32) float32. Where a channel has more than 8 bits, `levels` are the values that
    0.2 % of the pixels lie below and above. `few` says that there are 8 colours at most, as in a mask.
    """

    shape: tuple[int, int, int]
    checksum: int | None
    levels: tuple[float, float] | None
    small: np.ndarray
    notes: list[str]
    few: bool


class _Values(np.ndarray):
    """Values of an image; `is_animated` says, as Pillow's images do, whether its file holds further frames."""

    is_animated, format = False, None


def has_frames(image: Image.Image | np.ndarray) -> bool:
    return getattr(image, "is_animated", False) and image.format != "PSD"  # whose frames are layers


def few_colours(path: Path) -> bool | None:
    """Return whether an image has at most 8 colours, as masks have (no JPEG, nothing of more bits); None for others."""
    try:
        with opened(path) as image:
            exact = image.format not in (None, "JPEG") and image.mode[0] not in "IF"
            return exact and image.getcolors(8) is not None
    except (ValueError, OSError):
        return None


def look(path: Path) -> Look:
    """Decode a file to see what it holds. Raises ValueError, which names it, if it cannot be read."""
    with opened(path) as image:
        pixels, notes = decode(image), []
        values = np.asarray(pixels)  # (H, W) or (H, W, 3)
        if has_frames(image):
            notes.append(f"{path}: the first of several frames is read.")
        if constant := not np.ptp(values, axis=(0, 1)).any():
            notes.append(f"{path} has no contrast: all its pixels are the same.")
        deep = isinstance(pixels, np.ndarray)
        levels = tuple(np.quantile(values, (0.002, 0.998), method="nearest").tolist()) if deep else None
        checksum = None if constant else zlib.crc32(values.tobytes())
        grey = Image.fromarray(np.atleast_3d(values).mean(axis=2, dtype=np.float32)) if deep else pixels.convert("L")
        small = np.asarray(grey.resize((32, 32), Image.Resampling.BOX), np.float32)
        few = not deep and pixels.getcolors(8) is not None
        return Look((*values.shape[:2], 1 if values.ndim == 2 else 3), checksum, levels, small, notes, few)


def choose_range(levels: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Choose which values (low, high) become -1 and 1, from the `levels` of the training images.

    It is the smallest of the NATURAL ranges that holds them if they fill a quarter of it: 0 to 4095 for 12 bits. Else
    (CT, thermal images) it is their own range, an eighth wider on either side: a defect may be brighter or darker.
    One image in twenty, the most extreme, has no part in it.
    """
    lows, highs = np.sort(levels, axis=0).T
    extreme = min(math.ceil((len(lows) - 1) / 20), (len(lows) - 1) // 2)
    low, high = float(lows[extreme]), float(highs[-1 - extreme])
    fitting = (each for each in NATURAL if each[0] <= low and high <= each[1] <= each[0] + 4 * (high - low))
    margin = (high - low) / 8 or 1.0
    return next(fitting, (low - margin, high + margin))


def check_range(value_range) -> tuple[float, float]:
    """Return (low, high) as floats. Raises ValueError unless low is below high, and both are numbers."""
    try:
        low, high = map(float, value_range)
        if -np.inf < low < high < np.inf:
            return low, high
    except (TypeError, ValueError):
        pass
    raise ValueError(f"value_range is a pair (low, high) of numbers. Received: {value_range!r}.")


def read_image(
    path: str | Path, image_shape: tuple[int, int, int], value_range: tuple[float, float] | None = None
) -> np.ndarray:
    """Read one image file as (H, W, C) float32 in [-1, 1].

    Palettes are looked up, CMYK becomes RGB, transparent parts lie on black, EXIF orientation is applied; the first of
    several frames is taken. Where a channel has more than 8 bits, `value_range` (low, high) becomes [-1, 1]; values
    outside are clipped, many with a warning. Resizing to `image_shape`, whose C is 1 (grey) or 3 (RGB), is bicubic and
    antialiased. Raises ValueError, which names the file, if it is no image or a broken one, or its range is unknown:
    only 16 bits are taken for 0 to 65535.
    """
    with opened(path) as image:
        return shaped(image, path, image_shape, value_range)


def shaped(image: Image.Image | np.ndarray, path, image_shape, value_range=None) -> np.ndarray:
    """Turn what `opened` gives into (H, W, C) float32 in [-1, 1], as `read_image` says."""
    height, width, channels = image_shape
    pixels = decode(image)
    if isinstance(pixels, np.ndarray):
        pixels = _scaled(path, pixels, value_range)
        if pixels.ndim == 3 and channels == 1:
            pixels = pixels @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in Pillow
        planes = [Image.fromarray(plane) for plane in np.moveaxis(np.atleast_3d(pixels), 2, 0)]
    else:
        planes = [pixels.convert("L" if channels == 1 else "RGB")]
    if planes[0].size != (width, height):
        planes = [plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
    pixels = np.clip(np.dstack([np.asarray(plane, np.float32) for plane in planes]), 0, 255)
    return from_uint8(np.broadcast_to(pixels, (height, width, channels)))


def _scaled(path, values: np.ndarray, value_range) -> np.ndarray:
    """Scale values to float32 0 ... 255."""
    if value_range is None and not (values.dtype == np.uint16 and values.max() >= 4096):
        kind = f"{'floats' if values.dtype.kind == 'f' else values.dtype} of unknown range"
        raise ValueError(f"its values are {kind}, {values.min():g} to {values.max():g}, where 8 bits are expected")
    low, high = check_range(value_range or (0, 65535))  # floats: whole numbers of few bits would overflow
    outside = np.mean((values < low) | (values > high))
    if outside > CLIPPED:
        of = f"the range {low:g} to {high:g} of the training images"
        warnings.warn(f"{path}: {outside:.0%} of its values lie outside {of} and are clipped.", stacklevel=4)
    return ((np.clip(values, low, high) - low) * (255 / (high - low))).astype(np.float32)


def decode(image: Image.Image | np.ndarray) -> Image.Image | np.ndarray:
    """Decode what `opened` gives, upright: mode L or RGB, or values (H, W) or (H, W, 3) of more than 8 bits a channel.

    Transparent parts lie on black. Raises ValueError if all of it is transparent.
    """
    values = deep_values(image)
    if values is None:
        image = ImageOps.exif_transpose(image)
        wanted = "L" if image.mode in _GREY_MODES else "RGB"
        if image.mode not in _TRANSPARENT_MODES and "transparency" not in image.info:
            return image.convert(wanted)
        image = image.convert("RGBA")
        if image.getextrema()[3][1]:
            return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert(wanted)
    elif values.ndim == 2 or values.shape[2] == 3:
        return values
    elif values[..., 3].any():
        return (values[..., :3] * (values[..., 3:] / 65535)).round().astype(np.uint16)
    raise ValueError("it is wholly transparent")


def deep_values(image: Image.Image | np.ndarray) -> np.ndarray | None:
    """Return the values (H, W[, C]) of an image with more than 8 bits a channel, upright, else None."""
    codecs, tags = str(getattr(image, "tile", "")), getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (8,))[0]
    if most := re.search(r"'ppm\w*'.*'RGB', (\d+)", codecs):
        bits = int(most[1]).bit_length()
    if isinstance(image, np.ndarray):
        values = np.asarray(image)
    elif image.mode[0] in "IF" or (bits == 8 and tags.get(_FORMAT) == (2,)):
        values = np.asarray(ImageOps.exif_transpose(image))
        if image.mode == "I" and bits == 32 and tags.get(_FORMAT, (1,)) == (1,):
            values = values.view(np.uint32)  # which Pillow takes for signed
        elif values.dtype == np.uint8 or (values.dtype == np.uint16 and image.format == "FITS"):
            values = values.view(f"i{values.itemsize}")  # and these for unsigned
        elif values.dtype == np.uint16 and tags.get(_WHITE) == 0:
            values = 65535 - values  # 0 is white
    elif ";16" in codecs and image.mode in ("RGB", "RGBA") and not re.search("RGBa|LA", codecs):
        # Pillow keeps the high bytes; with the byte order turned, it keeps the low ones.
        with Image.open(image.filename) as low:
            for i, tile in enumerate(low.tile):
                raw, *rest = [tile.args] if isinstance(tile.args, str) else tile.args
                raw = re.sub("(?<=;16)[BLN]", lambda order: _TURNED[order[0]], raw)
                low.tile[i] = tile._replace(args=(raw, *rest))
            high, low = (np.asarray(ImageOps.exif_transpose(each)).astype(np.uint16) for each in (image, low))
        values = 256 * high + low
    elif bits > 8 or re.search(";16|SGI16", codecs):
        raise ValueError(f"Pillow reads only 8 of the {max(bits, 16)} bits of its channels ({image.mode})")
    else:
        return None
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity")
    if values.dtype.kind == "f" and (float(np.abs(values).max()) > 1e30 or 0 < np.ptp(values) < 1e-30):
        raise ValueError("its values are too large, or too close together, for 32 bits")
    return values


@contextmanager
def opened(path: str | Path):
    """Open a file as a Pillow image or, an .npy or DICOM file of more than 8 bits, as an array.

    Whatever a decoder raises on a bad one becomes one sentence that names the file. All threads together hold images
    of a gigabyte at most; larger JPEGs are decoded at a half, a quarter or an eighth of their size.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for ever
            what = "a folder" if stat.S_ISDIR(mode) else "a FIFO, a socket or a device"
            raise ValueError(f"it is {what}, not a file")
        with _source(Path(path)) as image:
            if (bands := getattr(image, "tag_v2", {}).get(_BANDS, 1)) > 4:
                raise ValueError(f"it has {bands} bands, where 1 (grey), 3 (colour) or 4 (and transparency) are wanted")
            with _taken(_memory(image)):
                yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no image file {path}.") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        if not (reason and isinstance(error, OSError | ValueError | SyntaxError | Image.DecompressionBombError)):
            reason = f"it is damaged or too large, its decoder ended with {type(error).__name__}"
        raise ValueError(f"Cannot read {path}: {reason}.") from None


def _memory(image: Image.Image | np.ndarray) -> int:
    """Estimate the bytes that decoding takes, all copies counted. Raises ValueError if they are too many."""
    mode, (height, width) = ("", image.shape[:2]) if isinstance(image, np.ndarray) else (image.mode, image.size[::-1])
    each = 6 if mode in ("1", "L") and "transparency" not in image.info else 20
    for part in (2, 4, 8):
        if height * width * each > MOST_MEMORY and getattr(image, "format", "") == "JPEG":
            image.draft(mode, (width // part, height // part))
            width, height = image.size
    if height * width * each > MOST_MEMORY:
        most = f"{MOST_MEMORY // each / 1e6:.0f} million pixels"
        raise ValueError(f"it is too large, {width} x {height}: make it smaller or cut it, {most} can be read")
    return height * width * each


_in_use: list[int] = []  # bytes, one entry for each image that is being decoded
_changed = Condition()


@contextmanager
def _taken(part: int):
    """Take a part of MOST_MEMORY, and wait until so much of it is free."""
    with _changed:
        _changed.wait_for(lambda: sum(_in_use) + part <= MOST_MEMORY)
        _in_use.append(part)
    try:
        yield
    finally:
        with _changed:
            _in_use.remove(part)
            _changed.notify_all()


def _source(path: Path):
    with path.open("rb") as file:
        start = file.read(132)
    if path.suffix.lower() == ".npy":
        return _from_array(np.lib.format.open_memmap(path, mode="r"))
    if start[128:] == b"DICM":
        return _from_array(*_read_dicom(path))
    if start.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")):
        raise ValueError("it is PostScript, a program that another program would have to run; save it as PNG")
    try:
        return Image.open(path)
    except Image.UnidentifiedImageError:
        tiff = "a TIFF file whose number of bands, or of bits, is not that of a grey or an RGB image"
        what = tiff if start[:4] in (b"II*\0", b"MM\0*") else "not an image file"
        raise ValueError(f"it is {what}") from None


def _from_array(values: np.ndarray, frames: int = 1):
    """Check that an array is (H, W) or (H, W, 3) numbers, and make an image of bytes and bools."""
    values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if values.dtype.kind not in "biuf" or not values.size or values.shape[2:] not in ((), (3,)) or values.ndim < 2:
        raise ValueError(f"an image is an array of numbers, (H, W) or (H, W, 3), not {values.dtype} {values.shape}")
    values = np.uint8(255) * values if values.dtype == bool else values
    image = Image.fromarray(np.ascontiguousarray(values)) if values.dtype == np.uint8 else values.view(_Values)
    image.is_animated = frames > 1
    return nullcontext(image)


def _read_dicom(path: Path) -> tuple[np.ndarray, int]:
    """Read the first frame of a DICOM file, in the unit of its rescale slope (CT: Hounsfield units), and count all."""
    try:
        from pydicom import dcmread, pixels
    except ImportError:
        raise ValueError("it is a DICOM file; pip install pydicom makes it readable") from None
    about = dcmread(path)
    values = pixels.pixel_array(about, index=0)
    if about.PhotometricInterpretation == "MONOCHROME1":  # 0 is white
        values = (-1 if about.PixelRepresentation else 2 ** int(about.BitsStored) - 1) - values.astype(np.int64)
    return pixels.apply_rescale(values, about), int(about.get("NumberOfFrames") or 1)


class ImageFiles:
    """Image files that are still to be read: `files[[1, 5]]` chooses some of them, `read` gives (N, H, W, C)."""

    dtype = np.float32

    def __init__(self, paths: Sequence, shape: tuple[int, ...], value_range: tuple[float, float] | None = None):
        self.paths = np.fromiter(paths, object, len(paths))
        self.shape, self.value_range = tuple(shape), value_range

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, places: np.ndarray) -> "ImageFiles":
        return type(self)(self.paths[places], self.shape, self.value_range)

    def read(self) -> np.ndarray:
        with ThreadPoolExecutor(4) as pool:  # Pillow decodes outside Python's lock
            return np.array(list(pool.map(self._read, self.paths)), self.dtype).reshape(-1, *self.shape)

    def _read(self, path: Path) -> np.ndarray:
        return read_image(path, self.shape, self.value_range)
