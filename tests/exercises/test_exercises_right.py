"""A right answer is right however it is written: loops, einsum, TensorFlow, float64, lists."""

import math
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit

from anogan_lib import exercises as ex
from anogan_lib.evaluation import thresholds
from anogan_lib.paper import prior
from tests.exercises.answers import capstone

# ---- 01


def scale_by_loops(u):
    return [[[[(int(value) - 127.5) / 127.5] for value in row] for row in image] for image in u]


def unscale_by_loops(x):
    out = np.zeros(x.shape, "uint8")
    for place in np.ndindex(x.shape):
        out[place] = min(255, max(0, round((float(x[place]) + 1) / 2 * 255)))
    return out


def unscale_by_tensorflow(x):
    return tf.cast(tf.clip_by_value(tf.round((x + 1) * 127.5), 0, 255), tf.uint8)


def split_by_sklearn(nuts, share):
    _, held_back = next(GroupShuffleSplit(1, test_size=share, random_state=3).split(nuts, groups=nuts))
    return np.isin(np.arange(len(nuts)), held_back)


def split_by_loops(nuts, share):
    back = set(sorted(set(nuts.tolist()))[: round(share * len(set(nuts)))])
    return [nut in back for nut in nuts.tolist()]


# ---- 02


def d_loss_by_keras(real, fake):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)


def d_loss_by_loops(real, fake):
    total = sum(math.log1p(math.exp(-a)) + math.log1p(math.exp(b)) for (a,), (b,) in zip(real, fake, strict=True))
    return total / len(real)


def parameters_by_keras(kernel, channels_in, channels_out):
    return keras.Sequential(
        [keras.Input((8, 8, channels_in)), keras.layers.Conv2D(channels_out, kernel)]
    ).count_params()


# ---- 03


def residual_by_loops(x, y):
    return [
        sum(abs(float(a) - float(b)) for a, b in zip(i.ravel(), j.ravel(), strict=True))
        for i, j in zip(x, y, strict=True)
    ]


def features_one_by_one(features, x, y):
    return [float(tf.reduce_sum(tf.abs(features(x[i : i + 1]) - features(y[i : i + 1])))) for i in range(len(x))]


def sphere_by_loops(z):
    return [[value * math.sqrt(len(one)) / math.hypot(*one) for value in one] for one in z.astype(float)]


def objective(generator, features, x, z, lam):
    y = generator(z)
    r = tf.einsum("nhwc->n", tf.abs(x - y))
    return (1 - lam) * r + lam * tf.einsum("nhwc->n", tf.abs(features(x) - features(y)))


def step_by_optimiser(generator, features, x, z, lam, step_size):
    z = tf.Variable(z)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(objective(generator, features, x, z, lam))
    keras.optimizers.SGD(step_size).apply([tape.gradient(loss, z)], [z])
    return z


def step_one_by_one(generator, features, x, z, lam, step_size):
    out = []
    for image, start in zip(x, z, strict=True):
        with tf.GradientTape() as tape:
            tape.watch(start)
            loss = objective(generator, features, image[None], start[None], lam)
        out.append(start - step_size * tape.gradient(loss, start))
    return tf.stack(out)


def step_by_jacobian(generator, features, x, z, lam, step_size):
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = objective(generator, features, x, z, lam)
    return z.numpy() - step_size * np.einsum("nnl->nl", tape.jacobian(loss, z))  # no image moves another's z


def search_with(step):
    def search(generator, features, x, z, lam, step_size, steps):
        for _ in range(steps):
            z = step(generator, features, x, z, lam, step_size)
            z = prior.onto_prior(tf.convert_to_tensor(z, tf.float32), "sphere")
        return objective(generator, features, x, z, lam)

    return search


def search_image_by_image(generator, features, x, z, *how):
    alone = search_with(step_by_optimiser)
    return [float(alone(generator, features, x[i : i + 1], z[i : i + 1], *how)[0]) for i in range(len(x))]


# ---- 04


def threshold_by_counting(train, calibration, rate):
    allowed = [s for s in calibration if thresholds.p_values(calibration, [s])[0] > rate]
    return max(allowed)  # the highest score that is not called anomalous


def auroc_by_ranks(labels, scores):
    bad = int(labels.sum())
    return (rankdata(scores)[labels == 1].sum() - bad * (bad + 1) / 2) / bad / (len(labels) - bad)


def auroc_by_loops(labels, scores):
    pairs = [(a, b) for (a, one), (b, two) in product(zip(scores, labels, strict=True), repeat=2) if one > two]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def poison_by_threshold(scores, defect, rate):
    return next(m for m in range(99) if not thresholds.conformal([*scores, *[defect] * m], rate).verdicts([defect])[0])


def poison_by_places(scores, defect, rate):
    above = sum(score > defect for score in scores)
    return next(m for m in range(99) if m + above >= math.floor((len(scores) + m + 1) * rate + 1e-9))


def poison_by_sorting(scores, defect, rate):
    for m in range(99):
        mixed = np.sort(np.concatenate([scores, np.full(m, defect)]))
        if mixed[math.ceil((len(mixed) + 1) * (1 - rate) - 1e-9) - 1] == defect:
            return m


# ---- 05


def levels_by_loops(normal, maps):
    top = np.quantile(normal.ravel(), 0.999)
    return [[[min(value / top, 1.0) for value in row] for row in one] for one in maps.tolist()]


# ---- 06


def izi_f_by_loops(x, y, fx, fy, kappa):
    image = [(float(a) - float(b)) ** 2 for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    feature = [(float(a) - float(b)) ** 2 for a, b in zip(fx.ravel(), fy.ravel(), strict=True)]
    return sum(image) / len(image) + kappa * sum(feature) / len(feature)


RIGHT = {
    "scale": (
        scale_by_loops,
        lambda u: tf.expand_dims(tf.cast(u, tf.float32) / 127.5 - 1, -1),
        lambda u: np.interp(u, [0, 255], [-1, 1])[..., np.newaxis],
    ),
    "unscale": (
        unscale_by_loops,
        unscale_by_tensorflow,
        lambda x: np.floor(np.clip(x, -1, 1) * 127.5 + 128).astype("uint8"),
    ),
    "grouped_split": (split_by_sklearn, split_by_loops, lambda nuts, share: nuts % 5 == 2),
    "discriminator_loss": (
        d_loss_by_keras,
        d_loss_by_loops,
        lambda real, fake: np.mean(np.logaddexp(0, -real.astype(float)) + np.logaddexp(0, fake.astype(float))),
    ),
    "generator_loss": (
        lambda fake: -tf.reduce_mean(tf.math.log_sigmoid(fake)),
        lambda fake: keras.losses.BinaryCrossentropy(from_logits=True)(tf.ones_like(fake), fake),
        lambda fake: sum(math.log(1 + math.exp(-one)) for one in fake.ravel()) / fake.size,
    ),
    "parameters": (
        parameters_by_keras,
        lambda k, m, n: np.zeros((k, k, m, n)).size + n,
        lambda k, m, n: float(sum(k * k * m + 1 for _ in range(n))),
    ),
    "residual": (
        residual_by_loops,
        lambda x, y: np.einsum("nhwc->n", np.abs(x.astype("float64") - y)),
        lambda x, y: tf.reduce_sum(tf.abs(x - y), axis=[1, 2, 3]),
        lambda x, y: np.linalg.norm((y - x).reshape(len(x), -1), ord=1, axis=1),
    ),
    "discrimination": (
        features_one_by_one,
        lambda f, x, y: tf.reduce_sum(tf.abs(f(y, training=False) - f(x, training=False)), axis=(1, 2, 3)),
        lambda f, x, y: np.abs(np.subtract(f(x), f(y), dtype="float64")).reshape(len(x), -1).sum(axis=1).tolist(),
    ),
    "onto_sphere": (
        sphere_by_loops,
        lambda z: tf.linalg.l2_normalize(z, axis=1) * z.shape[1] ** 0.5,
        lambda z: z / np.sqrt(np.mean(z.astype("float64") ** 2, axis=1))[:, None],
    ),
    "search_step": (step_by_optimiser, step_one_by_one, step_by_jacobian),
    "search": (search_with(step_by_optimiser), search_with(step_one_by_one), search_image_by_image),
    "score": (
        lambda r, d, lam: r + lam * (d - r),
        lambda r, d, lam: [(1 - lam) * float(a) + lam * float(b) for a, b in zip(r, d, strict=True)],
        lambda r, d, lam: tf.linalg.matvec(tf.stack([r, d], axis=1), [1 - lam, lam]),
    ),
    "threshold": (
        threshold_by_counting,
        lambda t, c, a: sorted(c.tolist())[math.ceil((len(c) + 1) * (1 - a)) - 1],
        lambda t, c, a: np.quantile(np.append(c, np.inf), 1 - a, method="inverted_cdf"),
    ),
    "auroc": (roc_auc_score, auroc_by_ranks, auroc_by_loops),
    "poison": (poison_by_threshold, poison_by_places, poison_by_sorting),
    "levels": (
        levels_by_loops,
        lambda normal, maps: tf.clip_by_value(maps / np.quantile(normal, 0.999), 0, 1),
        lambda normal, maps: (
            np.minimum(maps.astype("float32"), np.percentile(normal, 99.9)) / np.percentile(normal, 99.9)
        ),
    ),
    "pixel_auroc": (
        lambda maps, masks: roc_auc_score(masks.ravel(), maps.ravel()),
        lambda maps, masks: auroc_by_ranks(masks.ravel().astype(int), maps.ravel()),
        lambda maps, masks: auroc_by_loops(masks.ravel().astype(int), maps.ravel()),
    ),
    "izi_f_loss": (
        izi_f_by_loops,
        lambda x, y, fx, fy, kappa: tf.reduce_mean((x - y) ** 2) + kappa * tf.reduce_mean((fx - fy) ** 2),
        lambda x, y, fx, fy, kappa: np.vdot(x - y, x - y) / x.size + kappa * np.vdot(fx - fy, fx - fy) / fx.size,
    ),
    "top_mean": (
        lambda maps, k: [sum(sorted(each.ravel())[-k:]) / k for each in maps],
        lambda maps, k: tf.reduce_mean(tf.math.top_k(tf.reshape(maps, (len(maps), -1)), k)[0], axis=1),
        lambda maps, k: np.partition(maps.reshape(len(maps), -1), -k)[:, -k:].mean(axis=1),
    ),
    "without_contrast": (
        lambda images: np.stack([(x - x.mean()) / x.std() for x in images]),
        lambda images: (images - images.mean((1, 2, 3), keepdims=True)) / images.var((1, 2, 3), keepdims=True) ** 0.5,
        lambda images: [(x - np.mean(x)) / np.std(x) for x in images.astype("float64")],
    ),
    "learns": (
        lambda e, g, f: [variable for variable in e.variables if variable.trainable],
        lambda e, g, f: tuple(reversed(e.trainable_variables)),
        lambda e, g, f: [v for v in e.variables + g.variables if v.trainable and not any(v is o for o in g.variables)],
    ),
    **{name: tuple(capstone.RIGHT[name]) for name in ("networks", "training_step", "mapping")},
}


def test_every_exercise_with_a_function_is_here():
    assert RIGHT.keys() == {name for name, each in ex.EXERCISES.items() if each.given is None}
    assert all(len(functions) >= 3 for functions in RIGHT.values())


@pytest.mark.parametrize(("name", "answer"), [(name, one) for name, some in RIGHT.items() for one in some])
def test_it_counts_what_is_computed(name, answer):
    assert ex.EXERCISES[name].judge(answer) == (True, f"Right: {ex.EXERCISES[name].remark}.", "")


def test_a_right_step_counts_after_one_that_broke_off():
    """The networks of the capstone stayed as the broken step had left them."""
    right, *_ = RIGHT["training_step"]

    def broken(*game):
        right(*game)
        raise ValueError

    assert not ex.EXERCISES["training_step"].judge(broken)[0] and ex.EXERCISES["training_step"].judge(right)[0]
