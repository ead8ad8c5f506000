"""Images on their way into the command line: which files there are, their labels, batches of them."""

import mimetypes
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from anogan_lib import saving
from anogan_lib.checks import printable, writing
from anogan_lib.datasets.folders import is_normal
from anogan_lib.datasets.images import has_frames, opened, shaped, walk
from anogan_lib.datasets.masks import separate

BATCH = 64  # images that are read, scored and written together


def complain(error: Exception | str) -> None:
    """Print one line on standard error, clear of any progress bar."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.filename or 'a file'}: {error.strerror}"
    sentence = " ".join(str(error).split()) or type(error).__name__
    tqdm.write(f"anogan: {printable(sentence)}", file=sys.stderr)


def find(paths: Iterable[str], made: str | None = None) -> Iterator[tuple[Path, Path]]:
    """Yield every file of `paths` once, with a name for its pictures.

    Folders are searched with all below them, except for `made`, which holds pictures of an earlier run; hidden files,
    by-products of programs and masks are no images.
    """
    paths, made = [Path(path) for path in paths], made and _absolute(made)
    several = sum(path.is_dir() for path in paths) > 1
    seen = set()
    for path in paths:
        folder = path if path.is_dir() else path.parent
        found, masks = separate(path, walk(path)) if path.is_dir() else ([path], [])
        if made and _absolute(path) in made.parents:
            found, masks = ([file for file in some if made not in _absolute(file).parents] for some in (found, masks))
        if masks:
            complain(f"note: {masks[0]}{f' and {len(masks) - 1} more' * (len(masks) > 1)}: masks are not scored.")
        if not found:
            complain(f"{path} holds no files.")
        for file in found:
            real = os.path.realpath(file)  # also of a link to itself
            if real not in seen:
                seen.add(real)
                name = file.relative_to(folder)
                # With several folders, the folder's own name keeps their pictures apart.
                yield file, Path(path.resolve().name) / name if path.is_dir() and several else name


def kind_of(file: Path, paths: Iterable[str]) -> tuple[str | None, int | None]:
    """Read kind and label of an image from its folder.

    A folder named good, OK or the like (`is_normal`) holds normal images. Another folder is a kind of defect only where
    it is part of a data set: test/<kind> beside test/good or train/good, or <kind> beside good where `paths`, those of
    the command line, name the folder that holds both. (After `anogan train photos/good`, photos/new is no kind.)

    Returns:
        ("good", 0), (kind of defect, 1), or (None, None) where nothing is known.
    """
    folder = _absolute(file).parent
    above = folder.parent
    if is_normal(folder.name):
        return "good", 0
    if above.name == "test":
        in_data_set = _has_normal(above) or _has_normal(above.parent / "train")
    else:
        in_data_set = above in map(_absolute, paths) and _has_normal(above)
    return (folder.name, 1) if in_data_set and folder.name not in ("train", "test") else (None, None)


def _has_normal(folder: Path) -> bool:
    return any(is_normal(each.name) and each.is_dir() for each in folder.glob("*"))


def _absolute(path) -> Path:
    return Path(os.path.abspath(path))  # where a link lies, not where it leads


def unfinished(files: list, done: set[str], worker: int = 0, workers: int = 1) -> list:
    """Leave out whole batches of files that are `done`, or another worker's.

    Beside the same images, a score is the same to the last bit.
    """
    batches = (files[first : first + BATCH] for first in range(worker * BATCH, len(files), workers * BATCH))
    return [each for batch in batches if not done.issuperset(file.as_posix() for file, _ in batch) for each in batch]


def read_batches(files: list, image_shape, value_range=None) -> Iterator[tuple[list, np.ndarray]]:
    """Yield (files, images (n, H, W, C)) of those files that can be read, and read the next batch meanwhile.

    `files` are what `find` yields. A line on standard error names each file that cannot be read.
    """

    def read(file: tuple[Path, Path]):
        try:
            with opened(file[0]) as image:
                if has_frames(image):
                    complain(f"note: {file[0]}: the first of several frames is read.")
                return shaped(image, file[0], image_shape, value_range)
        except (OSError, ValueError) as error:
            return error

    with ThreadPoolExecutor(4) as pool, tqdm(total=len(files), unit="image", desc="scoring") as bar:
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        ahead = pool.map(read, files[:BATCH])
        for batch, following in pairwise([*batches, []]):
            images, ahead = list(ahead), pool.map(read, following)
            for error in images:
                if isinstance(error, Exception):
                    complain(error)
            good = [i for i, image in enumerate(images) if not isinstance(image, Exception)]
            if good:
                yield [batch[i] for i in good], np.stack([images[i] for i in good])
            bar.update(len(batch))


def check_places(args, *paths) -> None:
    """Check the files, and the folder of overlays, that are to be written, before any work; folders are made.

    Raises:
        ValueError: one is a folder or an image, or belongs to the detector or is its table of groups; two are the same.
        OSError: one cannot be written.
    """
    inputs = [args.detector, getattr(args, "groups", None) or "", *(Path(args.detector, name) for name in saving.FILES)]
    inputs, real = [[os.path.realpath(each) for each in some if each] for some in (inputs, paths)]
    if folder := getattr(args, "overlays", None):
        try_to_write(folder, folder)
    for path in real:
        if os.path.islink(path):
            os.stat(path)  # raises
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder; name a file to be written.")
        if real.count(path) > 1:
            raise ValueError(f"{path} is named for two results; give each a file of its own.")
        if os.path.isfile(path) and _is_image(path):
            raise ValueError(f"{path} is an image; name another file to be written.")
        if path in inputs:
            raise ValueError(f"{path} is to be read; name another file to be written.")
        if os.path.isfile(path) or not os.path.exists(path):
            try_to_write(path, os.path.dirname(path))


def try_to_write(path, folder) -> None:
    """Make a folder and try whether `path` can be written into it. Raises OSError, which names the path."""
    with writing(path):
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _is_image(path: str) -> bool:
    try:
        with opened(path):
            return True
    except (ValueError, OSError):
        return (mimetypes.guess_type(path)[0] or "").startswith("image/")  # perhaps a damaged one
