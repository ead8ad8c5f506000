"""Thresholds from groups: the definition in the paper, the promise for new groups, what so few cannot promise."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anogan_lib.evaluation import thresholds
from anogan_lib.evaluation.evaluation import Evaluation
from anogan_lib.evaluation.metrics import wilson_interval

groups_of_scores = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=7), min_size=3, max_size=25)


def flat(listed):
    return np.concatenate(listed).astype(float), np.repeat(np.arange(len(listed)), [len(each) for each in listed])


@given(groups_of_scores, st.floats(0.05, 0.95))
@settings(deadline=None)
def test_it_is_the_quantile_of_the_paper(listed, rate):
    """The 1 - a quantile of points of weight 1 / ((K + 1) m) on the scores and 1 / (K + 1) on infinity."""
    scores, groups = flat(listed)
    k = len(listed)
    points = sorted([(s, 1 / ((k + 1) * len(each))) for each in listed for s in each] + [(math.inf, 1 / (k + 1))])
    below = np.cumsum([weight for _, weight in points])
    assume(np.abs(below - (1 - rate)).min() > 1e-8)  # nearer than that, rounding of `below` decides and not the rate
    wanted = points[int(np.argmax(below >= 1 - rate))][0]
    if wanted == math.inf:
        with pytest.raises(ValueError, match=f"{k} groups of normal images cannot promise"):
            thresholds.hierarchical(scores, rate, groups)
    else:
        found = thresholds.hierarchical(scores, rate, groups)
        assert found == wanted and found.count == k and found.groups
        assert f"in {k} groups" in found.description


@given(groups_of_scores, st.floats(0.3, 0.95))
@settings(deadline=None)
def test_threshold_and_p_value_give_one_verdict(listed, rate):
    scores, groups = flat(listed)
    asked = np.arange(-1, 22, 0.5)
    p = thresholds.p_values(scores, asked, groups)
    assert np.array_equal(thresholds.hierarchical(scores, rate, groups).verdicts(asked), p <= rate)
    assert ((p > 0) & (p <= 1)).all() and (np.diff(p) <= 0).all()


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.31])
def test_where_each_image_stands_alone_it_is_split_conformal(rng, rate):
    scores, new = np.round(rng.normal(size=60), 1), np.round(rng.normal(size=200), 1)
    alone, plain = np.arange(60), thresholds.conformal(scores, rate)
    assert thresholds.hierarchical(scores, rate, alone) == thresholds.hierarchical(scores, rate) == plain
    wanted = thresholds.p_values(scores, new)
    assert np.array_equal(thresholds.p_values(scores, new), wanted)
    assert thresholds.p_values(scores, new, alone) == pytest.approx(wanted, abs=1e-9)


def made_groups(rng, count):
    """Groups of very different size whose images share a level."""
    sizes = rng.integers(1, 30, count)
    groups = np.repeat(np.arange(count), sizes)
    return rng.normal(size=count)[groups] + 0.3 * rng.normal(size=len(groups)), groups


def test_the_promise_holds_for_new_groups_where_counting_images_breaks_it():
    rng, rate = np.random.default_rng(0), 0.1
    alarms = {"groups": [], "images": []}
    for _ in range(2500):
        scores, groups = made_groups(rng, 9)
        new = rng.normal() + 0.3 * rng.normal(size=20)
        cuts = {"groups": thresholds.hierarchical(scores, rate, groups), "images": thresholds.conformal(scores, rate)}
        for name, cut in cuts.items():
            alarms[name].append(cut.verdicts(new).mean())
    mean, error = ({name: f(values) for name, values in alarms.items()} for f in (np.mean, lambda v: np.std(v) / 50))
    assert mean["groups"] < rate + 3 * error["groups"] and mean["groups"] > 0.02
    assert mean["images"] > rate + 3 * error["images"]


def test_few_groups_are_refused_in_one_sentence_or_estimated(rng):
    scores, groups = made_groups(rng, 4)
    with pytest.raises(ValueError, match=r"4 groups .* 5 %: calibrate with at least 19 groups, ask for at least 20 %"):
        thresholds.hierarchical(scores, 0.05, groups)
    with pytest.raises(ValueError, match="need as many groups"):
        thresholds.hierarchical(scores, 0.5, groups[:-1])
    guess = thresholds.hierarchical(scores, 0.05, groups, estimate=True)
    above = np.mean([np.mean(scores[groups == group] > guess) for group in range(4)])
    closer = np.mean([np.mean(scores[groups == group] >= guess) for group in range(4)])
    assert above <= 0.05 < closer and guess.count is None
    assert "estimated" in guess.description and "no less than 20 %" in guess.description
    promised = thresholds.hierarchical(scores, 0.25, groups)
    assert thresholds.hierarchical(scores, 0.25, groups, estimate=True) == promised
    with pytest.raises(ValueError, match="1 groups"):
        thresholds.hierarchical(scores, 0.05, np.zeros(len(scores)), estimate=True)


# ---- evaluations of groups


def judged(verdicts, groups=None, calibrated_on_groups=False):
    """An evaluation of normal images alone."""
    threshold = thresholds.Threshold(0.5, false_alarm_rate=0.05, count=99, groups=calibrated_on_groups)
    return Evaluation(np.asarray(verdicts, float), np.zeros(len(verdicts)), threshold, groups=groups)


def test_images_of_a_group_that_share_their_verdict_tell_less():
    verdicts = np.repeat([1, 0, 0, 0, 0, 0, 0, 0], 20)
    alone, together = judged(verdicts), judged(verdicts, np.repeat(np.arange(8), 20))
    assert alone.false_alarm_interval == wilson_interval(20, 160)
    assert together.false_alarm_interval == pytest.approx(wilson_interval(1, 8))
    mixed = judged(np.tile([1, 0, 0, 0], 40), np.repeat(np.arange(8), 20))  # every group alike
    assert mixed.false_alarm_interval == wilson_interval(40, 160)
    assert judged(verdicts, np.arange(160)).false_alarm_interval == pytest.approx(alone.false_alarm_interval, abs=0.003)
    assert together.group_count == 8 and together.to_dict()["group_count"] == 8 and alone.group_count is None
    assert "160 images: 160 normal, 0 anomalous, in 8 groups" in str(together)


def test_a_broken_promise_names_the_likely_reason():
    verdicts, groups = np.tile([1, 0], 80), np.repeat(np.arange(16), 10)
    lead = "50 % of the normal images are called anomalous, where 5 % was asked for: "
    for said, reason in (
        (judged(verdicts), "not like those that the detector was calibrated on (another camera"),
        (judged(verdicts, groups), "they come in 16 groups, and the detector was calibrated on single images"),
        (judged(verdicts, groups, True), "their 16 groups are probably not like those"),
    ):
        (sentence,) = said.cautions
        assert sentence.startswith(lead) and reason in sentence
        assert str(said).startswith(sentence) and said.to_dict()["cautions"] == [sentence]
    assert judged(np.repeat([1, 0], [15, 85])).cautions and not judged(np.repeat([1, 0], [8, 92])).cautions


def test_chance_alone_seldom_breaks_a_promise():
    rng, told = np.random.default_rng(0), 0
    for _ in range(1000):
        threshold = thresholds.hierarchical(rng.normal(size=40), 0.1)
        told += bool(Evaluation(rng.normal(size=60), np.zeros(60), threshold).promise_broken)
    assert told < 45  # 25 are expected at most


def test_the_chance_of_false_alarms_is_that_of_draws():
    rng = np.random.default_rng(1)
    alarms = [np.mean(rng.normal(size=30) > thresholds.conformal(rng.normal(size=19), 0.1)) for _ in range(4000)]
    for count in (1, 3, 6, 10):
        wanted = np.mean(np.array(alarms) >= count / 30 - 1e-9)
        assert thresholds.chance_of_alarms(count / 30, 30, 0.1, 19) == pytest.approx(wanted, abs=0.03)
