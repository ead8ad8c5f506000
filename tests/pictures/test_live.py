"""The live page as a file; tests/browser works it and compares its arithmetic with Python's."""

import base64
import hashlib
import html
import json
import re
import zlib

import keras
import numpy as np
import pytest
import wasmtime

from anogan_lib import DCGAN, AnoGAN, datasets
from anogan_lib.cli import main
from anogan_lib.datasets import AnomalyDataset, Split
from anogan_lib.paper.search import SHORT
from anogan_lib.pictures import live, live_page
from anogan_lib.pictures.live_page.layers import Weights, chain


@pytest.fixture
def written(masked_detector, masked_data, tmp_path):
    return live(masked_detector, tmp_path / "live.html", masked_data).read_text(encoding="utf-8")


def state_of(page: str) -> dict:
    return json.loads(re.search(r'id="state">(.*?)</script>', page, re.S)[1])


def test_the_kernel_is_its_source_assembled():
    assert (
        wasmtime.wat2wasm((live_page.FOLDER / "product.wat").read_text())
        == (live_page.FOLDER / "product.wasm").read_bytes()
    )


@pytest.mark.parametrize("shape", [(1, 3, 8), (5, 16, 24), (8, 7, 16)])
def test_the_kernel_multiplies(shape, rng):
    m, k, n = shape
    a, b = rng.normal(size=(m, k)).astype("<f4"), rng.normal(size=(k, n)).astype("<f4")
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(live_page.FOLDER / "product.wasm"))
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
    product = wasmtime.Instance(store, module, [memory]).exports(store)["product"]
    places = [0, 4096, 8192]
    for place, matrix in zip(places, (a, b), strict=False):
        memory.write(store, matrix.tobytes(), place)
    memory.write(store, b"\x07" * (4 * m * n + 16), places[2])
    product(store, *places, m, k, n)
    c = np.frombuffer(memory.read(store, places[2], places[2] + 4 * m * n), "<f4").reshape(m, n)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)
    after = places[2] + 4 * m * n
    assert memory.read(store, after, after + 16) == b"\x07" * 16  # it writes no further


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone(written):
    policy = html.unescape(re.search(r'Content-Security-Policy" content="(.*?)"', written)[1])
    assert policy.startswith("default-src 'none'") and "unsafe-inline" not in policy
    assert policy.endswith("base-uri 'none'; form-action 'none'")  # which have no default
    script = re.search(r'<script type="module">(.*?)</script>', written, re.S)[1]
    style = re.search(r"<style>(.*?)</style>", written, re.S)[1]
    for text in (script, style):
        assert f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}" in policy
    assert not re.search(r"(?:src|href)=\"(?!data:)|https?://|@import|url\(", written)


def test_normal_images_are_searched_as_the_page_searches(written, masked_detector, masked_data):
    state, images = state_of(written), datasets.images.to_uint8(masked_data.calibration.images)
    pace = SHORT._replace(steps=masked_detector.steps)
    assert state["pace"] == pace._asdict() and state["lam"] == masked_detector.lam
    aim = [(1 - state["lam"]) / state["units"][0], state["lam"] / state["units"][1]]
    np.testing.assert_allclose(aim, masked_detector.scores["best"].weights(masked_detector.lam), rtol=1e-6)
    search = masked_detector.search
    found = search.invert(datasets.images.from_uint8(images), pace, aim, seed=masked_detector.seed)
    np.testing.assert_allclose(state["calibration"]["search"]["residual"], found.residual, rtol=1e-4)
    np.testing.assert_allclose(state["calibration"]["search"]["discrimination"], found.discrimination, rtol=1e-4)
    np.testing.assert_allclose(state["starts"][0], search.start(images[:1], 0, masked_detector.seed)[0], rtol=1e-6)


def test_of_each_group_one_image_is_searched(written, masked_detector, masked_data, tmp_path):
    """Images of one part are much alike: only one of them is like the image of a new part."""
    pairs = Split(masked_data.calibration.images, groups=np.arange(40) // 2)
    data = AnomalyDataset("pairs", "", masked_data.train, masked_data.validation, pairs, masked_data.test)
    state = state_of(live(masked_detector, tmp_path / "pairs.html", data).read_text(encoding="utf-8"))
    found, every = (each["calibration"]["search"]["residual"] for each in (state, state_of(written)))
    assert np.isclose(np.reshape(every, (20, 2)), np.reshape(found, (20, 1))).any(axis=1).all()


def test_examples_are_test_images_of_every_kind(written, masked_data):
    examples = state_of(written)["examples"]
    assert {each["kind"] for each in examples} == {"good", "stain", "<b>spot</b>"}
    every = {each.tobytes() for each in datasets.images.to_uint8(masked_data.test.images)}
    assert {zlib.decompress(base64.b64decode(each["image"])) for each in examples} <= every


def test_weights_of_16_bits(masked_detector, written):
    weights = Weights()
    for name in ("generator", "features"):
        chain(getattr(masked_detector, name), weights)
    bytes_ = zlib.decompress(base64.b64decode(state_of(written)["weights"]))
    kept = np.frombuffer(bytes_, np.uint8).reshape(2, -1).T.copy().view("<f2")[: weights.size, 0]
    np.testing.assert_allclose(kept, np.concatenate(weights.arrays), rtol=1e-3, atol=1e-6)


def test_where_digits_lie():
    images = np.full((3, 20, 30, 1), -1.0)
    images[:, 4:16, 10:16] = 1.0
    assert live_page._usual(images) == pytest.approx({"side": 12, "cy": 10, "cx": 13})


def test_a_layer_of_another_kind_is_refused_by_name():
    inputs = keras.Input((8, 8, 1))
    strange = keras.Model(inputs, keras.layers.MaxPooling2D(name="pool")(inputs), name="f")
    with pytest.raises(ValueError, match=r"own networks are built from\. Received: MaxPooling2D 'pool' in 'f'"):
        chain(strange, Weights())
    wide = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match="Received: Conv2D"):
        chain(wide, Weights())


def test_other_images_than_the_detectors_are_refused(masked_detector, masked_data, tmp_path):
    others = datasets.AnomalyDataset("others", "", *[masked_data.validation] * 3, masked_data.test)
    with pytest.raises(ValueError, match="others does not give the images that the detector was calibrated on"):
        live(masked_detector, tmp_path / "live.html", others)
    untold = AnoGAN(DCGAN((16, 16, 3), latent_dim=4, width=4))
    with pytest.raises(ValueError, match="does not say which images it was calibrated on"):
        live(untold, tmp_path / "live.html")
    assert not list(tmp_path.iterdir())


def test_the_command(tiny_detector, tmp_path, capsys):
    detector = AnoGAN.load(tiny_detector)
    detector.save(tmp_path / "detector", card={"data": "digits:8"})
    assert main(["live", str(tmp_path / "detector"), "--out", str(tmp_path / "page.html")]) == 0
    assert "page.html, 0." in capsys.readouterr().out
    state = state_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert state["name"] == "digits:8" and state["shape"] == [16, 16, 1] and state["empty"]
    assert len(state["calibration"]["search"]["residual"]) == 24 and state["encoder"] is None
    assert main(["live", str(tiny_detector), "--out", str(tmp_path / "other.html")]) == 2
    assert "does not say which images" in capsys.readouterr().err and not (tmp_path / "other.html").exists()
