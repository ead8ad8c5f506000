"""MVTec AD (Bergmann et al., CVPR 2019): real photographs of 15 kinds of objects and textures, with masks."""

import difflib
import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from anogan_lib.datasets import folders
from anogan_lib.datasets.base import AnomalyDataset

CATEGORIES = ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill")
CATEGORIES += ("screw", "tile", "toothbrush", "transistor", "wood", "zipper")
LICENCE = (
    "MVTec AD (Bergmann et al., CVPR 2019) is licensed under CC BY-NC-SA 4.0: no commercial use, "
    "https://creativecommons.org/licenses/by-nc-sa/4.0/."
)
HOMEPAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad/downloads"
# All categories in one archive, 5.3 GB. The publisher renews its links from time to time; the checksum stays.
URLS = (
    "https://www.mydrive.ch/shares/150996/b52ecdcbf521176e9db9c731f2304b27/download/420938113-1629960298/"
    "mvtec_anomaly_detection.tar.xz",
    "https://www.mydrive.ch/shares/38536/3830184030e49fe74747669442f0f283/download/420938113-1629960298/"
    "mvtec_anomaly_detection.tar.xz",
)
SHA256 = "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d"


def load(category: str, size: tuple[int, int] | None = None, seed: int = 0) -> AnomalyDataset:
    """One category, from `$ANOGAN_DATA/mvtec/NAME`, `$ANOGAN_DATA/NAME`, an earlier download or a new one.

    Args:
        category: one of CATEGORIES, or any folder of MVTec AD's layout at those places.
        size: (H, W); None is 64x64 (the photographs have 700 to 1,024 pixels a side).
        seed: of the split of the normal images.
    """
    folder = _find(category)
    if folder is None:
        if category not in CATEGORIES:
            near = difflib.get_close_matches(category, CATEGORIES, 1)
            hint = f" Did you mean mvtec:{near[0]}?" if near else ""
            raise ValueError(f"MVTec AD has the categories {', '.join(CATEGORIES)}.{hint} Received: {category!r}.")
        download(_home())
        folder = _home() / category
    return folders.load(folder, size, seed, f"mvtec:{category}", f"{LICENCE} From {folder}.")


def _home() -> Path:
    """Where downloads go: `$ANOGAN_DATA/mvtec` if that can be written to, else the user's cache."""
    data = os.environ.get("ANOGAN_DATA")
    if data and os.access(data, os.W_OK):
        return Path(data) / "mvtec"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anogan_lib" / "mvtec"


def _find(category: str) -> Path | None:
    data = os.environ.get("ANOGAN_DATA")
    places = [Path(data) / "mvtec", Path(data)] if data else []
    return next((p / category for p in [*places, _home()] if (p / category / "train" / "good").is_dir()), None)


def download(folder: Path) -> None:
    """Downloads all categories into a folder, once, and checks the archive's SHA-256 before unpacking it.

    Raises:
        OSError: no link answers, or the archive is not the published one; says how to get it by hand.
    """
    print(f"{LICENCE} Downloading 5.3 GB to {folder} (10.6 GB while it unpacks).", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    by_hand = f"Get it from {HOMEPAGE} and unpack it in {folder}."
    # Beside its place to be: a broken download or unpacking leaves nothing that looks whole.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
        archive, reasons = Path(scratch) / "mvtec.tar.xz", []
        for url in URLS:
            try:
                digest = _fetch(url, archive)
                break
            except OSError as error:
                reasons.append(str(error))
        else:
            raise OSError(f"MVTec AD cannot be downloaded ({'; '.join(reasons)}). {by_hand}")
        if digest != SHA256:
            raise OSError(f"What was downloaded is not MVTec AD (its SHA-256 is {digest}, not {SHA256}). {by_hand}")
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        for path in unpacked.iterdir():
            if not (folder / path.name).exists():
                shutil.move(path, folder / path.name)


def _fetch(url: str, target: Path) -> str:
    """Downloads a file and returns its SHA-256."""
    from tqdm.auto import tqdm

    digest = hashlib.sha256()
    with urllib.request.urlopen(url) as source, open(target, "wb") as sink:
        total = int(source.headers.get("Content-Length") or 0) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc="MVTec AD") as bar:
            while block := source.read(1 << 20):
                sink.write(block)
                digest.update(block)
                bar.update(len(block))
    return digest.hexdigest()
