"""Each bad argument gets one sentence that says what is wanted and what was received."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib.datasets.base import Split, sample_images, split_normal
from anogan_lib.evaluation import regions, thresholds

NAN, INF = float("nan"), float("inf")
SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def gan():
    return DCGAN(SHAPE, latent_dim=2, width=2)


@pytest.fixture(scope="module")
def detector(gan):
    return AnoGAN(gan, steps=1)


def images(count=4, low=-1.0, high=1.0, shape=SHAPE):
    return np.random.default_rng(0).uniform(low, high, (count, *shape)).astype("float32")


def refused(function, sentence):
    with pytest.raises(ValueError) as error:
        function()
    said = str(error.value)
    assert sentence in said and "\n" not in said and len(said) < 400


SETTINGS = {
    "image_shape": [(15, 16, 1), (16, 257, 1), (16, 16, 2), (16, 16), 16, "16", (16.0, 16, 1), (NAN, 16, 1), None],
    "latent_dim": [0, -1, 1.5, NAN, "8", True, 1025, 10**9],
    "width": [0, -3, 2.5, NAN, "8", True, 257, 10**9],
    "prior": ["uniform", None, 3, []],
    "augment": ["mixup", None, 3],
    "flips": [1, "yes", None],
    "normalisation": ["none", 1],
    "ema_decay": [-0.1, 1.1, NAN, INF, "0.9", True, None],
    "learning_rate": [0, -1e-3, NAN, INF, "x", True, 2, None],
    "d_learning_rate": [0, NAN, -1],
    "seed": [-1, 0.5, NAN, "0", True, None, 2**32],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in SETTINGS.items() for value in values])
def test_a_setting_of_a_dcgan(name, value):
    sentence = {"image_shape": "image shape"}.get(name, name)
    refused(lambda: DCGAN(**{"image_shape": SHAPE, name: value}), sentence)


TRAINING = {
    "epochs": [0, -1, 1.5, NAN, "3", True, 10**7],
    "batch_size": [0, -1, 2.5, NAN, "3", True, None],
    "checkpoint_every": [0, -1, 0.5, NAN],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in TRAINING.items() for value in values])
def test_an_option_of_the_training(name, value, gan):
    refused(lambda: gan.train(images(), **{"epochs": 1, "verbose": False, name: value}), name)
    assert not int(gan.steps_done)


@pytest.mark.parametrize("count", [0, -1, 1.5, NAN, "3", True, 10**9])
def test_a_number_of_samples(count, gan):
    refused(lambda: gan.sample(count), "count")
    refused(lambda: gan.sample(2, seed=-1 if count == 0 else count), "seed") if count not in (10**9,) else None


ENCODER = {
    "epochs": [0, -1, 1.5, NAN, "3", True, 10**7],
    "batch_size": [0, -1, 2.5, NAN, "3", True, None],
    "kappa": [-1, NAN, INF, "1", True],
    "learning_rate": [0, -1, NAN, INF, "x", 2],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in ENCODER.items() for value in values])
def test_an_option_of_the_encoders_training(name, value, detector):
    refused(lambda: detector.fit_encoder(images(), **{name: value}), name)
    assert detector.encoder is None


CONSTRUCTOR = {
    "recipe": ["worst", None, [], {}],
    "lam": [-0.1, 1.1, NAN, INF, "0.1", True],
    "score": ["mean", 3, [], {}],
    "init": ["zero", 3, [], {}],
    "steps": [-1, 0.5, NAN, "3", True, 10**9],
    "feature_layer": [0, 9, 1.0, 1.5, NAN, "1", None, True],
    "seed": [-1, 0.5, NAN, "0", None],
    "region": [np.ones((3, 3), bool), np.zeros((16, 16), bool), "all"],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in CONSTRUCTOR.items() for value in values])
def test_a_setting_of_a_detector(name, value, gan):
    sentence = {"lam": "lambda", "feature_layer": "feature layers", "region": "region of interest"}.get(name, name)
    refused(lambda: AnoGAN(gan, **{name: value}), sentence)


SEARCH = {
    "steps": [-1, 0.5, NAN, "3", True, 10**9],
    "restarts": [0, -1, 0.5, NAN, "3", True, 10**9],
    "init": ["zero", 3, []],
    "lam": [-0.1, 1.1, NAN, "x", True],
    "score": ["mean", 3],
    "step_size": [0, -1, NAN, INF, "x", True, 10**9],
    "seed": [-1, 0.5, NAN, "0"],
    "record_every": [0, -1, 0.5, NAN, "3"],
    "batch_size": [0, -1, 0.5, NAN, "3", True, None],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in SEARCH.items() for value in values])
def test_an_option_of_the_search(name, value, detector):
    refused(lambda: detector.invert(images(), **{name: value}), {"lam": "lambda"}.get(name, name))


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, NAN, INF, "0.05", None, True, 0.0, 1e-320])
def test_a_false_alarm_rate(value, detector):
    refused(lambda: detector.calibrate(images(), value), "false_alarm_rate must lie between 0 and 1")
    refused(lambda: thresholds.conformal(np.arange(99.0), value), "false_alarm_rate must lie between 0 and 1")


@pytest.mark.parametrize("value", [-1, NAN, INF, "1", True])
def test_a_cost(value):
    refused(lambda: thresholds.least_cost([1.0, 2.0], [0, 1], value, 1), "miss_cost is a number of at least 0")


@pytest.mark.parametrize(
    "name, value", [("least_pixels", 0), ("least_pixels", 1.5), ("threshold", NAN), ("threshold", "1")]
)
def test_a_search_for_regions(name, value):
    refused(lambda: regions.regions(np.ones((4, 4)), **{"threshold": 0.5, name: value}), name)


@pytest.mark.parametrize("value", [-1, 0.5, NAN, "0", True, None])
def test_a_seed_of_data(value):
    refused(lambda: split_normal(20, value), "seed is a whole number")
    refused(lambda: sample_images(images(), 2, value), "seed is a whole number")


@pytest.mark.parametrize("value", [7, 0, -1, 16.5, NAN, "16", (16,), (16, 16, 1), True, 10**6])
def test_a_size_of_data(value):
    refused(lambda: datasets.load("digits:8", size=value), "size")


# ---- images

BAD_IMAGES = {
    "bytes": ((255 * images(low=0)).astype("uint8"), "from_uint8"),
    "few bytes": (np.zeros((4, *SHAPE), "uint8"), "from_uint8"),
    "whole numbers": (np.ones((4, *SHAPE), "int64"), "from_uint8"),
    "bools": (np.ones((4, *SHAPE), bool), "[-1, 1]"),
    "0 to 255 as floats": (255 * images(low=0), "from_uint8"),
    "a little too far": (1.02 * images(), "[-1, 1]"),
    "NaN": (np.full((4, *SHAPE), NAN, "float32"), "NaN"),
    "one infinity": (np.where(np.arange(256).reshape(SHAPE) == 7, INF, images()), "infinity"),
    "one image": (images()[0], "image[None]"),
    "no channels": (images()[..., 0], "image[None]"),
    "two channels": (images(shape=(16, 16, 2)), "1 or 3 channels"),
    "none": (images(0), "at least one"),
    "words": (np.full((4, *SHAPE), "a"), "array (N, H, W, C)"),
    "a name": ("photos", "array (N, H, W, C)"),
    "nothing": (None, "array (N, H, W, C)"),
    "several shapes": ([images()[0], images(shape=(17, 16, 1))[0]], "one shape"),
    "complex numbers": (images() + 0j, "array (N, H, W, C)"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
@pytest.mark.parametrize("door", ["train", "invert", "calibrate", "standardise", "fit_encoder", "Split"])
def test_images_that_are_none(name, door, gan, detector):
    bad, sentence = BAD_IMAGES[name]
    call = {"train": gan.train, "Split": Split}.get(door) or getattr(detector, door)
    refused(lambda: call(bad), sentence)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_a_dataset_of_bytes(dtype, detector):
    data = tf.data.Dataset.from_tensor_slices((255 * images(low=0)).astype(dtype)).batch(2)
    refused(lambda: detector.invert(data), "from_uint8")


def test_many_images_without_a_dark_pixel_are_pointed_out(detector):
    with pytest.warns(UserWarning, match="give 2 \\* images - 1"):
        detector.invert(images(10, low=0))
    dark = images(10, low=0)
    dark[3, 2, 2] = -0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for right in (dark, images(9, low=0), np.zeros((20, *SHAPE), "float32"), images(20)):
            detector.invert(right)


@pytest.mark.parametrize("door", ["train", "calibrate", "standardise", "fit_encoder"])
def test_images_labelled_anomalous_are_not_learned_from_without_a_word(door, gan, detector):
    split = Split(images(30), np.arange(30) % 2)
    call = gan.train if door == "train" else getattr(detector, door)
    options = {"calibrate": {"false_alarm_rate": 0.2}, "standardise": {}}.get(door, {"epochs": 1, "batch_size": 4})
    with pytest.warns(UserWarning, match=r"15 of these 30 images are labelled anomalous \(1\), and a detector learns"):
        call(split, **options)


def test_what_numpy_calls_a_number_is_one(gan):
    assert AnoGAN(gan, lam=np.float32(0.25), steps=np.int64(3), seed=np.uint8(1)).steps == 3
    assert DCGAN(np.array(SHAPE), latent_dim=np.int32(2), width=np.int64(2)).settings.image_shape == SHAPE
