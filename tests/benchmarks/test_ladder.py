"""The ladder's figures belong to the ready detectors, and the results page shows them."""

import json
from pathlib import Path

import numpy as np
import pytest

from anogan_lib import datasets
from anogan_lib.evaluation import metrics
from tests.benchmarks import apart, ladder


@pytest.fixture(scope="module")
def kept() -> dict:
    return json.loads(ladder.KEPT.read_text())


@pytest.fixture(scope="module")
def data():
    return datasets.load("hazelnut")


def test_the_upper_rungs_are_those_of_the_ready_detector(kept, data):
    assert kept["labels"] == data.test.labels.tolist()
    measured = ladder.of_the_ready_detector(data)
    assert list(kept["rungs"]) == ["AnoGAN", *ladder.ENCODERS, *measured]
    for name, scores in measured.items():
        np.testing.assert_allclose(kept["rungs"][name], scores, rtol=1e-3, atol=1e-3, err_msg="run `make ladder`")


def test_the_lowest_rung_is_the_detector_of_the_paper(kept, data):
    card = json.loads((apart.ROOT / "weights" / "hazelnut-paper" / "card.json").read_text())
    scores = np.array(kept["rungs"]["AnoGAN"])
    assert metrics.auroc(data.test.labels, scores) == pytest.approx(card["results"]["auroc"], abs=0.005)
    found = ladder.paper().invert(data.test.images[:2])
    np.testing.assert_allclose(found.scores(), scores[:2], rtol=0.02)  # other processors walk other ways


def test_the_results_page_shows_the_ladder(kept):
    assert ladder.table(kept) in Path(__file__).with_name("README.md").read_text(encoding="utf-8")
