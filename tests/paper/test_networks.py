"""The networks, for every shape the package promises."""

import numpy as np
import pytest

from anogan_lib.fast.encoder import build_encoder
from anogan_lib.paper.networks import build_discriminator, build_generator, feature_extractor

SHAPES = [(16, 16, 1), (28, 28, 1), (64, 64, 3), (50, 70, 3), (96, 128, 1), (17, 31, 3), (256, 256, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_goes_through_all_three(shape):
    z = np.random.default_rng(0).standard_normal((2, 8)).astype("float32")
    images = build_generator(shape, latent_dim=8, width=4)(z).numpy()
    assert images.shape == (2, *shape)
    assert np.abs(images).max() <= 1
    assert build_discriminator(shape, width=4)(images).shape == (2, 1)
    assert build_encoder(shape, latent_dim=8, width=4)(images).shape == (2, 8)


def test_width_scales_the_parameters():
    narrow, wide = (build_generator((64, 64, 3), 16, width).count_params() for width in (8, 16))
    assert 2 < wide / narrow < 4.5


def test_feature_layers_count_from_both_ends():
    discriminator = build_discriminator((64, 64, 3), width=4)
    shapes = [feature_extractor(discriminator, i).output_shape[1:] for i in (1, 2, 3, 4)]
    assert [s[0] for s in shapes] == [32, 16, 8, 4]
    assert feature_extractor(discriminator, -1).output_shape[1:] == shapes[-1]
    with pytest.raises(ValueError, match="feature layers 1 to 4"):
        feature_extractor(discriminator, 5)


@pytest.mark.parametrize("shape", [(8, 64, 3), (64, 300, 3), (64, 64, 2), (64, 64)])
def test_other_shapes_are_refused_in_one_sentence(shape):
    with pytest.raises(ValueError, match=r"sides from 16 to 256.*Received"):
        build_generator(shape)


def test_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="spectral"):
        build_discriminator((16, 16, 1), normalisation="instance")
