"""Read settings, arrays and weights from files that a stranger may have made.

Nothing in a file is run, and no layer is built from one: networks are built from checked settings, and their files give
numbers alone. What a file holds is compared with what is expected before it is unpacked. Whatever is wrong with a file
becomes a ValueError of one sentence that names it.
"""

import hashlib
import io
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from anogan_lib.checks import printable

MOST_BYTES = 2**28  # of a file
MOST_SETTINGS, MOST_JSON = 2**20, 2**25  # of a JSON file: with settings, with the digests of a million images
MOST_PARTS, DEEPEST = 1_200_000, 10  # values, lists and objects in it, and how deep they lie
MOST_ENTRIES, MOST_UNPACKED = 1000, 10  # of an archive, and how many times its size it may unpack to
WEIGHTS = "model.weights.h5"  # where a .keras file holds its weights
SPARE = 2**20  # bytes of names and tables that such a file may hold beside the numbers


@contextmanager
def naming(file: Path):
    """Turn whatever a bad file raises within this context into one ValueError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no file {error.filename or file}.") from None
    except Exception as error:
        said = printable(" ".join(str(error).split())[:300])[:300].rstrip(".")
        reason = {KeyError: f"{said} is missing", ValueError: said}.get(type(error)) or f"{type(error).__name__} {said}"
        raise ValueError(f"Cannot read {file}: {reason.strip()}.") from None


def read_plain(file: Path, most: int = MOST_BYTES) -> bytes:
    """Read a plain file of at most so many bytes, whole. A FIFO or a device is refused, and not waited for."""
    with open(file, "rb", opener=lambda path, flags: os.open(path, flags | getattr(os, "O_NONBLOCK", 0))) as stream:
        about = os.fstat(stream.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a file but a folder, a FIFO or a device")
        content = stream.read(most + 1) if about.st_size <= most else b""
        if max(about.st_size, len(content)) > most:
            raise ValueError(f"it has {about.st_size:,} bytes, and at most {most:,} are expected")
        return content


def parsed(content: bytes) -> dict:
    """Read a JSON object whose numbers are finite."""
    if len(content) > MOST_SETTINGS and not content.isascii():
        raise ValueError("it holds other characters than ASCII")  # one of them makes each of a long text take 4 bytes
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_PARTS:
        raise ValueError("it has too many parts")
    about = json.loads(content.decode(), parse_constant=_finite, parse_float=_finite)
    if not isinstance(about, dict):
        raise ValueError(f"an object, {{...}}, is expected, not a {type(about).__name__}")
    if _deeper(about, DEEPEST):
        raise ValueError(f"its parts lie more than {DEEPEST} deep")
    return about


def _deeper(content, most: int) -> bool:
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return most < 0 or any(_deeper(part, most - 1) for part in parts if isinstance(part, dict | list))


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no number")
    return value


class CheckedFolder:
    """The files of a folder that a stranger may have made. Each is read once, so that what was checked is what is used.

    Args:
        checksums: by name, the SHA-256 that a file must have; None for any.
    """

    def __init__(self, folder, checksums: Mapping[str, str | None] | None = None):
        self.folder, self.checksums = Path(folder), checksums or {}

    def read(self, name: str, most: int = MOST_BYTES) -> bytes:
        """Read a file of at most so many bytes, which lies in the folder and has its checksum."""
        with naming(file := self.folder / name):
            if os.path.dirname(os.path.realpath(file)) != os.path.realpath(self.folder):
                raise ValueError("it is a link that leads out of its folder")
            content, wanted = read_plain(file, most), self.checksums.get(name)
            if wanted is not None and hashlib.sha256(content).hexdigest() != wanted:
                raise ValueError("it is damaged, its checksum is not the one in detector.json")
            return content

    def json(self, name: str, most: int = MOST_SETTINGS) -> dict:
        """Read a JSON object whose numbers are finite."""
        content = self.read(name, most)
        with naming(self.folder / name):
            return parsed(content)

    def arrays(self, name: str, wanted: Mapping[str, tuple], most: int, renamed: Callable = str) -> dict:
        """Read the arrays of an .npz file, by name.

        Args:
            wanted: by name, a data type and a shape, in which None stands for any length; not all need be there.
            most: numbers in all arrays together.
            renamed: a name in the file -> the name that is wanted.
        """
        content, arrays = self.read(name), {}
        with naming(self.folder / name), archive(content) as zipped:
            for info in zipped.infolist():
                array = renamed(info.filename.removesuffix(".npy"))
                if array not in wanted or array in arrays:
                    raise ValueError(f"it holds {array!r}, which is not expected")
                with _opened(zipped, info) as stream:
                    arrays[array] = _read_array(array, stream, *wanted[array], most, info.file_size)
                most -= arrays[array].size
        return arrays

    def array(self, name: str, dtype: str, shape: tuple) -> np.ndarray:
        """Read the array of an .npy file."""
        content = self.read(name)
        with naming(self.folder / name):
            return _read_array(name, io.BytesIO(content), dtype, shape, MOST_BYTES, len(content))

    def weights(self, name: str, wanted: Counter) -> bytes:
        """Return the HDF5 file within a .keras file, which holds weights of these shapes and no others."""
        # A wrapper, such as SpectralNormalization, has the kernel of its layer saved a second time.
        most = SPARE + 2 * 4 * sum(math.prod(shape) * count for shape, count in wanted.items())
        content = self.read(name, most + SPARE)  # beside the weights it holds two small texts
        with naming(self.folder / name):
            with archive(content) as zipped:
                info = zipped.getinfo(WEIGHTS)
                if info.file_size > (most := min(most, MOST_UNPACKED * len(content))):
                    raise ValueError(f"{WEIGHTS} has {info.file_size:,} bytes, and at most {most:,} are expected")
                with _opened(zipped, info) as stream:
                    content = stream.read()
            check_weights(content, wanted)
        return content

    def give_weights(self, network, name: str, content: bytes) -> None:
        """Give a network what `weights` returned."""
        with naming(self.folder / name), TemporaryDirectory() as folder:
            (file := Path(folder) / WEIGHTS).write_bytes(content)
            network.load_weights(file)
            for each in network.non_trainable_weights:
                if each.name in ("moving_variance", "spread") and np.min(each.numpy()) < 0:
                    raise ValueError(f"{each.path} is negative")


def archive(content: bytes) -> ZipFile:
    """Open an archive, unless its directory alone would take long to read."""
    if content.count(b"PK\1\2") > MOST_ENTRIES:
        raise ValueError(f"it has more than {MOST_ENTRIES:,} entries")
    return ZipFile(io.BytesIO(content))


def _opened(zipped: ZipFile, info: ZipInfo):
    """Open a part of an archive that was stored as it is or by the usual compression."""
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed in an unusual way")
    return zipped.open(info)


def _read_array(name: str, stream, dtype: str, shape: tuple, most: int, size: int) -> np.ndarray:
    """Read an array of `size` bytes, unless its header says something else than what is expected."""
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is not an array of the usual format")
    found, by_columns, kind = np.lib.format.read_array_header_1_0(stream)
    fits = len(found) == len(shape) and all(n > 0 and n == (m or n) for n, m in zip(found, shape, strict=True))
    if not fits or kind.kind != np.dtype(dtype).kind or kind.itemsize > 8:
        expected = "x".join("n" if n is None else str(n) for n in shape) or "one number"
        raise ValueError(f"{name} is not as expected ({dtype}, {expected}): {kind}, {'x'.join(map(str, found))}")
    count = int(np.prod(found, dtype=object))
    if count > most or size != stream.tell() + count * kind.itemsize:
        raise ValueError(f"{name} has {count:,} numbers, which is too many or not what follows")
    array = np.frombuffer(stream.read(), kind).reshape(found, order="F" if by_columns else "C").astype(dtype)
    if not np.isfinite(array).all():
        raise ValueError("it holds NaN or infinity")
    return array


def planned(build: Callable) -> Counter:
    """Count the shapes of the weights of the network that `build` builds, without memory for their numbers."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        return Counter(tuple(weight.shape) for weight in build().weights)


def check_weights(content: bytes, wanted: Counter) -> None:
    """Raise an error unless an HDF5 file holds weights of these shapes, and no others."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as group:
        found = Counter()
        for dataset in _datasets(group, set()):
            found[dataset.shape] += 1
            if found[dataset.shape] > 2 * wanted[dataset.shape]:
                raise ValueError(f"its weights are not those of the network: {dataset.name} {dataset.shape}")
            _check_dataset(dataset)
    if missing := wanted - found:
        raise ValueError(f"weights of the network are missing: {next(iter(missing))}")


def _datasets(group, seen: set) -> Iterator:
    """Yield every dataset below a group. Links and what is named twice are refused."""
    import h5py

    for name in group:
        link, item = group.get(name, getlink=True), None
        if isinstance(link, h5py.HardLink):
            item = group[name]
        address = item is not None and h5py.h5o.get_info(item.id).addr
        if not isinstance(item, h5py.Group | h5py.Dataset) or address in seen:
            raise ValueError(f"{group.name.rstrip('/')}/{name} is a link or no array")
        seen.add(address)
        if isinstance(item, h5py.Group):
            yield from _datasets(item, seen)
        else:
            yield item


def _check_dataset(dataset) -> None:
    """Raise ValueError unless a dataset is a plain block of 32-bit floats within its file."""
    from h5py import h5d

    plan = dataset.id.get_create_plist()
    plain = plan.get_layout() == h5d.CONTIGUOUS and not plan.get_external_count()
    if dataset.dtype != np.float32 or not plain or dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"{dataset.name} is not a plain block of 32-bit floats")
    if not np.isfinite(dataset[()]).all():
        raise ValueError(f"{dataset.name} holds NaN or infinity")
