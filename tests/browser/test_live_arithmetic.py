"""The JavaScript of the live page against Python: losses, gradients, searches. `make test-browser` runs this."""

import base64

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib.datasets import places
from anogan_lib.evaluation import thresholds
from anogan_lib.fast.encoder import build_encoder
from anogan_lib.fast.rpgan import RpGAN
from anogan_lib.paper.search import PAPER, SHORT
from anogan_lib.pictures import live_page
from anogan_lib.pictures.live_page.layers import Weights

# Called with what `given` below makes, and for each image what JavaScript finds: at the start, after steps, by E.
TRY = """async ({ about, weights, product, images, z, aim, steps }) => {
  const floats = (text) => new Float32Array(bytesOf(text).buffer);
  const own = about.weights && halves(await inflated(about.weights));
  const search = makeSearch(about, own ?? floats(weights), product && bytesOf(product));
  const found = images.map((text) => {
    search.aim(floats(text));
    const start = search.walk(z), walk = search.walk(z);
    const gradient = [...search.gradient(start, aim)];
    for (let i = 0; i < steps; i++) search.step(walk, aim);
    return { gradient, residual: walk.residual, discrimination: walk.discrimination, z: [...walk.z],
             encoded: search.encoder && [...search.encode()], y: [...walk.y] };
  });
  return { fast: search.fast, found };
}"""


@pytest.fixture(scope="module")
def page(chromium):
    """A page that holds networks.js and search.js alone."""
    page = chromium.new_page()
    script = "\n".join((live_page.FOLDER / name).read_text(encoding="utf-8") for name in ("networks.js", "search.js"))
    script += "\nObject.assign(window, { makeSearch, bytesOf, inflated, halves, pValue });"
    page.add_script_tag(content=script, type="module")
    page.wait_for_function("Boolean(window.pValue)")
    yield page
    page.close()


def coded(array) -> str:
    return base64.b64encode(np.asarray(array, "<f4").tobytes()).decode()


def given(detector, images, z, monkeypatch, fast: bool, pace, aim) -> dict:
    """What the page gets, but with weights of 32 bits, as Python has them."""
    kept = []
    monkeypatch.setattr(Weights, "packed", lambda self, plain=Weights.packed: kept.extend(self.arrays) or plain(self))
    about = live_page._search(detector)
    whole = np.concatenate(kept)
    product = base64.b64encode((live_page.FOLDER / "product.wasm").read_bytes()).decode()
    return {
        "about": about | {"weights": None, "pace": pace._asdict()},
        "weights": coded(whole),
        "product": product if fast else None,
        "images": [coded(image) for image in images],
        "z": np.asarray(z, "float64").tolist(),
        "aim": list(aim),
        "steps": pace.steps,
    }


def compare(page, monkeypatch, detector, images, fast: bool, end: float | None = None):
    """R, D and dL/dz at the same z within 1e-5, after ten of the paper's steps 1e-3, and `end` after a whole search.

    The last two hold in the mean over the images, and for one image twice as much: |x - G(z)| has kinks, at which
    rounding parts two paths. Larger steps magnify it: on 64x64 Python's own searches, alone and in a batch, part by
    3e-3 after ten.
    """
    search, aim = detector.search, detector.weights
    z = search.start(images, 0, detector.seed)
    x = images if detector.region is None else np.asarray(detector.ways.within(images))
    feature_x = search.features(x, training=False)
    gradient = search.gradient(x, feature_x, z, tf.constant(aim, tf.float32)).numpy()
    for pace, far in ((PAPER._replace(steps=10), 1e-3), (SHORT, end)):
        if far is None:
            continue
        found = page.evaluate(TRY, given(detector, images, z[0], monkeypatch, fast, pace, aim))
        assert found["fast"] == fast
        ends = search.descend(tf.constant(x), z, pace, aim)[-1]
        first, last = (np.array(search.losses(x, feature_x, each)[:2]) for each in (z, ends))  # (R and D, N)
        reached = []
        for i, mine in enumerate(found["found"]):
            pair = np.array([mine["residual"], mine["discrimination"]])  # (2, steps + 1)
            np.testing.assert_allclose(pair[:, 0], first[:, i], rtol=1e-5)
            assert np.linalg.norm(mine["gradient"] - gradient[i]) < 1e-5 * np.linalg.norm(gradient[i])
            reached.append(np.dot(aim, pair[:, -1]))
            if detector.encoder is not None:
                encoded = detector.ways.lanes["encoder"].search.start(x[i : i + 1], 0, 0)
                np.testing.assert_allclose(mine["encoded"], np.asarray(encoded)[0], atol=1e-4)
        wanted = np.dot(aim, last)  # L(z), (N,)
        assert np.mean(reached) == pytest.approx(np.mean(wanted), rel=far)
        np.testing.assert_allclose(reached, wanted, rtol=2 * far)


def ready(name: str):
    """A ready detector and test images for it; for that of MNIST, smaller digits, for MNIST is not here."""
    detector = AnoGAN.load(places.root() / "weights" / name)
    spec = "hazelnut" if name == "hazelnut" else "digits:8"
    return detector, datasets.load(spec, size=detector.image_shape[:2]).test


@pytest.mark.parametrize("fast", [True, False], ids=["wasm", "plain"])
@pytest.mark.parametrize("name", ["digits-8", "mnist-8", "hazelnut"])
def test_the_ready_detectors_search_as_python_does(page, monkeypatch, name, fast):
    detector, test = ready(name)
    images = test.images[[int(np.argmax(test.labels == 0)), int(np.argmax(test.labels == 1))]]
    compare(page, monkeypatch, detector, images, fast, end=0.015)


def untrained(shape, kind=DCGAN, seed=0, region=None, **settings) -> AnoGAN:
    """A detector with random weights, so that no normalisation is the identity."""
    gan = kind(shape, seed=seed, **settings)
    rng = np.random.default_rng(seed)
    s = gan.settings
    encoder = build_encoder(shape, s.latent_dim, s.width, standardised=kind is RpGAN)
    for model in (gan.averaged, gan.discriminator, encoder):
        for weight in model.weights:
            if "kernel" not in weight.path:
                positive = "variance" in weight.path or "spread" in weight.path
                change = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, 0.3, weight.shape)
                weight.assign(change if positive else np.asarray(weight) + change)
    detector = AnoGAN(gan, region=region)
    detector.adopt(gan.averaged, encoder)
    return detector


@pytest.mark.parametrize("fast", [True, False], ids=["wasm", "plain"])
@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (17, 30, 1), "latent_dim": 5, "width": 6},
        {"shape": (33, 16, 3), "latent_dim": 8, "width": 8, "prior": "normal", "normalisation": "batch"},
        {"shape": (16, 16, 3), "latent_dim": 3, "width": 4, "normalisation": "spectral"},
        {"shape": (18, 16, 3), "latent_dim": 6, "width": 4, "kind": RpGAN},
    ],
    ids=["odd sides", "batch", "spectral", "in units of the data"],
)
def test_every_kind_of_layer(page, monkeypatch, settings, fast):
    detector = untrained(**settings)
    images = np.random.default_rng(1).uniform(-1, 1, (2, *settings["shape"])).astype("float32")
    compare(page, monkeypatch, detector, images, fast)


def test_a_region_of_interest(page, monkeypatch):
    region = np.zeros((20, 24), bool)
    region[3:15, 4:20] = True
    detector = untrained((20, 24, 3), latent_dim=4, width=4, region=region)
    images = np.random.default_rng(1).uniform(-1, 1, (2, 20, 24, 3)).astype("float32")
    compare(page, monkeypatch, detector, images, fast=True)
    other = np.where(region[..., None], images, -images)  # outside, nothing matters
    z, few = detector.search.start(images, 0, 0)[0], PAPER._replace(steps=3)
    sent = (given(detector, each, z, monkeypatch, True, few, detector.weights) for each in (images, other))
    one, two = (page.evaluate(TRY, each) for each in sent)
    assert [each["z"] for each in one["found"]] == [each["z"] for each in two["found"]]


@pytest.mark.parametrize("name", ["digits-8", "mnist-8", "hazelnut"])
def test_auroc_with_the_weights_that_the_page_holds(page, monkeypatch, name):
    """100 test images by the page's own weights: as well sorted as by Python."""
    detector, test = ready(name)
    rows = np.concatenate([np.flatnonzero(test.labels == label)[:50] for label in (0, 1)])
    images, labels, aim = test.images[rows], test.labels[rows], detector.weights
    z = detector.search.start(images[:1], 0, detector.seed)[0]
    sent = given(detector, images, z, monkeypatch, True, SHORT, aim)
    sent["about"]["weights"] = live_page._search(detector)["weights"]
    found = page.evaluate(TRY, sent)["found"]
    scores = [aim[0] * each["residual"][-1] + aim[1] * each["discrimination"][-1] for each in found]
    python = detector.invert(images, init="random")
    expected = aim[0] * python.residual + aim[1] * python.discrimination
    assert roc_auc_score(labels, scores) == pytest.approx(roc_auc_score(labels, expected), abs=0.02)
    assert np.median(np.abs(scores - expected) / expected) < 0.015


def test_weights_are_read_as_numpy_rounds_them(page):
    every = np.arange(2**16, dtype="<u2").view("<f2")
    weights = Weights()
    weights.add(every[np.isfinite(every)])
    text = base64.b64encode(weights.packed()).decode()
    found = page.evaluate("async (text) => [...halves(await inflated(text))]", text)
    assert np.array_equal(found, weights.arrays[0])


def test_p_values_are_those_of_python(page):
    calibration, scores = [3.0, 1.0, 2.0, 2.0], [0.0, 1.0, 2.0, 2.5, 3.0, 4.0]
    found = page.evaluate("([c, s]) => s.map(each => pValue(c, each))", [calibration, scores])
    np.testing.assert_allclose(found, thresholds.p_values(np.array(calibration), np.array(scores)))
