"""Single figures, each against a second way of computing it."""

import numpy as np
import pytest
from sklearn import metrics as sk

from anogan_lib.evaluation import metrics


def pairwise(labels, scores):
    """Chance that an anomalous image scores above a normal one, by looking at every pair."""
    good, bad = (np.asarray(scores)[np.asarray(labels) == k] for k in (0, 1))
    return np.mean([(b > g) + (b == g) / 2 for g in good for b in bad])


def test_auroc_is_the_share_of_ordered_pairs(scored):
    scores, labels = scored
    assert metrics.auroc(labels, scores) == pytest.approx(pairwise(labels, scores))
    assert metrics.auroc(labels, scores) == pytest.approx(sk.roc_auc_score(labels, scores))
    assert metrics.auroc(labels, np.zeros(110)) == 0.5
    assert metrics.auroc(labels, -scores) == pytest.approx(1 - metrics.auroc(labels, scores))


def test_average_precision_by_definition(scored):
    scores, labels = scored
    total, recall_before = 0, 0
    for cut in np.unique(scores)[::-1]:
        called = scores >= cut
        recall, precision = np.mean(called[labels == 1]), np.mean(labels[called])
        total, recall_before = total + (recall - recall_before) * precision, recall
    found = metrics.average_precision(labels, scores)
    assert found == pytest.approx(total)
    assert found == pytest.approx(sk.average_precision_score(labels, scores))


def test_bootstrap_interval_covers_the_true_auroc(rng):
    """Normal scores with a shift of 1: the true AUROC is known; 19 of 20 intervals should hold it."""
    from scipy.stats import norm

    truth, held = norm.cdf(1 / 2**0.5), []
    labels = np.repeat([0, 1], [40, 60])
    for seed in range(100):
        scores = rng.normal(labels)
        low, high = metrics.bootstrap_interval(metrics.auroc, labels, scores, seed, resamples=200)
        held.append(low <= truth <= high)
    assert np.mean(held) > 0.85


def test_bootstrap_interval_is_seeded_and_stratified(scored):
    scores, labels = scored

    def share(labels, scores):
        return labels.mean()

    first = metrics.bootstrap_interval(metrics.auroc, labels, scores, seed=3, resamples=50)
    assert first == metrics.bootstrap_interval(metrics.auroc, labels, scores, seed=3, resamples=50)
    assert first != metrics.bootstrap_interval(metrics.auroc, labels, scores, seed=4, resamples=50)
    assert metrics.bootstrap_interval(share, labels, scores) == pytest.approx((70 / 110, 70 / 110))


@pytest.mark.parametrize(("k", "n"), [(0, 40), (2, 40), (35, 70), (70, 70), (1, 1)])
def test_wilson_interval_by_its_formula(k, n):
    z, p = 1.959963984540054, k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert metrics.wilson_interval(k, n) == pytest.approx((centre - half, centre + half))


def test_figures_at_a_threshold_agree_with_scikit_learn(scored):
    scores, labels = scored
    for cut in (-9, 0.3, 0.8, 9):
        verdicts = scores > cut
        assert list(metrics.confusion(labels, verdicts).values()) == list(
            sk.confusion_matrix(labels, verdicts, labels=[0, 1]).ravel()
        )
        assert metrics.f1(labels, verdicts) == pytest.approx(sk.f1_score(labels, verdicts))
        assert metrics.accuracy(labels, verdicts) == pytest.approx(sk.accuracy_score(labels, verdicts))


def test_trivial_accuracy():
    assert metrics.trivial_accuracy(np.repeat([0, 1], [40, 70])) == pytest.approx(0.636, abs=5e-4)
    assert metrics.trivial_accuracy([0, 0, 0, 1]) == 0.75


def test_hit_rate_by_kind():
    kinds = np.array(["good", "good", "hole", "crack", "hole", "hole"])
    verdicts = np.array([True, False, True, False, True, False])
    rates = metrics.hit_rate_by_kind([0, 0, 1, 1, 1, 1], verdicts, kinds)
    assert rates == {"crack": 0, "hole": pytest.approx(2 / 3)}
    assert list(rates) == ["crack", "hole"]


def test_pixel_auroc_pools_all_pixels(rng):
    masks = rng.random((3, 5, 6)) < 0.2
    maps = np.round(rng.random((3, 5, 6)) + masks * 0.3, 1)
    assert metrics.pixel_auroc(maps, masks) == pytest.approx(pairwise(masks.ravel(), maps.ravel()))
    shifted = maps + np.arange(3)[:, None, None] * 5  # a scale of its own for each image is punished
    assert metrics.pixel_auroc(shifted, masks) != pytest.approx(metrics.pixel_auroc(maps, masks), abs=0.01)


def regions_of(mask):
    """8-connected components by flood fill: a list of lists of pixels."""
    left, found = {tuple(p) for p in np.argwhere(mask)}, []
    while left:
        todo, region = [left.pop()], []
        while todo:
            i, j = todo.pop()
            region.append((i, j))
            near = {(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= near
            todo += near
        found.append(region)
    return found


def brute_force_pro(maps, masks, max_fpr):
    """The definition: every threshold, every region, then the trapezium rule on a fine grid of rates."""
    regions = [[(n, *p) for p in region] for n, mask in enumerate(masks) for region in regions_of(mask)]
    points = [(0.0, 0.0)]
    for cut in np.unique(maps)[::-1]:
        called = maps >= cut
        overlap = np.mean([np.mean([called[p] for p in region]) for region in regions])
        points.append((np.mean(called[~masks]), overlap))
    fpr, overlap = np.array(points).T
    area = 0.0
    for a, b, p, q in zip(fpr[:-1], fpr[1:], overlap[:-1], overlap[1:], strict=True):
        if a >= max_fpr or a == b:
            continue
        end = min(b, max_fpr)
        area += (end - a) * (p + p + (q - p) * (end - a) / (b - a)) / 2
    return area / max_fpr


@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize("max_fpr", [0.05, 0.3, 1.0])
def test_pro_by_explicit_thresholds(rng, decimals, max_fpr):
    masks = rng.random((3, 9, 8)) < 0.15
    masks[1] = False  # a good image
    maps = np.round(rng.random(masks.shape) + 0.4 * masks, decimals).astype("float32")
    assert metrics.pro(maps, masks, max_fpr) == pytest.approx(brute_force_pro(maps, masks, max_fpr))


def test_pro_weighs_regions_not_pixels():
    masks = np.zeros((1, 20, 20), bool)
    masks[0, :10, :10] = True  # 100 pixels, found
    masks[0, 15, 15] = masks[0, 16, 16] = True  # one region by its corner, missed
    maps = np.zeros((1, 20, 20))
    maps[0, :10, :10] = 1
    # half of the regions from the start; the other half only as everything is called a defect
    assert metrics.pro(maps, masks) == pytest.approx(0.5 + 0.5 * 0.3 / 2)
    assert metrics.pro(masks.astype(float), masks) == pytest.approx(1)
    assert metrics.pro(np.zeros((1, 20, 20)), masks) == pytest.approx(0.15)  # chance


def test_pro_of_noise_is_chance_on_a_thousand_images(rng):
    maps = rng.random((1000, 64, 64), dtype="float32")
    masks = np.zeros(maps.shape, bool)
    masks[::2, 20:30, 30:40] = True
    assert metrics.pro(maps, masks) == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: metrics.auroc([0, 0], [1.0, 2.0]), "Received: 2 labels, all normal"),
        (lambda: metrics.auroc([0.2, 0.9], [0, 1]), "taken for scores"),
        (lambda: metrics.auroc([0, 1], [np.nan, 0]), "finite"),
        (lambda: metrics.f1([0, 1, 1], [True, False]), "each of 2 scores"),
        (lambda: metrics.pixel_auroc(np.zeros((2, 3, 3)), np.zeros((2, 3, 4))), r"\(2, 3, 3\) and \(2, 3, 4\)"),
        (lambda: metrics.pro(np.zeros((2, 3, 3)), np.zeros((2, 3, 3))), "Received: no defect pixels"),
        (lambda: metrics.pro(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), 30), "max_fpr must lie in"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
