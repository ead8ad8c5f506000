"""Image files to arrays and back: every mode of file, any size, values in [-1, 1]."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
MASK_COVERAGE = 1 / 8  # of a pixel's area: keeps a crack one pixel wide in one piece when it shrinks fourfold

_GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I")
_ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height change places


def from_uint8(array: np.ndarray) -> np.ndarray:
    """uint8 values 0 ... 255 to float32 in [-1, 1]."""
    return np.asarray(array, np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(array: np.ndarray) -> np.ndarray:
    """float values in [-1, 1] to uint8 0 ... 255, rounded; what lies outside is clipped."""
    return np.clip(np.rint((np.asarray(array, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def natural_key(path: str | Path) -> list:
    """Sorts `2.png` before `10.png`."""
    parts = re.split(r"(\d+)", Path(path).name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def list_images(folder: str | Path) -> list[Path]:
    """The image files that lie directly in a folder, in natural order, hidden files left out."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}. Give the path of a folder of images.")
    files = (p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))
    return sorted((p for p in files if p.is_file()), key=natural_key)


def probe(path: str | Path) -> tuple[int, int, int]:
    """(height, width, channels) of an image file from its header alone; ValueError if it is none."""
    with _naming(path), Image.open(path) as image:
        if image.mode == "F":
            raise ValueError("its values are floats of unknown range, save it with 8 or 16 bits a channel")
        width, height = image.size
        if image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        return height, width, 1 if image.mode in _GREY_MODES else 3


def read_image(path: str | Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Reads one image file and brings it to a shape.

    Palettes are looked up, CMYK becomes RGB, transparent parts lie on black, 16-bit values are divided by
    257, EXIF orientation is applied, of several frames the first is taken. Resized with an antialiased
    bicubic filter, the aspect following `image_shape`.

    Args:
        path: the file.
        image_shape: (H, W, C) wanted; C is 1 (grey) or 3 (RGB).

    Returns:
        (H, W, C) float32 in [-1, 1].

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image, or a broken one; the sentence names the file.
    """
    height, width, channels = image_shape
    with _naming(path), Image.open(path) as opened:
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
    """Reads a mask file: (H, W) bool, True where the defect is.

    A pixel of the file belongs to the defect where it is at least half as bright as the file's brightest.
    When the mask shrinks, a pixel belongs to it where the defect covers `MASK_COVERAGE` of its area or more,
    so that thin defects neither vanish nor fall to pieces.
    """
    height, width = size
    with _naming(path), Image.open(path) as opened:
        grey = np.asarray(_plain(opened).convert("F"))
    marked = (grey >= grey.max() / 2) & (grey > 0)
    coverage = Image.fromarray(marked.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(coverage) >= MASK_COVERAGE - 1e-6


def _plain(image: Image.Image) -> Image.Image:
    """Any mode as L, RGB or, for 16-bit grey, F with values 0 ... 255; upright, transparency on black."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow's own conversion to L would clip instead of scale
        return Image.fromarray(np.asarray(image).astype(np.float32) / 257)
    if image.mode == "F":
        raise ValueError("its values are floats of unknown range, save it with 8 or 16 bits a channel")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        grey = image.mode in _GREY_MODES
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
        return image.convert("L" if grey else "RGB")
    return image.convert("L" if image.mode in _GREY_MODES else "RGB")


@contextmanager
def _naming(path: str | Path):
    """Turns whatever Pillow raises on a bad file into one sentence that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no image file {path}.") from None
    except Image.UnidentifiedImageError:
        raise ValueError(f"Cannot read {path}: it is not an image file.") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"Cannot read {path}: {str(error).rstrip('.')}.") from None


class ImageFiles(Sequence):
    """Images that stay on disk until they are asked for.

    `files[3]` reads one, (H, W, C); `files[:8]` and `files[[1, 5]]` some, (n, H, W, C); `select` none.
    """

    def __init__(self, paths: Sequence[str | Path], image_shape: tuple[int, int, int]):
        self.paths = list(paths)
        self.image_shape = self.shape = tuple(image_shape)

    def _read(self, path) -> np.ndarray:
        return read_image(path, self.image_shape)

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, indices) -> "ImageFiles":
        """The files at these places (a slice, integers or booleans), still unread."""
        return type(self)([self.paths[i] for i in np.arange(len(self))[indices]], self.shape)

    def __getitem__(self, index) -> np.ndarray:
        if isinstance(index, int | np.integer):
            return self._read(self.paths[index])
        paths = self.select(index).paths
        with ThreadPoolExecutor(4) as pool:  # Pillow decodes outside Python's lock
            images = list(pool.map(self._read, paths))
        return np.stack(images) if images else np.zeros((0, *self.shape), self._read_dtype)

    _read_dtype = np.float32


class MaskFiles(ImageFiles):
    """Mask files that stay on disk, `None` standing for an empty mask; shape is (H, W), values bool."""

    def __init__(self, paths: Sequence[str | Path | None], size: tuple[int, int]):
        self.paths, self.shape = list(paths), tuple(size)

    def _read(self, path) -> np.ndarray:
        return np.zeros(self.shape, bool) if path is None else read_mask(path, self.shape)

    _read_dtype = bool
