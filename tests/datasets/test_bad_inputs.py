"""A table of bad inputs: images, folders and masks, each with what is said of it."""

import os
import re
import warnings

import numpy as np
import pytest
import tifffile
from making import noise, png16, save, save_noise, square, tiff
from PIL import Image

from anogan_lib import datasets
from anogan_lib.datasets import images, masks
from anogan_lib.datasets.folders import is_normal

RGBA = np.dstack([noise(0)] * 3 + [np.zeros((20, 20), np.uint8)])


def damaged(ending, cut=0.5, **options):
    """Write an image and cut its file short."""

    def write(path):
        path = save(noise(0, (64, 64)), path.with_suffix(f".{ending}"), **options)
        path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
        return path

    return write


def content(data, name="a.png"):
    def write(path):
        (path.parent / name).write_bytes(data)
        return path.parent / name

    return write


def array(values, name="a.npy"):
    def write(path):
        np.save(path.parent / name, values)
        return path.parent / name

    return write


def huge_npy(path):
    """Write the header of an array of 10^12 numbers, and none of them."""
    np.save(path.with_suffix(".npy"), np.zeros((2, 2), np.uint16))
    start = path.with_suffix(".npy").read_bytes()
    path.with_suffix(".npy").write_bytes(start.replace(b"(2, 2), }        ", b"(999999, 999999)}"))
    return path.with_suffix(".npy")


def special(make):
    def write(path):
        make(path)
        return path

    return write


def of_bands(bands, dtype=np.uint8, extra=None):
    return lambda path: tiff(path.with_suffix(".tif"), noise(0, (20, 20, bands)).astype(dtype), extra)


def planes(path):
    path = path.with_suffix(".tif")
    tifffile.imwrite(path, noise(0, (3, 9, 9)).astype(np.uint16), photometric="rgb", planarconfig="separate")
    return path


BAD_IMAGES = {
    "empty": (content(b""), "it is not an image file"),
    "text": (content(b"<html>"), "it is not an image file"),
    "zip": (content(b"PK\x03\x04"), "it is not an image file"),
    "png signature alone": (content(b"\x89PNG\r\n\x1a\n"), "it is|broken|damaged"),
    "heic": (content(b"\0\0\0\x18ftypheic", "a.heic"), "it is not an image file"),
    "tiff signature alone": (content(b"II*\0\x08\0\0\0", "a.tif"), "TIFF file|not an image"),
    "half a png": (damaged("png"), "[Tt]runcated|damaged|broken"),
    "half a jpeg": (damaged("jpg"), "[Tt]runcated"),
    "half a gif": (damaged("gif"), "[Tt]runcated|damaged"),
    "half a bmp": (damaged("bmp"), "[Tt]runcated"),
    "half a tiff": (damaged("tif"), "[Tt]runcated|damaged|seek|TIFF"),
    "half a tiff, packed": (damaged("tif", compression="tiff_lzw"), "Cannot read"),
    "half a webp": (damaged("webp"), "damaged|decode|not an image|read"),
    "half a jp2": (damaged("jp2"), "broken|[Tt]runcated|damaged"),
    "half a pgm": (damaged("pgm"), "[Tt]runcated"),
    "postscript": (content(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a.eps"), "it is PostScript"),
    "half an npy": (damaged("npy"), "mmap length|damaged"),
    "nothing there": (lambda path: path, "There is no image file .*a.png"),
    "folder": (special(os.mkdir), "it is a folder, not a file"),
    "fifo": (special(os.mkfifo), "it is a FIFO, a socket or a device"),
    "device": (special(lambda path: path.symlink_to("/dev/zero")), "it is a FIFO, a socket or a device"),
    "link to itself": (special(lambda path: path.symlink_to(path.name)), "symbolic links"),
    "link to nowhere": (special(lambda path: path.symlink_to("none.png")), "There is no image file"),
    "wholly transparent": (lambda path: save(RGBA, path), "it is wholly transparent"),
    "wholly transparent, 16 bits": (lambda path: png16(path, RGBA), "it is wholly transparent"),
    "wholly transparent, grey": (lambda path: save(RGBA[..., 2:], path), "it is wholly transparent"),
    "transparent grey, 16 bits": (lambda path: png16(path, noise(0, (9, 9, 2))), "only 8 of the 16 bits"),
    "two bands": (of_bands(2, np.uint16), "TIFF file whose number of bands"),
    "five bands": (of_bands(5, extra=[0, 0]), "it has 5 bands"),
    "six bands": (of_bands(6, extra=[0, 0, 0]), "it has 6 bands"),
    "seven bands": (of_bands(7), "TIFF file whose number of bands"),
    "four grey bands": (of_bands(4), "TIFF file whose number of bands"),
    "16 bits, planes apart": (planes, "only 8 of the 16 bits"),
    "16 bits, ppm": (
        content(b"P6 9 9 65535\n" + bytes(486), "a.ppm"),
        r"only 8 of the 16 bits of its channels \(RGB\)",
    ),
    "16 bits, plain ppm": (content(b"P3 1 2 1023\n 1 2 3 4 5 1023", "a.ppm"), "only 8 of the"),
    "16 bits, sgi": (
        content(b"\x01\xda\0\x02\0\x03\0\x09\0\x09\0\x03".ljust(512, b"\0") + bytes(486), "a.sgi"),
        "only 8 of the 16 bits",
    ),
    "colours as floats": (of_bands(3, np.float32), "TIFF file whose number of bands"),
    "64 bits": (of_bands(1, np.float64), "TIFF file whose number of bands"),
    "complex numbers": (of_bands(1, np.complex64), "TIFF file whose number of bands"),
    "floats of unknown range": (of_bands(1, np.float32), "its values are floats of unknown range, .* 8 bits"),
    "signed, of unknown range": (of_bands(1, np.int16), "its values are int32 of unknown range"),
    "12 bits, of unknown range": (lambda path: save(noise(0, high=4000, dtype=np.uint16), path), "uint16 of unknown"),
    "NaN": (array(np.full((20, 20), np.nan)), "it holds NaN or infinity"),
    "infinity": (array(np.array([[0.0, np.inf], [1, 2]])), "it holds NaN or infinity"),
    "NaN in a TIFF": (lambda path: tiff(path, np.full((9, 9), np.nan, np.float32)), "it holds NaN or infinity"),
    "values beyond floats": (array(np.full((9, 9), 1e31) * np.arange(9)), "too large, or too close together"),
    "values of no distance": (array(np.full((9, 9), 1e-300) * np.arange(9)), "too large, or too close together"),
    "array of texts": (array(np.array([["a", "b"]])), "an image is an array of numbers"),
    "array of objects": (array(np.array([[None, 1]], object)), "Python objects"),
    "complex array": (array(np.ones((9, 9), complex)), "an array of numbers, .* not complex128"),
    "dates": (array(np.zeros((9, 9), "M8[s]")), "an array of numbers, .* not datetime64"),
    "a number": (array(np.float32(3)), r"\(H, W\) or \(H, W, 3\), not float32 \(\)"),
    "a row": (array(np.arange(9)), r"not int64 \(9,\)"),
    "a stack": (array(np.zeros((5, 9, 9, 3))), r"not float64 \(5, 9, 9, 3\)"),
    "channels first": (array(np.zeros((3, 9, 9))), r"not float64 \(3, 9, 9\)"),
    "no pixels": (array(np.zeros((0, 9), np.uint8)), r"not uint8 \(0, 9\)"),
    "an npy that is a text": (content(b"hello", "a.npy"), "magic string|damaged"),
    "an npz called npy": (content(b"PK\x03\x04zip", "a.npy"), "magic string|damaged"),
    "an npy larger than its file": (huge_npy, "mmap length|damaged|Cannot read"),
    "half a DICOM": (content(bytes(128) + b"DICM" + bytes(40), "a.dcm"), "damaged or too large"),
    "100 million pixels and more": (
        content(b"P5 30000 30000 255\n" + bytes(99), "a.pgm"),
        "decompression bomb|exceeds limit",
    ),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_gets_one_sentence(name, tmp_path):
    write, sentence = BAD_IMAGES[name]
    path = write(tmp_path / "a.png")
    with pytest.raises((ValueError, OSError), match=sentence) as raised:
        images.read_image(path, (16, 16, 1))
    assert path.name in str(raised.value) and "\n" not in str(raised.value)


def said_of(folder, **options) -> tuple[datasets.AnomalyDataset | None, str]:
    """Load a folder; return the data set, or None, and all that is said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            data = datasets.load(folder, **options)
        except ValueError as error:
            return None, "\n".join([*(str(each.message) for each in caught), str(error)])
    return data, "\n".join(str(each.message) for each in caught)


@pytest.mark.parametrize("name", [name for name in BAD_IMAGES if "range" not in name and name != "nothing there"])
def test_a_bad_image_among_good_ones_is_left_out_and_named(name, tmp_path):
    write = BAD_IMAGES[name][0]
    save_noise(tmp_path / "good", 20)
    path = write(tmp_path / "good" / "a.png")
    data, said = said_of(tmp_path)
    assert sum(map(len, (data.train, data.validation, data.calibration, data.test))) == 20
    if name != "folder":
        assert path.name in said and "It is left out." in said


def loose(folder):
    save_noise(folder, 15)


def good_and_bad(good="good", bad="notch", where=("", "")):
    def make(folder):
        save_noise(folder / where[0] / good, 15)
        save_noise(folder / where[1] / bad, 3, 50)

    return make


def also(make, files):
    """Make a folder, and write files into it: name -> bytes, or pixels."""

    def both(folder):
        make(folder)
        for name, what in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(what) if isinstance(what, bytes) else save(what, folder / name)

    return both


def frames(folder):
    loose(folder)
    stack = [Image.fromarray(noise(90 + i)) for i in range(3)]
    for ending in ("gif", "tif", "webp"):
        stack[0].save(folder / f"stack.{ending}", save_all=True, append_images=stack[1:])


def constant(folder):
    for i in range(15):
        save(np.full((20, 20), 40 + i, np.uint8), folder / f"{i}.png")


def alike(folder):
    for i in range(15):
        save(noise(), folder / f"{i}.{('png', 'bmp', 'tif')[i % 3]}")


# what is made, the numbers of normal and of anomalous images read (None: refused), what must be said
FOLDERS = {
    "nothing in it": (lambda folder: None, None, "holds no normal images: .* Received: no folders"),
    "texts alone": (also(lambda folder: None, {"a.txt": b"a", "b.csv": b"b"}), None, "holds no normal images"),
    "unreadable files alone": (
        also(lambda folder: None, {"a.png": b"a"}),
        None,
        "a.png.*\n.*no image that can",
    ),
    "too few": (lambda folder: save_noise(folder, 9), None, "Too few normal images"),
    "kinds without a good one": (
        lambda folder: [save_noise(folder / kind, 15) for kind in ("hole", "crack")],
        None,
        "holds no normal images: .*option normal names .* Received: crack, hole",
    ),
    "bad ones alone": (lambda folder: save_noise(folder / "NG", 15), None, "holds no normal images"),
    "bad ones and others": (good_and_bad("monday", "NG"), None, "holds no normal images.*Received: NG, monday"),
    "data sets side by side": (
        lambda folder: [good_and_bad()(folder / name) for name in ("a", "b")],
        None,
        "holds no normal images.*Received: a, b",
    ),
    "no contrast": (constant, None, "Nothing can be learned .* 15 normal images are without any contrast"),
    "all alike": (alike, None, "Nothing can be learned .* 15 normal images are one and the same"),
    "one without contrast": (also(loose, {"z.png": np.full((20, 20), 7, np.uint8)}), (16, 0), "z.png has no contrast"),
    "frames": (frames, (18, 0), r"stack\.gif: the first of several frames(.|\n)*stack\.tif: (.|\n)*stack\.webp: "),
    "by-products": (
        also(
            good_and_bad(),
            {
                "__MACOSX/good/a.png": noise(1),
                ".ipynb_checkpoints/a.png": noise(1),
                "good/.ipynb_checkpoints/a.png": noise(1),
                "@eaDir/a.png": noise(1),
                "@Recycle/a.png": noise(1),
                "good/#snapshot/a.png": noise(1),
                "good/000.png~": noise(1).tobytes(),
                "good/000.png.bak": noise(1).tobytes(),
                "$RECYCLE.BIN/a.png": noise(1),
                "good/Thumbs.db": b"x",
                "good/._000.png": b"x",
                "good/.DS_Store": b"x",
                "notch/desktop.ini": b"x",
                "notch/notes.txt": b"x",
                "render.py": b"x",
            },
        ),
        (15, 3),
        "^$",
    ),
    "masks of an unknown name": (
        also(
            good_and_bad(),
            {f"notch/{name}": square() for name in ("000_roi.tif", "001_roi.tif")} | {"notch/002.bmp": noise(9)},
        ),
        (15, 6),
        r"notch/000_roi\.tif counts as an image of its own\. The mask of x is called(.|\n)*001_roi[^\n]*$",
    ),
    "masks in a folder of an unknown name": (
        also(good_and_bad(), {f"ISIC_Truth/{i}.png": square() for i in range(3)}),
        (15, 6),
        r"ISIC_Truth/0\.png counts as an image of its own\. The mask of x is called",
    ),
    "a table of labels": (
        also(loose, {"labels.csv": b"a.png,bad\n", "a.txt": b""}),
        (15, 0),
        r"^.*/labels\.csv is not read: .*$",
    ),
    "a table beside kinds": (also(good_and_bad(), {"labels.csv": b"", "good/a.json": b"{}"}), (15, 3), "^$"),
    "pairs of one name": (also(good_and_bad(), {"notch/000.bmp": noise(9), "good/000.json": b"{}"}), (15, 4), "^$"),
    "heat maps beside": (
        also(loose, {f"{i:03d} heat map.png": square() for i in range(3)}),
        (18, 0),
        r"002 heat map\.png counts as an image of its own",
    ),
    "an unreadable file": (also(good_and_bad(), {"good/a.xyz": b"x"}), (15, 3), r"a\.xyz: it is not an image file"),
    "loose images beside kinds": (also(good_and_bad(), {"a.png": noise(1)}), (15, 3), r"left out: .*/a\.png\.$"),
    "folders in a flat one": (also(loose, {"new/a.png": noise(1)}), (15, 0), r"left out: .*/new/a\.png\.$"),
    "results beside train": (
        also(good_and_bad(where=("train", "test")), {"results/a.png": noise(1)}),
        (15, 3),
        r"left out: .*/results/a\.png\.$",
    ),
    "loose in the test": (
        also(good_and_bad(where=("train", "test")), {"test/a.png": noise(1)}),
        (15, 3),
        r"left out: .*/test/a\.png\.$",
    ),
    "flat, with bad ones": (also(loose, {"NG/a.png": noise(1)}), (15, 1), "^$"),
    "a folder a day": (
        lambda folder: [save_noise(folder / "good" / day, 8, i) for i, day in ((0, "monday"), (20, "tuesday"))],
        (16, 0),
        "^$",
    ),
    "OK and NG": (good_and_bad("OK", "NG"), (15, 3), "^$"),
    "upper case": (good_and_bad("Good", "Bad", ("Train", "Test")), (15, 3), "^$"),
    "bad ones in train": (good_and_bad("ok_front", "def_front", ("train", "train")), (15, 3), "^$"),
    "VisA": (good_and_bad("Normal", "Anomaly", ("Data/Images", "Data/Images")), (15, 3), "^$"),
    "VisA, one folder down": (good_and_bad("Normal", "Anomaly", ("Images", "Images")), (15, 3), "^$"),
    "no class in train": (
        lambda folder: [save_noise(folder / "train", 15), save_noise(folder / "test" / "hole", 3, 50)],
        (15, 3),
        "^$",
    ),
    "deep and shallow": (
        also(good_and_bad(), {"good/z.png": noise(1, high=4000, dtype=np.uint16)}),
        (16, 3),
        "18 of 19 images have 8 bits a channel, the others more",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_read_or_what_was_expected_is_said(name, tmp_path):
    make, counts, sentence = FOLDERS[name]
    make(tmp_path)
    data, said = said_of(tmp_path)
    assert (data is None) == (counts is None)

    assert re.search(sentence, said), said
    if data is not None:
        parts = (data.train, data.validation, data.calibration)
        good = sum(map(len, parts)) + int(np.sum(data.test.labels == 0))
        assert (good, int(np.sum(data.test.labels == 1))) == counts


@pytest.mark.parametrize("normal, good, bad", [("monday", 15, 18), (".", 33, 0), ("MONDAY", 15, 18)])
def test_the_normal_folder_can_be_named(normal, good, bad, tmp_path):
    for i, kind in enumerate(("monday", "good", "tuesday")):
        save_noise(tmp_path / kind, (15, 15, 3)[i], 50 * i)
    labels = datasets.labelled_folder(tmp_path, normal=normal).labels
    assert (np.sum(labels == 0), np.sum(labels == 1)) == (good, bad)
    with pytest.raises(ValueError, match="no normal images: wanted are image files in its folder friday"):
        datasets.load(tmp_path, normal="friday")


@pytest.mark.parametrize(
    "names, normal",
    [
        ("good Good GOOD ok OK okay normal Normals pass passed healthy 0_good good_parts ok_front", True),
        ("non-defective nondefective Non_Defective defect_free defect-free no_defect without_defects", True),
        ("bad ng NOK not_ok notok non-ok abnormal anomaly defective no_good fail failed rejected", False),
        ("crack hole print monday goods_in bookshop broken_good 000", False),
    ],
)
def test_common_names_of_folders(names, normal):
    assert [name for name in names.split() if is_normal(name) != normal] == []


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    good_and_bad()(tmp_path)
    scandir = os.scandir

    def refused(place):
        if str(place).endswith("notch"):
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refused)
    data, said = said_of(tmp_path)
    assert len(data.train) == 9 and "Cannot read the folder" in said and "notch: Permission denied" in said


def test_links_in_circles_are_followed_once(tmp_path):
    good_and_bad()(tmp_path)
    (tmp_path / "good" / "again").symlink_to(tmp_path)
    data, _ = said_of(tmp_path)
    assert len(data.train) + len(data.validation) + len(data.calibration) + len(data.test) == 18


def test_many_files_of_which_the_same_is_said_take_four_lines(tmp_path):
    loose(tmp_path)
    for i in range(30):
        (tmp_path / f"bad{i}.png").write_bytes(b"x")
    said = said_of(tmp_path)[1].splitlines()
    assert len(said) == 4 and "The same holds for 27 more, the last of them" in said[3] and "bad29.png" in said[3]


def mask(values, name="ground_truth/notch/000_mask.png"):
    return lambda folder: save(values, folder / name)


NARROW = square((20, 40))
BAD_MASKS = {
    "empty": (mask(square() * 0), "000_mask.png is empty"),
    "wholly transparent": (mask(RGBA), "000_mask.png is empty"),
    "inverted": (mask(255 - square()), "000_mask.png looks inverted"),
    "inverted, 1 bit": (mask(square() == 0), "000_mask.png looks inverted"),
    "inverted classes": (mask(np.uint8(3) - square(value=3)), "000_mask.png looks inverted"),
    "all marked": (mask(np.full((20, 20), 255, np.uint8)), "000_mask.png looks inverted"),
    "more than half": (mask(np.repeat(np.uint8([0, 255]), (5, 15))[:, None] * np.ones((1, 20), np.uint8)), "inverted"),
    "marked border": (mask(np.pad(np.zeros((18, 18), np.uint8), 1, constant_values=1)), "looks inverted"),
    "inverted jpeg": (mask(255 - square(), "ground_truth/notch/000_mask.jpg"), "000_mask.jpg looks inverted"),
    "shapes in a text": (
        lambda folder: (mask(square())(folder).with_suffix(".json").write_text("{}"), mask(square() * 0)(folder)),
        r"Cannot read .*000_mask\.json: it is not an image file\. It is left out",
    ),
    "another aspect": (mask(NARROW), "000_mask.png has another aspect than its image, and is stretched"),
    "a photograph": (mask(noise(3)), "looks inverted"),
    "not an image": (
        lambda folder: (mask(square())(folder).write_bytes(b"x"),),
        r"Cannot read .*000_mask\.png: it is not an image file.* It is left out",
    ),
    "NaN": (mask(np.full((20, 20), np.nan), "masks/000.npy"), r"000\.npy: it holds NaN"),
    "five bands": (
        lambda folder: tiff(folder / "masks/000.tif", noise(0, (20, 20, 5)), [0, 0]),
        r"000\.tif: it has 5 bands",
    ),
    "of another image": (mask(square(), "ground_truth/notch/007_mask.png"), "007_mask.png fits no image.*mask of x is"),
    "of another kind": (mask(square(), "ground_truth/crack/000_mask.png"), r"crack/000_mask\.png fits no image"),
    "another name": (mask(square(), "ground_truth/notch/defect000.png"), "defect000.png fits no image"),
    "on a good image": (
        mask(square(), "test/good/000_mask.png"),
        "000_mask.png marks a defect in an image",
    ),
    "several frames": (
        lambda folder: Image.fromarray(square()).save(
            mask(square())(folder).with_suffix(".tif"), save_all=True, append_images=[Image.fromarray(square())]
        ),
        r"000_mask\.tif has several frames, of which the first is read",
    ),
    "in the folder good": (mask(square(), "ground_truth/good/000.png"), "000.png marks a defect in an image"),
}


@pytest.mark.parametrize("name", BAD_MASKS)
def test_a_mask_that_looks_wrong_is_named(name, tmp_path):
    make, sentence = BAD_MASKS[name]
    save_noise(tmp_path / "train" / "good", 12)
    save_noise(tmp_path / "test" / "good", 3, 20)
    save_noise(tmp_path / "test" / "notch", 2, 40)
    save(square(), tmp_path / "ground_truth" / "notch" / "001_mask.png")
    make(tmp_path)
    data, said = said_of(tmp_path)

    assert re.search(sentence, said), said
    assert len(data.test) == 5 and data.test.masks[data.test.names == "test/notch/001.png"].sum() == 20


def test_masks_that_fit_nothing_are_answered_with_the_layouts(tmp_path):
    good_and_bad()(tmp_path)
    for i in range(3):
        save(square(), tmp_path / "masks" / f"crack{i}.png")
    data, said = said_of(tmp_path)
    assert data.test.masks is None and masks.LAYOUTS in said and "masks/crack0.png fits no image" in said


def test_a_mask_of_another_size_is_resized(tmp_path):
    good_and_bad()(tmp_path)
    save(np.kron(square(), np.ones((3, 3), np.uint8)), tmp_path / "masks" / "000.png")
    data, said = said_of(tmp_path)
    assert "aspect" not in said
    assert np.array_equal(data.test[data.test.names == "notch/000.png"].masks[0], square() > 0)


@pytest.mark.parametrize("value_range", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), (1,), "ab", 7])
def test_a_range_that_is_none_is_refused(value_range, tmp_path):
    loose(tmp_path)
    with pytest.raises(ValueError, match=r"value_range is a pair \(low, high\) of numbers. Received"):
        datasets.load(tmp_path, value_range=value_range)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"channels": 1.0}, "1 or 3 channels"),
        ({"channels": True}, "1 or 3 channels"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": "a"}, "seed is a whole number"),
        ({"normal": 3}, "normal is the name of a folder"),
    ],
)
def test_a_bad_option_is_refused(options, sentence, tmp_path):
    good_and_bad()(tmp_path)
    with pytest.raises(ValueError, match=sentence):
        datasets.load(tmp_path, **options)


def test_a_name_may_end_as_a_shell_completes_it(tmp_path):
    good_and_bad("monday")(tmp_path)
    assert len(datasets.load(tmp_path, normal="monday/").train) == 9


def test_the_home_of_nobody_is_no_folder():
    with pytest.raises(FileNotFoundError, match="no folder ~nobody-of-that-name/x"):
        datasets.load("~nobody-of-that-name/x")


def test_no_kind_leads_out_of_the_folder(tmp_path):
    good_and_bad()(tmp_path / "data")
    data = datasets.load(tmp_path / "data")
    data.test.kinds = np.where(data.test.kinds == "notch", "../../../notch", data.test.kinds)
    with pytest.raises(ValueError, match="A kind gives a folder its name"):
        datasets.write(data, tmp_path / "a" / "out")
    assert not (tmp_path / "a").exists()
