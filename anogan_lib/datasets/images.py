"""Read image files as arrays with values in [-1, 1], whatever their mode and size."""

import os
import re
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
MASK_COVERAGE = 1 / 8  # of a pixel's area: a crack one pixel wide stays in one piece when it shrinks fourfold

_GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I")
_ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height change places


def from_uint8(array: np.ndarray) -> np.ndarray:
    """uint8 values 0 ... 255 to float32 in [-1, 1]."""
    return np.asarray(array, np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(array: np.ndarray) -> np.ndarray:
    """float values in [-1, 1] to uint8 0 ... 255, rounded; what lies outside is clipped."""
    return np.clip(np.rint((np.asarray(array, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def resize_all(images: np.ndarray, size: tuple[int, int], filter=Image.Resampling.BICUBIC) -> np.ndarray:
    """Resize uint8 images (N, h, w) to (N, H, W), antialiased."""
    if images.shape[1:] == size:
        return images
    return np.stack([Image.fromarray(x).resize((size[1], size[0]), filter) for x in images])


def natural_key(path: str | Path) -> list:
    """Return the key that sorts `2.png` before `10.png`."""
    parts = re.split(r"(\d+)", Path(path).name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def list_images(folder: Path) -> list[Path]:
    """List what has an image's ending directly in a folder, in natural order, without hidden files and folders."""
    files = (p for p in folder.glob("[!.]*") if p.suffix.lower() in EXTENSIONS and not p.is_dir())
    return sorted(files, key=natural_key)


def probe(path: str | Path) -> tuple[int, int, int]:
    """Read (height, width, channels) of an image file from its header alone. Raises ValueError if it is none."""
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        return height, width, 1 if image.mode in _GREY_MODES else 3


def read_image(path: str | Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Read one image file as (H, W, C) float32 in [-1, 1].

    Palettes are looked up, CMYK becomes RGB, transparent parts lie on black, 16-bit values are divided by 257, EXIF
    orientation is applied; the first of several frames is taken. Resizing to `image_shape`, whose C is 1 (grey) or 3
    (RGB), is bicubic and antialiased. Raises ValueError, which names the file, if it is no image or a broken one.
    """
    height, width, channels = image_shape
    with _opened(path) as opened:
        image = _plain(opened)  # mode L, RGB or F (0 ... 255)
        if image.mode != "F":
            image = image.convert("L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.clip(np.asarray(image, np.float32), 0, 255)  # (H, W) or (H, W, 3)
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], channels, axis=2)  # (H, W, C)
        return from_uint8(pixels)


def read_mask(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """Read a mask file as (H, W) bool, True on the defect.

    A pixel of the file belongs to the defect if it is at least half as bright as the file's brightest. When the mask
    shrinks, a pixel belongs to it if the defect covers `MASK_COVERAGE` of its area or more, so that thin defects
    neither vanish nor fall to pieces.
    """
    height, width = size
    with _opened(path) as opened:
        grey = np.asarray(_plain(opened).convert("F"))
        marked = (grey >= grey.max() / 2) & (grey > 0)
        coverage = Image.fromarray(marked.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
        return np.asarray(coverage) >= MASK_COVERAGE - 1e-6


def _plain(image: Image.Image) -> Image.Image:
    """Convert any mode to L, RGB or, for 16-bit grey, F with values 0 ... 255; upright, transparency on black."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow's own conversion to L would clip instead of scale
        return Image.fromarray(np.asarray(image).astype(np.float32) / 257)
    wanted = "L" if image.mode in _GREY_MODES else "RGB"
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image.convert(wanted)


@contextmanager
def _opened(path: str | Path):
    """Open an image file; whatever a decoder raises on a bad one becomes one sentence that names the file."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for ever
            raise ValueError(
                f"it is {'a folder' if stat.S_ISDIR(mode) else 'a FIFO, a socket or a device'}, not a file"
            )
        with Image.open(path) as image:
            if image.mode == "F":
                raise ValueError("its values are floats of unknown range, save it with 8 or 16 bits a channel")
            yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no image file {path}.") from None
    except Image.UnidentifiedImageError:
        raise ValueError(f"Cannot read {path}: it is not an image file.") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        if not (reason and isinstance(error, OSError | ValueError | SyntaxError | Image.DecompressionBombError)):
            reason = f"it is damaged or too large, its decoder ended with {type(error).__name__}"
        raise ValueError(f"Cannot read {path}: {reason}.") from None


class ImageFiles:
    """Image files that are still to be read: `files[[1, 5]]` chooses some of them, `read` gives (N, H, W, C)."""

    dtype = np.float32

    def __init__(self, paths: Sequence[Path], shape: tuple[int, ...]):
        self.paths, self.shape = np.array(paths, object), tuple(shape)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, places: np.ndarray) -> "ImageFiles":
        return type(self)(self.paths[places], self.shape)

    def read(self) -> np.ndarray:
        with ThreadPoolExecutor(4) as pool:  # Pillow decodes outside Python's lock
            return np.array(list(pool.map(self._read, self.paths)), self.dtype).reshape(-1, *self.shape)

    def _read(self, path: Path) -> np.ndarray:
        return read_image(path, self.shape)


class MaskFiles(ImageFiles):
    """Mask files that are still to be read, as (N, H, W) bool; a path `None` stands for an empty mask."""

    dtype = bool

    def _read(self, path: Path | None) -> np.ndarray:
        return np.zeros(self.shape, bool) if path is None else read_mask(path, self.shape)
