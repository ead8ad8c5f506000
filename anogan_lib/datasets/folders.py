"""Folders of images are read as data sets, and data sets are written as such folders.

Three layouts are known, each with further folders inside:

    MVTec AD                                good and bad               flat
    train/good/000.png                      good/a.jpg                 a.jpg
    test/good/000.png                       crack/b.jpg                b.jpg
    test/crack/000.png                      hole/c.jpg                 (all of them normal)
    ground_truth/crack/000_mask.png

For `good` any name will do that `is_normal` knows, or the one that is given as `normal`. The normal images are split
into train, validation and calibration by `groups.split_groups`; those under `test/` stay whole. Without good test
images, 20 % of the normal ones are held back as such. (`train/` may be missing where the images are only to be
evaluated.) All splits keep groups of images together, see `groups`.
"""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, takewhile
from pathlib import Path

import numpy as np
from PIL import Image

from anogan_lib.checks import writing
from anogan_lib.datasets import masks
from anogan_lib.datasets.base import FEWEST_NORMAL, AnomalyDataset, Source, Split, iterate_batches, split_normal
from anogan_lib.datasets.groups import named, near_copies, parts_of, split_groups
from anogan_lib.datasets.images import ImageFiles, Look, choose_range, look, tell, to_uint8, walk

DEFAULT_SIZE = (64, 64)
POSSIBLE_SIDES = range(16, 257)  # what the networks are made for
TABLES = (".csv", ".tsv", ".json", ".xml", ".xlsx")  # perhaps of labels
TEXTS = (*TABLES, ".txt", ".md", ".yaml", ".yml", ".html", ".py", ".ipynb", ".log", ".pdf")  # no images

_GOOD = {"good", "ok", "okay", "normal", "normals", "pass", "passed", "healthy", "nondefective", "nondefect"}
_BAD = {"bad", "ng", "nok", "notok", "defect", "defects", "defective", "anomaly", "anomalies", "anomalous", "abnormal"}
_BAD |= {"fail", "failed", "failure", "fault", "faults", "faulty", "reject", "rejected", "damaged", "broken"}


def is_normal(name: str) -> bool:
    """Return whether a folder's name says that its images are normal: good, OK, healthy, non-defective, ok_front ..."""
    words = set(re.findall("[a-z]+", name.lower()))
    return bool(words & _BAD if words & {"no", "non", "not", "without", "free"} else words & _GOOD and not words & _BAD)


def read(
    folder: Path, size, seed: int, name: str, description="", channels=None, normal=None, value_range=None, groups=None
) -> Source:
    """Read a folder in any of the three layouts; each file is looked at, and its pixels stay on disk.

    A warning names what is left out, with the reason, and what looks wrong. Raises ValueError if the layout is unknown,
    no file readable, or all normal images are the same.

    Args:
        size: (H, W); None is the images' own size if all have the same, brought down to a shorter side of 64, which
            is what two processor cores train in minutes; 64x64 where the sizes differ.
        seed: of the split that `value_range` is taken from, and of the images held back without good test images.
        channels: 1 or 3; None is 1 where all files are grey, else 3.
        normal, value_range, groups: as in `datasets.load`.
    """
    images, mask_files = masks.separate(folder, walk(folder))  # a text among the masks is named as no image
    tables = [file for file in images if file.suffix.lower() in TABLES and file.name != Path(str(groups)).name]
    images = [file for file in images if file.suffix.lower() not in TEXTS]
    looks = _looks(images)
    if images and not looks:
        raise ValueError(f"{folder} holds no image that can be read.")
    paths, kinds, in_test = map(np.array, zip(*_sort(folder, list(looks), normal), strict=True))
    looks = [looks[path] for path in paths]
    sure = np.flatnonzero(~in_test)
    if len(sure) >= FEWEST_NORMAL and len({looks[i].checksum for i in sure}) == 1:
        same = "without any contrast" if looks[sure[0]].checksum is None else "one and the same"
        raise ValueError(f"Nothing can be learned from {folder}: its {len(sure)} normal images are {same}.")
    names = [path.relative_to(folder).as_posix() for path in paths]
    description = description or f"Images of the folder {folder.resolve()}."
    belong = np.arange(len(names))  # the group of each image
    if groups:
        belong = named(names, groups, (kinds == "good") & ~in_test)
    elif groups is None and len(sure) >= FEWEST_NORMAL:
        found = sure[near_copies(np.stack([looks[i].small for i in sure]))]
        if (apart := len(set(found))) >= FEWEST_NORMAL:
            belong[sure] = found
            also = f" {len(sure) - apart} of them are near-copies of others and stay in one split with them."
            description += also * (apart < len(sure))
        else:
            few = f"The normal images of {folder} are {apart} and near-copies of them: too few to keep copies together."
            warnings.warn(few, stacklevel=4)
    if "good" not in kinds[in_test]:  # hold some back
        held_back = parts_of(belong[sure], [round(0.2 * len(sure))], np.random.default_rng([seed, 1])) == 0
        in_test[sure[held_back]] = True
    size = size or _size({each.shape[:2] for each in looks})
    channels = channels or max(each.shape[2] for each in looks)
    value_range = value_range or _range(looks, np.flatnonzero(~in_test), seed, belong)
    tell((path, note) for path, each in zip(paths, looks, strict=True) for note in each.notes)
    few = [path for path, each in zip(paths, looks, strict=True) if each.few and each.checksum is not None]
    odd = dict.fromkeys(masks.beside(paths) + few * (2 * len(few) < len(paths)))
    tell((path, f"{path} counts as an image of its own. {masks.LAYOUTS}.") for path in odd)
    if all(kinds == "good"):
        tell((file, f"{file} is not read: folders alone say what is normal, here all images.") for file in tables)
    found = _masks(folder, paths, kinds, looks, mask_files)
    found = None if found is None else masks.MaskFiles(found, size)
    images = Split(ImageFiles(paths, (*size, channels), value_range), None, kinds, found, names, groups=belong)
    return Source(name, description, images, in_test)


def write(dataset: AnomalyDataset, folder: str | Path) -> None:
    r"""Write a data set as PNG files in MVTec AD's layout, into a new or empty folder.

    Train, validation and calibration images go to `train/good` in the order in which loading the folder gives the same
    three splits (with groups="", and with sides beyond 64 the size). Where images belong together, each group gets a
    folder of its own there; load them with groups=r"train/good/(\d+)/", which draws new splits.
    """
    folder = Path(folder)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and not empty: give a new folder.")
    splits = (dataset.train, dataset.validation, dataset.calibration)
    sizes = [len(split) for split in splits]
    kinds = sorted(set(dataset.test.kinds))
    if outside := [kind for kind in kinds if kind in ("", ".", "..") or "/" in kind]:
        raise ValueError(f"A kind gives a folder its name. Received: {outside[0]!r}.")
    if any(split.groups is not None for split in splits):
        own = [np.arange(len(split)) if split.groups is None else split.groups for split in splits]
        splits = [split[groups == one] for split, groups in zip(splits, own, strict=True) for one in np.unique(groups)]
        files = [f"{k:03d}/{i:03d}.png" for k, split in enumerate(splits) for i in range(len(split))]
    else:
        places = split_normal(sum(sizes))
        if [len(part) for part in places] != sizes:
            raise ValueError(f"Only data split 70/10/20 can be written. Received: {'/'.join(map(str, sizes))} images.")
        files = [f"{place:03d}.png" for part in places for place in part]
    for file, image in zip(files, chain.from_iterable(iterate_batches(split, 1) for split in splits), strict=True):
        _save(to_uint8(image[0]), folder / "train" / "good" / file)
    for kind in kinds:
        split = dataset.test[dataset.test.kinds == kind]
        for i, image in enumerate(iterate_batches(split, 1)):
            _save(to_uint8(image[0]), folder / "test" / kind / f"{i:03d}.png")
            if kind != "good" and split.masks is not None:
                _save(split.masks[i].astype(np.uint8) * 255, folder / "ground_truth" / kind / f"{i:03d}_mask.png")


def _save(pixels: np.ndarray, path: Path) -> None:
    """Save uint8 pixels (H, W), (H, W, 1) or (H, W, 3)."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(path)


def _sort(folder: Path, paths: list[Path], normal: str | None) -> list[tuple[Path, str, bool]]:
    """Find the kind of each image, the normal ones first: (path, kind, whether it belongs to the test)."""
    above, tops = {}, {}  # train, test and the like; the folder below them, which names the kind
    for path in paths:
        parts = path.relative_to(folder).parts[:-1]
        above[path] = [part.lower() for part in takewhile(lambda part: part.lower() in masks.NO_KINDS, parts)]
        tops[path] = (*parts, "")[len(above[path])]
    found, left_out = [], []
    has_train = any(not set(names).isdisjoint(masks.TRAIN_FOLDERS) for names in above.values())
    good = {top for top in tops.values() if (top.lower() == normal.lower() if normal else is_normal(top))}
    for path, top in tops.items():
        test = not set(above[path]).isdisjoint(masks.TEST_FOLDERS)
        if normal == "." or top in good or not (top or test or good or normal):
            found.append((path, "good", test))
        elif top and (good or test or is_normal(f"non {top}")) and (above[path] or not has_train):
            found.append((path, top if top != "good" else "good, not normal", True))
        else:
            left_out.append((path, f"No folder says what kind of image this is, it is left out: {path}."))
    if all(kind != "good" for _, kind, _ in found) and (left_out or not found or not all(above.values())):
        inside = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir())[:8]) or "no folders"
        wanted = f"its folder {normal}" if normal else "it, in its folder good (OK, normal ...) or in its train/good"
        raise ValueError(
            f"{folder} holds no normal images: wanted are image files in {wanted}. The option normal names the folder "
            f'of normal images, "." all folders. Received: {inside}.'
        )
    tell(left_out)
    return sorted(found, key=lambda file: file[2])


def _looks(paths: list[Path]) -> dict[Path, Look]:
    """Look at all files; warn of each that cannot be read."""

    def attempt(path: Path) -> Look | Exception:
        try:
            return look(path)
        except (ValueError, OSError) as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        looks = dict(zip(paths, pool.map(attempt, paths), strict=True))
    tell((path, f"{each} It is left out.") for path, each in looks.items() if isinstance(each, Exception))
    return {path: each for path, each in looks.items() if isinstance(each, Look)}


def _size(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    """Choose the size of all images from the files' own."""
    own = next(iter(sizes))
    shrink = min(1.0, DEFAULT_SIZE[0] / min(own))
    scaled = tuple(round(side * shrink) for side in own)
    return scaled if len(sizes) == 1 and all(side in POSSIBLE_SIDES for side in scaled) else DEFAULT_SIZE


def _range(looks: list[Look], normal: np.ndarray, seed: int, groups: np.ndarray) -> tuple[float, float] | None:
    """Choose the value range of the set from its training images; None where all images have 8 bits a channel."""
    deep = [each.levels for each in looks if each.levels]
    if deep and len(deep) < len(looks):
        few = f"{len(looks) - len(deep)} of {len(looks)} images have 8 bits a channel, the others more"
        warnings.warn(f"{few}: values of 8 bits are read as 0 to 255, whatever the range of the others.", stacklevel=3)
    enough = len(normal) >= FEWEST_NORMAL and len(set(groups[normal])) > 2
    train = normal[split_groups(groups[normal], seed)[0]] if enough else normal
    return choose_range([looks[i].levels for i in train if looks[i].levels] or deep) if deep else None


def _masks(folder: Path, paths, kinds, looks: list[Look], files: list[Path]) -> list[tuple[Path, ...]] | None:
    """Find the masks of all images, () where there is none; None if there are none at all. Warn of what looks wrong."""
    found, notes = masks.find(folder, paths, kinds, files), []
    used = {file for own in found for file in own}

    def attempt(place: int) -> tuple[Path, ...]:
        sound = []
        for file in found[place]:
            try:
                notes.extend((file, doubt) for doubt in masks.doubts(looks[place].shape, kinds[place], file))
                sound.append(file)
            except (ValueError, OSError) as error:
                notes.append((file, f"{error} It is left out."))
        if kinds[place] != "good" and used and not sound:
            notes.append((paths[place], f"There is no mask of {paths[place]}: its pixels do not count."))
        return tuple(sound)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(attempt, range(len(paths))))
    notes += [
        (file, f"The mask {file} fits no image, or several. {masks.LAYOUTS}.") for file in files if file not in used
    ]
    tell(sorted(set(notes)))
    return found if any(found) else None
