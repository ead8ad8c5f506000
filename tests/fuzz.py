"""Fuzz the readers of images, masks, tables of scores and detectors, guided by coverage (atheris, libFuzzer).

`python -m tests.fuzz TARGET [-runs=N] [-max_total_time=SECONDS]`; the options are those of libFuzzer. What a reader
may do with any bytes: return what it promises, or raise a ValueError or an OSError of one sentence. Anything else ends
the run, and libFuzzer writes the bytes to a file. Such files are kept in `fuzzed/TARGET/`, where `test_fuzzed.py` tries
them again in every test run, without atheris.
"""

import atexit
import contextlib
import functools
import io
import json
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

KEPT = Path(__file__).parent / "fuzzed"
PLACE = Path(tempfile.mkdtemp(prefix="anogan-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)


def said_in_one_sentence(error: Exception) -> None:
    said = str(error)
    assert said and "\n" not in said and len(said) < 1000, said


def image(data: bytes) -> None:
    """Read bytes as an image file: as float32 in [-1, 1] of the shape that was asked for."""
    from anogan_lib.datasets import images

    path = PLACE / ("a.npy" if data.startswith(b"\x93NUMPY") else "a.png")
    path.write_bytes(data)
    for shape, value_range in (((16, 12, 3), (0.0, 4095.0)), ((8, 8, 1), None)):
        try:
            read = images.read_image(path, shape, value_range)
        except (ValueError, OSError) as error:
            said_in_one_sentence(error)
        else:
            assert read.shape == shape and read.dtype == np.float32 and np.abs(read).max() <= 1
    with contextlib.suppress(ValueError, OSError):
        look = images.look(path)
        assert min(look.shape) > 0 and look.shape[2] in (1, 3)


def mask(data: bytes) -> None:
    """Read bytes as a mask file."""
    from anogan_lib.datasets import masks

    path = PLACE / ("a.npy" if data.startswith(b"\x93NUMPY") else "a.png")
    path.write_bytes(data)
    try:
        read = masks.read_mask(path, (9, 16))
        whole = masks.marked(path)
    except (ValueError, OSError) as error:
        said_in_one_sentence(error)
    else:
        assert read.shape == (9, 16) and read.dtype == whole.dtype == bool
        assert whole.any() or not read.any()


def table(data: bytes) -> None:
    """Read bytes as a table that a run left behind: a file that is no table stays, and a read one is read again."""
    from anogan_lib.cli import tables

    path = PLACE / "a.csv"
    path.write_bytes(data)
    try:
        rows = tables.read(path)
    except ValueError as error:
        said_in_one_sentence(error)
        assert path.read_bytes() == data
    else:
        kept = path.read_bytes()
        assert data.startswith(kept) and tables.read(path) == rows and path.read_bytes() == kept
        assert all(np.isfinite([row[name] for name in tables.NUMBERS]).all() for row in rows)
        if rows:
            tables.write(PLACE / "b.csv", rows)
            assert tables.read(PLACE / "b.csv") == rows


NAMES = ("detector.json", "dcgan.json", "card.json", "splits.json", "calibration.npz", "usual.npz", "backgrounds.npz")
NAMES += ("region.npy", "generator.keras", "adapted.keras", "encoder.keras")
ZIPPED = {"calibration.npz": "residual.npy", "backgrounds.npz": "local_residual.mean.npy"}
ZIPPED |= dict.fromkeys(("generator.keras", "adapted.keras", "encoder.keras"), "model.weights.h5")
FILES_OF_2 = ("usual.npz",)


def base() -> tuple[Path, Path]:
    """Make two small detectors without checksums, of the present format and of the one before; only once."""
    from anogan_lib import AnoGAN, saving
    from anogan_lib.paper.networks import feature_extractor
    from anogan_lib.scores.local import EarlierLocal
    from anogan_lib.scores.scorer import Scorer
    from anogan_lib.training.reading import CheckedFolder, planned

    new, old = PLACE / "new", PLACE / "old"
    if not new.is_dir():
        shutil.copytree(KEPT.parent / "format2", old)
        AnoGAN.load(old).save(new)
        about = json.loads((new / "detector.json").read_text())
        about["files"] = dict.fromkeys([*about["files"], "region.npy"])
        (new / "detector.json").write_text(json.dumps(about))
        np.save(new / "region.npy", np.ones((16, 16), bool))
        base.gan = gan = saving.read(AnoGAN, new, {}).gan
        adapted, encoder = base.networks = saving._networks(CheckedFolder(new, about["files"]), gan)
        base.read_into = {"generator.keras": gan.averaged, "adapted.keras": adapted, "encoder.keras": encoder}
        base.weights = {name: planned(lambda each=each: each) for name, each in base.read_into.items()}
        scorer = Scorer(gan.discriminator, AnoGAN(gan).features)
        base.shapes = {type(scorer["best"]): scorer.shapes()}
        scorer.objects["best"] = EarlierLocal(blocks=2)
        base.shapes[EarlierLocal] = scorer.shapes()
        base.extractor = functools.cache(feature_extractor)
    return new, old


class Enough(Exception):
    """Settings were read, and networks would be built next."""


def detector(data: bytes) -> None:
    """Read a detector, one of whose files holds these bytes; the first says which, and whether they are zipped.

    What takes long is done once: networks are built, and their features found. A .keras file is read into one that is
    there, and of dcgan.json the settings are read.
    """
    import anogan_lib.detector
    from anogan_lib import AnoGAN, saving
    from anogan_lib.paper.dcgan import DCGAN
    from anogan_lib.scores.scorer import Scorer
    from anogan_lib.training import reading, reproducible

    class Light(AnoGAN):
        def adopt(self, generator, encoder=None):
            self.generator, self.encoder, self.scores = generator, encoder, Scorer(self.gan.discriminator, None)
            self.calibration, self.calibrated_search, self.card = None, None, {}

    def enough(*_):
        raise Enough

    new, old = base()
    name, content = NAMES[data[0] % len(NAMES)] if data else NAMES[0], data[1:]
    if data and data[0] >= 128 and name in ZIPPED:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(ZIPPED[name], content)
        content = packed.getvalue()
    folder = old if name in FILES_OF_2 or (name == "detector.json" and data and data[0] >= 128) else new
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    try:
        if name in base.read_into:
            source = reading.CheckedFolder(folder)
            source.give_weights(base.read_into[name], name, source.weights(name, base.weights[name]))
        elif name == "dcgan.json":
            with (
                replaced(reproducible, planned=str),
                replaced(reading.CheckedFolder, weights=enough),
                contextlib.suppress(Enough),
            ):
                DCGAN.load(folder)
        else:
            shapes = property(lambda scorer: lambda: base.shapes[type(scorer["best"])])
            with (
                replaced(reproducible, load_dcgan=lambda *_: base.gan),
                replaced(anogan_lib.detector, feature_extractor=base.extractor),
                replaced(saving, _networks=lambda *_: base.networks),
                replaced(Scorer, shapes=shapes),
            ):
                saving.read(Light, folder, {})
    except (ValueError, OSError) as error:
        said_in_one_sentence(error)
        assert str(folder) in str(error), error
    finally:
        (folder / name).write_bytes(before)


@contextlib.contextmanager
def replaced(place, **attributes):
    """Replace attributes within this context."""
    before = {name: vars(place)[name] for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(place, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(place, name, value)


TARGETS = {"image": image, "mask": mask, "table": table, "detector": detector}


def seeds(target: str) -> list[bytes]:
    """Make good inputs, which libFuzzer changes."""
    from PIL import Image

    if target == "table":
        header = b"name,score,p_value,verdict,residual,discrimination,kind,label\r\n"
        row = b'a.png,1.5,0.1,normal,2.0,0.5,good,0\r\n"\'=b,\n"".png",-2,1,anomalous,3e-5,inf,,\r\n'
        return [b"", header, header + row, header + row + b'"torn']
    if target == "detector":
        new, old = base()
        found = []
        for i, name in enumerate(NAMES):
            folder = old if name in FILES_OF_2 else new
            found.append(bytes([i]) + (folder / name).read_bytes())
            if name in ZIPPED:
                first = 128 - 128 % len(NAMES) + len(NAMES) + i
                with zipfile.ZipFile(folder / name) as archive:
                    inner = next(each for each in archive.namelist() if each.endswith(ZIPPED[name][-4:]))
                    found.append(bytes([first]) + archive.read(inner))
        return [*found, bytes([128 - 128 % len(NAMES) + len(NAMES)]) + (old / "detector.json").read_bytes()]
    rng, found = np.random.default_rng(0), []
    endings = "png jpg gif bmp tif webp jp2 ppm pcx tga ico icns dds sgi im msp xbm eps avif spider blp qoi dib mpo pdf"
    for mode in ("L", "RGB", "RGBA", "LA", "P", "1", "I;16", "I", "F", "CMYK"):
        pixels = Image.fromarray(rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)).convert("RGB")
        try:
            pixels = pixels.convert("L" if mode == "I;16" else mode).convert(mode)
        except ValueError:
            continue
        for ending in endings.split():
            file = io.BytesIO()
            with contextlib.suppress(OSError, ValueError, KeyError):
                kind = Image.registered_extensions().get(f".{ending}", ending.upper())
                if kind != "PDF":
                    pixels.save(file, kind)
                    found.append(file.getvalue())
    for dtype in (bool, np.uint8, np.int16, np.uint16, np.int64, np.float32, np.float64):
        file = io.BytesIO()
        np.save(file, rng.integers(0, 2, (3, 4)).astype(dtype))
        found.append(file.getvalue())
    return found


def main(argv: list[str]) -> None:
    import atheris

    if child := os.fork():  # libFuzzer ends its process at once, and this one tidies up
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    target, *options = argv
    with atheris.instrument_imports(include=["anogan_lib", "PIL", "pydicom", "csv"]):
        import PIL.Image

        import anogan_lib.cli.tables
        import anogan_lib.datasets.masks

        PIL.Image.init()
        if target == "detector":
            import anogan_lib.detector
    warnings.simplefilter("ignore")
    anogan_lib.datasets.images.MOST_MEMORY = 2**26  # what is refused above it takes no time
    corpus = PLACE / "corpus"
    corpus.mkdir()
    for i, content in enumerate(seeds(target)):
        (corpus / f"seed{i:03d}").write_bytes(content)
    kept = [str(KEPT / target)] if (KEPT / target).is_dir() else []
    atheris.Setup(
        [sys.argv[0], str(corpus), *kept, "-timeout=20", "-rss_limit_mb=3000", "-len_control=0", *options],
        TARGETS[target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
