"""An evaluation: its figures are scikit-learn's and the functions' own, in attributes, table and JSON."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn import metrics as sk

from anogan_lib.evaluation import metrics, thresholds
from anogan_lib.evaluation.evaluation import LAMS, Evaluation, auroc_over_lambda

KEYS = [
    "auroc",
    "auroc_interval",
    "average_precision",
    "average_precision_interval",
    "f1",
    "confusion",
    "accuracy",
    "trivial_accuracy",
    "false_alarm_rate",
    "false_alarm_interval",
    "hit_rate",
    "hit_rate_interval",
    "hit_rate_by_kind",
    "pixel_auroc",
    "pro",
    "threshold",
    "threshold_description",
    "baselines",
    "pixel_baselines",
    "left_out",
    "group_count",
    "cautions",
    "scores",
    "labels",
    "verdicts",
    "p_values",
    "kinds",
    "names",
    "groups",
    "residual",
    "discrimination",
]


def masks_of(areas, side=16):
    """(N, side, side) masks with the given numbers of defect pixels."""
    masks = np.zeros((len(areas), side * side), bool)
    for mask, area in zip(masks, areas, strict=True):
        mask[:area] = True
    return masks.reshape(-1, side, side)


@pytest.fixture
def known(rng, scored):
    """All that an Evaluation takes, for 110 images."""
    scores, labels = scored
    masks = masks_of(np.where(labels == 1, rng.integers(1, 200, 110), 0))
    return {
        "scores": scores,
        "labels": labels,
        "threshold": thresholds.conformal(scores[:40], 0.05),
        "kinds": np.where(labels == 0, "good", np.where(np.arange(110) % 2, "hole", "crack")),
        "maps": rng.random(masks.shape) + 0.3 * masks,
        "masks": masks,
        "names": [f"{i:03d}.png" for i in range(110)],
        "p_values": thresholds.p_values(scores[:40], scores),
        "residual": scores * 2,
        "discrimination": scores * 3,
        "baselines": {"3-NN": 0.71, "PCA": 0.66},
    }


def test_it_holds_the_same_figures_as_the_functions(known):
    found, scores, labels = Evaluation(**known), known["scores"], known["labels"]
    verdicts = scores > known["threshold"].value
    assert found.auroc == metrics.auroc(labels, scores)
    assert found.auroc_interval == metrics.bootstrap_interval(metrics.auroc, labels, scores)
    assert found.auroc_interval[0] < found.auroc < found.auroc_interval[1]
    assert found.average_precision == metrics.average_precision(labels, scores)
    assert found.average_precision_interval[0] < found.average_precision < found.average_precision_interval[1]
    assert found.trivial_accuracy == metrics.trivial_accuracy(labels)
    assert found.false_alarm_rate == verdicts[:40].mean()
    assert found.false_alarm_interval == metrics.wilson_interval(verdicts[:40].sum(), 40)
    assert found.hit_rate == verdicts[40:].mean()
    assert found.hit_rate_interval == metrics.wilson_interval(verdicts[40:].sum(), 70)
    assert found.hit_rate_by_kind == metrics.hit_rate_by_kind(labels, verdicts, known["kinds"])
    assert found.pixel_auroc == metrics.pixel_auroc(known["maps"], known["masks"])
    assert found.pro == metrics.pro(known["maps"], known["masks"])
    assert found.threshold is known["threshold"]
    assert found.threshold_description == known["threshold"].description
    assert (found.normal, found.anomalous) == (40, 70)
    np.testing.assert_array_equal(found.verdicts, verdicts)
    np.testing.assert_array_equal(found.residual, known["residual"])


def test_its_figures_are_scikit_learns(known):
    found, labels = Evaluation(**known), known["labels"]
    assert found.auroc == pytest.approx(sk.roc_auc_score(labels, known["scores"]))
    assert found.average_precision == pytest.approx(sk.average_precision_score(labels, known["scores"]))
    assert found.f1 == sk.f1_score(labels, found.verdicts)
    assert found.accuracy == sk.accuracy_score(labels, found.verdicts)
    assert found.hit_rate == sk.recall_score(labels, found.verdicts)
    assert list(found.confusion.values()) == sk.confusion_matrix(labels, found.verdicts).ravel().tolist()
    assert found.pixel_auroc == pytest.approx(sk.roc_auc_score(known["masks"].ravel(), known["maps"].ravel()))


def test_its_figures_by_hand():
    found = Evaluation([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], 2.5, kinds=["good", "good", "hole", "good", "crack"])
    assert found.confusion == {"true_normal": 2, "false_alarm": 1, "missed": 0, "hit": 2}
    assert found.auroc == pytest.approx(5 / 6) and found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (found.accuracy, found.trivial_accuracy, found.f1) == (0.8, 0.6, 0.8)
    assert (found.false_alarm_rate, found.hit_rate) == (pytest.approx(1 / 3), 1)
    assert found.hit_rate_by_kind == {"crack": 1, "hole": 1}
    assert (found.pixel_auroc, found.pro, found.threshold_description, found.baselines) == (None, None, None, {})


def test_slow_figures_are_computed_once_and_when_asked_for(known, monkeypatch):
    calls = []
    monkeypatch.setattr(metrics, "bootstrap_interval", lambda *given: calls.append(given) or (0.0, 1.0))
    found = Evaluation(**known)
    assert found.auroc > 0.5 and calls == []
    assert found.auroc_interval == found.auroc_interval == (0.0, 1.0) and len(calls) == 1
    stricter = dataclasses.replace(found, threshold=9.0)
    assert not stricter.verdicts.any() and stricter.hit_rate == 0


def test_table_sets_each_figure_beside_its_comparison(known):
    found = Evaluation(**known)
    lines = str(found).splitlines()

    def line(start):
        return next(each for each in lines if each.strip().startswith(start))

    assert lines[0] == "110 images: 40 normal, 70 anomalous"
    assert lines[1] == f"threshold {found.threshold:.4g}: {found.threshold_description}"
    assert f"{found.auroc:.3f}" in line("AUROC")
    assert "3-NN 0.710; PCA 0.660" in line("AUROC")
    assert '"all anomalous" 0.636' in line("accuracy")
    assert f"{found.confusion['hit']} of 70" in line("hit rate")
    assert line("crack").endswith("of 35")
    assert max(map(len, lines[2:])) <= 100
    assert repr(found) == found.table() == str(found)
    assert "left out" not in str(found)


def test_images_left_out_are_named(known):
    found = Evaluation(**known, left_out=10)
    assert str(found).splitlines()[1] == "10 images left out: the detector has learned from them"
    assert found.to_dict()["left_out"] == 10


def test_a_baseline_that_is_ahead_and_broken_promises_come_first():
    scores, labels = np.r_[np.linspace(0, 2, 40), np.linspace(1, 3, 20)], np.repeat([0, 1], [40, 20])
    promise = thresholds.conformal(np.linspace(-2, 1, 99), 0.05)

    def told(**options):
        return Evaluation(scores, labels, **{"threshold": 1.9} | options)

    assert told().cautions == told(baselines={"PCA": 0.6, "3-NN": 0.5}).cautions == []
    auroc = told().auroc
    behind = told(baselines={"PCA": auroc + 0.02, "3-NN": 0.5}, threshold=promise)
    rival, alarms = behind.cautions
    assert rival == (
        f"A simple baseline is ahead by 0.020: PCA has an AUROC of {auroc + 0.02:.3f}, the detector {auroc:.3f}."
    )
    share = (scores[:40] > promise).mean()
    assert share > 0.4 and alarms.startswith(
        f"{100 * share:.0f} % of the normal images are called anomalous, where 5 % was"
    )
    assert behind.table().splitlines()[:2] == behind.cautions and behind.to_dict()["cautions"] == behind.cautions
    assert told(threshold=thresholds.conformal(np.linspace(-2, 2, 99), 0.05)).cautions == [], "two of 40 may be chance"


def test_a_baseline_that_is_ahead_in_pixels_alone_is_said_too():
    maps, masks = np.random.default_rng(0).uniform(size=(2, 6, 5, 5))
    known = {"maps": maps, "masks": (masks > 0.7) & (np.arange(6) > 2)[:, None, None]}
    scores, labels = np.arange(6.0), np.repeat([0, 1], 3)
    own = Evaluation(scores, labels, 2.5, **known).pixel_auroc
    found = Evaluation(scores, labels, 2.5, **known, baselines={"PCA": 0.9}, pixel_baselines={"PCA": own + 0.03})
    sentence = (
        f"A simple baseline is ahead by 0.030: PCA has a pixel AUROC of {own + 0.03:.3f}, the detector {own:.3f}."
    )
    assert found.cautions == [sentence] and found.rival_ahead is None
    assert f"PCA {own + 0.03:.3f}" in found.table().splitlines()[-2] and found.table().startswith(sentence)
    assert Evaluation(scores, labels, 2.5, **known, pixel_baselines={"PCA": own}).cautions == []


def test_evaluation_as_json(known):
    found = Evaluation(**known)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(told) == KEYS and all(hasattr(found, key) for key in told)
    assert type(found.to_dict()["threshold"]) is float and told["threshold"] == found.threshold
    assert told["auroc"] == found.auroc
    assert told["auroc_interval"] == list(found.auroc_interval)
    assert told["confusion"] == found.confusion
    assert told["names"][3] == "003.png"
    assert told["verdicts"] == found.verdicts.tolist()


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_no_curves(label):
    found = Evaluation([0.1, 0.5, 0.9], [label] * 3, 0.4)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    for name in ("auroc", "auroc_interval", "average_precision", "pixel_auroc", "pro", "hit_rate_by_kind", "kinds"):
        assert getattr(found, name) is None
        assert told[name] is None
    known, unknown = ("hit_rate", "false_alarm_rate") if label else ("false_alarm_rate", "hit_rate")
    assert getattr(found, known) == pytest.approx(2 / 3)
    assert getattr(found, unknown) is None
    assert found.trivial_accuracy == 1
    assert "AUROC" not in str(found)
    assert "None" not in str(found)


def test_masks_that_are_not_there(known):
    none = Evaluation(**known | {"masks": None})
    assert (none.pixel_auroc, none.pro) == (None, None)
    unknown = known["masks"].copy()
    unknown[-1] = False  # where this defect lies is not known, so its pixels count for nothing
    fewer = Evaluation(**known | {"masks": unknown})
    assert fewer.pixel_auroc == metrics.pixel_auroc(known["maps"][:-1], known["masks"][:-1])


def test_auroc_over_lambda_asks_the_detector_to_combine(rng, scored):
    scores, labels = scored
    losses = {"residual": scores, "discrimination": rng.random(110)}

    class Detector:
        def combine(self, losses, lam):
            return (1 - lam) * losses["residual"] + lam * losses["discrimination"]

    curve = auroc_over_lambda(Detector(), losses, labels)
    assert LAMS == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0) and len(curve) == 11
    assert curve[0] == metrics.auroc(labels, scores)
    assert curve[3] == metrics.auroc(labels, 0.7 * scores + 0.3 * losses["discrimination"])
    np.testing.assert_array_equal(auroc_over_lambda(Detector(), losses, labels, (0.3, 1.0)), curve[[3, 10]])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Evaluation([1.0, 2.0], None, 1), "one number for each of 2 scores"),
        (lambda: Evaluation([1.0, np.inf], [0, 1], 1), "finite"),
        (lambda: Evaluation([1.0, 2.0], [0, 1], 1, masks=[None]), "as many masks. Received: 1"),
        (lambda: Evaluation([1.0, 2.0], [0, 1], 1, names=["a"]), "as many names. Received: 1"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
