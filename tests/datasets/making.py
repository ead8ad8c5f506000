"""Small files for the tests of images, masks and folders: noise, TIFFs that Pillow cannot write, PNGs of 16 bits."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed=0, size=(20, 20), low=0, high=256, dtype=np.uint8) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(low, high, size)
    return values > (low + high) / 2 if dtype is bool else values.astype(dtype)


def save(pixels, path, **options) -> Path:
    """Save pixels, as an .npy file or an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


def save_noise(folder, n, start=0, ending="png", **options) -> None:
    for i in range(n):
        save(noise(start + i, **options), folder / f"{i:03d}.{ending}")


def square(size=(20, 20), value=255, dtype=np.uint8) -> np.ndarray:
    """A mask with 4 x 5 marked pixels."""
    mask = np.zeros(size, dtype)
    mask[3:7, 8:13] = value
    return mask


def tiff(path, pixels, extra=None, packed=False) -> Path:
    """Write a TIFF, deflated if `packed`, of (H, W) or (H, W, C), of any bits, signed or not, or floats."""
    array = np.atleast_3d(pixels)
    height, width, bands = array.shape
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    data = zlib.compress(data) if packed else data
    colour = (bands >= 3 and extra is not None) or bands == 3
    extra = extra if extra is not None else ([0] * (bands - (3 if colour else 1)))
    form = {"u": 1, "i": 2, "f": 3, "c": 6}[array.dtype.kind]
    tags = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [8 * array.itemsize] * bands),
        (259, "H", [8 if packed else 1]),
        (262, "H", [2 if colour else 1]),
        (273, "I", [0]),
        (277, "H", [bands]),
        (278, "I", [height]),
        (279, "I", [len(data)]),
        (339, "H", [form] * bands),
    ]
    tags.insert(9, (338, "H", extra)) if extra else None
    after, blobs, entries = 8 + 2 + 12 * len(tags) + 4, b"", []
    packed = [struct.pack(f"<{len(values)}{kind}", *values) for _, kind, values in tags]
    start = after + sum(len(each) for each in packed if len(each) > 4)
    for (tag, kind, values), value in zip(tags, packed, strict=True):
        value = struct.pack("<I", start) if tag == 273 else value
        if len(value) > 4:
            value, blobs = struct.pack("<I", after + len(blobs)), blobs + value
        entries.append(struct.pack("<HHI", tag, 4 if kind == "I" else 3, len(values)) + value.ljust(4, b"\0"))
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4)
    path.write_bytes(head + blobs + data)
    return path


def png16(path, pixels) -> Path:
    """Write a PNG of 16 bits with 1 to 4 channels, which Pillow writes for grey alone."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    array = np.atleast_3d(pixels).astype(">u2")
    height, width, bands = array.shape
    head = struct.pack(">IIBBBBB", width, height, 16, (0, 4, 2, 6)[bands - 1], 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def dicom(path, pixels, slope=1.0, intercept=0.0, photometric="MONOCHROME2", frames=1) -> Path:
    """Write a DICOM file of (H, W) or (frames, H, W) int16 or uint16."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    about = Dataset()
    about.file_meta = FileMetaDataset()
    about.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    about.SOPClassUID, about.SOPInstanceUID = CTImageStorage, generate_uid()
    about.Rows, about.Columns = pixels.shape[-2:]
    about.SamplesPerPixel, about.PhotometricInterpretation = 1, photometric
    about.BitsAllocated, about.BitsStored, about.HighBit = 16, 12, 11
    about.PixelRepresentation = int(pixels.dtype.kind == "i")
    about.RescaleSlope, about.RescaleIntercept = slope, intercept
    if frames > 1:
        about.NumberOfFrames = frames
    about.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    about.save_as(path, enforce_file_format=True)
    return path
