"""Find the masks of images and read them, True on the defect."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from anogan_lib.datasets.images import ImageFiles, deep_values, few_colours, has_frames, opened

MASK_COVERAGE = 1 / 8  # of a pixel's area: a crack one pixel wide stays in one piece when it shrinks fourfold
LAYOUTS = (
    "The mask of x is called x, x_mask, mask_x, x_gt or x_label, and lies beside x or in ground_truth/KIND, "
    "ground_truth, masks, gt or labels"
)
TRAIN_FOLDERS, TEST_FOLDERS = ("train", "training"), ("test", "testing", "test_public", "val", "valid", "validation")
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "data")
NO_KINDS = (*TRAIN_FOLDERS, *TEST_FOLDERS, *IMAGE_FOLDERS)  # their names say nothing about a kind

_MASK = r"(?:ground[_\- ]?truth|gt|mask|label|annotation|segmentation[_\- ]?(?:class|object)|segmentation|seg)s?"
_NAME = re.compile(rf"({_MASK}[_\-. ]+)?(.+?)([_\-. ]+{_MASK}([_\-. ]*\d+)?)?", re.I | re.S)
_LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000")  # formats whose values are not exact beside an edge


def read_mask(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """Read a mask file as (H, W) bool, True on the defect: on all that is not background, as `marked` says.

    When the mask shrinks, a pixel belongs to the defect if that covers `MASK_COVERAGE` of its area or more, so that
    thin defects neither vanish nor fall to pieces.
    """
    coverage = Image.fromarray(marked(path).astype(np.float32)).resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(coverage) >= MASK_COVERAGE - 1e-6


def marked(path: str | Path) -> np.ndarray:
    """Read a mask file at its own size, (h, w) bool, True on all that is not background.

    Background is 0 (black, transparent) where it occurs, else the most frequent value of the border. If all values are
    the same and not 0, all of it is marked. In a JPEG, a quarter of the greatest difference from the background is
    tolerated.
    """
    with opened(path) as image:
        values, lossy = deep_values(image), getattr(image, "format", None) in _LOSSY
        if values is None:
            rgba = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))
            values = rgba[..., :3] * (rgba[..., 3:] > 0)
            if not np.ptp(values, axis=(0, 1)).any():  # perhaps transparency marks, or classes of one colour
                others = (rgba[..., 3], np.asarray(image.getchannel(0)) if image.mode == "P" else values)
                values = next((each for each in others if np.ptp(each)), values)
        values = np.atleast_3d(values)  # (h, w, c)
    background = np.zeros(values.shape[2])
    if (values != values[0, 0]).any() and not (values == 0).all(axis=2).any():
        border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
        colours, counts = np.unique(border, axis=0, return_counts=True)
        background = colours[counts.argmax()]
    difference = np.abs(values - background.astype(float)).max(axis=2)
    return difference > (difference.max() / 4 if lossy else 0)


def separate(folder: Path, files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Separate images from masks.

    Masks lie in a folder of masks, or in crack_mask beside a folder crack; or beside an image x, called x_mask or the
    like, or x with another ending if they have few colours and x has more.
    """
    places = {file: [part.lower() for part in file.relative_to(folder).parts[:-1]] for file in files}
    plain = {(file.parent, _keys(file)[0]) for file in places if not _tagged(file)}
    masks = {file for file in places if _tagged(file) and any((file.parent, key) in plain for key in _keys(file))}
    folders = {*NO_KINDS, *(part for parts in places.values() for part in parts)}
    named = {part for part in folders if _of_masks(part) or (_bare(part) != part and _bare(part) in folders)}
    masks |= {file for file, parts in places.items() if not named.isdisjoint(parts)}
    twins = defaultdict(list)
    for file in places:
        twins[file.parent, file.stem].append(file)
    for pair in filter(lambda pair: pair[1:], twins.values()):
        few = list(map(few_colours, pair))
        masks.update(file for file, each in zip(pair, few, strict=True) if each and False in few)
    return [file for file in places if file not in masks], [file for file in places if file in masks]


def beside(images: Iterable[Path]) -> list[Path]:
    """List images that may be masks or drawings of others: x_roi beside x, where another is called so, too."""
    names, found = {(file.parent, file.stem.lower()) for file in images}, defaultdict(list)
    for place, stem, file in ((file.parent, file.stem.lower(), file) for file in images):
        words = (stem[n:] for n in range(1, len(stem)) if (place, stem[:n]) in names)
        if word := next((word for word in words if re.fullmatch(r"[_\-. ]?[a-z]{2}[a-z_\-. ]*", word)), None):
            found[word].append(file)
    return [file for files in found.values() if files[1:] for file in files]


def find(folder: Path, images: Sequence[Path], kinds: Sequence[str], masks: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Find the masks of each image, () where it has none.

    They lie in a folder named as the image's own; those of a defective image may lie in one above it, unless another
    image can claim them. Several files for one image, x_mask_1 and x_mask_2 or those in a folder x, are all its masks.
    """
    names, places = {_keys(image)[0] for image in images}, defaultdict(dict)
    for mask in masks:
        place, (key, shorter) = _place(folder, mask), _keys(mask)
        places[place, key][mask] = None
        if key not in names:  # perhaps x_1, the first of several for x
            places[place, shorter][mask] = None
        if place:
            places[place[:-1], place[-1]][mask] = None
    found = []
    for image, kind in zip(images, kinds, strict=True):
        place, key = _place(folder, image), _keys(image)[0]
        forms = (place, tuple(part for part in place if part not in NO_KINDS))  # with train or test, and without
        nearest = range(len(place), len(place) - 1 if kind == "good" else -1, -1)
        found.append(next(((form[:n], key) for n in nearest for form in forms if (form[:n], key) in places), None))
    claims = Counter(place for place, kind in zip(found, kinds, strict=True) if kind != "good")
    return [tuple(places[place]) if place and claims[place] < 2 else () for place in found]


def doubts(image_shape: tuple[int, ...], kind: str, path: Path) -> list[str]:
    """List what looks wrong with the mask of an image of this shape and kind, in sentences that name its file."""
    mask = marked(path)
    (height, width), border = mask.shape, np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    found = []
    if kind == "good" and mask.any():
        found.append("marks a defect in an image that counts as normal")
    elif kind != "good" and not mask.any():
        found.append("is empty: it marks no defect, and its pixels do not count")
    elif mask.mean() > 0.5 or border.all():
        found.append("looks inverted: more than half of it or its whole border is marked, 0 being background")
    if abs(height * image_shape[1] / (width * image_shape[0]) - 1) > 0.02:
        found.append("has another aspect than its image, and is stretched over it")
    with opened(path) as image:
        found += ["has several frames, of which the first is read"] * has_frames(image)
    return [f"The mask {path} {doubt}." for doubt in found]


def _of_masks(folder: str) -> bool:
    return bool(re.fullmatch(rf"(?:{_MASK}[\W\d_]*)+", folder, re.I))


def _bare(name: str) -> str:
    """Return what a name, less mask or the like before or after it, is in small letters."""
    return _NAME.fullmatch(name)[2].lower()


def _tagged(file: Path) -> bool:
    before, _, after, _ = _NAME.fullmatch(file.stem).groups()
    return bool(before or after or re.fullmatch(_MASK, file.stem, re.I))


def _keys(file: Path) -> tuple[str, str]:
    """Return the name of the image that a mask's name contains, or an image's own; and the same less a last number.

    x.jpg.png is a mask of x.jpg. What is only called mask belongs to what is only called image, and both are "".
    """
    key = "" if re.fullmatch(f"{_MASK}|image|img", file.stem, re.I) else _bare(file.stem)
    key = re.sub(r"^(image|img)[_\-. ]+|[_\-. ]+(image|img)$|\.(png|jpe?g|bmp|tiff?)$", "", key)
    return key, re.sub(r"[_\-. ]+\d+$", "", key)


def _place(folder: Path, file: Path) -> tuple[str, ...]:
    """Return the folders that a file lies in, in small letters and without words that only say image or mask."""
    parts = (_bare(part) for part in file.relative_to(folder).parts[:-1] if not _of_masks(part))
    return tuple(part for part in parts if part not in IMAGE_FOLDERS)


class MaskFiles(ImageFiles):
    """Masks that are still to be read, as (N, H, W) bool, from several files for each image; () is an empty mask."""

    dtype = bool

    def _read(self, paths: tuple[Path, ...]) -> np.ndarray:
        return np.any([np.zeros(self.shape, bool), *(read_mask(path, self.shape) for path in paths)], axis=0)
