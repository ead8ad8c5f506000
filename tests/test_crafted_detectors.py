"""Detectors that a stranger has made to harm: each is refused at once, in one sentence that names the file."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from anogan_lib import DCGAN, AnoGAN, RpGAN, saving
from anogan_lib.training import reading

ROOT = Path(__file__).parents[1]
FORMAT_2 = ROOT / "tests" / "format2"
SECONDS, MEGABYTES = 2.0, 300
CASES = {}

LOADER = """
import json, sys, time
from anogan_lib import AnoGAN
from tests.peak import peak
AnoGAN.load(sys.argv[1])  # what TensorFlow itself takes
for folder in sys.argv[2:]:
    said, before, began = "nothing", peak(), time.process_time()
    try:
        AnoGAN.load(folder)
    except (ValueError, OSError) as error:
        said = str(error)
    except BaseException as error:
        said = f"{type(error)}: {error}"
    print(json.dumps([said, time.process_time() - began, (peak() - before) / 2**20]), flush=True)
"""


def case(file, *, name=None, sealed=True):
    """Add a way to spoil a detector: a function of its folder. The sentence has to name `file`."""

    def add(function):
        CASES[name or function.__name__] = function, file, sealed

    return add


def edit(file, *keys, value):
    """Add a case that changes one value of a JSON file."""

    def spoil(folder):
        about = json.loads((folder / file).read_text())
        place = about
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        (folder / file).write_text(json.dumps(about))

    case(file, name=f"{file}: {'.'.join(keys)} = {str(value)[:30]}")(spoil)


def change_settings(folder, **settings):
    """Change settings of the DCGAN."""
    about = json.loads((folder / "dcgan.json").read_text())
    about["settings"] |= settings
    (folder / "dcgan.json").write_text(json.dumps(about))


def seal(folder):
    """Enter the right checksums, as whoever makes such a folder would."""
    try:
        about = json.loads((folder / "detector.json").read_text())
        about["files"] = dict(about["files"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    for name in saving.FILES:
        if (folder / name).is_file() and name != "detector.json":
            big = (folder / name).stat().st_size > 10**8
            checksum = "0" if big else hashlib.sha256((folder / name).read_bytes()).hexdigest()
            about["files"][name] = checksum
    (folder / "detector.json").write_text(json.dumps(about))


# ---- settings

for keys, value in [
    (("settings", "steps"), "x"), (("settings", "steps"), -1), (("settings", "steps"), 10**12),
    (("settings", "lam"), 2), (("settings", "lam"), "0.1"), (("settings", "lam"), float("nan")),
    (("settings", "recipe"), "worst"), (("settings", "score"), ["best"]), (("settings", "init"), {}),
    (("settings", "feature_layer"), 1.5), (("settings", "feature_layer"), 99), (("settings", "seed"), -1),
    (("settings", "gan"), 1), (("settings",), []), (("format",), "3"), (("format",), 99),
    (("calibrated_search", "init"), {}), (("calibrated_search", "steps"), "x" * 10**5),
    (("calibrated_search", "seed"), [1]), (("false_alarm_rate",), 1), (("false_alarm_rate",), 1e-320),
    (("spreads", "best", "residual"), [0, 1e-320]), (("spreads", "best", "residual"), [0, 1e300]),
    (("weights",), [1, 2, 3]), (("weights",), [1, float("inf")]), (("weights",), "ab"),
    (("false_alarm_rate",), None), (("false_alarm_rate",), 0), (("map_scales",), 5), (("map_scales", "map"), -1),
    (("spreads",), {"residual": [0, 0]}), (("spreads", "best", "residual"), [0, 0]),
    (("spreads", "best", "residual"), [1, 2, 3]), (("calibrated_search",), 5),
    (("value_range",), "ab"),
    (("value_range",), [1, 0]),
    (("value_range",), [0, float("nan")]),
    (("files", "../generator.keras"), "0"), (("files",), 3),
]:  # fmt: skip
    edit("detector.json", *keys, value=value)

for keys, value in [
    (("settings", "width"), 10**6), (("settings", "width"), True), (("settings", "width"), 0),
    (("settings", "latent_dim"), "4"), (("settings", "latent_dim"), 10**9), (("settings", "image_shape"), 4),
    (("settings", "image_shape"), [16, 16]), (("settings", "image_shape"), [10**9, 16, 1]),
    (("settings", "image_shape"), ["16", 16, 1]), (("settings", "prior"), []), (("settings", "augment"), 1),
    (("settings", "normalisation"), {}), (("settings", "ema_decay"), 1e999), (("settings", "learning_rate"), -1),
    (("settings", "flips"), "no"), (("settings", "seed"), 0.5), (("settings", "layers"), ["Lambda"]),
    (("settings",), None), (("epochs",), -1), (("steps",), "many"), (("format",), None),
]:  # fmt: skip
    edit("dcgan.json", *keys, value=value)


@case("detector.json", sealed=False)
def a_list_of_files_without_checksums(folder):
    about = json.loads((folder / "detector.json").read_text())
    (folder / "detector.json").write_text(json.dumps(about | {"files": list(about["files"])}))


@case("dcgan.json")
def sizes_that_are_too_much_together(folder):
    """A long narrow image has many places in G's first block."""
    change_settings(folder, width=256, latent_dim=1024, image_shape=[256, 16, 3])


@case("generator.keras")
def weights_that_unpack_to_much_within_the_bounds_of_settings(folder):
    change_settings(folder, width=256, latent_dim=1024, image_shape=[256, 256, 3])
    archive(folder, "generator.keras", {"model.weights.h5": bytes(35 * 10**7)})


@case("generator.keras")
def larger_networks_than_the_files_hold(folder):
    change_settings(folder, width=256)  # within bounds


@case("dcgan.json")
def every_size_at_its_bound(folder):
    change_settings(folder, width=1024, latent_dim=1024, image_shape=[256, 256, 3])


TEXTS = {
    "a list": b"[1]",
    "nothing": b"",
    "no UTF-8": b'{"format": "\xff"}',
    "deep lists": b"[" * 10**5,
    "deep objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "NaN": b'{"format": NaN}',
    "a long number": b"9" * 10**5,
    "many lists": b'{"a": [' + b"[]," * 10**6 + b"[]]}",
    "20 MB": b'{"a": "' + b"a" * 20_000_000 + b'"}',
    "a number beyond all others": b'{"note": [1e999]}',
    "a byte order mark": b"\xef\xbb\xbf{}",
}


def text(file, name):
    case(file, name=f"{file}: {name}")(lambda folder: (folder / file).write_bytes(TEXTS[name]) and None)


for name in TEXTS:
    text("detector.json", name)
    text("dcgan.json", name)
text("card.json", "a number beyond all others")


@case("card.json")
def a_card_of_many_numbers(folder):
    (folder / "card.json").write_bytes(b'{"a": [' + b"1e0," * 8_000_000 + b"1]}")


@case("splits.json")
def many_texts_of_wide_characters(folder):
    (folder / "splits.json").write_text('{"a": ["\U0001f600",' + '"\u0101",' * 6_000_000 + "1]}", "utf-8")


@case("splits.json")
def many_names(folder):
    (folder / "splits.json").write_text('{"train": {' + ",".join(f'"{i:06x}":""' for i in range(2_500_000)) + "}}")


@case("splits.json")
def splits_of_another_kind(folder):
    (folder / "splits.json").write_text('{"train": ["a", "b"]}')


@case("card.json")
def a_card_whose_data_is_no_text(folder):
    (folder / "card.json").write_text('{"data": {"a": 1}}')


# ---- weights


def weights(function, name=None, file="generator.keras"):
    """Add a case that changes model.weights.h5, an open h5py.File; `function` gets it and the folder."""

    def spoil(folder):
        with zipfile.ZipFile(folder / file) as archive:
            parts = {each: archive.read(each) for each in archive.namelist()}
        buffer = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(buffer, "r+") as content:
            function(content, folder)
        parts["model.weights.h5"] = buffer.getvalue()
        with zipfile.ZipFile(folder / file, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, value in parts.items():
                archive.writestr(each, value)

    case(file, name=name or function.__name__)(spoil)


KERNEL = "layers/dense/vars/0"


def replaced(content, **options):
    shape = content[KERNEL].shape
    del content[KERNEL]
    return content.create_dataset(KERNEL, **({"shape": shape, "dtype": "f4"} | options))


@weights
def a_soft_link(content, folder):
    del content[KERNEL]
    content[KERNEL] = h5py.SoftLink("/layers/batch_normalization/vars/0")


@weights
def a_link_to_another_file(content, folder):
    del content[KERNEL]
    content[KERNEL] = h5py.ExternalLink("/etc/passwd", "/")


@weights
def numbers_in_another_file(content, folder):
    replaced(content, external=[("/etc/passwd", 0, 4 * 4 * 128)])


@weights
def a_virtual_dataset(content, folder):
    shape = content[KERNEL].shape
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
    del content[KERNEL]
    content.create_virtual_dataset(KERNEL, layout)


@weights
def numbers_that_were_never_written(content, folder):
    replaced(content)


@weights
def a_huge_dataset(content, folder):
    replaced(content, shape=(4, 10**9))


@weights
def a_compressed_dataset(content, folder):
    replaced(content, data=np.zeros(content[KERNEL].shape, "f4"), compression="gzip")


@weights
def whole_numbers(content, folder):
    replaced(content, data=np.ones(content[KERNEL].shape, "i4"), dtype="i4")


@weights
def double_numbers(content, folder):
    replaced(content, data=np.ones(content[KERNEL].shape, "f8"), dtype="f8")


@weights
def nan_among_the_weights(content, folder):
    content[KERNEL][0, 0] = np.nan


@weights
def weights_of_another_shape(content, folder):
    replaced(content, data=np.zeros((2, 2), "f4"), shape=(2, 2))


@weights
def a_layer_without_weights(content, folder):
    del content[KERNEL]


@weights
def the_weights_of_one_layer_in_another(content, folder):
    content.move("layers/dense", "layers/other")


@weights
def one_array_too_many(content, folder):
    content["layers/dense/vars/1"] = np.zeros(3, "f4")


@weights
def a_group_that_holds_itself(content, folder):
    content["layers/dense/all"] = content["layers"]


@weights
def many_groups(content, folder):
    place = content
    for _ in range(3000):
        place = place.create_group("g")


@weights
def a_name_that_steers_the_terminal(content, folder):
    content["layers/\x1b[31m\u202ered"] = np.zeros(3, "f4")


def negative_variances(content, folder):
    content["layers/batch_normalization/vars/3"][...] = -1


weights(negative_variances, file="adapted.keras")
weights(
    lambda content, folder: replaced(content, shape=()),
    name="a single number for a matrix",
    file="discriminator.keras",
)
weights(lambda content, folder: content.__delitem__("layers"), name="an encoder without layers", file="encoder.keras")
weights(lambda content, folder: content.__delitem__("layers"), name="an adapted G without layers", file="adapted.keras")


def archive(folder, file, parts, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(folder / file, "w", compression) as made:
        for name, content in parts.items():
            made.writestr(name, content)


@case("generator.keras")
def a_small_archive_that_unpacks_to_much(folder):
    archive(folder, "generator.keras", {"model.weights.h5": bytes(10**8)})


@case("generator.keras")
def an_archive_that_lies_about_its_size(folder):
    archive(folder, "generator.keras", {"model.weights.h5": bytes(10**8)})
    content = (folder / "generator.keras").read_bytes()
    place = content.rindex(b"PK\x01\x02") + 24
    (folder / "generator.keras").write_bytes(content[:place] + (1000).to_bytes(4, "little") + content[place + 4 :])


@case("calibration.npz")
def a_million_entries(folder):
    """47 bytes each in the directory of an archive, and 350 in memory."""
    entry = b"PK\1\2" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"a"
    end = b"PK\5\6" + bytes(8) + (47 * 10**6).to_bytes(4, "little") + (30).to_bytes(4, "little") + bytes(2)
    (folder / "calibration.npz").write_bytes(b"PK\3\4" + bytes(26) + entry * 10**6 + end)


@case("generator.keras")
def an_unusual_compression(folder):
    archive(folder, "generator.keras", {"model.weights.h5": bytes(1000)}, zipfile.ZIP_LZMA)


@case("generator.keras")
def no_weights(folder):
    archive(folder, "generator.keras", {"config.json": b'{"class_name": "Lambda"}'})


@case("generator.keras")
def weights_that_are_no_hdf5(folder):
    archive(folder, "generator.keras", {"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(5000)})


@case("discriminator.keras")
def no_archive(folder):
    (folder / "discriminator.keras").write_bytes(b"PK\x03\x04 rubbish")


@case("discriminator.keras")
def a_file_of_a_gigabyte(folder):
    os.truncate(folder / "discriminator.keras", 2**30)


@case("encoder.keras", sealed=False)
def a_changed_byte(folder):
    content = bytearray((folder / "encoder.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "encoder.keras").write_bytes(content)


# ---- arrays


def arrays(name, file="calibration.npz", **changed):
    """Add a case that changes arrays of an .npz file; None leaves one out."""

    def spoil(folder):
        parts = dict(np.load(folder / file)) | changed
        np.savez_compressed(folder / file, **{key: value for key, value in parts.items() if value is not None})

    case(file, name=name)(spoil)


arrays("objects", residual=np.array([print, 1], object))
arrays("words", residual=np.array(["a"] * 24))
arrays("complex numbers", residual=np.ones(24, complex))
arrays("other lengths", residual=np.ones(5, "f4"))
arrays("a table", residual=np.ones((24, 2), "f4"))
arrays("no numbers", residual=np.ones(0, "f4"))
arrays("NaN losses", residual=np.full(24, np.nan, "f4"))
arrays("no residual", residual=None)
arrays("an unknown array", rest=np.ones(24, "f4"))
arrays("small losses that unpack to 400 MB", residual=np.zeros(10**8, "f4"))
BEST = "local_residual"
arrays("a background of another size", "backgrounds.npz", **{f"{BEST}.mean": np.zeros(10, "f4")})
arrays("a background in part", "backgrounds.npz", **{f"{BEST}.mean": None})
arrays("a background without a share", "backgrounds.npz", **{f"{BEST}.share": np.array(0.0)})
arrays("directions without variances", "backgrounds.npz", **{f"{BEST}.variances": np.ones(1, "f4")})
arrays("negative variances", "backgrounds.npz", **{f"{BEST}.variances": -np.ones(59, "f4")})
arrays("too many directions", "backgrounds.npz", **{f"{BEST}.directions": np.zeros((10**6, 256), "i1")})


@case("calibration.npz")
def a_header_that_lies(folder):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**7,)})
    archive(folder, "calibration.npz", {"residual.npy": header.getvalue() + bytes(96)})


@case("calibration.npz")
def no_arrays_at_all(folder):
    (folder / "calibration.npz").write_bytes(b"rubbish")


@case("region.npy")
def a_region_of_another_size(folder):
    np.save(folder / "region.npy", np.ones((17, 16), bool))


@case("region.npy")
def a_region_of_nothing(folder):
    np.save(folder / "region.npy", np.zeros((16, 16), bool))


@case("region.npy")
def a_region_of_objects(folder):
    np.save(folder / "region.npy", np.array([print], object), allow_pickle=True)


# ---- what is no file


@case("generator.keras")
def a_link_out_of_the_folder(folder):
    shutil.copy(folder / "generator.keras", folder.parent / "elsewhere.keras")
    (folder / "generator.keras").unlink()
    (folder / "generator.keras").symlink_to("../elsewhere.keras")


@case("card.json")
def a_link_to_a_device(folder):
    (folder / "card.json").unlink()
    (folder / "card.json").symlink_to("/dev/zero")


@case("dcgan.json")
def a_fifo(folder):
    (folder / "dcgan.json").unlink()
    os.mkfifo(folder / "dcgan.json")


@case("calibration.npz")
def a_folder_for_a_file(folder):
    (folder / "calibration.npz").unlink()
    (folder / "calibration.npz").mkdir()


@case("encoder.keras")
def a_file_that_is_missing(folder):
    (folder / "encoder.keras").unlink()


@case(".complete")
def a_new_version_that_lies_elsewhere(folder):
    (folder / ".complete").symlink_to("/etc")


@case(".complete")
def a_new_version_of_another_kind(folder):
    (folder / ".complete").mkdir()
    (folder / ".complete" / "detector.json").write_text('{"files": 3}')


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "detector"
    AnoGAN.load(FORMAT_2).save(folder)
    return folder


@pytest.fixture(scope="module")
def results(base, tmp_path_factory):
    """What one process said of each crafted folder, and the seconds and megabytes that it took."""
    folders = []
    for i, (spoil, _, sealed) in enumerate(CASES.values()):
        folders.append(tmp_path_factory.mktemp("crafted") / f"{i}")
        shutil.copytree(base, folders[-1])
        spoil(folders[-1])
        if sealed:
            seal(folders[-1])
    command = [sys.executable, "-c", LOADER, str(base), *map(str, folders)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return dict(zip(CASES, map(json.loads, said.stdout.splitlines()), strict=True))


def test_there_are_enough():
    assert len(CASES) >= 30


@pytest.mark.parametrize("name", CASES)
def test_a_crafted_detector_is_refused(name, results):
    said, seconds, megabytes = results[name]
    file = CASES[name][1]
    assert f"{os.sep}{file}" in said and "<class" not in said and said.isprintable(), said
    assert said.endswith(".") and len(said) < 600
    assert seconds < SECONDS and megabytes < MEGABYTES


def test_a_file_that_is_replaced_while_it_is_loaded_does_no_harm(base, tmp_path, monkeypatch):
    """What was checked is what is used, and no two versions of a detector are mixed."""
    folder, check = tmp_path / "detector", reading.check_weights
    shutil.copytree(base, folder)
    wanted = DCGAN.load(folder).discriminator.get_weights()

    def check_and_replace(*args):
        check(*args)
        for file in folder.glob("*.keras"):
            file.write_bytes(b"another")

    monkeypatch.setattr(reading, "check_weights", check_and_replace)
    with pytest.raises(ValueError, match=r"discriminator\.keras: it is damaged"):
        AnoGAN.load(folder)
    monkeypatch.setattr(reading, "check_weights", check)
    shutil.copy(base / "generator.keras", folder)
    read = reading.CheckedFolder.read

    def read_and_remove(source, name, *most):
        content = read(source, name, *most)
        (folder / name).unlink()
        return content

    monkeypatch.setattr(reading.CheckedFolder, "read", read_and_remove)
    shutil.copy(base / "discriminator.keras", folder)
    for one, other in zip(DCGAN.load(folder).discriminator.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_file_outside_the_folder_is_touched(base, tmp_path):
    """Putting a new version in place moves a detector's files alone, whatever the new version lists."""
    folder = tmp_path / "below" / "detector"
    shutil.copytree(base, folder / ".complete")
    for place in (tmp_path / "below" / "victim", folder / "victim"):
        place.write_text("kept")
    about = json.loads((folder / ".complete" / "detector.json").read_text())
    about["files"] |= {"../victim": "0", "../../victim": "0", str(folder / "victim"): "0"}
    (folder / ".complete" / "detector.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="victim"):
        AnoGAN.load(folder)
    assert (folder / "victim").read_text() == (tmp_path / "below" / "victim").read_text() == "kept"


@pytest.mark.parametrize("kind, normalisation", [(DCGAN, "batch"), (DCGAN, "layer"), (DCGAN, "spectral"), (RpGAN, "")])
def test_every_network_is_read_again(kind, normalisation, tmp_path):
    gan = kind((20, 33, 3), latent_dim=3, width=3, normalisation=normalisation)
    gan.save(tmp_path)
    loaded = DCGAN.load(tmp_path)
    assert type(loaded) is kind
    for a, b in ((gan.averaged, loaded.averaged), (gan.discriminator, loaded.discriminator)):
        for one, other in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_dcgan_is_read_whatever_its_kind(tmp_path):
    """Also in a process that has not heard of that kind yet."""
    RpGAN((16, 16, 1), latent_dim=2, width=2).save(tmp_path)
    code = "import sys; from anogan_lib import DCGAN; print(type(DCGAN.load(sys.argv[1])).__name__)"
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert said.stdout.strip() == "RpGAN", said.stderr
