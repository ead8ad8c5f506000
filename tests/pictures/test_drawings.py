"""The drawings: each shows the detector's own images and numbers, grey or in colour, and says so in words."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.offsetbox import AnnotationBbox

from anogan_lib import AnoGAN, pictures
from anogan_lib.evaluation import thresholds


@pytest.fixture(scope="module")
def masked(masked_detector, masked_data):
    return masked_detector, masked_data


def shown(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def texts(figure) -> str:
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


def holds(figure, image) -> bool:
    wanted = pictures.rgb(image)
    return any(each.shape == wanted.shape and np.array_equal(each, wanted) for each in shown(figure))


def inside(figure) -> bool:
    """Whether every word lies on the page."""
    figure.canvas.draw()
    page = figure.bbox.padded(1)
    boxes = [text.get_window_extent() for ax in figure.axes for text in ax.texts if text.get_text()]
    return all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)


def test_the_pipeline_shows_the_detectors_own_numbers(masked):
    detector, data = masked
    image = data.test.images[-1]
    figure, found = pictures.pipeline(detector, data.train.images, image), detector.invert(image[None])
    for each in (image, found.reconstruction[0], *data.train.images[:4], *detector.gan.sample(4, seed=0)):
        assert holds(figure, each)
    assert f"R = {found.residual[0]:.0f}" in texts(figure) and f"D = {found.discrimination[0]:.0f}" in texts(figure)
    verdict = pictures.CLASSES[int(detector.predict(image[None]).verdicts[0])]
    assert verdict in texts(figure) and f"called {verdict}" in figure.alt
    assert figure.axes[0].child_axes[0].get_xticks() == pytest.approx([found.scores()[0]])
    assert figure.get_size_inches()[0] == pictures.PAGE and inside(figure)


def test_the_blocks_of_the_generator_double_their_sides(masked):
    detector, data = masked
    z = detector.invert(data.test.images[:1]).z[0]
    figure = pictures.growing_blocks(detector.generator, z)
    sides = [each.shape[0] for each in shown(figure)[1:-1]]
    assert sides == sorted(sides) and all(later in (now, 2 * now) for now, later in itertools.pairwise(sides))
    np.testing.assert_array_equal(shown(figure)[0].ravel(), z)
    assert holds(figure, np.asarray(detector.generator(z[None], training=False))[0])
    assert str(len(z)) in texts(figure) and inside(figure)


def test_the_search_path_ends_where_the_search_does(masked):
    detector, data = masked
    image = data.test.images[-1]
    figure = pictures.search_path(detector, image, steps=12)
    found = detector.invert(image[None], init="random", steps=12, trace=True, record_every=1)
    assert holds(figure, image) and holds(figure, found.reconstruction[0])
    first, last = (f"{found.trace.residual[t, 0]:.0f}" for t in (0, -1))
    assert f"from {first} to {last}" in figure.alt and f"R = {last}" in texts(figure)
    assert inside(figure)


def test_points_beyond_a_line_are_those_that_its_lambda_calls_anomalous(masked):
    detector, data = masked
    found = detector.invert(data.test)
    figure = pictures.losses_plane(detector, data.test, found)
    told = {float(lam): int(share) for share, lam in re.findall(r"(\d+)% at (\d(?:\.\d+)?)", figure.alt)}
    assert set(told) == {0, 0.1, 0.5, 1}
    bad = data.test.labels == 1
    for lam, share in told.items():
        scores, normal = found.scores(lam, "paper"), detector.combine(detector.calibration, lam, "paper")
        wanted = (scores[bad] > thresholds.conformal(normal, detector.false_alarm_rate).value).mean()
        assert share == pytest.approx(100 * wanted, abs=0.51)
    points = np.stack([found.residual, found.discrimination], axis=1)
    left, bottom, right, top = np.ravel([figure.axes[0].get_xlim(), figure.axes[0].get_ylim()], order="F")
    assert (points >= (left, bottom)).all() and (points <= (right, top)).all()
    (bold,) = [line for line in figure.axes[0].lines if line.get_linewidth() == 2]
    (x0, x1), (y0, y1) = bold.get_data()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-(1 - 0.1) / 0.1)  # lambda is the slope


def test_a_marked_image_is_drawn_in_a_wide_frame_whatever_lies_around(masked):
    detector, data = masked
    found = detector.invert(data.test)
    for mark in (0, len(data.test) - 1):
        figure = pictures.losses_plane(detector, data.test, found, mark=mark)
        wide = [box for box in figure.findobj(AnnotationBbox) if box.patch.get_linewidth() == 4]
        assert [(*box.xy,) for box in wide] == [(found.residual[mark], found.discrimination[mark])]


def test_drawings_of_grey_images(tiny_detector, tiny_data):
    detector, image = AnoGAN.load(tiny_detector), tiny_data.test.images[0]
    for figure in (
        pictures.pipeline(detector, tiny_data.train.images, image),
        pictures.growing_blocks(detector.generator, np.ones(detector.gan.latent_dim)),
        pictures.search_path(detector, image, steps=3),
        pictures.losses_plane(detector, tiny_data.test[:30]),
    ):
        assert figure._repr_png_()[0].startswith(b"\x89PNG") and figure.alt
