"""What the speed benchmark runs side by side is the same search."""

import pytest

from anogan_lib import AnoGAN
from tests.benchmarks import textbook
from tests.benchmarks.apart import ROOT


def test_both_loops_make_the_same_steps():
    detector = AnoGAN.load(ROOT / "weights" / "digits-8")
    search, weights = detector.search, (0.9, 0.1)
    z = search.start([0], 0, 0)
    x = search.generator(search.start([0], 1, 0), training=False)
    loops = textbook.TextbookSearch(search, weights), textbook.PlainSearch(search, weights)
    ends = [[loop.run(x, z, steps) for steps in (0, 5)] for loop in loops]
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)
    assert ends[0][1] < ends[0][0]  # downhill
    assert loops[1].run(x, z, 5) == ends[1][1]  # from the beginning again


def test_the_usual_networks_make_a_gan():
    gan = textbook.build_gan()
    assert gan.sample(2, seed=0).shape == (2, *textbook.IMAGE_SHAPE)
    widths = [layer.filters for layer in gan.discriminator.layers if hasattr(layer, "filters")]
    assert widths == [64, 128, 256] and gan.latent_dim == textbook.LATENT_DIM
