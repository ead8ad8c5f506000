"""Folders of images are read as data sets, and data sets are written as such folders.

Three layouts are known:

    MVTec AD                                good and bad               flat
    train/good/000.png                      good/a.jpg                 a.jpg
    test/good/000.png                       crack/b.jpg                b.jpg
    test/crack/000.png                      hole/c.jpg                 (all of them normal)
    ground_truth/crack/000_mask.png

The normal images are split into train, validation and calibration by `base.split_normal`; those under `test/` stay
whole. Without good test images, 20 % of the normal ones are held back as such. (MVTec AD's layout may lack `train/`
where the images are only to be evaluated.)
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from anogan_lib.datasets.base import AnomalyDataset, Source, Split, iterate_batches, split_normal
from anogan_lib.datasets.images import ImageFiles, MaskFiles, list_images, natural_key, probe, to_uint8

DEFAULT_SIZE = (64, 64)
POSSIBLE_SIDES = range(16, 257)  # what the networks are made for


def read(
    folder: Path,
    size: tuple[int, int] | None,
    seed: int,
    name: str,
    description: str | None = None,
    channels: int | None = None,
) -> Source:
    """Read a folder in any of the three layouts; its images stay on disk, only their headers are read.

    Unreadable files are left out with a warning each. Raises ValueError if the layout is unknown or no file readable.

    Args:
        size: (H, W); None is the images' own size if all have the same, brought down to a shorter side of 64, which
            is what two processor cores train in minutes; 64x64 where the sizes differ.
        seed: of the images held back where there are no good test images.
        channels: 1 or 3; None is 1 where all files are grey, else 3.
    """
    files = _find(folder)
    headers = _headers([path for path, _, _ in files])
    if not headers:
        raise ValueError(f"{folder} holds no image that can be read.")
    paths, kinds, in_test = map(np.array, zip(*(file for file in files if file[0] in headers), strict=True))
    size = size or _size({header[:2] for header in headers.values()})
    channels = channels or max(header[2] for header in headers.values())
    if "good" not in kinds[in_test]:  # hold some back
        normal = np.random.default_rng([seed, 1]).permutation(np.flatnonzero(~in_test))
        in_test[normal[: round(0.2 * len(normal))]] = True
    names = [path.relative_to(folder).as_posix() for path in paths]
    images = Split(ImageFiles(paths, (*size, channels)), None, kinds, _masks(folder, paths, kinds, size), names)
    return Source(name, description or f"Images of the folder {folder.resolve()}.", images, in_test)


def write(dataset: AnomalyDataset, folder: str | Path) -> None:
    """Write a data set as PNG files in MVTec AD's layout, into a new or empty folder.

    Train, validation and calibration images go to `train/good` in the order in which loading the folder gives the same
    three splits. (With sides beyond 64, name the size when loading.)
    """
    folder = Path(folder)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and not empty: give a new folder.")
    splits = (dataset.train, dataset.validation, dataset.calibration)
    sizes = [len(split) for split in splits]
    places = split_normal(sum(sizes))
    if [len(part) for part in places] != sizes:
        raise ValueError(f"Only data split 70/10/20 can be written. Received: {'/'.join(map(str, sizes))} images.")
    for split, part in zip(splits, places, strict=True):
        for place, image in zip(part, iterate_batches(split, 1), strict=True):
            _save(to_uint8(image[0]), folder / "train" / "good" / f"{place:03d}.png")
    for kind in sorted(set(dataset.test.kinds)):
        split = dataset.test[dataset.test.kinds == kind]
        for i, image in enumerate(iterate_batches(split, 1)):
            _save(to_uint8(image[0]), folder / "test" / kind / f"{i:03d}.png")
            if kind != "good" and split.masks is not None:
                _save(split.masks[i].astype(np.uint8) * 255, folder / "ground_truth" / kind / f"{i:03d}_mask.png")


def _save(pixels: np.ndarray, path: Path) -> None:
    """Save uint8 pixels (H, W), (H, W, 1) or (H, W, 3)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(path)


def _find(folder: Path) -> list[tuple[Path, str, bool]]:
    """Find the image files, the normal ones first: (path, kind, whether it belongs to the test)."""
    if (folder / "train" / "good").is_dir():
        normal, kinds = list_images(folder / "train" / "good"), _subfolders(folder / "test")
    elif (folder / "good").is_dir():
        no_kinds = ("train", "test", "ground_truth", "good")
        normal, kinds = list_images(folder / "good"), [p for p in _subfolders(folder) if p.name not in no_kinds]
    elif normal := list_images(folder):
        kinds = []
    elif (folder / "test").is_dir():
        kinds = _subfolders(folder / "test")
    else:
        inside = ", ".join(path.name for path in _subfolders(folder)[:8]) or "no folders"
        raise ValueError(
            f"{folder} holds no normal images: wanted are image files in it, in its folder good, or in its "
            f"train/good. Received: {inside}."
        )
    test = [(path, kind.name, True) for kind in kinds for path in list_images(kind)]
    return [(path, "good", False) for path in normal] + test


def _subfolders(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("[!.]*") if p.is_dir()), key=natural_key)


def _headers(paths: list[Path]) -> dict[Path, tuple[int, int, int]]:
    """Read (height, width, channels) of each file; warn of each that cannot be read."""
    headers = {}
    for path in paths:
        try:
            headers[path] = probe(path)
        except (ValueError, OSError) as error:
            warnings.warn(f"{error} It is left out.", stacklevel=3)
    return headers


def _size(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    """Choose the size of all images from the files' own."""
    own = next(iter(sizes))
    shrink = min(1.0, DEFAULT_SIZE[0] / min(own))
    scaled = tuple(round(side * shrink) for side in own)
    return scaled if len(sizes) == 1 and all(side in POSSIBLE_SIDES for side in scaled) else DEFAULT_SIZE


def _masks(folder: Path, paths, kinds, size: tuple[int, int]) -> MaskFiles | None:
    """Find the masks of all images; None if the folder has none, or not one for each defective image."""
    truth = folder / "ground_truth"
    if not truth.is_dir():
        return None
    masks = [None if kind == "good" else _mask_of(truth / kind, path) for path, kind in zip(paths, kinds, strict=True)]
    bare = [path.name for path, kind, mask in zip(paths, kinds, masks, strict=True) if kind != "good" and not mask]
    if bare:
        message = f"No masks are used: {len(bare)} defective images have none in {truth}, {bare[0]} first."
        warnings.warn(message, stacklevel=3)
    return None if bare else MaskFiles(masks, size)


def _mask_of(folder: Path, image: Path) -> Path | None:
    candidates = (folder / f"{image.stem}{ending}" for ending in ("_mask.png", ".png", "_mask.bmp", ".bmp"))
    return next((path for path in candidates if path.is_file()), None)
