"""Figures: each holds what it was asked for, from arrays alone, on one scale, without pyplot."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from anogan_lib import figures, metrics


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def images(rng):
    return rng.uniform(-1, 1, (12, 16, 20, 3)).astype("float32")


@pytest.fixture
def maps(rng):
    return rng.random((12, 16, 20)) * 0.4


@pytest.fixture
def masks():
    masks = np.zeros((12, 16, 20), bool)
    masks[:, 4:7, 10:15] = True
    return masks


@pytest.fixture
def scored(rng):
    labels = np.repeat([0, 1], [30, 50])
    return rng.normal(labels * 1.5), labels


def drawn(figure) -> np.ndarray:
    """The figure as saved to a PNG: (H, W, 3) uint8."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    return np.asarray(Image.open(file).convert("RGB"))


def lines(figure, axis: int = 0) -> dict:
    return {line.get_label(): line for line in figure.axes[axis].get_lines()}


def titles(figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes]


# ---- overlays


def test_overlay_has_one_scale_for_all_images(images):
    """The same map value gives the same colour, whatever else the map holds."""
    low, high = np.full((16, 20), 0.2), np.full((16, 20), 0.2)
    high[0, 0] = 9.0
    a, b = (figures.overlay_image(images[0], each, vmax=0.4, cut_off=0) for each in (low, high))
    np.testing.assert_array_equal(a.reshape(-1, 3)[1:], b.reshape(-1, 3)[1:])
    assert (a[0, 0] != b[0, 0]).any()
    twice = figures.overlay_image(images[0], 2 * low, vmax=0.8, cut_off=0)
    np.testing.assert_array_equal(a, twice)


def test_overlay_is_the_weighted_mean_of_image_and_colour(images, maps):
    from matplotlib import colormaps

    image, map = images[0], maps[0]
    for name, opacity in (("jet", 0.5), ("magma", 0.3), ("viridis", 1.0)):
        colours = colormaps[name](map / 0.4)[..., :3] * 255
        wanted = (1 - opacity) * (image + 1) * 127.5 + opacity * colours
        found = figures.overlay_image(image, map, vmax=0.4, opacity=opacity, cut_off=0, colour_map=name)
        assert found.dtype == np.uint8
        np.testing.assert_allclose(found, wanted, atol=1.6)


def test_below_the_cut_off_the_image_stays_as_it_is(images, maps):
    plain = np.rint((images[0] + 1) * 127.5)
    changed = (figures.overlay_image(images[0], maps[0], vmax=0.4, cut_off=0.3) != plain).any(axis=-1)
    assert not changed[maps[0] < 0.3].any()
    assert changed[maps[0] >= 0.3].mean() > 0.95
    np.testing.assert_array_equal(figures.overlay_image(images[0], maps[0], vmax=0.4, opacity=0), plain)
    np.testing.assert_array_equal(
        figures.overlay_image(images[0], maps[0], vmax=0.4),
        figures.overlay_image(images[0], maps[0], vmax=0.4, cut_off=0.1),
    )


def test_signed_maps_diverge_from_the_middle():
    grey = np.zeros((1, 3, 1))
    options = {"vmax": 0.5, "opacity": 1, "cut_off": 0, "signed": True}
    minus, zero, plus = figures.overlay_image(grey, np.array([[-0.5, 0, 0.5]]), **options)[0].astype(int)
    assert plus[0] > plus[2] + 60  # red
    assert minus[2] > minus[0] + 60  # blue
    assert np.ptp(zero) < 5  # neither
    below = figures.overlay_image(grey, np.array([[-0.5, 0.1, 0.5]]), vmax=0.5, cut_off=0.2, signed=True)[0]
    np.testing.assert_array_equal((below != 128).any(axis=-1), [True, False, True])


def test_grey_images_are_shown_grey(maps):
    found = figures.overlay_image(np.full((16, 20, 1), -0.5), maps[0], vmax=1, opacity=0)
    assert found.shape == (16, 20, 3)
    assert set(np.unique(found)) == {64}


def test_common_scale_is_one_number_for_the_whole_set(maps):
    assert figures.common_scale(maps, 1.0) == maps.max()
    assert figures.common_scale(-maps, 1.0) == maps.max()
    assert figures.common_scale(np.zeros((2, 3, 3))) > 0


# ---- pictures


def test_image_grid_shows_every_image_under_its_title(images):
    figure = figures.image_grid(images[:7], np.array([f"nut {i}" for i in range(7)]), columns=3)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == [f"nut {i}" for i in range(7)]
    assert len(ax.images) == 7
    np.testing.assert_array_equal(ax.images[4].get_array(), np.rint((images[4] + 1) * 127.5))
    left = [image.get_extent()[0] for image in ax.images]
    assert left[0] == left[3] == left[6] < left[1] < left[2]
    assert len(figures.image_grid(images).axes[0].texts) == 0


def test_comparison_is_the_classic_picture(images, maps, masks):
    figure = figures.comparison(images[0], images[1], maps[0], 26.04, vmax=0.4)
    assert titles(figure) == ["test image", "similar image", "anomalies, score 26.04"]
    query, similar, anomalies = (ax.images[0].get_array() for ax in figure.axes)
    np.testing.assert_array_equal(query, np.rint((images[0] + 1) * 127.5))
    np.testing.assert_array_equal(similar, np.rint((images[1] + 1) * 127.5))
    np.testing.assert_array_equal(anomalies, figures.overlay_image(images[0], maps[0], vmax=0.4))
    judged = figures.comparison(images[0], images[1], maps[0], 431.7, vmax=0.4, threshold=100, mask=masks[0])
    assert titles(judged)[2] == "anomalies, score 431.7 (anomalous)"
    assert drawn(judged).shape[2] == 3


def test_mask_outline_runs_between_the_pixels(images, maps, masks):
    figure = figures.overlay(images[0], maps[0], vmax=0.4, mask=masks[0], title="hole")
    assert titles(figure) == ["hole"]
    (outline,) = figure.axes[0].collections
    segments = np.array(outline.get_segments())
    assert len(segments) == 2 * (3 + 5)  # the circumference of 3 x 5 pixels
    assert segments[..., 0].min() == 9.5
    assert segments[..., 0].max() == 14.5
    assert segments[..., 1].min() == 3.5
    assert segments[..., 1].max() == 6.5
    inner = masks[0].copy()
    inner[5, 12] = False  # a hole in the mask is outlined too
    ring = figures.overlay(images[0], maps[0], vmax=0.4, mask=inner).axes[0].collections[0]
    assert len(ring.get_segments()) == 16 + 4


def test_gallery_is_sorted_by_score_on_one_scale(images, maps, masks, rng):
    scores = rng.permutation(12) + 0.5
    kinds = ["good", "hole"] * 6
    some = [mask if i % 2 else None for i, mask in enumerate(masks)]
    figure = figures.gallery(images, maps, scores, some, kinds=kinds, labels=[0, 1] * 6, columns=4, limit=10)
    (ax,) = figure.axes
    order = np.argsort(-scores)[:10]
    assert [text.get_text() for text in ax.texts] == [f"{scores[i]:.4g} {kinds[i]}" for i in order]
    assert len({text.get_color() for text in ax.texts}) == 2
    assert len(ax.collections) == np.sum(order % 2)
    vmax = figures.common_scale(maps)
    for picture, i in zip(ax.images, order, strict=True):
        np.testing.assert_array_equal(picture.get_array(), figures.overlay_image(images[i], maps[i], vmax=vmax))


# ---- curves


def test_losses():
    figure = figures.losses({"d_loss": [1.0, 0.9, 0.8], "g_loss": [2.0, 2.5, 3.0]})
    np.testing.assert_array_equal(lines(figure)["discriminator"].get_xydata(), [[1, 1], [2, 0.9], [3, 0.8]])
    np.testing.assert_array_equal(lines(figure)["generator"].get_ydata(), [2, 2.5, 3])


def test_trace_curves_has_a_line_for_each_image(rng):
    steps, residual, discrimination = np.arange(0, 50, 10), rng.random((5, 2)), rng.random((5, 2))
    figure = figures.trace_curves(steps, residual, discrimination, names=["good", "hole"])
    for axis, (name, values) in enumerate({"residual": residual, "discrimination": discrimination}.items()):
        np.testing.assert_array_equal(lines(figure, axis)["good"].get_ydata(), values[:, 0])
        np.testing.assert_array_equal(lines(figure, axis)["hole"].get_ydata(), values[:, 1])
        assert lines(figure, axis)["hole"].get_color() == figures.COLOURS[name]
        assert figure.axes[axis].get_ylabel() == f"{name} loss"
    alone = figures.trace_curves(steps, residual[:, 0], discrimination[:, 0])
    assert len(alone.axes[0].get_lines()) == 1


def test_score_distributions_count_every_image(scored):
    scores, labels = scored
    figure = figures.score_distributions(scores, labels, 1.25)
    normal, anomalous = figure.axes[0].patches
    # a step histogram is a polygon: its area over the width of a bin is the number of images
    for patch, n in ((normal, 30), (anomalous, 50)):
        x, y = patch.get_xy().T
        width = np.ptp(scores) / 30
        area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) + x[-1] * y[0] - x[0] * y[-1]) / 2
        assert area / width == pytest.approx(n)
    np.testing.assert_array_equal(lines(figure)["threshold 1.25"].get_xdata(), [1.25, 1.25])


def test_roc_curve_holds_the_area_and_the_threshold(scored):
    scores, labels = scored
    figure = figures.roc_curve(scores, labels, 0.7)
    curve = lines(figure)[f"AUROC {metrics.auroc(labels, scores):.3f}"]
    x, y = curve.get_xydata().T
    assert np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) == pytest.approx(metrics.auroc(labels, scores))
    point = lines(figure)["threshold"].get_xydata()[0]
    np.testing.assert_allclose(point, [np.mean(scores[:30] > 0.7), np.mean(scores[30:] > 0.7)])
    assert "threshold" not in lines(figures.roc_curve(scores, labels))


def test_precision_recall_curve_holds_the_area_and_the_threshold(scored):
    scores, labels = scored
    figure = figures.precision_recall_curve(scores, labels, 0.7)
    curve = lines(figure)[f"average precision {metrics.average_precision(labels, scores):.3f}"]
    recall, precision = curve.get_xydata().T
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(metrics.average_precision(labels, scores))
    point = lines(figure)["threshold"].get_xydata()[0]
    np.testing.assert_allclose(point, [np.mean(scores[30:] > 0.7), np.mean(labels[scores > 0.7])])
    assert "threshold" not in lines(figures.precision_recall_curve(scores, labels, 99))


def test_lambda_curve():
    lams = np.linspace(0, 1, 5)
    figure = figures.lambda_curve(lams, {"re-weighted": lams / 2, "searched anew": lams / 3}, chosen=0.1)
    np.testing.assert_array_equal(lines(figure)["searched anew"].get_ydata(), lams / 3)
    assert "lambda = 0.1" in lines(figure)


def test_hit_rate_by_size(rng):
    masks = np.zeros((40, 16, 16), bool)
    for i, mask in enumerate(masks):
        mask.flat[: 2 * i + 1] = True
    classes = metrics.hit_rate_by_size(np.arange(40) > 15, 0.5, masks)
    smallest = metrics.smallest_found(np.arange(40) > 15, 0.5, masks)
    figure = figures.hit_rate_by_size(classes, smallest)
    shown = figure.axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(shown, [c["hit_rate"] for c in classes])
    assert f"9 in 10 from {smallest} pixels on" in lines(figure)


def test_confusion_table():
    figure = figures.confusion_table({"true_normal": 38, "false_alarm": 2, "missed": 9, "hit": 61})
    told = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert told == {"38\ntrue normal": (0, 0), "2\nfalse alarm": (1, 0), "9\nmissed": (0, 1), "61\nhit": (1, 1)}


def test_embedding_tells_every_label_apart_by_colour_and_shape(rng):
    points = rng.normal(size=(30, 2))
    figure = figures.embedding(points, ["good", "hole", "generated"] * 10, title="t-SNE")
    groups = figure.axes[0].collections
    assert [g.get_label() for g in groups] == ["good", "hole", "generated"]
    np.testing.assert_array_equal(groups[1].get_offsets(), points[1::3])
    assert (
        len({g.get_facecolor().tobytes() for g in groups})
        == len({g.get_paths()[0].vertices.tobytes() for g in groups})
        == 3
    )
    numbers = figures.embedding(points, np.arange(30) % 2).axes[0].collections
    assert [g.get_label() for g in numbers] == ["normal", "anomalous"]


# ---- what holds for all


def test_palette_is_told_apart_in_grey():
    """Lightness L* (CIE 1976) of what shares a figure differs by 15 at least."""
    from matplotlib.colors import to_rgb

    def lightness(name):
        rgb = np.array(to_rgb(figures.COLOURS[name]))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16

    for together in (("normal", "anomalous"), ("residual", "discrimination", "score")):
        levels = sorted(lightness(name) for name in together)
        assert min(np.diff(levels)) > 15, together


def test_figures_draw_into_a_given_ax(scored):
    from matplotlib.figure import Figure

    whole = Figure()
    left, right = whole.subplots(1, 2)
    assert figures.score_distributions(*scored, ax=left) is whole
    assert figures.roc_curve(*scored, ax=right) is whole
    assert left.patches
    assert right.lines


def test_jupyter_shows_a_returned_figure_with_and_without_inline(scored):
    """The PNG that IPython asks an object for, where `%matplotlib inline` has registered nothing."""
    from IPython.core.formatters import DisplayFormatter

    figure = figures.roc_curve(*scored)
    data, _ = DisplayFormatter().format(figure)
    assert data["image/png"].startswith(b"\x89PNG")
    assert " at 0x" not in data["text/plain"]  # the same on each run


def test_neither_pyplot_nor_tensorflow_is_loaded():
    code = (
        "import sys, numpy as np; from anogan_lib import figures, metrics, thresholds; "
        "assert not {'matplotlib', 'scipy', 'sklearn'} & set(sys.modules), 'slow import'; "
        "figures.comparison(*np.zeros((2, 8, 8, 1)), np.zeros((8, 8)), 1.0, vmax=1).savefig(sys.stdout.buffer); "
        "assert not {'matplotlib.pyplot', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: figures.overlay_image(np.zeros((8, 8, 3)), np.zeros((8, 9)), vmax=1), r"\(8, 8\). Received: \(8, 9\)"),
        (lambda: figures.overlay_image(np.zeros((8, 8, 3)), np.zeros((8, 8)), vmax=0), "above 0. Received: 0"),
        (lambda: figures.overlay_image(np.zeros((8, 8)), np.zeros((8, 8)), vmax=1), r"Received: shape \(8, 8\)"),
        (lambda: figures.image_grid(np.zeros((0, 8, 8, 1))), "At least one image"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
