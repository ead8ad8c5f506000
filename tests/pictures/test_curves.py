"""Curves: each holds the numbers it was given, and those that the metrics give."""

import numpy as np
import pytest

from anogan_lib import pictures
from anogan_lib.evaluation import metrics
from anogan_lib.training import progress


def lines(figure, axis: int = 0) -> dict:
    return {line.get_label(): line for line in figure.axes[axis].get_lines()}


def test_losses():
    figure = pictures.losses({"d_loss": [1.0, 0.9, 0.8], "g_loss": [2.0, 2.5, 3.0], "diversity": [0.2, 0.7, 0.9]})
    np.testing.assert_array_equal(lines(figure)["discriminator"].get_xydata(), [[1, 1], [2, 0.9], [3, 0.8]])
    np.testing.assert_array_equal(lines(figure)["generator"].get_ydata(), [2, 2.5, 3])
    half = np.log(2)  # the cross entropy of "one half", once for G, for real and generated images for D
    assert set(lines(figure)["D guesses: 2 ln 2"].get_ydata()) == {2 * half}
    assert set(lines(figure)["D guesses: ln 2"].get_ydata()) == {half}
    assert "D's is 0.80 and G's 3.00" in figure.alt


def test_losses_stand_beside_the_diversity_and_the_line_below_which_training_warns():
    figure = pictures.losses({"d_loss": [1.0, 0.9], "g_loss": [2.0, 2.5], "diversity": [0.2, 0.7]})
    assert figure.axes[1].get_lines()[0].get_ydata().tolist() == [0.2, 0.7]
    assert set(lines(figure, 1)["warning below this"].get_ydata()) == {progress.LEAST_DIVERSITY}
    assert "diversity at the end is 0.70" in figure.alt and "D's is 0.90" in figure.alt


def test_score_distributions_mirror_the_share_of_each_class(scored):
    scores, labels = scored
    figure = pictures.score_distributions(scores, labels, 1.25)
    normal, anomalous = figure.axes[0].patches
    for patch, own, sign in ((normal, scores[labels == 0], 1), (anomalous, scores[labels == 1], -1)):
        shares, edges, _ = patch.get_data()
        assert sign * shares.sum() == pytest.approx(1)  # of 30 and of 50 images alike
        inside = (own >= edges[3]) & (own < edges[4])
        assert sign * shares[3] == pytest.approx(inside.mean())
    np.testing.assert_array_equal(normal.get_data().edges, anomalous.get_data().edges)
    np.testing.assert_array_equal(lines(figure)["threshold 1.25"].get_xdata(), [1.25, 1.25])


def test_few_scores_are_drawn_one_by_one():
    figure = pictures.score_distributions(np.arange(10.0), np.arange(10) % 2, 4.5)
    np.testing.assert_array_equal(lines(figure)["normal"].get_xdata(), [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(lines(figure)["anomalous"].get_xdata(), [1, 3, 5, 7, 9])
    assert not figure.axes[0].patches


def test_roc_curve_holds_the_area_and_the_threshold(scored):
    scores, labels = scored
    figure = pictures.roc_curve(scores, labels, 0.7)
    curve = lines(figure)[f"AUROC {metrics.auroc(labels, scores):.3f}"]
    x, y = curve.get_xydata().T
    assert np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) == pytest.approx(metrics.auroc(labels, scores))
    point = lines(figure)["threshold"].get_xydata()[0]
    np.testing.assert_allclose(point, [np.mean(scores[:30] > 0.7), np.mean(scores[30:] > 0.7)])
    assert "threshold" not in lines(pictures.roc_curve(scores, labels))


def test_precision_recall_curve_holds_the_area_and_the_threshold(scored):
    scores, labels = scored
    figure = pictures.precision_recall_curve(scores, labels, 0.7)
    curve = lines(figure)[f"average precision {metrics.average_precision(labels, scores):.3f}"]
    recall, precision = curve.get_xydata().T
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(metrics.average_precision(labels, scores))
    point = lines(figure)["threshold"].get_xydata()[0]
    np.testing.assert_allclose(point, [np.mean(scores[30:] > 0.7), np.mean(labels[scores > 0.7])])
    assert "threshold" not in lines(pictures.precision_recall_curve(scores, labels, 99))


def test_lambda_curve():
    lams = np.linspace(0, 1, 5)
    figure = pictures.lambda_curve(lams, {"re-weighted": lams / 2, "searched again": lams / 3}, chosen=0.1)
    np.testing.assert_array_equal(lines(figure)["searched again"].get_ydata(), lams / 3)
    assert "lambda = 0.1" in lines(figure)


def test_confusion_table():
    figure = pictures.confusion_table({"true_normal": 38, "false_alarm": 2, "missed": 9, "hit": 61})
    told = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert told == {"38\ntrue normal": (0, 0), "2\nfalse alarm": (1, 0), "9\nmissed": (0, 1), "61\nhit": (1, 1)}


def test_embedding_tells_every_label_apart_by_colour_and_shape(rng):
    points = rng.normal(size=(30, 2))
    figure = pictures.embedding(points, ["good", "hole", "generated"] * 10)
    groups = figure.axes[0].collections
    assert [g.get_label() for g in groups] == ["good", "hole", "generated"]
    np.testing.assert_array_equal(groups[1].get_offsets(), points[1::3])
    assert (
        len({g.get_facecolor().tobytes() for g in groups})
        == len({g.get_paths()[0].vertices.tobytes() for g in groups})
        == 3
    )
    numbers = pictures.embedding(points, np.arange(30) % 2).axes[0].collections
    assert [g.get_label() for g in numbers] == ["normal", "anomalous"]


def test_thumbnails_stand_at_their_points_and_never_overlap(rng):
    points, images = rng.normal(size=(60, 2)), rng.uniform(-1, 1, (60, 8, 8, 1)).astype("float32")
    figure = pictures.embedding(points, np.arange(60) % 2, images=images)
    boxes = [each for each in figure.axes[0].artists if hasattr(each, "xy")]
    assert 5 < len(boxes) < 60
    shown = [int(np.flatnonzero((points == box.xy).all(axis=1))[0]) for box in boxes]
    for box, i in zip(boxes, shown, strict=True):
        np.testing.assert_array_equal(box.offsetbox.get_data(), pictures.rgb(images[i]))
    figure.canvas.draw()
    frames = [box.get_window_extent() for box in boxes]
    assert not any(a.overlaps(b) for i, a in enumerate(frames) for b in frames[:i])


def test_a_ladder_shows_each_rung_its_interval_and_the_rivals(rng):
    labels = np.repeat([0, 1], 40)
    rungs = {"guess": rng.normal(size=80), "better": labels + rng.normal(size=80)}
    figure = pictures.ladder(rungs, labels, {"PCA": 0.7})
    (ax,) = figure.axes
    points, _, (bars,) = ax.containers[0]
    areas = [metrics.auroc(labels, scores) for scores in rungs.values()]
    np.testing.assert_allclose(points.get_xdata(), areas)
    for ends, area in zip(bars.get_segments(), areas, strict=True):
        assert ends[0, 0] < area < ends[1, 0]
    assert [text.get_text() for text in ax.get_yticklabels()] == list(rungs)
    assert ax.lines[-1].get_xdata()[0] == 0.7 and "PCA 0.700" in figure.alt
    assert f"guess {areas[0]:.3f}, better {areas[1]:.3f}" in figure.alt
