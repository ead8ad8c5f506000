"""Masks: what is marked, in whatever form; where masks lie; what is said of those that look wrong."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import png16, save, save_noise, square, tiff
from PIL import Image

from anogan_lib import datasets
from anogan_lib.datasets import masks
from anogan_lib.evaluation.evaluation import Evaluation

SIZE = (20, 20)
TRUE = square() > 0


def painted(mode: str) -> Image.Image:
    """Return TRUE as an image of one mode or form."""
    grey = Image.fromarray(square())
    if mode == "transparent":  # white on nothing
        return Image.merge("LA", (Image.new("L", SIZE, 255), grey)).convert("RGBA")
    if mode == "black on transparent":
        return Image.merge("LA", (Image.new("L", SIZE, 0), grey)).convert("RGBA")
    if mode == "dark transparent":
        return Image.merge("LA", (Image.new("L", SIZE, 3), Image.fromarray(square(value=1))))
    if mode in ("palette", "palette of one colour"):
        image = Image.fromarray(square(value=2)).convert("P")
        image.putpalette([0, 0, 0, 9, 9, 9, *((255, 0, 0) if mode == "palette" else (0, 0, 0))])
        return image
    if mode == "red on grey":
        image = Image.new("RGB", SIZE, (128, 128, 128))
        image.paste((255, 0, 0), mask=grey)
        return image
    if mode == "one and two":
        return Image.fromarray(square(value=1) + np.uint8(1))
    return grey.convert(mode)


FORMS = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "palette", "palette of one colour", "transparent"]
FORMS += ["black on transparent", "dark transparent", "red on grey", "one and two"]


@pytest.mark.parametrize("mode", FORMS)
def test_a_mask_is_understood_in_any_mode(tmp_path, mode):
    painted(mode).save(path := tmp_path / "a.tif")
    assert np.array_equal(masks.read_mask(path, SIZE), TRUE)
    if mode != "CMYK":
        painted(mode).save(path := tmp_path / "a.png")
        assert np.array_equal(masks.read_mask(path, SIZE), TRUE)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.float32])
@pytest.mark.parametrize("value", [1, 3, 200])
def test_any_value_but_0_is_a_defect(tmp_path, dtype, value):
    values = square(value=value, dtype=dtype)
    assert np.array_equal(masks.read_mask(save(values, tmp_path / "a.npy"), SIZE), TRUE)
    if dtype is not bool:
        assert np.array_equal(masks.read_mask(tiff(tmp_path / "a.tif", values), SIZE), TRUE)


@given(st.sets(st.integers(1, 255), min_size=1, max_size=5), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_classes_of_a_mask_are_defects_one_and_all(values, seed):
    rng = np.random.default_rng(seed)
    mask = rng.choice([0, *values], SIZE).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("png", "bmp", "tif", "gif"):
            found = masks.marked(save(mask, Path(folder) / f"a.{ending}"))
            assert np.array_equal(found, mask > 0) or mask.all()


@given(st.integers(1, 65535), st.integers(0, 2**32), st.sampled_from([1, 3]))
@settings(max_examples=30, deadline=None)
def test_a_faint_class_of_16_bits_is_a_defect(value, seed, bands):
    mask = np.random.default_rng(seed).choice([0, value, 65535], (*SIZE, bands)).astype(np.uint16)
    mask[0] = 0
    with tempfile.TemporaryDirectory() as folder:
        assert np.array_equal(masks.marked(png16(Path(folder) / "a.png", mask)), mask.any(axis=2))


@pytest.mark.parametrize("ending", ["jpg", "jfif", "webp", "jp2"])
@pytest.mark.parametrize("turned", [False, True])
def test_what_a_lossy_format_adds_is_no_defect(tmp_path, ending, turned):
    mask = square((64, 64))
    mask[30:50, 20:44] = 255
    found = masks.marked(save(255 - mask if turned else mask, tmp_path / f"a.{ending}"))
    assert np.mean(found != ((mask > 0) ^ turned)) < 0.02


# ---- where masks lie


def make(folder, kinds=("notch",), n=3):
    save_noise(folder / "train" / "good", 12)
    save_noise(folder / "test" / "good", 3, 100)
    for k, kind in enumerate(kinds):
        save_noise(folder / "test" / kind, n, 200 + 50 * k)


@pytest.mark.parametrize(
    "name",
    [
        "ground_truth/notch/{}_mask.png",
        "ground_truth/notch/{}.png",
        "ground_truth/notch/{}.BMP",
        "ground_truth/notch/{}_mask.PNG",
        "ground_truth/notch/{}_gt.tif",
        "ground_truth/notch/mask_{}.gif",
        "ground_truth/notch/{}_MASK.webp",
        "ground_truth/{}_mask.png",
        "ground_truth/notch/{}.npy",
        "ground_truth/notch/{}/000.png",
        "ground_truth/test/notch/{}.png",
        "Ground Truth/Notch/{}.png",
        "gt/notch/{}-gt.png",
        "gt/{}.png",
        "masks/{}.png",
        "mask/notch/{}_label.png",
        "Masks/{}.tiff",
        "labels/notch/{}.png",
        "label/gt_{}.png",
        "annotations/{}_annotation.png",
        "test/notch/{}_mask.png",
        "test/notch/mask-{}.png",
        "test/notch/{}.mask.png",
        "test/notch/{}_gt.png",
        "test/notch/{}_label.bmp",
        "test/notch/masks/{}.png",
        "test/notch/gt/{}_mask_1.png",
        "test/masks/notch/{}.png",
        "segmentation/notch/{}_segmentation.png",
        "notch_mask/{}.png",
        "test/notch_masks/{}.png",
        "gt_notch/{}.png",
        "test_masks/notch/{}.png",
        "Mask_images/notch/{}.bmp",
        "images_gt/{}.png",
        "test/notch/{}.bmp",
    ],
)
def test_usual_layouts_are_understood(tmp_path, name, recwarn):
    make(tmp_path)
    for i in range(3):
        save(square(value=1 + i) if name.endswith("npy") else square(), tmp_path / name.format(f"{i:03d}"))
    data = datasets.load(tmp_path)
    assert [str(each.message) for each in recwarn if each.category is UserWarning] == []
    assert data.test.kinds.tolist() == ["good"] * 3 + ["notch"] * 3 and len(data.train) == 9
    assert np.array_equal(data.test.masks, [~TRUE & False] * 3 + [TRUE] * 3)


def test_images_called_image_go_with_masks_called_mask(tmp_path):
    save_noise(tmp_path / "good", 20)
    for i in range(2):
        save(square(), tmp_path / "bad" / f"image_{i}.png")
        save(square(), tmp_path / "bad" / f"mask_{i}.png")
    assert datasets.load(tmp_path).test.masks.sum() == 2 * TRUE.sum()


def test_several_files_for_an_image_are_joined(tmp_path):
    make(tmp_path, ("notch", "stain"))
    parts = [np.roll(square(), 5 * k, 0) for k in range(3)]
    for k, part in enumerate(parts):
        save(part, tmp_path / "ground_truth" / "notch" / f"000_mask_{k}.png")
        save(part, tmp_path / "ground_truth" / "notch" / f"001_{k}.png")
        save(part, tmp_path / "ground_truth" / "stain" / "002" / f"{k:03d}.png")
    with pytest.warns(UserWarning, match="There is no mask of"):
        data = datasets.load(tmp_path)
    found = dict(zip(data.test.names, data.test.masks, strict=True))
    for name in ("test/notch/000.png", "test/notch/001.png", "test/stain/002.png"):
        assert np.array_equal(found[name], np.any(parts, axis=0))
    assert not found["test/notch/002.png"].any() and not found["test/stain/000.png"].any()


def test_one_missing_mask_is_named_and_the_others_stay(tmp_path):
    make(tmp_path)
    for i in (0, 2):
        save(square(), tmp_path / "ground_truth" / "notch" / f"{i:03d}_mask.png")
    with pytest.warns(UserWarning, match=r"There is no mask of .*test/notch/001\.png: its pixels do not count") as said:
        test = datasets.load(tmp_path).test
    assert len(said) == 1 and test.masks.any(axis=(1, 2)).tolist() == [False] * 3 + [True, False, True]
    maps = np.where(test.masks, 1.0, 0.0)
    maps[4] = np.random.default_rng(0).random(SIZE)  # of the image without a mask
    assert Evaluation(np.arange(6.0), test.labels, 1.0, maps=maps, masks=test.masks).pixel_auroc == 1


def test_a_mask_that_several_images_claim_is_used_for_none(tmp_path):
    make(tmp_path, ("notch", "stain"))
    save(square(), tmp_path / "masks" / "000.png")
    save(square(), tmp_path / "masks" / "notch" / "001.png")
    with pytest.warns(UserWarning, match=r"The mask .*masks/000\.png fits no image, or several"):
        test = datasets.load(tmp_path).test
    assert test.masks.any(axis=(1, 2)).sum() == 1


def test_masks_of_train_and_test_stay_apart(tmp_path):
    save_noise(tmp_path / "train" / "OK", 12)
    for k, part in enumerate(("train", "test")):
        save_noise(tmp_path / part / "NG", 1, 50 + k)
        save(np.roll(square(), k, 0), tmp_path / part / "NG" / "000_mask.png")
    test = datasets.load(tmp_path).test[-2:]
    assert test.names.tolist() == ["test/NG/000.png", "train/NG/000.png"]
    assert np.array_equal(test.masks, [np.roll(TRUE, 1, 0), TRUE])


@pytest.mark.parametrize(
    "image, mask",
    [
        ("bad/a.jpg", "ground_truth/bad/a.jpg.png"),
        ("bad/a.png", "bad/a.png_mask.png"),
        ("bad/a.png", "SegmentationClass/a.png"),
        ("bad/a.png", "segmentation_objects/bad/a.tif"),
        ("JPEGImages/bad/a.jpg", "SegmentationClass/a.png"),
        ("bad/a/image.png", "bad/a/mask.png"),
        ("bad/a/img.png", "bad/a/Label.png"),
        ("test/bad/image.png", "ground_truth/bad/image.png"),
        ("bad/a.jpg", "bad/a.png"),
        ("NG/S0001/a.jpg", "NG/S0001/a.bmp"),
        ("abnormal/a.jpg", "abnormal_mask/a.png"),
        ("Data/Images/bad/a.jpg", "Data/Masks/bad/a.png"),
    ],
)
def test_layouts_of_other_programs(image, mask, tmp_path):
    good = tmp_path / ("JPEGImages/good" if image.startswith("JPEG") else "good")
    save_noise(good if not image.startswith("test") else tmp_path / "train" / "good", 20)
    (tmp_path / image).parent.mkdir(parents=True)
    save(np.random.default_rng(9).integers(0, 255, SIZE, np.uint8), tmp_path / image)
    save(square(), tmp_path / mask)
    test = datasets.load(tmp_path, size=SIZE).test
    assert test.labels.sum() == 1 and np.array_equal(test.masks[test.labels == 1][0], TRUE)


def test_images_called_image_mask_or_label_are_images_without_a_partner(tmp_path):
    save_noise(tmp_path / "good", 20)
    for name in ("mask", "label"):
        save(square(value=90), tmp_path / "good" / f"{name}.png")
    data = datasets.load(tmp_path)
    assert len(data.train) + len(data.validation) + len(data.calibration) + len(data.test) == 22


def test_a_product_called_mask_is_no_mask(tmp_path):
    save_noise(tmp_path / "good", 20)
    for path in list((tmp_path / "good").iterdir()):
        path.rename(path.with_name(f"mask_{path.name}"))
    data = datasets.load(tmp_path)
    assert len(data.train) == 11 and data.test.masks is None


folder_names = st.sampled_from(["", "ground_truth", "masks", "gt", "labels"])
stems = st.text("abcXYZ019 ._-\n\udcff", min_size=1, max_size=8).filter(lambda name: name.strip(" ._-") == name)
forms = st.sampled_from(["{}_mask", "mask_{}", "{}_gt", "{}_label", "{}-mask", "GT_{}"])


@given(st.lists(stems, min_size=1, max_size=4, unique_by=str.lower), folder_names, forms, st.booleans(), st.data())
@settings(max_examples=80, deadline=None)
def test_every_image_gets_its_own_mask(names, place, form, by_kind, data):
    """Whatever the images are called, wherever masks lie: each finds its own, no mask counts as an image."""
    root = Path("/data")
    kinds = [data.draw(st.sampled_from(["crack", "hole"])) for _ in names]
    images = [root / kind / f"{name}.jpg" for kind, name in zip(kinds, names, strict=True)]
    own = []
    for kind, name in zip(kinds, names, strict=True):
        folder = root / kind if not place else root / place / kind if by_kind else root / place
        own.append(folder / f"{form.format(name)}.png")
    found_images, found_masks = masks.separate(root, images + own)
    assert found_images == images and found_masks == own
    assert masks.find(root, images, kinds, own) == [(mask,) for mask in own]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "a_1", "mask_a"]), st.sampled_from(["", "x", "masks"])), unique=True)
)
@settings(max_examples=80, deadline=None)
def test_files_are_images_or_masks_and_no_mask_serves_two_images(files):
    root = Path("/data")
    paths = [root / folder / f"{name}.png" for name, folder in files]
    images, found = masks.separate(root, paths)
    assert sorted(images + found) == sorted(paths)
    used = [mask for own in masks.find(root, images, ["bad"] * len(images), found) for mask in own]
    assert len(used) == len(set(used)) and set(used) <= set(found)
