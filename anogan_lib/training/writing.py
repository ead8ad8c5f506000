"""Write a DCGAN or a detector into a folder, whole or not at all, and never over files of something else.

The files are written into a folder of their own first. Renaming it to `.complete` is the moment from which on they
count: an interruption before leaves the old ones, after it `settle` puts the rest in place.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anogan_lib.training.reading import CheckedFolder, naming

COMPLETE, UNFINISHED = ".complete", ".unfinished"
DCGAN_FILES = ("dcgan.json", "generator.keras", "discriminator.keras")
FILES = (*DCGAN_FILES, "encoder.keras", "adapted.keras", "calibration.npz", "backgrounds.npz", "usual.npz")
FILES += ("region.npy", "splits.json", "card.json", "card.md", "detector.json")  # in this order they are put in place


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a new folder to write into, and put what was written in place when this context ends without an error.

    Raises:
        ValueError: `folder` holds a file of such a name that is not a DCGAN's or a detector's.
        OSError: a file cannot be written; what was there before is kept.
    """
    settle(folder)
    new = folder / UNFINISHED
    if new.is_symlink():
        raise ValueError(f"{new} is a link, and nothing is written elsewhere: remove it.")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        yield new
        check_free(folder, (file.name for file in new.iterdir()))
        os.rename(new, folder / COMPLETE)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)  # what was written of it fills the disk
        if not isinstance(error, OSError):
            raise
        raise OSError(error.errno, error.strerror or str(error), error.filename or str(folder)) from None
    settle(folder)


def check_free(folder: Path, names: Iterable[str] = FILES) -> None:
    """Raise ValueError if a folder holds a file of one of these names that is not a DCGAN's or a detector's."""
    own = _own(folder)
    if others := [name for name in names if os.path.lexists(folder / name) and name not in own]:
        raise ValueError(f"{folder / others[0]} is no file of a detector and would be lost: choose another folder.")


def settle(folder: Path) -> None:
    """Put files that `replacing` has completed in place, detector.json last, and remove what only the old one had."""
    complete = folder / COMPLETE
    if complete.is_symlink():
        raise ValueError(f"{complete} is a link, and a detector is not put in place from elsewhere.")
    if not complete.is_dir():
        return
    listed = FILES
    if (complete / "detector.json").is_file():
        about = CheckedFolder(complete).json("detector.json")
        with naming(complete / "detector.json"):
            listed = {"detector.json", *about["files"]}
    old = _own(folder)
    for name in FILES:
        if (complete / name).is_file():
            os.replace(complete / name, folder / name)
        elif name in old and name not in listed:
            (folder / name).unlink(missing_ok=True)
    complete.rmdir()


def _own(folder: Path) -> set[str]:
    """Return the names of the files of the detector and the DCGAN that a folder holds."""
    try:
        about = CheckedFolder(folder).json("detector.json")
        files = about["files"] if about["format"] > 2 else FILES  # before format 3 they were not listed
        return {"detector.json", *DCGAN_FILES, *files}
    except (OSError, ValueError, TypeError, KeyError):
        return set(DCGAN_FILES) if (folder / "dcgan.json").is_file() else set()
