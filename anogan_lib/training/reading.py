"""Read settings, arrays and weights from files that a stranger may have made.

Nothing in a file is run, and no layer is built from one: networks are built from checked settings, and their files give
numbers alone. What a file holds is compared with what is expected before it is unpacked. Whatever is wrong with a file
becomes a ValueError of one sentence that names it.
"""

import io
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

MOST_BYTES = 2**28  # of a file
MOST_JSON = 2**25  # bytes of a JSON file: the digests of a million images
MOST_PARTS, DEEPEST = 10**6, 10  # lists and objects in it, and how deep they lie
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
        said = " ".join(str(error).split())[:300].rstrip(".")
        reason = {KeyError: f"{said} is missing", ValueError: said}.get(type(error)) or f"{type(error).__name__} {said}"
        raise ValueError(f"Cannot read {file}: {reason.strip()}.") from None


def check_plain(file: Path, most: int = MOST_BYTES) -> None:
    """Raise an error unless a file is a plain one, in its own folder, of at most so many bytes."""
    about = os.stat(file)
    if os.path.dirname(os.path.realpath(file)) != os.path.realpath(file.parent):
        raise ValueError("it is a link that leads out of its folder")
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("it is not a file but a folder, a FIFO or a device")
    if about.st_size > most:
        raise ValueError(f"it has {about.st_size:,} bytes, and at most {most:,} are expected")


def read_json(file: Path) -> dict:
    """Read a JSON object whose numbers are finite."""
    with naming(file):
        check_plain(file, MOST_JSON)
        text = file.read_text(encoding="utf-8")
        if text.count("[") + text.count("{") > MOST_PARTS:
            raise ValueError("it has too many parts")
        content = json.loads(text, parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise ValueError(f"an object, {{...}}, is expected, not a {type(content).__name__}")
        if _deeper(content, DEEPEST):
            raise ValueError(f"its parts lie more than {DEEPEST} deep")
        return content


def _deeper(content, most: int) -> bool:
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return most < 0 or any(_deeper(part, most - 1) for part in parts if isinstance(part, dict | list))


def _refuse_constant(name: str):
    raise ValueError(f"{name} is no number")


def read_arrays(file: Path, wanted: Mapping[str, tuple], most: int, renamed: Callable = str) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file.

    Args:
        wanted: by name, a data type and a shape, in which None stands for any length; not all of them need be there.
        most: numbers in all arrays together.
        renamed: a name in the file -> the name that is wanted.
    """
    arrays: dict[str, np.ndarray] = {}
    with naming(file):
        check_plain(file)
        with ZipFile(file) as archive:
            for info in archive.infolist():
                name = renamed(info.filename.removesuffix(".npy"))
                if name not in wanted or name in arrays:
                    raise ValueError(f"it holds {name!r}, which is not expected")
                with _opened(archive, info) as stream:
                    arrays[name] = _read_array(name, stream, *wanted[name], most, info.file_size)
                most -= arrays[name].size
    return arrays


def read_array(file: Path, dtype: str, shape: tuple) -> np.ndarray:
    """Read the array of an .npy file."""
    with naming(file):
        check_plain(file)
        with file.open("rb") as stream:
            return _read_array(file.name, stream, dtype, shape, MOST_BYTES, file.stat().st_size)


def _opened(archive: ZipFile, info: ZipInfo):
    """Open a part of an archive that was stored as it is or by the usual compression."""
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed in an unusual way")
    return archive.open(info)


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


def check_weights(file: Path, wanted: Counter) -> None:
    """Raise an error unless a .keras file holds weights of these shapes, and no others."""
    import h5py

    # A wrapper, such as SpectralNormalization, has the kernel of its layer saved a second time.
    most = SPARE + 2 * 4 * sum(math.prod(shape) * count for shape, count in wanted.items())
    with naming(file):
        check_plain(file, most + SPARE)  # beside the weights it holds two small texts
        with ZipFile(file) as archive:
            info = archive.getinfo(WEIGHTS)
            if info.file_size > most:
                raise ValueError(f"{WEIGHTS} has {info.file_size:,} bytes, and at most {most:,} are expected")
            with _opened(archive, info) as stream:
                content = stream.read()
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


def give_weights(network, file: Path) -> None:
    """Give a network the weights of a .keras file that `check_weights` has passed."""
    with naming(file):
        network.load_weights(file)
