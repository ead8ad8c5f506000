"""MVTec AD (Bergmann et al., CVPR 2019): photographs of 15 kinds of objects and textures, with masks."""

import contextlib
import difflib
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from anogan_lib.datasets import folders
from anogan_lib.datasets.base import Source

CATEGORIES = ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill")
CATEGORIES += ("screw", "tile", "toothbrush", "transistor", "wood", "zipper")
LICENCE = (
    "MVTec AD (Bergmann et al., CVPR 2019) is licensed under CC BY-NC-SA 4.0: no commercial use, "
    "https://creativecommons.org/licenses/by-nc-sa/4.0/."
)
HOMEPAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad/downloads"
# All categories in one archive, 5.3 GB. The publisher renews its links from time to time; the checksum stays.
_SHARES = ("150996/b52ecdcbf521176e9db9c731f2304b27", "38536/3830184030e49fe74747669442f0f283")
_FILE = "download/420938113-1629960298/mvtec_anomaly_detection.tar.xz"
URLS = tuple(f"https://www.mydrive.ch/shares/{share}/{_FILE}" for share in _SHARES)
SHA256 = "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d"
TIMEOUT = 60.0  # seconds without a byte, after which a link counts as dead


def read(category: str, size: tuple[int, int] | None = None, seed: int = 0, groups=None) -> Source:
    """Read one category, from `$ANOGAN_DATA/mvtec/NAME`, `$ANOGAN_DATA/NAME`, an earlier download or a new one.

    It is one of CATEGORIES, or any folder of MVTec AD's layout at those places. The photographs have 700 to 1,024
    pixels a side; a `size` of None brings them down to 64x64.
    """
    data, cache = os.environ.get("ANOGAN_DATA"), os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(cache) / "anogan_lib" / "mvtec"  # where downloads go if they cannot go to $ANOGAN_DATA
    places = [Path(data) / "mvtec", Path(data), home] if data else [home]
    folder = next((place / category for place in places if (place / category / "train" / "good").is_dir()), None)
    if folder is None and category not in CATEGORIES:
        near = difflib.get_close_matches(category, CATEGORIES, 1)
        hint = f" Did you mean mvtec:{near[0]}?" if near else ""
        raise ValueError(f"MVTec AD has the categories {', '.join(CATEGORIES)}.{hint} Received: {category!r}.")
    if folder is None:
        home = places[0] if data and os.access(data, os.W_OK) else home
        download(home)
        folder = home / category
    return folders.read(folder, size, seed, f"mvtec:{category}", f"{LICENCE} From {folder}.", groups=groups)


def download(folder: Path) -> None:
    """Download all categories into a folder, once; Keras checks the archive's SHA-256 before it unpacks it.

    Raises OSError if no link gives the published archive, with what to do by hand.
    """
    from keras.utils import get_file

    print(f"{LICENCE} Downloading 5.3 GB to {folder} (10.6 GB while it unpacks).", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    with contextlib.ExitStack() as stack:
        # Unpacked in a folder of its own, then moved: a broken download or archive leaves nothing that looks whole.
        scratch = stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=".download-"))
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))  # standard output is for results
        stack.callback(socket.setdefaulttimeout, socket.getdefaulttimeout())
        socket.setdefaulttimeout(TIMEOUT)  # `get_file` has no option for it
        options = {"file_hash": SHA256, "hash_algorithm": "sha256", "extract": True}
        for url in URLS:
            try:
                unpacked = Path(get_file("mvtec.tar.xz", url, cache_dir=scratch, cache_subdir="", **options))
            except Exception as error:  # Keras raises a bare Exception where the network fails
                reasons.append(str(error))
                continue
            for path in unpacked.iterdir():
                if not (folder / path.name).exists():
                    shutil.move(path, folder / path.name)
            return
    by_hand = f"Get it from {HOMEPAGE} and unpack it in {folder}."
    raise OSError(f"MVTec AD cannot be downloaded ({'; '.join(reasons)}). {by_hand}")
