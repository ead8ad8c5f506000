"""Images and overlays: each figure shows what it was given, on one scale."""

import io

import numpy as np
import pytest
from PIL import Image

from anogan_lib import pictures


def drawn(figure) -> np.ndarray:
    """The figure as saved to a PNG: (H, W, 3) uint8."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    return np.asarray(Image.open(file).convert("RGB"))


def titles(figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.images]


# ---- overlays


def test_overlay_has_one_scale_for_all_images(images):
    """The same map value gives the same colour, whatever else the map holds."""
    low, high = np.full((16, 20), 0.2), np.full((16, 20), 0.2)
    high[0, 0] = 9.0
    a, b = (pictures.overlay_image(images[0], each, vmax=0.4, cut_off=0) for each in (low, high))
    np.testing.assert_array_equal(a.reshape(-1, 3)[1:], b.reshape(-1, 3)[1:])
    assert (a[0, 0] != b[0, 0]).any()
    twice = pictures.overlay_image(images[0], 2 * low, vmax=0.8, cut_off=0)
    np.testing.assert_array_equal(a, twice)


def test_overlay_is_the_weighted_mean_of_image_and_colour(images, maps):
    from matplotlib import colormaps

    image, map = images[0], maps[0]
    for name, opacity in (("jet", 0.5), ("magma", 0.3), ("viridis", 1.0)):
        colours = colormaps[name](map / 0.4)[..., :3] * 255
        wanted = (1 - opacity) * (image + 1) * 127.5 + opacity * colours
        found = pictures.overlay_image(image, map, vmax=0.4, opacity=opacity, cut_off=0, colour_map=name)
        assert found.dtype == np.uint8
        np.testing.assert_allclose(found, wanted, atol=1.6)


def test_below_the_cut_off_the_image_stays_as_it_is(images, maps):
    plain = np.rint((images[0] + 1) * 127.5)
    changed = (pictures.overlay_image(images[0], maps[0], vmax=0.4, cut_off=0.3) != plain).any(axis=-1)
    assert not changed[maps[0] < 0.3].any()
    assert changed[maps[0] >= 0.3].mean() > 0.95
    np.testing.assert_array_equal(pictures.overlay_image(images[0], maps[0], vmax=0.4, opacity=0), plain)
    np.testing.assert_array_equal(
        pictures.overlay_image(images[0], maps[0], vmax=0.4),
        pictures.overlay_image(images[0], maps[0], vmax=0.4, cut_off=0.2),
    )


def test_signed_maps_diverge_from_the_middle():
    grey = np.zeros((1, 3, 1))
    options = {"vmax": 0.5, "opacity": 1, "cut_off": 0, "signed": True}
    minus, zero, plus = pictures.overlay_image(grey, np.array([[-0.5, 0, 0.5]]), **options)[0].astype(int)
    assert plus[0] > plus[2] + 60  # red
    assert minus[2] > minus[0] + 60  # blue
    assert np.ptp(zero) < 5  # neither
    below = pictures.overlay_image(grey, np.array([[-0.5, 0.1, 0.5]]), vmax=0.5, cut_off=0.2, signed=True)[0]
    np.testing.assert_array_equal((below != 128).any(axis=-1), [True, False, True])


def test_grey_images_are_shown_grey(maps):
    found = pictures.overlay_image(np.full((16, 20, 1), -0.5), maps[0], vmax=1, opacity=0)
    assert found.shape == (16, 20, 3)
    assert set(np.unique(found)) == {64}


def test_common_scale_is_one_number_for_the_whole_set(maps):
    assert pictures.common_scale(maps, 1.0) == maps.max()
    assert pictures.common_scale(-maps, 1.0) == maps.max()
    assert pictures.common_scale(np.zeros((2, 3, 3))) > 0


# ---- pictures


def test_image_grid_shows_every_image_under_its_title(images):
    figure = pictures.image_grid(images[:7], np.array([f"nut {i}" for i in range(7)]), columns=3)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == [f"nut {i}" for i in range(7)]
    assert len(ax.images) == 7
    np.testing.assert_array_equal(ax.images[4].get_array(), np.rint((images[4] + 1) * 127.5))
    left = [image.get_extent()[0] for image in ax.images]
    assert left[0] == left[3] == left[6] < left[1] < left[2]
    assert len(pictures.image_grid(images).axes[0].texts) == 0


@pytest.mark.parametrize("name", ["a$b_{$", "$\\frac$", "\ud800", "\x1b[31m\u202e"])
def test_no_name_is_too_odd(name, images, maps):
    figures = [pictures.image_grid(images[:2], [name] * 2), pictures.overlay(images[0], maps[0], vmax=1, title=name)]
    figures += [pictures.gallery(images[:2], maps[:2], [1.0, 2.0], kinds=[name] * 2)]
    figures += [pictures.embedding(np.eye(2), [name] * 2)]
    for figure in figures:
        drawn(figure)
        assert figure.alt.isprintable()


def test_comparison_is_the_classic_picture(images, maps, masks):
    figure = pictures.comparison(images[0], images[1], maps[0], 26.04, vmax=0.4)
    assert titles(figure) == ["test image", "similar image", "anomalies, score 26.04"]
    query, similar, anomalies = (ax.images[0].get_array() for ax in figure.axes[:3])
    np.testing.assert_array_equal(query, np.rint((images[0] + 1) * 127.5))
    np.testing.assert_array_equal(similar, np.rint((images[1] + 1) * 127.5))
    np.testing.assert_array_equal(anomalies, pictures.overlay_image(images[0], maps[0], vmax=0.4))
    judged = pictures.comparison(images[0], images[1], maps[0], 431.7, vmax=0.4, threshold=100, mask=masks[0])
    assert titles(judged)[2] == "anomalies, score 431.7 (anomalous)"
    assert drawn(judged).shape[2] == 3


def test_a_colour_bar_shows_scale_colours_and_cut_off(images, maps):
    signed = {"signed": True, "colour_map": "PuOr"}
    for figure, low, name, cuts in (
        (pictures.comparison(images[0], images[1], maps[0], 1.0, vmax=0.4), 0, "magma", {0.2}),
        (pictures.gallery(images, maps, np.arange(12), vmax=0.4, cut_off=0.1), 0, "magma", {0.1}),
        (pictures.overlay(images[0], maps[0], vmax=0.4, cut_off=0.3, **signed), -0.4, "PuOr", {0.3, -0.3}),
    ):
        bar = figure.axes[-1]
        assert bar.get_ylim() == (low, 0.4)
        (solids,) = [each for each in bar.collections if each.get_array() is not None]
        assert solids.get_cmap().name == name
        assert {line.get_ydata()[0] for line in bar.lines} == cuts


def test_mask_outline_runs_between_the_pixels(images, maps, masks):
    figure = pictures.overlay(images[0], maps[0], vmax=0.4, mask=masks[0], title="hole")
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
    ring = pictures.overlay(images[0], maps[0], vmax=0.4, mask=inner).axes[0].collections[0]
    assert len(ring.get_segments()) == 16 + 4


def test_gallery_is_sorted_by_score_on_one_scale(images, maps, masks, rng):
    scores = rng.permutation(12) + 0.5
    kinds = ["good", "hole"] * 6
    some = [mask if i % 2 else None for i, mask in enumerate(masks)]
    figure = pictures.gallery(images, maps, scores, some, kinds=kinds, labels=[0, 1] * 6, columns=4)
    ax, _ = figure.axes
    order = np.argsort(-scores)
    assert [text.get_text() for text in ax.texts] == [f"{scores[i]:.4g} {kinds[i]}" for i in order]
    assert len({text.get_color() for text in ax.texts}) == 2
    assert len(ax.collections) == np.sum(order % 2)
    vmax = pictures.common_scale(maps)
    for picture, i in zip(ax.images, order, strict=True):
        np.testing.assert_array_equal(picture.get_array(), pictures.overlay_image(images[i], maps[i], vmax=vmax))
    assert len(pictures.gallery(images, maps, scores, opacity=0).axes) == 1  # nothing to read a colour of


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: pictures.overlay_image(np.zeros((8, 8, 3)), np.zeros((8, 9)), vmax=1),
            r"\(8, 8\). Received: \(8, 9\)",
        ),
        (lambda: pictures.overlay_image(np.zeros((8, 8, 3)), np.zeros((8, 8)), vmax=0), "above 0. Received: 0"),
        (lambda: pictures.overlay_image(np.zeros((8, 8)), np.zeros((8, 8)), vmax=1), r"Received: shape \(8, 8\)"),
        (lambda: pictures.image_grid(np.zeros((0, 8, 8, 1))), "At least one image"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_grid_of_overlays_has_their_colour_bar(pair):
    images = np.clip(pair[0][..., :1], -1, 1)
    plain = pictures.image_grid(images, ["a", "b", "c"])
    scaled = pictures.image_grid(images, ["a", "b", "c"], scale={"vmax": 0.4, "cut_off": 0.1, "signed": True})
    assert len(plain.axes) == 1 and len(scaled.axes) == 2 and scaled.alt == plain.alt
    bar = scaled.axes[1]
    assert bar.get_ylim() == pytest.approx((-0.4, 0.4))
    assert sorted(line.get_ydata()[0] for line in bar.lines) == pytest.approx([-0.1, 0.1])
