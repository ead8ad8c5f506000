"""Images in: every kind of file, every source, the splits, and what streams from disk."""

import hashlib
import os
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anogan_lib import datasets
from anogan_lib.datasets import base, images, masks, mvtec
from anogan_lib.datasets.base import as_split, epoch_batches, iterate_batches, labelled, sample_images, split_normal


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty $ANOGAN_DATA, an empty home and an empty working folder."""
    for name in ("data", "home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("ANOGAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "data"


def save_images(folder, n, rng, size=(20, 20), mode="L", ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}.{ending}")


def save_mvtec(folder, rng, size=(20, 20), mode="L"):
    save_images(folder / "train" / "good", 12, rng, size, mode)
    save_images(folder / "test" / "good", 3, rng, size, mode)
    save_images(folder / "test" / "crack", 2, rng, size, mode)
    (folder / "ground_truth" / "crack").mkdir(parents=True)
    for i in range(2):
        mask = np.zeros(size, np.uint8)
        mask[2 + i, 3:9] = 255
        Image.fromarray(mask).save(folder / "ground_truth" / "crack" / f"{i}_mask.png")


# ---- one image


def test_uint8_there_and_back():
    values = np.arange(256, dtype=np.uint8)
    there = images.from_uint8(values)
    assert there.dtype == np.float32 and there.min() == -1 and there.max() == 1
    assert np.array_equal(images.to_uint8(there), values)
    assert images.to_uint8([-3.0, 3.0]).tolist() == [0, 255]


def test_read_image_keeps_the_pixels_of_an_rgb_file(tmp_path, rng):
    pixels = rng.integers(0, 256, (17, 23, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(images.to_uint8(images.read_image(tmp_path / "a.png", (17, 23, 3))), pixels)


def as_mode(pixels, mode):
    """Pixels (H, W, 3) as an image of another mode, with what a reader should make of it, (H, W, 3)."""
    rgb = Image.fromarray(pixels)
    grey = np.asarray(rgb.convert("L"))
    if mode in ("P", "1"):
        image = rgb.quantize(64) if mode == "P" else rgb.convert("1")
        return image, np.asarray(image.convert("RGB"))
    if mode == "RGBA":
        alpha = np.where(np.arange(pixels.shape[1]) < 5, 0, 255).astype(np.uint8) * np.ones(pixels.shape[:2], int)
        image = Image.fromarray(np.dstack([pixels, alpha.astype(np.uint8)]))
        return image, np.where(alpha[..., None] == 0, 0, pixels)
    if mode == "LA":
        return rgb.convert("LA"), np.dstack([grey] * 3)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257), np.dstack([grey] * 3)
    return rgb.convert(mode), np.asarray(rgb) if mode == "CMYK" else np.dstack([grey] * 3)


@pytest.mark.parametrize(
    "mode, ending",
    [
        ("L", "png"),
        ("LA", "png"),
        ("1", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("RGBA", "png"),
        ("CMYK", "tif"),
        ("I;16", "png"),
        ("I;16", "tif"),
    ],
)
def test_every_mode_is_converted(tmp_path, rng, mode, ending):
    image, expected = as_mode(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), mode)
    path = tmp_path / f"a.{ending}"
    image.save(path)
    colour = images.read_image(path, (12, 16, 3))
    assert colour.shape == (12, 16, 3) and colour.dtype == np.float32
    assert np.array_equal(images.to_uint8(colour), expected)
    grey = images.read_image(path, (12, 16, 1))
    expected_grey = np.asarray(Image.fromarray(expected.astype(np.uint8)).convert("L"))
    assert np.abs(images.to_uint8(grey)[..., 0].astype(int) - expected_grey).max() <= 1
    assert images.look(path).shape == (12, 16, 1 if mode in ("L", "LA", "1", "I;16") else 3)


def test_sixteen_bits_keep_more_than_256_levels(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    image = images.read_image(tmp_path / "a.png", (64, 64, 1))
    assert len(np.unique(image)) > 4000
    np.testing.assert_allclose(image[..., 0], ramp / 32767.5 - 1, atol=1e-5)


def test_a_photograph_on_its_side_is_read_upright(tmp_path, rng):
    image = Image.fromarray(rng.integers(0, 256, (10, 30, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    assert images.look(tmp_path / "a.png").shape == (30, 10, 3)
    upright = images.read_image(tmp_path / "a.png", (30, 10, 3))
    assert np.array_equal(images.to_uint8(upright), np.rot90(np.asarray(image), -1))


@pytest.mark.parametrize("shape", [(16, 16, 1), (24, 60, 3), (64, 32, 3), (100, 100, 1)])
def test_resizing_is_antialiased_and_follows_the_shape(tmp_path, shape):
    stripes = np.zeros((200, 200), np.uint8)
    stripes[:, ::2] = 255  # finer than any of the sizes can show: an even grey
    Image.fromarray(stripes).save(tmp_path / "a.png")
    image = images.read_image(tmp_path / "a.png", shape)
    assert image.shape == shape
    assert np.abs(image[2:-2, 2:-2]).max() < 0.1


def test_a_crack_one_pixel_wide_survives_shrinking(tmp_path):
    from scipy.ndimage import label

    for k, (end_row, end_column) in enumerate([(255, 255), (255, 90), (128, 255), (250, 3)]):
        t = np.linspace(0, 1, 2000)
        mask = np.zeros((256, 256), np.uint8)
        mask[np.rint(t * end_row).astype(int), np.rint(t * end_column).astype(int)] = 255
        Image.fromarray(mask).save(tmp_path / f"{k}.png")
        small = masks.read_mask(tmp_path / f"{k}.png", (64, 64))
        assert small.dtype == bool and small.shape == (64, 64)
        assert label(small, np.ones((3, 3)))[1] == 1  # in one piece
        assert small.any(axis=0).sum() >= end_column // 4 and small.any(axis=1).sum() >= end_row // 4


def test_a_mask_shrinks_to_the_area_it_covers(tmp_path):
    rows, columns = np.mgrid[:256, :256]
    disc = (rows - 120.3) ** 2 + (columns - 131.7) ** 2 < 60**2
    Image.fromarray(disc.astype(np.uint8)).save(tmp_path / "a.png")  # values 0 and 1 mark as well as 0 and 255
    small = masks.read_mask(tmp_path / "a.png", (64, 64))
    assert small.mean() == pytest.approx(disc.mean(), rel=0.1)


def test_broken_and_missing_files_are_named(tmp_path, rng):
    save_images(tmp_path, 1, rng, (64, 64), "RGB")
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no image")
    for name in ("torn.png", "text.png"):
        with pytest.raises(ValueError, match=rf"Cannot read .*{name}: "):
            images.read_image(tmp_path / name, (16, 16, 3))
    with pytest.raises(FileNotFoundError, match=r"no image file .*none.png"):
        images.read_image(tmp_path / "none.png", (16, 16, 3))
    Image.fromarray(np.zeros((16, 16), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match=r"float.tif: .*floats of unknown range"):
        images.read_image(tmp_path / "float.tif", (16, 16, 1))


@pytest.mark.parametrize(
    "error", [KeyError(5), IndexError("list"), struct.error("short"), RecursionError(), MemoryError(), AssertionError()]
)
@pytest.mark.parametrize("place", ["open", "Image.load"])
def test_whatever_a_decoder_raises_names_the_file(error, place, tmp_path, rng, monkeypatch):
    def damaged(*_, **__):
        raise error

    save_images(tmp_path, 1, rng)
    monkeypatch.setattr(f"PIL.Image.{place}", damaged)
    reads = [lambda path: images.read_image(path, (16, 16, 1)), lambda path: masks.read_mask(path, (16, 16))]
    for read in [*reads, images.look]:
        with pytest.raises(ValueError, match=rf"Cannot read .*0\.png: .*{type(error).__name__}"):
            read(tmp_path / "0.png")


def test_a_decoder_can_be_interrupted(tmp_path, rng, monkeypatch):
    save_images(tmp_path, 1, rng)
    monkeypatch.setattr("PIL.Image.open", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        images.look(tmp_path / "0.png")


def special_files(folder) -> dict[str, str]:
    """Make what is no plain file: name -> what is said of it."""
    os.mkfifo(folder / "fifo.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.png"))
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "broken.png").symlink_to("nowhere.png")
    no_file = "a FIFO, a socket or a device"
    said = {"loop": "levels of symbolic links", "broken": "There is no image file"}
    return {f"{name}.png": said.get(name, no_file) for name in ("fifo", "socket", "device", "loop", "broken")}


def test_what_is_no_plain_file_is_left_out_with_a_warning(tmp_path, rng, monkeypatch):
    save_images(tmp_path, 20, rng)
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    said = special_files(Path())
    with pytest.warns(UserWarning, match="left out") as warned:
        data = datasets.load(tmp_path)
    assert sum(map(len, (data.train, data.validation, data.calibration, data.test))) == 20
    found = [str(each.message) for each in warned]
    assert len(found) == len(said)
    for name, reason in said.items():
        assert sum(name in line and reason in line for line in found) == 1


def test_files_are_listed_in_natural_order_without_hidden_ones(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for name in ("10.png", "2.PNG", "1.jpg", ".3.png", "notes.txt", "b.jpeg", "folder.png/c"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in images.walk(tmp_path)] == ["1.jpg", "2.PNG", "10.png", "b.jpeg", "c", "notes.txt"]


# ---- splits and batches


@pytest.mark.parametrize("n", [10, 11, 57, 391])
def test_split_normal_is_disjoint_complete_and_fixed(n):
    parts = split_normal(n, seed=3)
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert [len(part) / n for part in parts] == pytest.approx([0.7, 0.1, 0.2], abs=0.5 / n + 0.5 / n)
    assert all((np.diff(part) > 0).all() for part in parts)
    assert all(np.array_equal(a, b) for a, b in zip(parts, split_normal(n, seed=3), strict=True))
    assert not np.array_equal(parts[0], split_normal(n, seed=4)[0])


@given(st.integers(10, 3000), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_any_split_holds_each_image_once_and_leaves_no_part_empty(n, seed):
    parts = split_normal(n, seed)
    assert sorted(np.concatenate(parts)) == list(range(n)) and all(map(len, parts))
    again = split_normal(n, seed)
    assert all(np.array_equal(one, other) for one, other in zip(parts, again, strict=True))


@given(st.integers(12, 40), st.integers(0, 12), st.integers(0, 4), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_any_folder_is_split_without_overlap(normal, tested, defective, seed):
    folders = (("train/good", normal), ("test/good", tested), ("test/crack", defective))
    with tempfile.TemporaryDirectory() as root:
        for k, (name, count) in enumerate(folders):
            save_images(Path(root) / name, count, np.random.default_rng([seed, k]), (8, 8))
        data = datasets.load(root, seed=seed)
    parts = (data.train, data.validation, data.calibration, data.test)
    names = np.concatenate([part.names for part in parts])
    assert len(set(names)) == len(names) == normal + tested + defective
    assert not any(name.startswith("test") for part in parts[:3] for name in part.names)
    assert (data.test.labels == 0).any() and data.test.labels.sum() == defective


def test_split_normal_needs_ten():
    with pytest.raises(ValueError, match=r"at least 10 .* Received: 9"):
        split_normal(9)


@pytest.fixture
def split(rng):
    kinds = ["good", "crack", "good", "hole", "good"]
    masks = rng.random((5, 8, 10)) > 0.5
    x = rng.uniform(-1, 1, (5, 8, 10, 3)).astype(np.float32)
    return datasets.Split(x, kinds=kinds, masks=masks, names=list("abcde"))


def test_a_part_of_a_split_keeps_everything_together(split):
    assert len(split) == 5 and split.image_shape == (8, 10, 3) and split.labels.tolist() == [0, 1, 0, 1, 0]
    for index in (slice(1, 4), [3, 1], split.labels == 1, np.array([4])):
        part = split[index]
        for what in ("images", "labels", "kinds", "masks", "names"):
            assert np.array_equal(getattr(part, what), getattr(split, what)[index])


def test_batches_give_every_image_once(split):
    batches = list(split.batches(2).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [2, 2, 1] and split.batches(2).cardinality() == 3
    assert np.array_equal(np.concatenate(batches), split.images)
    shuffled = [np.concatenate(list(split.batches(2, shuffle_seed=s).as_numpy_iterator())) for s in (1, 1, 2)]
    assert np.array_equal(shuffled[0], shuffled[1]) and not np.array_equal(shuffled[0], shuffled[2])
    assert np.array_equal(np.sort(shuffled[2], axis=0), np.sort(split.images, axis=0))
    assert tuple(split.batches(2).element_spec.shape) == (None, 8, 10, 3)


def test_images_in_any_container_are_the_same(split):
    import tensorflow as tf

    slices = tf.data.Dataset.from_tensor_slices
    containers = [
        split,
        split.images,
        list(split.images),
        split.batches(3),
        slices(split.images),
        slices((split.images, split.labels)),
        slices((split.images, split.labels)).batch(4),
        tf.data.Dataset.from_generator(lambda: iter(split.images), output_types=tf.float32),
        tf.data.Dataset.from_generator(lambda: iter(split.images), output_types=tf.float32).batch(2),
    ]
    for container in containers:
        for size in (1, 2, 7):
            batches = list(iterate_batches(container, size))
            assert [len(batch) for batch in batches] == {1: [1] * 5, 2: [2, 2, 1], 7: [5]}[size]
            assert batches[0].dtype == np.float32
            assert np.array_equal(np.concatenate(batches), split.images)
        assert np.array_equal(as_split(container).images, split.images)
        assert np.array_equal(sample_images(container, 3, seed=1), sample_images(split, 3, seed=1))
        assert np.array_equal(sample_images(container, 9), split.images)


def test_a_sample_of_images_depends_on_its_seed(split):
    samples = [sample_images(split, 3, seed) for seed in (1, 1, 2)]
    assert np.array_equal(samples[0], samples[1]) and not np.array_equal(samples[0], samples[2])
    found = [[np.array_equal(one, other) for other in split.images].index(True) for one in samples[0]]
    assert found == sorted(set(found))  # none twice, in their order


def test_a_split_goes_through_the_door_unchanged(split):
    assert as_split(split) is split
    assert as_split(split.images).labels is None


def test_a_dataset_too_large_for_memory_is_refused_with_advice(split, monkeypatch):
    monkeypatch.setattr(base, "IN_MEMORY", 3 * split.images[0].nbytes)
    assert len(as_split(split.batches(1).take(3))) == 3
    with pytest.raises(ValueError, match=r"more than a gigabyte.*give a folder.*datasets.load\(folder\)"):
        as_split(split.batches(1))


def test_labels_stay_with_their_images(split):
    import tensorflow as tf

    pairs = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
    for pairs_or_split in (split, pairs, pairs.batch(2)):
        found = labelled(pairs_or_split)
        assert found.labels.tolist() == [0, 1, 0, 1, 0]
        assert np.array_equal(found.images, split.images)
    shuffled = labelled(pairs.shuffle(5, seed=1))  # in another order each time it is walked through
    known = {image.tobytes(): label for image, label in zip(split.images, split.labels, strict=True)}
    assert [known[image.tobytes()] for image in shuffled.images] == shuffled.labels.tolist()
    for bare in (split.images, split.batches(2), datasets.Split(split.images), pairs.take(0)):
        with pytest.raises(ValueError, match=r"labels are wanted|no images"):
            labelled(bare)


@pytest.mark.parametrize("labels", [[0, 0.7, 0, 1, 0], [0, np.nan, 0, 1, 0], ["good", "bad", "good", "bad", "good"]])
def test_labels_are_whole_numbers(split, labels):
    with pytest.raises(ValueError, match="Labels are whole numbers"):
        datasets.Split(split.images, labels)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda x: x[0], r"shape \(N, H, W, C\).*image\[None\].*\(8, 10, 3\)"),
        (lambda x: x[..., 0, 0], r"shape \(N, H, W, C\)\. Received shape: \(5, 8\)"),
        (lambda x: x[..., :2], "1 or 3 channels"),
        (lambda x: x * 255, r"\[-1, 1\]; datasets.images.from_uint8"),
        (lambda x: np.zeros(x.shape, "uint8"), r"\[-1, 1\]; datasets.images.from_uint8.*uint8"),
        (lambda x: np.where(x > 0.9, np.nan, x), "finite"),
        (lambda x: x[:0], "no images"),
        (lambda x: [x[0], x[0, :4]], "one shape"),
        (lambda x: "hazelnut", r"array \(N, H, W, C\), a Split or a tf.data.Dataset"),
    ],
)
def test_wrong_images_are_refused_in_one_sentence(split, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        list(iterate_batches(change(split.images), 2))


def test_images_of_another_shape_are_refused(split):
    with pytest.raises(ValueError, match=r"\(8, 10, 3\) are wanted. Received shape: \(4, 10, 3\)"):
        base.check_images(split.images[:, :4], (8, 10, 3))
    with pytest.raises(ValueError, match=r"This DCGAN takes images of shape \(8, 10, 3\); load the data with size"):
        base.check_fit("DCGAN", (8, 10, 3), (4, 10, 3))
    with pytest.raises(ValueError, match=r"load the data with channels=3"):
        base.check_fit("DCGAN", (8, 10, 3), (8, 10, 1))


def test_wrong_datasets_are_refused_in_one_sentence(split):
    import tensorflow as tf

    endless = split.batches(2).repeat()
    with pytest.raises(ValueError, match="never ends"):
        next(iterate_batches(endless, 2))
    with pytest.raises(ValueError, match=r"images or \(image, label\) pairs"):
        next(iterate_batches(tf.data.Dataset.from_tensor_slices({"image": split.images}), 2))
    with pytest.raises(ValueError, match="no images"):
        next(iterate_batches(split.batches(2).take(0), 2))
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        next(iterate_batches(split.batches(2).map(lambda x: 5 * x), 2))
    ragged = tf.data.Dataset.from_generator(lambda: iter([split.images, split.images[:, :4]]), tf.float32)
    with pytest.raises(ValueError, match=r"\(8, 10, 3\) are wanted"):
        list(iterate_batches(ragged, 2))
    with pytest.raises(ValueError, match="Cannot batch"):
        list(iterate_batches(ragged.unbatch().batch(10), 2))
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="batch_size is a whole number"):
            split.batches(size)


def test_a_split_refuses_parts_that_do_not_fit(split):
    with pytest.raises(ValueError, match=r"5 images need as many labels. Received: 2"):
        datasets.Split(split.images, labels=[0, 1])
    with pytest.raises(ValueError, match=r"Masks of the images' size \(8, 10\)"):
        datasets.Split(split.images, masks=np.zeros((5, 8, 8), bool))


def test_a_part_of_a_split_keeps_its_reference(split):
    reference = datasets.Split(split.images)
    whole = datasets.Split(split.images, reference=reference)
    assert whole[:2].reference is whole[[3, 1]][1:].reference is reference
    assert split[:2].reference is None
    data = datasets.load("digits:8", size=8)
    assert data.test[:40].reference is data.train  # what baselines are fitted on


def test_a_data_set_leaves_the_splits_that_it_is_given_alone(split):
    test = datasets.Split(split.images, [0, 1, 0, 1, 0])
    datasets.AnomalyDataset("a", "b", split, split, split, test)
    assert test.reference is None


def test_the_order_of_an_epoch_depends_on_seed_and_epoch():
    values = np.linspace(-1, 1, 25, dtype=np.float32)  # one for each image
    split = datasets.Split(np.broadcast_to(values[:, None, None, None], (25, 2, 2, 1)))

    def order(seed, epoch):
        batches = list(epoch_batches(split, 4, seed, epoch))
        assert [batch.shape for batch in batches] == [(4, 2, 2, 1)] * 6 and batches[0].dtype == np.float32
        return np.searchsorted(values, np.concatenate(batches)[:, 0, 0, 0]).tolist()

    orders = {(seed, epoch): order(seed, epoch) for seed in range(3) for epoch in range(3)}
    assert len({tuple(each) for each in orders.values()}) == 9
    for epoch in range(3):  # seed 0 gives the order that trained the shipped detectors
        assert orders[0, epoch] == np.random.default_rng(epoch).permutation(25)[:24].tolist()
    assert orders[2, 1] == order(2, 1)


def test_epochs_of_files_are_read_once_or_streamed(tmp_path, rng, monkeypatch):
    save_images(tmp_path, 30, rng)
    reads, read_image = [], images.read_image
    monkeypatch.setattr(images, "read_image", lambda path, *how: reads.append(path) or read_image(path, *how))
    epochs = {}
    for in_memory, expected in ((2**30, 17), (0, 32)):  # 17 images; 2 epochs of 4 batches of 4
        monkeypatch.setattr(base, "IN_MEMORY", in_memory)
        train = datasets.load(tmp_path).train
        reads.clear()
        epochs[in_memory] = np.stack([batch for epoch in (0, 1) for batch in epoch_batches(train, 4, 3, epoch)])
        assert (len(train), len(reads)) == (17, expected)
    assert np.array_equal(epochs[0], epochs[2**30])


def test_digests_know_images_again(tmp_path, rng, split):
    save_images(tmp_path, 20, rng)
    data = datasets.load(tmp_path)
    digests = data.train.digests()
    assert len(set(digests)) == len(data.train) and all(int(each, 16) >= 0 for each in digests)
    assert datasets.load(tmp_path, size=32, channels=3).train.digests() == digests  # of the file, not of its pixels
    first = hashlib.sha256((tmp_path / data.train.names[0]).read_bytes()).hexdigest()
    assert first.startswith(digests[0])
    data.train.images  # noqa: B018
    assert data.train.digests() == digests  # once read as well
    assert data.train[[3, 1]].digests() == [digests[3], digests[1]]
    (tmp_path / data.train.names[0]).rename(tmp_path / "another name.png")
    assert digests[0] in datasets.labelled_folder(tmp_path).digests()
    assert not set(digests) & set(data.test.digests())
    changed = split.images.copy()
    changed[1, 0, 0, 0] *= 0.5
    same = [a == b for a, b in zip(split.digests(), datasets.Split(changed).digests(), strict=True)]
    assert same == [True, False, True, True, True] and split[1:3].digests() == split.digests()[1:3]


# ---- folders


def test_files_stream_and_equal_the_images(tmp_path, rng, monkeypatch):
    save_images(tmp_path, 30, rng, (40, 30), "RGB")
    data = datasets.load(tmp_path, size=(16, 24))
    reads = []
    read_image = images.read_image
    monkeypatch.setattr(images, "read_image", lambda path, *how: reads.append(path) or read_image(path, *how))
    batches = data.train.batches(4).as_numpy_iterator()
    assert reads == []
    first = next(batches)
    assert 4 <= len(reads) < len(data.train)  # the batch, and a little read ahead
    walked = next(iterate_batches(data.test, 2))
    assert len(walked) == 2
    streamed = np.concatenate([first, *batches])
    assert streamed.shape == (len(data.train), 16, 24, 3)
    assert np.array_equal(streamed, data.train.images)
    reads.clear()
    assert np.array_equal(np.concatenate(list(data.train.batches(5).as_numpy_iterator())), streamed)
    assert np.array_equal(data.train[3:5].images, streamed[3:5]) and reads == []  # read once, kept


def test_mvtec_layout(tmp_path, rng):
    save_mvtec(tmp_path, rng)
    data = datasets.load(tmp_path)
    assert data.image_shape == (20, 20, 1)
    assert [len(s) for s in (data.train, data.validation, data.calibration)] == [9, 1, 2]
    normal = np.concatenate([s.names for s in (data.train, data.validation, data.calibration)])
    assert sorted(normal) == sorted(f"train/good/{i}.png" for i in range(12))
    assert data.test.names.tolist() == [f"test/crack/{i}.png" for i in range(2)] + [
        f"test/good/{i}.png" for i in range(3)
    ]
    assert data.test.labels.tolist() == [1, 1, 0, 0, 0] and data.test.kinds[0] == "crack"
    assert data.test.masks.sum(axis=(1, 2)).tolist() == [6, 6, 0, 0, 0]
    assert data.test.masks[1, 3, 3:9].all() and data.test[1:2].masks.sum() == 6
    other = datasets.load(tmp_path, seed=1)
    assert other.test.names.tolist() == data.test.names.tolist()
    assert other.train.names.tolist() != data.train.names.tolist()


def test_good_and_bad_folders(tmp_path, rng):
    save_images(tmp_path / "good", 20, rng, mode="RGB")
    save_images(tmp_path / "hole", 3, rng)
    data = datasets.load(tmp_path)
    assert data.image_shape == (20, 20, 3)  # one colour file is enough
    kinds, counts = np.unique(data.test.kinds, return_counts=True)
    assert dict(zip(kinds.tolist(), counts.tolist(), strict=True)) == {"good": 4, "hole": 3}
    everything = np.concatenate([s.names for s in (data.train, data.validation, data.calibration, data.test)])
    assert len(everything) == len(set(everything)) == 23  # what is held back for the test is nowhere else
    assert data.test.masks is None
    again = datasets.load(str(tmp_path))
    assert again.test.names.tolist() == data.test.names.tolist()


def test_flat_folder_and_the_default_size(tmp_path, rng):
    save_images(tmp_path, 20, rng)
    assert datasets.load(tmp_path).image_shape == (20, 20, 1)
    assert datasets.load(tmp_path, size=32).image_shape == (32, 32, 1)
    save_images(tmp_path / "mixed", 20, rng)
    save_images(tmp_path / "mixed", 2, rng, (20, 30), ending="jpg")
    data = datasets.load(tmp_path / "mixed")
    assert data.image_shape == (64, 64, 1) and set(data.test.kinds) == {"good"}
    save_images(tmp_path / "large", 20, rng, (300, 300))
    assert datasets.load(tmp_path / "large").image_shape == (64, 64, 1)
    assert datasets.load(tmp_path / "large", channels=3).image_shape == (64, 64, 3)
    save_images(tmp_path / "wide", 20, rng, (128, 300))
    assert datasets.load(tmp_path / "wide").image_shape == (64, 150, 1)


def test_a_labelled_folder_is_one_split_of_all_its_images(tmp_path, rng):
    save_images(tmp_path / "few" / "good", 3, rng)
    save_images(tmp_path / "few" / "hole", 2, rng)
    with pytest.raises(ValueError, match="Too few normal images"):
        datasets.load(tmp_path / "few")
    split = datasets.labelled_folder(tmp_path / "few", size=16, channels=3)
    assert split.image_shape == (16, 16, 3) and split.masks is None
    assert split.names.tolist() == [*(f"good/{i}.png" for i in range(3)), "hole/0.png", "hole/1.png"]
    assert split.labels.tolist() == [0, 0, 0, 1, 1] and split.kinds[3] == "hole"
    save_mvtec(tmp_path / "mvtec", rng)
    split = datasets.labelled_folder(tmp_path / "mvtec")
    assert len(split) == 12 + 2 + 3 and split.labels.sum() == 2 and split.names[0] == "train/good/0.png"
    assert split.masks.sum(axis=(1, 2)).tolist() == [0] * 12 + [6, 6] + [0] * 3
    for folder in ("good", "crack"):  # an MVTec AD folder without images to train on
        save_images(tmp_path / "only" / "test" / folder, 2, rng)
    assert datasets.labelled_folder(tmp_path / "only").labels.tolist() == [1, 1, 0, 0]
    with pytest.raises(ValueError, match="holds no normal images"):
        datasets.labelled_folder(tmp_path)


@pytest.mark.parametrize("spec", ["digits:8", "hazelnut"])
def test_a_named_data_set_whole_holds_each_image_once(spec):
    data, whole = datasets.load(spec), datasets.labelled_folder(spec)
    parts = (data.train, data.validation, data.calibration, data.test)
    assert sorted(whole.digests()) == sorted(digest for part in parts for digest in part.digests())
    assert whole.labels.sum() == data.test.labels.sum()


def test_unreadable_files_are_left_out_with_a_warning(tmp_path, rng):
    save_images(tmp_path, 20, rng)
    (tmp_path / "broken.png").write_bytes(b"not an image")
    with pytest.warns(UserWarning, match=r"broken.png: it is not an image file. It is left out."):
        data = datasets.load(tmp_path)
    assert sum(map(len, (data.train, data.validation, data.calibration, data.test))) == 20


def test_a_file_that_breaks_later_is_named(tmp_path, rng):
    save_images(tmp_path, 20, rng, (64, 64))
    data = datasets.load(tmp_path)
    name = data.train.names[0]
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:1000])
    for container in (data.train, data.train.batches(4)):
        with pytest.raises(ValueError, match=rf"Cannot read .*{name}"):
            list(iterate_batches(container, 4))


def test_folders_without_enough_images(tmp_path, rng):
    (tmp_path / "sub").mkdir()
    with pytest.raises(ValueError, match=r"holds no normal images.*Received: sub"):
        datasets.load(tmp_path)
    save_images(tmp_path / "few", 5, rng)
    with pytest.raises(ValueError, match=r"Too few normal images in .*few: at least 10 .*Received: 4"):
        datasets.load(tmp_path / "few")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_is_written_loads_as_the_same(tmp_path, rng, mode):
    save_mvtec(tmp_path / "a", rng, mode=mode)
    data = datasets.load(tmp_path / "a")
    datasets.write(data, tmp_path / "b")
    again = datasets.load(tmp_path / "b")
    for name in ("train", "validation", "calibration", "test"):
        assert np.array_equal(getattr(again, name).images, getattr(data, name).images)
    assert np.array_equal(again.test.kinds, data.test.kinds)
    assert np.array_equal(again.test.masks, data.test.masks)
    with pytest.raises(FileExistsError, match="not empty: give a new folder"):
        datasets.write(data, tmp_path / "b")


def test_summary_counts_every_kind(tmp_path, rng):
    save_mvtec(tmp_path, rng)
    lines = [line.split() for line in str(datasets.load(tmp_path)).splitlines()]
    for row in (["train", "good", "9"], ["test", "good", "3"], ["test", "crack", "2"]):
        assert row in lines


# ---- named sources


def test_digits():
    from sklearn.datasets import load_digits

    data = datasets.load("digits:8")
    assert data.image_shape == (32, 32, 1) and data.test.masks is None
    target = load_digits().target
    parts = (data.train, data.validation, data.calibration)
    assert sum(map(len, parts)) + (data.test.labels == 0).sum() == (target == 8).sum()
    assert (data.test.labels == 0).sum() == round(0.3 * (target == 8).sum())
    for digit in (0, 3, 9):
        assert (data.test.kinds == str(digit)).sum() == (target == digit).sum()
    everything = np.concatenate([s.images for s in (*parts, data.test)])
    assert len(everything) == 1797 == len(np.unique(everything.reshape(1797, -1), axis=0))  # none twice
    assert everything.min() == -1 and everything.max() == 1
    small = datasets.load("digits:8", size=8)
    mean = data.test.images.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))  # enlarging keeps the brightness
    assert np.abs(mean - small.test.images[..., 0]).mean() < 0.1


def save_arrays(path, rng, per_class=30):
    y_train, y_test = np.repeat(np.arange(10), per_class), np.arange(20) % 10
    x_train = (y_train[:, None, None] * 20 + rng.integers(0, 9, (len(y_train), 28, 28))).astype(np.uint8)
    x_test = (y_test[:, None, None] * 20 + rng.integers(0, 9, (20, 28, 28))).astype(np.uint8)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return x_test


@pytest.mark.parametrize("source, kind", [("mnist", "3"), ("fashion_mnist", "dress")])
def test_mnist_from_the_data_folder(data_folder, rng, source, kind):
    x_test = save_arrays(data_folder / f"{source}.npz", rng)
    data = datasets.load(f"{source}:8")
    assert data.image_shape == (28, 28, 1)
    assert [len(s) for s in (data.train, data.validation, data.calibration)] == [21, 3, 6]
    assert (images.to_uint8(data.train.images) // 20 == 8).all()  # normal images alone
    assert np.array_equal(images.to_uint8(data.test.images[..., 0]), x_test)
    assert data.test.kinds[8] == "good" and data.test.kinds[3] == kind and data.test.labels.sum() == 18
    assert datasets.load(f"{source}:8", size=(32, 16)).image_shape == (32, 16, 1)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04cut"])
def test_a_damaged_array_file_is_told(data_folder, content):
    (data_folder / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz must hold"):
        datasets.load("mnist:8")


def test_an_array_file_of_another_make_is_refused(data_folder):
    np.savez(data_folder / "mnist.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"mnist.npz must hold the arrays x_train"):
        datasets.load("mnist:8")


def test_mvtec_places_in_their_order(data_folder, rng, tmp_path):
    save_mvtec(tmp_path / "home" / ".cache" / "anogan_lib" / "mvtec" / "bottle", rng, (20, 20))
    save_mvtec(data_folder / "bottle", rng, (22, 22))
    assert datasets.load("mvtec:bottle").image_shape == (22, 22, 1)
    save_mvtec(data_folder / "mvtec" / "bottle", rng, (24, 24))
    data = datasets.load("mvtec:bottle")
    assert data.image_shape == (24, 24, 1) and data.name == "mvtec:bottle"
    assert "CC BY-NC-SA 4.0" in data.summary()


@pytest.fixture
def archive(tmp_path, rng):
    """A small MVTec AD of one category, packed as the real one is."""
    save_mvtec(tmp_path / "packed" / "bottle", rng)
    path = tmp_path / "mvtec.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        tar.add(tmp_path / "packed" / "bottle", "bottle")
    return path


def test_mvtec_is_downloaded_checked_and_kept(data_folder, archive, monkeypatch, capsys):
    monkeypatch.setattr(mvtec, "URLS", ("file:///nowhere.tar.xz", archive.as_uri()))  # the first link is dead
    monkeypatch.setattr(mvtec, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    assert len(datasets.load("mvtec:bottle").test) == 5
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().err
    assert [path.name for path in (data_folder / "mvtec").iterdir()] == ["bottle"]
    archive.unlink()
    assert len(datasets.load("mvtec:bottle").test) == 5


def test_mvtec_downloads_to_the_cache_without_a_data_folder(data_folder, archive, monkeypatch, tmp_path):
    monkeypatch.delenv("ANOGAN_DATA")
    monkeypatch.setattr(mvtec, "URLS", (archive.as_uri(),))
    monkeypatch.setattr(mvtec, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    datasets.load("mvtec:bottle")
    assert (tmp_path / "home" / ".cache" / "anogan_lib" / "mvtec" / "bottle" / "train" / "good").is_dir()


def test_a_download_that_fails_leaves_nothing(data_folder, archive, monkeypatch):
    monkeypatch.setattr(mvtec, "URLS", (archive.as_uri(),))
    with pytest.raises(OSError, match=r"hash does not match .* Get it from https://www.mvtec.com.* unpack it in"):
        datasets.load("mvtec:bottle")
    monkeypatch.setattr(mvtec, "URLS", ("file:///nowhere.tar.xz",))
    with pytest.raises(OSError, match=r"cannot be downloaded .* Get it from"):
        datasets.load("mvtec:bottle")
    assert list((data_folder / "mvtec").iterdir()) == []


def test_an_archive_that_is_not_whole_leaves_nothing(data_folder, archive, monkeypatch):
    archive.write_bytes(archive.read_bytes()[:-200])  # published broken: the checksum is that of the torn file
    monkeypatch.setattr(mvtec, "URLS", (archive.as_uri(),))
    monkeypatch.setattr(mvtec, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    with pytest.raises(OSError, match=r"cannot be downloaded .* Get it from"):
        datasets.load("mvtec:bottle")
    assert list((data_folder / "mvtec").iterdir()) == []


def test_a_link_that_falls_silent_is_given_up(data_folder, archive, monkeypatch, capsys):
    monkeypatch.setattr(mvtec, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(mvtec, "TIMEOUT", 0.2)
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and answers nothing
        monkeypatch.setattr(mvtec, "URLS", (f"http://127.0.0.1:{silent.getsockname()[1]}/a.tar.xz", archive.as_uri()))
        assert len(datasets.load("mvtec:bottle").test) == 5
    assert socket.getdefaulttimeout() is None
    assert capsys.readouterr().out == ""  # standard output is for results


def test_a_bare_name_is_a_path_first_then_a_data_folder(data_folder, rng, tmp_path):
    save_images(data_folder / "tiles", 20, rng, (20, 20))
    data = datasets.load("tiles")
    assert data.image_shape == (20, 20, 1) and data.name == "tiles"
    save_images(tmp_path / "work" / "tiles", 20, rng, (22, 22))
    assert datasets.load("tiles").image_shape == (22, 22, 1)


@pytest.mark.parametrize(
    "spec, sentence",
    [
        ("minst:8", r"wanted is one of hazelnut, digits:8.*Did you mean mnist:8\?"),
        ("hazlenut", r"Did you mean hazelnut\?"),
        ("digits8", r"Did you mean digits:8\?"),
        ("tile_s", r"\$ANOGAN_DATA .*Did you mean tiles\?"),
        ("mnist", r"Did you mean mnist:8\?"),
        ("digits:12", "a number from 0 to 9. Received: 12"),
        ("digits:", "a number from 0 to 9. Received: ''"),
        ("mvtec:hazelnot", r"categories bottle, .*Did you mean mvtec:hazelnut\? Received: 'hazelnot'"),
        ("", "Unknown data ''"),
    ],
)
def test_a_near_miss_is_told_what_would_be_right(data_folder, spec, sentence):
    (data_folder / "tiles").mkdir()
    with pytest.raises(ValueError, match=sentence):
        datasets.load(spec)


def test_paths_that_lead_nowhere(tmp_path):
    for spec in (tmp_path / "none", "./none", "some/where"):
        with pytest.raises(FileNotFoundError, match="There is no folder"):
            datasets.load(spec)
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(ValueError, match="not a single file"):
        datasets.load(tmp_path / "file.png")


@pytest.mark.parametrize("size", [0, 7, 3.5, "64", (64,), (64, 64, 3)])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match=r"A size is a number of pixels.* Received"):
        datasets.load("digits:8", size=size)


def test_importing_the_data_sets_stays_light():
    heavy = "[m for m in ('tensorflow', 'keras', 'sklearn', 'skimage', 'scipy', 'matplotlib') if m in sys.modules]"
    code = f"import sys, anogan_lib.datasets; print({heavy})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
