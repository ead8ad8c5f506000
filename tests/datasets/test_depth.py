"""More than 8 bits a channel: one range for all images of a set, kept with the detector."""

import sys

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from making import dicom, noise, png16, save, save_noise, tiff
from PIL import Image

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib.datasets import images


def write_grey(path, values):
    """Write (H, W) values with what keeps them: PNG for uint16, else TIFF."""
    return save(values, path) if values.dtype == np.uint16 and path.suffix == ".png" else tiff(path, values)


@pytest.mark.parametrize(
    "dtype, low, high, expected",
    [
        (np.uint16, 0, 1000, (0, 1023)),  # 10 bits
        (np.uint16, 100, 4000, (0, 4095)),  # 12
        (np.uint16, 0, 16000, (0, 16383)),  # 14
        (np.uint16, 20, 60000, (0, 65535)),
        (np.int16, 5, 4000, (0, 4095)),
        (np.int32, 0, 250, (0, 255)),
        (np.uint32, 0, 65000, (0, 65535)),
        (np.float32, 0.01, 0.99, (0, 1)),
        (np.float32, -0.9, 0.9, (-1, 1)),
        (np.float32, 3, 240, (0, 255)),
    ],
)
def test_values_made_for_a_usual_range_get_it(tmp_path, dtype, low, high, expected):
    for i in range(20):
        tiff(tmp_path / f"{i}.tif", noise(i, low=low, high=high, dtype=dtype))
    data = datasets.load(tmp_path)
    assert data.train.value_range == data.test[:1].value_range == expected
    pixels = data.train[:1].images[0, ..., 0]
    original = np.asarray(Image.open(tmp_path / data.train.names[0])).astype(float)
    wanted = 2 * (original - expected[0]) / (expected[1] - expected[0]) - 1
    np.testing.assert_allclose(pixels, wanted, atol=2e-6)
    assert "values from {:g} (black) to {:g} (white)".format(*expected) in data.summary()


@pytest.mark.parametrize(
    "dtype, low, high",
    [
        (np.int16, -1000, 3000),  # CT
        (np.uint16, 7500, 8300),  # thermal
        (np.int8, -100, 90),
        (np.int32, 0, 3_000_000),
        (np.uint32, 3_000_000_000, 4_200_000_000),
        (np.float32, 1e-7, 3e-7),
        (np.float32, -400, 1e6),
    ],
)
def test_other_values_get_their_own_range_a_little_wider(tmp_path, dtype, low, high):
    for i in range(20):
        tiff(tmp_path / f"{i}.tif", noise(i, low=low, high=high, dtype=dtype))
    data = datasets.load(tmp_path)
    least, most = data.train.value_range
    assert low - 0.2 * (high - low) < least < low and high < most < high + 0.2 * (high - low)
    pixels = data.train.images
    assert pixels.min() > -1 and pixels.max() < 1 and np.ptp(pixels) > 1.5


def test_one_range_holds_for_all_images_of_a_set(tmp_path):
    for i in range(20):
        save(noise(i, low=0, high=1000 + 150 * i, dtype=np.uint16), tmp_path / "good" / f"{i}.png")
    save(np.full((20, 20), 2000, np.uint16), tmp_path / "dull" / "a.png")
    data = datasets.load(tmp_path)
    assert data.train.value_range == (0, 4095)
    dull = data.test[data.test.kinds == "dull"].images
    np.testing.assert_allclose(dull, 2 * 2000 / 4095 - 1, atol=1e-6)


@pytest.mark.parametrize("outlier", ["hot pixels", "one image"])
def test_hot_pixels_and_a_spoilt_image_do_not_set_the_range(tmp_path, outlier):
    for i in range(24):
        values = noise(i, low=300, high=4000, dtype=np.uint16)
        values[2, 3] = 65535 if outlier == "hot pixels" else 0
        save(np.full_like(values, 65535) if outlier == "one image" and i == 5 else values, tmp_path / f"{i}.png")
    assert datasets.load(tmp_path).train.value_range == (0, 4095)


def test_the_range_comes_from_training_images_alone(tmp_path):
    for i in range(30):
        save(noise(i, low=0, high=1000, dtype=np.uint16), tmp_path / "train" / "good" / f"{i}.png")
    before = datasets.load(tmp_path)
    for split in (before.validation, before.calibration):
        for name in split.names:
            save(noise(7, low=0, high=60000, dtype=np.uint16), tmp_path / name)
    for i in range(20):
        save(noise(i, low=0, high=60000, dtype=np.uint16), tmp_path / "test" / ("bad", "good")[i % 2] / f"{i}.png")
    after = datasets.load(tmp_path)
    assert before.train.value_range == (0, 1023)
    assert after.train.names.tolist() != before.train.names.tolist()  # some are no longer held back for the test


def test_values_outside_the_range_are_clipped_and_said(tmp_path):
    values = np.full((20, 20), 500, np.uint16)
    values[:10] = 3000
    path = save(values, tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"a\.png: 50% of its values lie outside .*0 to 1023.* clipped"):
        image = images.read_image(path, (20, 20, 1), (0, 1023))
    assert image.max() == 1 and image[15, 5, 0] == pytest.approx(2 * 500 / 1023 - 1)


def test_white_is_white_wherever_a_format_puts_0(tmp_path):
    values = noise(0, (20, 20), 0, 65536, np.uint16)
    tifffile.imwrite(tmp_path / "black.tif", values)
    tifffile.imwrite(tmp_path / "white.tif", 65535 - values, photometric="miniswhite")
    black, white = (images.read_image(tmp_path / f"{name}.tif", (20, 20, 1)) for name in ("black", "white"))
    assert np.array_equal(black, white)


def test_the_16_bits_of_fits_are_signed(tmp_path):
    values = noise(0, (20, 20), -30_000, 30_000, np.int16)
    head = {"SIMPLE": "T", "BITPIX": 16, "NAXIS": 2, "NAXIS1": 20, "NAXIS2": 20}
    head = "".join(f"{name:<8}= {value:>20}".ljust(80) for name, value in head.items()) + "END"
    data = values[::-1].astype(">i2").tobytes()
    (tmp_path / "a.fits").write_bytes(head.ljust(2880).encode() + data.ljust(2880, b"\0"))
    image = images.read_image(tmp_path / "a.fits", (20, 20, 1), (-32768, 32767))
    np.testing.assert_allclose(image[..., 0], (values + 0.5) / 32767.5, atol=1e-6)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("channels", [1, 3, 2, 4])
@pytest.mark.parametrize("ending", ["png", "tif", "packed.tif"])
def test_colours_of_16_bits_keep_all_of_them(tmp_path, bits, channels, ending):
    if channels == 2:  # grey with transparency is told to be read with 8 bits only
        path = png16(tmp_path / "a.png", noise(0, (9, 7, 2), 0, 2**bits, np.uint16))
        with pytest.raises(ValueError, match=r"a.png: Pillow reads only 8 of the 16 bits"):
            images.read_image(path, (9, 7, 1))
        return
    values = noise(1, (9, 7, channels), 0, 2**bits, np.uint16)
    values[..., 3:] = 65535  # opaque
    path = tmp_path / f"a.{ending}"
    png16(path, values) if ending == "png" else tiff(path, values, [2] if channels == 4 else None, "packed" in ending)
    found = images.read_image(path, (9, 7, min(channels, 3)), (0, 2**bits - 1))
    np.testing.assert_allclose(found, 2 * (values[..., :3] / (2.0**bits - 1)) - 1, atol=2e-6)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_grey_and_colour_agree_whatever_the_compression(tmp_path, compression):
    values = noise(0, (9, 7), 0, 4000, np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.tif", compression=compression)
    png16(tmp_path / "colour.png", np.dstack([values] * 3))
    grey = images.read_image(tmp_path / "grey.tif", (9, 7, 3), (0, 4095))
    for channels in (1, 3):
        colour = images.read_image(tmp_path / "colour.png", (9, 7, channels), (0, 4095))
        np.testing.assert_allclose(colour, grey[..., :channels], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.uint16, np.int64, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(20, 20), (20, 20, 1), (20, 20, 3)])
def test_arrays_are_images(tmp_path, dtype, shape):
    top = {np.uint8: 256, bool: 2, np.float64: 1, np.float16: 1}.get(dtype, 4096)
    save_noise(tmp_path / "good", 20, ending="npy", size=shape, high=top, dtype=dtype)
    data = datasets.load(tmp_path)
    assert data.image_shape == (20, 20, shape[2] if len(shape) == 3 else 1)
    values = np.load(tmp_path / data.train.names[0]).astype(float)
    wanted = 2 * values / {256: 255, 4096: 4095}.get(top, 1) - 1
    np.testing.assert_allclose(data.train.images[0].squeeze(), wanted.squeeze(), atol=1e-3)


def test_dicom_files_are_read_in_hounsfield_units(tmp_path, monkeypatch):
    stored = noise(0, (20, 20), 0, 4096, np.uint16)
    for i in range(20):
        dicom(tmp_path / "ct" / f"IM{i}", np.roll(stored, i, 0), slope=1, intercept=-1024)  # without an ending
    data = datasets.load(tmp_path / "ct")
    low, high = data.train.value_range
    assert low < -1024 and high > 3071 and len(data.train) == 11
    i = int(data.train.names[0][2:])
    np.testing.assert_allclose(
        data.train.images[0, ..., 0], 2 * (np.roll(stored, i, 0) - 1024.0 - low) / (high - low) - 1, atol=1e-5
    )
    files = [
        dicom(tmp_path / "a.dcm", stored),
        dicom(tmp_path / "b.dcm", 4095 - stored, photometric="MONOCHROME1"),
        dicom(tmp_path / "c.dcm", np.stack([stored, stored // 2]), frames=2),
    ]
    plain, *others = (images.read_image(file, (20, 20, 1), (0, 4095)) for file in files)
    assert all(np.array_equal(plain, other) for other in others)
    signed = stored.astype(np.int16) - 2048
    dicom(tmp_path / "d.dcm", -1 - signed, photometric="MONOCHROME1")
    assert np.array_equal(images.read_image(tmp_path / "d.dcm", (20, 20, 1), (-2048, 2047)), plain)
    assert [images.look(file).notes for file in files] == [
        [],
        [],
        [f"{files[2]}: the first of several frames is read."],
    ]
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ValueError, match=r"a\.dcm: it is a DICOM file; pip install pydicom"):
        images.read_image(tmp_path / "a.dcm", (20, 20, 1))


def test_images_of_8_bits_stay_as_they_are(tmp_path):
    save_noise(tmp_path / "a", 15, high=90)
    data = datasets.load(tmp_path / "a")
    assert data.train.value_range is None and "black" not in data.summary()
    save_noise(tmp_path / "deep", 20, high=4000, dtype=np.uint16)
    with pytest.warns(UserWarning, match=r"15 of 35 images have 8 bits a channel, the others more"):
        mixed = datasets.labelled_folder(tmp_path, normal=".")
    assert mixed.value_range == (0, 4095)
    assert np.array_equal(images.to_uint8(mixed.images[:15, ..., 0]), [noise(i, high=90) for i in range(15)])


def test_the_range_is_kept_with_the_detector(tmp_path):
    for i in range(30):
        save(noise(i, low=0, high=4000, dtype=np.uint16), tmp_path / "photos" / "good" / f"{i}.png")
    data = datasets.load(tmp_path / "photos")
    detector = AnoGAN(DCGAN(data.image_shape, latent_dim=4, width=4, seed=0), steps=1)
    detector.standardise(data.validation).calibrate(data.calibration, false_alarm_rate=0.2)
    detector.save(tmp_path / "detector")
    assert tuple(AnoGAN.load(tmp_path / "detector").value_range) == (0, 4095)
    new = datasets.labelled_folder(tmp_path / "photos", value_range=detector.value_range)[:4]
    for i in range(4):
        image = images.read_image(tmp_path / "photos" / new.names[i], detector.image_shape, detector.value_range)
        assert np.array_equal(image, new.images[i])


numbers = st.floats(-1e9, 1e9, allow_nan=False)


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers).map(sorted), min_size=1, max_size=60), st.randoms())
def test_a_range_holds_nearly_all_levels_and_their_order_is_nothing(levels, random):
    low, high = images.choose_range(levels)
    assert np.isfinite([low, high]).all() and low < high
    inside = [low <= least and most <= high for least, most in levels]
    assert len(levels) - sum(inside) <= 2 * (-(-(len(levels) - 1) // 20))
    random.shuffle(levels)
    assert images.choose_range(levels) == (low, high)


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 2), st.integers(1, 2**31))
def test_any_range_of_integers_is_spread_over_the_scale(low, span):
    low, high = images.choose_range([(low, low + span)] * 12)
    assert span / (high - low) >= 0.249
