"""Data sets from folders of images, and data sets written as such folders.

Three layouts are known:

    MVTec AD                                good and bad               flat
    train/good/000.png                      good/a.jpg                 a.jpg
    test/good/000.png                       crack/b.jpg                b.jpg
    test/crack/000.png                      hole/c.jpg                 (all of them normal)
    ground_truth/crack/000_mask.png

The normal images are split into train, validation and calibration by `base.split_normal`; the images under
`test/` are touched by none. Without good test images, 20 % of the normal ones are held back as such.
"""

import warnings
from pathlib import Path

import numpy as np

from anogan_lib.datasets.base import FEWEST_NORMAL, AnomalyDataset, Split, split_normal
from anogan_lib.datasets.images import ImageFiles, MaskFiles, list_images, natural_key, probe, to_uint8

DEFAULT_SIZE = (64, 64)
POSSIBLE_SIDES = range(16, 257)  # what the networks are made for
_HELD_BACK = 0.2
_NO_KINDS = ("train", "test", "ground_truth", "good")


def load(
    folder: str | Path,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    name: str | None = None,
    description: str | None = None,
    channels: int | None = None,
) -> AnomalyDataset:
    """A folder in any of the three layouts as an AnomalyDataset whose images stay on disk.

    Unreadable files are left out with a warning each; only headers are read here. The images have one channel
    where all files are grey, else three.

    Args:
        folder: see the top of this module.
        size: (H, W); None is the images' own size if all have the same, brought down to a shorter side of 64, which
            is what two processor cores train in minutes; 64x64 where the sizes differ.
        seed: of the split of the normal images.
        name, description: of the data set; made from the folder's path where None.
        channels: 1 or 3; None is 1 where all files are grey, else 3.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no known layout, or fewer than 10 normal images to split.
    """
    folder = Path(folder)
    normal, test = _find(folder)
    headers = _headers([*normal, *(path for path, _ in test)])
    normal = [path for path in normal if path in headers]
    test = [(path, kind) for path, kind in test if path in headers]
    if all(kind != "good" for _, kind in test):
        normal, held_back = _hold_back(normal, seed)
        test = [*((path, "good") for path in held_back), *test]
    if len(normal) < FEWEST_NORMAL:
        raise ValueError(
            f"Too few normal images in {folder}: at least {FEWEST_NORMAL} are wanted beside those "
            f"held back for the test. Received: {len(normal)}."
        )
    image_shape = _image_shape(headers.values(), size, channels)

    def split(files, masks=None):
        paths, kinds = [path for path, _ in files], [kind for _, kind in files]
        names = [path.relative_to(folder).as_posix() for path in paths]
        return Split(ImageFiles(paths, image_shape), kinds=kinds, masks=masks, names=names)

    parts = [split([(normal[i], "good") for i in part]) for part in split_normal(len(normal), seed)]
    description = description or f"Images of the folder {folder.resolve()}."
    return AnomalyDataset(name or str(folder), description, *parts, split(test, _masks(folder, test, image_shape)))


def write(dataset: AnomalyDataset, folder: str | Path, seed: int = 0) -> None:
    """Writes a data set as PNG files in MVTec AD's layout, into a new or empty folder.

    Train, validation and calibration images go to `train/good` in the order in which loading the folder with
    the same seed gives the same three splits. (With sides beyond 64, name the size when loading.)
    """
    folder = Path(folder)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and not empty: give a new folder.")
    splits = [dataset.train, dataset.validation, dataset.calibration]
    n = sum(map(len, splits))
    places = split_normal(n, seed)
    if [len(part) for part in places] != [len(split) for split in splits]:
        raise ValueError(
            "Only a data set split 70/10/20 can be written. "
            f"Received: {'/'.join(str(len(split)) for split in splits)} images."
        )
    for split, part in zip(splits, places, strict=True):
        _write_images(split, [folder / "train" / "good" / f"{i:03d}.png" for i in part])
    for kind in sorted(set(dataset.test.kinds)):
        split = dataset.test[dataset.test.kinds == kind]
        _write_images(split, [folder / "test" / kind / f"{i:03d}.png" for i in range(len(split))])
        if kind != "good" and dataset.test.masks is not None:
            masks = [folder / "ground_truth" / kind / f"{i:03d}_mask.png" for i in range(len(split))]
            _write_arrays(split.masks.astype(np.uint8) * 255, masks)


def _write_images(split: Split, paths: list[Path]) -> None:
    for start in range(0, len(paths), 256):  # so many in memory at once
        pixels = to_uint8(split[start : start + 256].images)
        _write_arrays(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, paths[start : start + 256])


def _write_arrays(arrays: np.ndarray, paths: list[Path]) -> None:
    from PIL import Image

    for array, path in zip(arrays, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)


def _find(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Normal image files, and (file, kind) of the test images."""
    flat = list_images(folder)
    if (folder / "train" / "good").is_dir():
        normal, tests = folder / "train" / "good", folder / "test"
        kinds = _subfolders(tests) if tests.is_dir() else []
    elif (folder / "good").is_dir():
        normal = folder / "good"
        kinds = [kind for kind in _subfolders(folder) if kind.name not in _NO_KINDS]
    elif flat:
        return flat, []
    else:
        inside = ", ".join(path.name for path in _subfolders(folder)[:8]) or "no folders"
        raise ValueError(
            f"{folder} holds no normal images: wanted are image files in it, in its folder good, or in its "
            f"train/good. Received: {inside}."
        )
    return list_images(normal), [(path, kind.name) for kind in kinds for path in list_images(kind)]


def _subfolders(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")), key=natural_key)


def _headers(paths: list[Path]) -> dict[Path, tuple[int, int, int]]:
    """(height, width, channels) of each readable file; a warning for each other one."""
    headers = {}
    for path in paths:
        try:
            headers[path] = probe(path)
        except ValueError as error:
            warnings.warn(f"{error} It is left out.", stacklevel=3)
    return headers


def _hold_back(paths: list[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """What stays, and the 20 % drawn for the test, both in order."""
    drawn = np.random.default_rng([seed, 1]).permutation(len(paths))[: round(_HELD_BACK * len(paths))]
    drawn = set(drawn.tolist())
    return [p for i, p in enumerate(paths) if i not in drawn], [p for i, p in enumerate(paths) if i in drawn]


def _image_shape(headers, size: tuple[int, int] | None, channels: int | None) -> tuple[int, int, int]:
    headers = set(headers)
    sizes = {header[:2] for header in headers}
    if size is None:
        own = next(iter(sizes))
        shrink = min(1.0, DEFAULT_SIZE[0] / min(own))
        scaled = tuple(round(side * shrink) for side in own)
        size = scaled if len(sizes) == 1 and all(side in POSSIBLE_SIDES for side in scaled) else DEFAULT_SIZE
    return (*size, channels or max(header[2] for header in headers))


def _masks(folder: Path, test: list[tuple[Path, str]], image_shape) -> MaskFiles | None:
    """The masks of the test images; None where the folder has none, or not one for each defective image."""
    truth = folder / "ground_truth"
    if not truth.is_dir():
        return None
    masks = [None if kind == "good" else _mask_of(truth / kind, path) for path, kind in test]
    bare = [path for (path, kind), mask in zip(test, masks, strict=True) if kind != "good" and mask is None]
    if bare:
        warnings.warn(
            f"No masks are used: {len(bare)} defective images have none in {truth}, {bare[0].name} first.",
            stacklevel=3,
        )
        return None
    return MaskFiles(masks, image_shape[:2])


def _mask_of(folder: Path, image: Path) -> Path | None:
    candidates = (folder / f"{image.stem}{ending}" for ending in ("_mask.png", ".png", "_mask.bmp", ".bmp"))
    return next((path for path in candidates if path.is_file()), None)
