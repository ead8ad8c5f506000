"""Thresholds: what each promises, checked by simulation, by brute force and by their refusals."""

import copy
import json
import pickle

import numpy as np
import pytest
from scipy import stats

from anogan_lib.evaluation import thresholds

RATES = (0.01, 0.05, 0.1, 0.2, 1 / 3, 0.5, 1 - 0.9, 1 - 0.95, 0.999)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_conformal_is_the_named_order_statistic(rng):
    scores = rng.normal(size=99)
    assert thresholds.conformal(scores, 0.05).value == np.sort(scores)[95 - 1]  # ceil(100 * 0.95) = 95
    assert thresholds.conformal(scores, 0.01).value == scores.max()
    assert thresholds.conformal(np.arange(1, 20), 0.05).value == 19  # 20 * 0.95 is exactly 19


@pytest.mark.parametrize("ties", [False, True])
def test_verdict_and_p_value_agree_for_any_rate_and_number(rng, ties):
    for n in (1, 2, 3, 9, 19, 20, 29, 99, 100, 199):
        calibration, new = rng.normal(size=n), rng.normal(size=200)
        if ties:
            calibration, new = np.round(calibration), np.round(new)
        new = np.concatenate([new, calibration])  # a new score may equal a calibration score
        p = thresholds.p_values(calibration, new)
        for rate in RATES:
            if 1 / (n + 1) <= rate:
                verdicts = thresholds.conformal(calibration, rate).verdicts(new)
                np.testing.assert_array_equal(verdicts, p <= rate, err_msg=f"n = {n}, rate = {rate}")


def test_p_values_by_counting(rng):
    calibration, new = np.round(rng.normal(size=40), 1), np.round(rng.normal(size=60), 1)
    counted = [(1 + sum(c >= s for c in calibration)) / 41 for s in new]
    np.testing.assert_allclose(thresholds.p_values(calibration, new), counted)


def test_conformal_keeps_its_promise_over_many_draws(rng):
    """Skewed scores; 500 calibration images, 5 % wished: at most 5 % on average, Beta-distributed."""
    n, rate, draws = 500, 0.05, 2000
    calibration = rng.lognormal(size=(draws, n))
    values = np.array([thresholds.conformal(scores, rate).value for scores in calibration])
    rates = stats.lognorm(s=1).sf(values)  # the true false-alarm rate of each draw's threshold
    above = int((n + 1) * rate)  # 25
    assert rates.mean() == pytest.approx(above / (n + 1), abs=4 * rates.std() / draws**0.5)
    assert rates.mean() < rate + 0.001
    assert stats.kstest(rates, stats.beta(above, n + 1 - above).cdf).pvalue > 0.01
    assert np.mean((rates > 0.03) & (rates < 0.075)) > 0.97


def test_p_values_of_normal_images_are_uniform(rng):
    n, draws = 500, 3000
    p = np.array([thresholds.p_values(rng.gamma(2, size=n), rng.gamma(2, size=1))[0] for _ in range(draws)])
    steps = np.rint(p * (n + 1)).astype(int)  # uniform on 1..n + 1
    counts = np.histogram(steps, bins=10, range=(0.5, n + 1.5))[0]
    assert stats.chisquare(counts).pvalue > 0.01
    for rate in (0.01, 0.05, 0.2):
        assert np.mean(p <= rate) == pytest.approx(rate, abs=4 * (rate / draws) ** 0.5)


@pytest.mark.parametrize(
    ("n", "rate", "needed"), [(5, 0.05, 19), (18, 0.05, 19), (98, 0.01, 99), (0, 0.5, 1), (1, 0.3, 3)]
)
def test_too_few_images_are_refused_with_the_number_needed(n, rate, needed):
    with pytest.raises(ValueError, match=rf"^{n} normal images cannot promise .* at least {needed},.*Received: {n}"):
        thresholds.conformal(np.arange(n), rate)
    assert thresholds.conformal(np.arange(needed), rate).value == needed - 1


@pytest.mark.parametrize("n", [2, 10, 78, 1000, 12345])
def test_the_rate_that_a_refusal_names_is_granted(n):
    with pytest.raises(ValueError, match="ask for at least") as refusal:
        thresholds.conformal(np.arange(n), 0.9 / (n + 1))
    rate = float(str(refusal.value).partition("ask for at least ")[2].partition(" %")[0]) / 100
    assert 1 / (n + 1) <= rate < 1.02 / (n + 1)
    thresholds.conformal(np.arange(n), rate)


@pytest.mark.parametrize("decimals", [1, 8])
def test_no_cut_costs_less(rng, decimals):
    for _ in range(20):
        labels = np.append([0, 1], rng.integers(0, 2, 30))
        scores = np.round(rng.normal(labels), decimals)
        chosen = thresholds.least_cost(scores, labels, 50, 3, 0.02)
        costs = []
        for cut in [chosen, scores.min() - 1, *scores]:
            called = scores > cut
            missed, alarms = np.mean(~called[labels == 1]), np.mean(called[labels == 0])
            costs.append(50 * 0.02 * missed + 3 * 0.98 * alarms)
        assert costs[0] == pytest.approx(min(costs))
        assert f"({costs[0]:.4g} an image)" in chosen.description


def test_cost_moves_the_threshold():
    scores, labels = np.arange(10.0), np.array([0, 0, 0, 1, 0, 1, 0, 1, 1, 1])
    values = [thresholds.least_cost(scores, labels, miss_cost, 1).value for miss_cost in (0.01, 1, 100)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 3  # no miss
    assert values[0] >= 6  # no false alarm
    rare = thresholds.least_cost(scores, labels, 100, 1, anomaly_rate=1e-4)
    assert rare.value >= 6  # where anomalies are rare a false alarm weighs more


def test_neighbours_in_floating_point_are_told_apart():
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = thresholds.least_cost([low, high], [0, 1], 1, 1)
    np.testing.assert_array_equal(threshold.verdicts([low, high]), [False, True])


def test_a_threshold_that_has_seen_labels_says_so(rng):
    scores = rng.normal(size=100)
    assert "has seen the answers" in thresholds.least_cost(scores, np.arange(100) % 2, 5, 1).description
    assert "answers" not in thresholds.conformal(scores, 0.1).description


def test_a_threshold_is_a_number():
    threshold = thresholds.conformal(np.arange(30) + 0.5, 0.1)
    assert threshold == threshold.value == 27.5
    assert type(threshold.value) is float
    assert 27 < threshold < 28 and max(1, threshold) is threshold and threshold + 1 == 28.5
    assert hash(threshold) == hash(27.5)
    assert f"{threshold:.3f}" == "27.500" and f"{threshold}" == str(threshold) == "27.5"
    assert repr(threshold) == "Threshold(27.5, false_alarm_rate=0.1)"
    assert json.loads(json.dumps({"threshold": threshold})) == {"threshold": 27.5}
    np.testing.assert_array_equal(threshold.verdicts([27, 27.5, 28]), np.array([27, 27.5, 28]) > threshold)
    for again in (pickle.loads(pickle.dumps(threshold)), copy.deepcopy(threshold)):
        assert type(again) is thresholds.Threshold and again == threshold and vars(again) == vars(threshold)
    by_hand = thresholds.Threshold(4)
    assert repr(by_hand) == "Threshold(4)" and by_hand.description == ""


def test_drift(rng):
    calibration = rng.normal(size=80)
    unchanged = [thresholds.drift(rng.normal(size=80), rng.normal(size=50))[0] for _ in range(300)]
    assert np.mean(np.array(unchanged) < 0.05) < 0.09
    p, sentence = thresholds.drift(calibration, rng.normal(1.5, size=50))
    assert p < 0.001
    assert sentence.startswith("Drift: the scores of these 50 images")
    assert f"p = {p:.2g}" in sentence
    p, sentence = thresholds.drift(calibration, calibration[:40])
    assert sentence.startswith("No sign of drift")
    assert p > 0.01


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: thresholds.conformal([1.0] * 50, 1.5), "between 0 and 1, 0.05 for 5 %. Received: 1.5"),
        (lambda: thresholds.conformal([1.0, np.nan] * 20, 0.1), "must be finite. Received: 20 NaN"),
        (lambda: thresholds.conformal(np.ones((3, 3)), 0.5), r"Received: shape \(3, 3\)"),
        (lambda: thresholds.p_values([], [1.0]), "at least 1 of them"),
        (lambda: thresholds.least_cost([1.0, 2.0], [0, 0], 1, 1), "Received: 2 labels, all normal"),
        (lambda: thresholds.least_cost([0, 1, 1], [0.3, 0.5, 0.1], 1, 1), "taken for scores"),
        (lambda: thresholds.least_cost([0.3, 0.5, 0.1], [0, 1], 1, 1), "each of 3 scores"),
        (lambda: thresholds.least_cost([0.3, 0.5], [0, 1], -1, 1), "miss_cost is a number of at least 0"),
        (lambda: thresholds.least_cost([0.3, 0.5], [0, 1], 1, 1, 2), "anomaly_rate must lie between"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
