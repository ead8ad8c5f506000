"""The report: one file, closed in itself, that says what the evaluation says, whatever there is to tell."""

import base64
import copy
import dataclasses
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from anogan_lib import AnoGAN
from anogan_lib.datasets.base import Split
from anogan_lib.evaluation import thresholds
from anogan_lib.pictures import report

HOSTILE = '<img src=x onerror=alert(1)>&amp; "quoted"'
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, text, and whether all tags are closed in order."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.open, self.text, self.source = [], [], "", path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def detector(masked_detector):
    """The detector of all these tests, with a card that tries to be HTML."""
    detector = copy.copy(masked_detector)
    detector.card = {"data": HOSTILE, "results": {"auroc": 0.5}}
    return detector


@pytest.fixture(scope="module")
def page(detector, masked_data, tmp_path_factory):
    return Page(report.write(tmp_path_factory.mktemp("report") / "report.html", detector, masked_data))


def test_it_is_the_same_each_time(detector, masked_data, tmp_path):
    first, second = (report.write(tmp_path / name, detector, masked_data) for name in ("1.html", "2.html"))
    assert first.read_bytes() == second.read_bytes()


def test_nothing_comes_from_outside(page):
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "a", "image", "use"} == set()
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/")
    style = page.source[page.source.index("<style>") : page.source.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in page.source


def test_every_picture_is_whole_and_described(page):
    images = page.all("img")
    assert len(images) > 50
    for each in images:
        kind, content = re.fullmatch(r"data:image/([a-z+]+);base64,(.*)", each["src"]).groups()
        content = base64.b64decode(content, validate=True)
        if kind == "svg+xml":
            assert content.rstrip().endswith(b"</svg>")
        else:
            Image.open(BytesIO(content)).load()
        assert each["alt"]


def test_it_says_what_the_evaluation_says(page, detector, masked_data):
    evaluation = detector.evaluate(masked_data)
    for name, value, interval, _ in evaluation.rows():
        assert name.strip() in page.text
        if not name.startswith(" "):
            assert f"{value:.3f}" in page.text
        if interval:
            assert f"{interval[0]:.3f} to {interval[1]:.3f}" in page.text
    hits, bad = evaluation.confusion["hit"], 30
    assert f"{hits} of {bad} anomalous images were found" in page.text
    assert f"{evaluation.baselines['3-NN']:.3f}" in page.text
    assert evaluation.threshold_description in page.text
    assert detector.drift(evaluation.scores[:20])[1] in page.text
    assert "anogan_lib" in page.text and "tensorflow" in page.text


def test_names_are_text_and_nothing_else(page, masked_data):
    assert "<script>" not in page.source and "<b>spot" not in page.source
    assert masked_data.test.names[0] in page.text
    similar = {image["alt"].removeprefix("image most similar to ") for image in page.all("img")}
    assert similar & set(masked_data.test.names)
    assert "<b>spot</b>" in page.text and masked_data.description in page.text
    assert f"data{HOSTILE}" in page.text  # the card's table


def test_it_says_which_recipe_the_detector_is(page, detector, masked_data, tmp_path):
    assert f"recipe{detector.recipe}" in page.text
    assert f"score{detector.score}, lambda {detector.lam:g}" in page.text
    assert "way to zrandom start, then 2 search steps" in page.text
    assert f'lambda = {detector.lam:g} with score="{detector.score}", that score\'s default' in page.text
    other = copy.copy(detector)
    other.lam = 0.3
    changed = Page(report.write(tmp_path / "report.html", other, masked_data.test[10:30]))
    assert f'lambda = 0.3 with score="{detector.score}", set by whoever made or ran the detector' in changed.text


def test_images_that_the_detector_has_learned_from_are_left_out(detector, masked_data, tmp_path):
    other, test = copy.copy(detector), masked_data.test
    some = test[[3, 25, 49]]
    other.split_digests = {"train": dict(zip(some.names, some.digests(), strict=True))}
    page = Page(report.write(tmp_path / "report.html", other, test))
    assert "3 images were left out" in page.text
    shown = page.source[page.source.index("<h3>Gallery") :]
    assert shown.count("<figcaption>") == 47 and shown.count('class="mask"') == 28
    names = re.findall(r"<br>(\d\d) ", shown)
    assert set(names) == {name[:2] for name in test.names} - {"03", "25", "49"}
    scores = dict(zip(names, re.findall(r"<figcaption><b>(.*?)</b>", shown), strict=True))
    for i, score in enumerate(other.predict(test).scores):  # each picture stands under its own score
        assert f"{i:02d}" not in scores or float(scores[f"{i:02d}"]) == pytest.approx(score, rel=1e-3)


def test_a_given_evaluation_and_prediction_are_not_made_again(detector, masked_data, page, tmp_path):
    prediction = detector.predict(masked_data.test)
    evaluation = detector.evaluate(masked_data, prediction)

    class Refuses:
        def __getattr__(self, name):
            assert name not in ("predict", "evaluate", "invert")
            return getattr(detector, name)

    again = Page(report.write(tmp_path / "report.html", Refuses(), masked_data, evaluation, prediction))
    assert len(again.all("img")) == len(page.all("img"))


def test_pictures_are_sorted_and_the_wrong_ones_are_marked(page, detector, masked_data):
    found = detector.predict(masked_data.test)
    wrong = found.verdicts != (masked_data.test.labels == 1)
    gallery = page.source[page.source.index("<h3>Gallery") :]
    shown = [float(score) for score in re.findall(r"<figcaption><b>(.*?)</b>", gallery)]
    np.testing.assert_allclose(shown, np.sort(found.scores)[::-1], rtol=1e-3)
    assert gallery.count('class="wrong"') == wrong.sum()
    misses = page.source[page.source.index("<h3>Worst misses") : page.source.index("<h3>Worst false")]
    missed = np.sort(found.scores[wrong & (masked_data.test.labels == 1)])[: report.WORST]
    np.testing.assert_allclose(
        [float(score) for score in re.findall(r"<figcaption><b>(.*?)</b>", misses)], missed, rtol=1e-3
    )
    assert gallery.count('class="mask"') == 30  # every defect is outlined


@pytest.mark.parametrize("which", ["normal", "anomalous", "bare", "one"])
def test_it_works_with_less(which, detector, masked_data, tmp_path):
    test = masked_data.test
    split = {
        "normal": test[:20],
        "anomalous": test[20:],
        "bare": Split(test.images, labels=test.labels),
        "one": test[49:],
    }[which]
    page = Page(report.write(tmp_path / "report.html", detector, split))
    assert ("AUROC over lambda" in page.text) == (which == "bare")
    assert ("by kind of defect" in page.text) == (which in ("anomalous", "one"))
    assert ("true defect" in page.text) == (which != "bare")


def test_grey_images_and_old_weights_without_pixel_thresholds(tiny_detector, tiny_data, tmp_path):
    detector = AnoGAN.load(tiny_detector)
    new = Page(report.write(tmp_path / "new.html", detector, tiny_data.test[:40]))
    assert "pixel threshold" in new.text
    for name in [name for name in detector.calibration if name.endswith("map_peak")]:
        del detector.calibration[name]
    old = Page(report.write(tmp_path / "old.html", detector, tiny_data.test[:40]))
    assert "pixel threshold" not in old.text and len(old.all("img")) == len(new.all("img"))


def test_a_thousand_images_stay_a_small_file(detector, masked_data, tmp_path):
    """128 x 128 images here; larger ones are no worse than noise of this size, which hardly compresses."""
    few = detector.predict(masked_data.test)
    many = np.arange(1000) % 50
    grown = {field.name: getattr(few, field.name) for field in dataclasses.fields(few) if field.name != "losses"}
    prediction = dataclasses.replace(
        few,
        **{name: values[many] for name, values in grown.items()} | {"maps": np.kron(few.maps, np.ones((8, 8)))[many]},
        losses={name: values[many] for name, values in few.losses.items()},
    )
    prediction = dataclasses.replace(
        prediction, reconstruction=few.reconstruction.repeat(8, axis=1).repeat(8, axis=2)[many]
    )
    noise = np.random.default_rng(0).uniform(-1, 1, (1000, 128, 128, 3)).astype("float32")
    path = report.write(
        tmp_path / "report.html",
        detector,
        Split(noise, labels=masked_data.test.labels[many]),
        prediction=prediction,
    )
    assert path.stat().st_size < 6_000_000
    assert len(Page(path).all("img")) <= report.IN_GALLERY + 6 * report.WORST + 10


def test_unlabelled_images_are_refused(detector, masked_data, tmp_path):
    with pytest.raises(ValueError, match="labels"):
        report.write(tmp_path / "report.html", detector, masked_data.test.images)
    assert not list(tmp_path.iterdir())


def test_what_is_amiss_is_said_first_and_once(detector, masked_data, tmp_path):
    found = detector.predict(masked_data.test)
    right = detector.evaluate(masked_data, found)
    low = thresholds.Threshold(-1e9, false_alarm_rate=0.1, count=40)
    wrong = dataclasses.replace(right, threshold=low, baselines={"PCA": right.auroc + 0.1}, pixel_baselines={})
    assert len(wrong.cautions) == 2 and not right.promise_broken
    texts = [
        Page(report.write(tmp_path / f"{i}.html", detector, masked_data, e, found)).text
        for i, e in enumerate((right, wrong))
    ]
    for text, agreed, asked in zip(texts, (1, 0), (1, 1), strict=True):
        assert text.count("agrees with the 10 %") == agreed and text.count("was asked for") == asked
    lead = texts[1][texts[1].index(wrong.cautions[0]) :].partition("figure")[0]
    assert lead.index(wrong.cautions[1]) < lead.index("anomalous images were found")
    assert lead.count("PCA") == lead.count("AUROC of") == 1
