"""First attempts, as people write them, get the hint that was meant for them; and what the questions tell is true."""

import numpy as np
import pytest
import tensorflow as tf

from anogan_lib import AnoGAN, datasets, pictures
from anogan_lib import exercises as ex
from anogan_lib.datasets import places
from anogan_lib.evaluation import metrics, thresholds

# ---- first attempts


def loss_of(generator, features, x, z, lam):
    y = generator(z)
    r = tf.reduce_sum(tf.abs(x - y), axis=(1, 2, 3))
    return (1 - lam) * r + lam * tf.reduce_sum(tf.abs(features(x) - features(y)), axis=(1, 2, 3))


def step_with_mean(generator, features, x, z, lam, step_size):
    z = tf.Variable(z)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loss_of(generator, features, x, z, lam))
    return z - step_size * tape.gradient(loss, z)


def uphill(generator, features, x, z, lam, step_size):
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = tf.reduce_sum(loss_of(generator, features, x, z, lam))
    return z + step_size * tape.gradient(loss, z)


def search_off_the_sphere(generator, features, x, z, lam, step_size, steps):
    for _ in range(steps):
        z = uphill(generator, features, x, z, lam, -step_size)
    return loss_of(generator, features, x, z, lam)


def search_that_forgets(generator, features, x, z, lam, step_size, steps):
    for _ in range(steps):
        uphill(generator, features, x, z, lam, -step_size)
    return loss_of(generator, features, x, z, lam)


def d_loss_on_probabilities(real, fake):
    real, fake = tf.sigmoid(real), tf.sigmoid(fake)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
    return tf.reduce_mean(cross_entropy(tf.ones_like(real), real)) + tf.reduce_mean(
        cross_entropy(tf.zeros_like(fake), fake)
    )


def split_photographs(nuts, share):
    return np.random.default_rng(8).uniform(size=len(nuts)) < share


def strict_pairs(labels, scores):
    return np.mean([b > g for b in scores[labels == 1] for g in scores[labels == 0]])


def pixel_auroc_by_image(maps, masks):
    return np.mean([metrics.auroc(mask.ravel(), one.ravel()) for one, mask in zip(maps, masks, strict=True)])


CASE = ex.costs()
ATTEMPTS = [
    ("scale", lambda u: u.astype("float32") / 255, "a tanh gives [-1, 1]"),
    ("scale", lambda u: (u - 127.5) / 127.5, "channel axis"),
    ("scale", lambda u: (2 * u / 255 - 1)[..., None], "overflow"),
    ("unscale", lambda x: np.clip((x + 1) / 2 * 255, 0, 255).astype("uint8"), "not rounded"),
    ("near_duplicate", 4, "normalise=True"),
    ("near_duplicate", 2, "that one is an honest test image"),
    ("resolution", 64, "2.4 pixels wide"),
    ("grouped_split", split_photographs, "draw nuts"),
    ("discriminator_loss", d_loss_on_probabilities, "sigmoid is taken twice"),
    ("discriminator_loss", lambda r, f: tf.nn.softplus(-r) + tf.nn.softplus(f), "asked is one number"),
    ("discriminator_loss", lambda r, f: np.mean(np.log(1 + np.exp(r)) + np.log(1 + np.exp(-f))), "swapped"),
    ("generator_loss", lambda f: tf.reduce_mean(tf.math.log(1 - tf.sigmoid(f))), "saturating"),
    ("parameters", lambda k, channels_in, channels_out: k**2 * channels_in * channels_out, "biases are missing"),
    ("checkpoint", 100, "dishonest"),
    ("residual", lambda x, y: tf.reduce_mean(tf.abs(x - y), axis=(1, 2, 3)), "the paper's R is the sum"),
    ("residual", lambda x, y: np.einsum("nhwc->n", x - y), "cancel"),
    ("residual", lambda x, y: sum(np.abs(x - y)), "axis 0 holds the images"),
    ("discrimination", lambda f, x, y: np.abs(f(x) - f(y)).mean(axis=(1, 2, 3)), "the paper's D is the sum"),
    ("discrimination", lambda f, x, y: np.sum(np.abs(f(x, True) - f(y, True)), (1, 2, 3)), "training mode"),
    ("onto_sphere", lambda z: tf.linalg.l2_normalize(z, axis=1), "length 1"),
    ("search_step", step_with_mean, "mean over the batch"),
    ("search_step", uphill, "uphill"),
    ("search", search_off_the_sphere, "leaves the prior"),
    ("search", search_that_forgets, "A(x) of the start"),
    ("score", lambda r, d, lam: lam * r + (1 - lam) * d, "lambda is on the wrong term"),
    ("threshold", lambda t, c, a: np.sort(c)[int(np.floor((len(c) + 1) * (1 - a))) - 1], "rounded down"),
    ("threshold", lambda t, c, a: np.sort(c)[int(np.ceil(len(c) * (1 - a))) - 1], "n + 1"),
    ("threshold", lambda t, c, a: np.sort(t)[int(np.ceil((len(t) + 1) * (1 - a))) - 1], "training images"),
    ("auroc", strict_pairs, "they count half"),
    ("leak", 8, "test images are for the end"),
    ("poison", lambda scores, defect, rate: np.floor(rate * len(scores)), "still found"),
    ("levels", lambda normal, maps: [one / one.max() for one in maps], "each map has its own scale"),
    ("pixel_auroc", pixel_auroc_by_image, "mean over images"),
    ("colours", "jet", "rises and falls"),
    ("colours", "RdYlGn", "look alike"),
    ("izi_f_loss", lambda x, y, fx, fy, kappa: np.mean((x - y) ** 2), "feature term is missing"),
    ("learns", lambda e, g, f: [*e.trainable_variables, *g.trainable_variables], "defects too"),
    ("steps_for_budget", 13, "more search is not better"),
    ("grouped_split", lambda nuts, share: nuts < 0.5 * len(set(nuts)), "as many as the share asks for"),
    ("learns", lambda e, g, f: e.trainable_variables[:1], "some of E's"),
    ("cheapest", thresholds.least_cost(CASE["scores"], CASE["labels"], 20, 1).value, "the line has 2 %"),
    ("cheapest", 1e9, "nothing would be called"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "attempt", "words"), ATTEMPTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_first_attempts_get_their_hint(name, attempt, words):
    right, text, _ = ex.EXERCISES[name].judge(attempt)
    assert not right and text.startswith("Not yet: ") and words in text


# ---- what is told


def test_the_near_duplicate_hides_from_raw_pixels():
    train, test = ex.near_duplicates()
    raw = np.array([[np.abs(a - b).sum() for a in train] for b in test])
    even = [[np.corrcoef(a.ravel(), b.ravel())[0, 1] for a in train] for b in test]
    assert raw.min(axis=1).argmin() != 5 and np.argmax(np.max(even, axis=1)) == 5 and np.argmax(even[5]) == 3


def test_one_generator_copies_one_collapses_one_is_well():
    train, samples = ex.generators()
    near = {
        name: np.mean([np.abs(train - one).mean(axis=(1, 2, 3)).min() for one in some])
        for name, some in samples.items()
    }
    apart = {name: np.abs(some[:, None] - some).mean() for name, some in samples.items()}
    assert near["A"] < 0.3 * min(near["B"], near["C"])
    assert apart["C"] < 0.3 * min(apart["A"], apart["B"])


def test_tables_say_what_the_hints_say():
    rows = {row["epoch"]: row for row in ex.checkpoints()}
    assert max(rows, key=lambda epoch: rows[epoch]["test_auroc"]) == 100
    assert min(rows, key=lambda epoch: rows[epoch]["train_R"]) == 140 == max(rows)
    assert min(rows, key=lambda epoch: rows[epoch]["g_loss"]) == 120 == min(rows, key=lambda e: rows[e]["diversity"])
    budget = {row["k"]: row for row in ex.search_budget()}
    assert max(k for k in budget if budget[k]["milliseconds"] <= 50) == 13
    assert max(budget, key=lambda k: budget[k]["auroc"]) == 40 and budget[40]["milliseconds"] == 137
    assert min(budget, key=lambda k: budget[k]["auroc"]) == 200 == max(budget)
    lines = ex.leaky_program()
    assert "gan.train" in lines[2] and "validation" in lines[3] and "invert" in lines[4] and "lam" in lines[5]
    assert "calibrate" in lines[6] and "evaluate" in lines[7]
    case = ex.costs()
    assert np.mean(case["labels"]).round(2) == 0.64 and case["rate"] == 0.02 and case["miss"] == 20


def test_the_cheapest_threshold_costs_least():
    case = ex.costs()
    bad, good = case["scores"][case["labels"] == 1], case["scores"][case["labels"] == 0]

    def cost(threshold):
        missed, alarms = np.mean(bad <= threshold), np.mean(good > threshold)
        return case["miss"] * case["rate"] * missed + case["false_alarm"] * (1 - case["rate"]) * alarms

    best = ex.EXERCISES["cheapest"].solution(case)
    assert all(cost(best) <= cost(other) + 1e-12 for other in np.linspace(-5, 8, 2000))


def test_traces_show_the_bug_and_no_other():
    traces = ex.traces()
    for name, lam in (("A", 0.1), ("B", 0.95)):
        trace = traces[name]
        objective = (1 - lam) * trace.residual + lam * trace.discrimination
        assert np.ptp(trace.z[0], axis=0).max() == 0
        assert (objective[-1] < objective[0]).all() and (trace.residual[-1] < trace.residual[0]).all() == (name == "A")
    bad = traces["C"]
    np.testing.assert_array_equal(bad.z[0, 1:], bad.z[-1, :-1])  # each where the last one ended
    assert np.ptp(bad.z[0], axis=0).max() > 0.5
    np.testing.assert_allclose(
        bad.residual[:, 0], traces["A"].residual[:, 0], rtol=1e-4
    )  # the first image is searched well


def test_the_false_alarm_is_a_shift():
    image, reconstruction = ex.false_alarm()
    np.testing.assert_array_equal(image[:, :-2], reconstruction[:, 2:])
    signed = (image - reconstruction).mean(axis=-1)
    assert (signed > 0.1).any() and (signed < -0.1).any()


def test_levels_are_the_overlays_scale():
    normal, maps = ex.inputs("levels")[-1]
    levels = ex.EXERCISES["levels"].solution(normal, maps)
    black, vmax = -np.ones((*maps.shape[1:], 1)), pictures.common_scale(normal)
    for level, one in zip(levels, maps, strict=True):
        drawn = pictures.overlay_image(black, one, vmax=vmax, opacity=1, cut_off=0).astype(int)
        expected = pictures.overlay_image(black, level, vmax=1, opacity=1, cut_off=0)
        assert np.abs(drawn - expected).max() <= 8  # neighbouring colours at most


def test_nuts_upside_down_score_as_before():
    detector = AnoGAN.load(places.root() / "weights" / "hazelnut")
    good = datasets.load("hazelnut").calibration.images[:40]
    assert 0.4 < ex.EXERCISES["upside_down"].solution(detector, good) < 0.65
