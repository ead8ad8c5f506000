"""The generator G, the discriminator D and its feature layer f, for images from 16x16 to 256x256, grey or colour.

Both follow DCGAN (Radford et al. 2016, arXiv 1511.06434): strided convolutions, no pooling, batch normalisation in G
(D has layer normalisation by default). `width` is the number of channels next to the image. Each halving of the
sides doubles it, up to four times `width`.
"""

import math

import keras
from keras import layers

from anogan_lib.checks import one_of
from anogan_lib.training.settings import check_image_shape

NORMALISATIONS = ("batch", "layer", "spectral")
MOST_FIRST = 2**26  # weights of G's first layer: a quarter of a gigabyte
KERNEL = 4  # a multiple of the stride: transposed convolutions overlap evenly, so no chequerboard


def block_channels(image_shape, width: int) -> list[int]:
    """Return the channels of each block, from the image inwards: one block per halving, down to 4 to 8 pixels."""
    blocks = int(math.log2(min(image_shape[:2]) / 4))
    return [width * min(2**i, 4) for i in range(blocks)]


def build_generator(image_shape=(64, 64, 3), latent_dim: int = 64, width: int = 32) -> keras.Model:
    """Build G: z (N, latent_dim) -> images (N, H, W, C) in [-1, 1].

    >>> build_generator((28, 28, 1), latent_dim=12).output_shape
    (None, 28, 28, 1)
    """
    z = keras.Input((latent_dim,), name="z")
    y = upsampling(z, check_image_shape(image_shape), width)
    y = layers.Activation("tanh", dtype="float32", name="image")(y)
    return keras.Model(z, y, name="generator")


def upsampling(z, image_shape: tuple[int, int, int], width: int):
    """Stack transposed convolutions, each doubling the sides: z (N, latent_dim) -> any numbers (N, H, W, C)."""
    height, breadth, colours = image_shape
    channels = block_channels(image_shape, width)
    scale = 2 ** len(channels)
    rows, columns = math.ceil(height / scale), math.ceil(breadth / scale)  # the surplus is cropped at the end

    count = rows * columns * channels[-1]  # many, where images are long and narrow
    if z.shape[1] * count > MOST_FIRST:
        raise ValueError(f"{z.shape[1]} x {count} weights between z and G's first block are too many: lower the width.")
    y = layers.Dense(count, use_bias=False)(z)
    y = layers.Reshape((rows, columns, channels[-1]))(y)  # (N, 4, 4, 4 * width) for 64x64
    for count in [*channels[-2::-1], None]:
        y = layers.BatchNormalization()(y)
        y = layers.ReLU()(y)
        if count is None:
            break
        y = layers.Conv2DTranspose(count, KERNEL, strides=2, padding="same", use_bias=False)(y)  # sides doubled
    y = layers.Conv2DTranspose(colours, KERNEL, strides=2, padding="same")(y)
    spare = rows * scale - height, columns * scale - breadth
    if any(spare):
        y = layers.Cropping2D(tuple((s // 2, s - s // 2) for s in spare))(y)
    return y


def downsampling(image, channels: list[int], normalisation: str = "", initializer: str = "glorot_uniform"):
    """Stack strided blocks, each halving the sides: (N, H, W, C) -> (N, h, w, channels of the last block).

    D is built on it, and so is f-AnoGAN's encoder. The output of block i is the layer named `features_i`. As in DCGAN,
    the first block is not normalised.
    """
    y = image
    for i, count in enumerate(channels, start=1):
        convolution = layers.Conv2D(count, KERNEL, strides=2, padding="same", kernel_initializer=initializer)
        if normalisation == "spectral":
            convolution = layers.SpectralNormalization(convolution)
        y = convolution(y)  # sides halved
        if normalisation == "batch" and i > 1:
            y = layers.BatchNormalization()(y)
        if normalisation == "layer" and i > 1:
            y = layers.GroupNormalization(groups=1)(y)
        y = layers.LeakyReLU(0.2, name=f"features_{i}")(y)
    return y


def build_discriminator(image_shape=(64, 64, 3), width: int = 32, normalisation: str = "layer") -> keras.Model:
    """Build D: images (N, H, W, C) in [-1, 1] -> logits (N, 1), high for real images.

    Args:
        normalisation: "batch" as in DCGAN; "layer" (Ba et al. 2016, arXiv 1607.06450), which normalises
            each image by itself; "spectral" (Miyato et al. 2018, arXiv 1802.05957).
    """
    one_of("normalisation", normalisation, NORMALISATIONS)
    image = keras.Input(check_image_shape(image_shape), name="image")
    y = downsampling(image, block_channels(image_shape, width), normalisation)
    logit = layers.Dense(1, name="logit", dtype="float32")(layers.Flatten()(y))
    return keras.Model(image, logit, name="discriminator")


def feature_extractor(discriminator: keras.Model, layer: int = -1) -> keras.Model:
    """Build f: images (N, H, W, C) -> the activations of one block of the discriminator, (N, h, w, channels).

    Args:
        layer: number of the block, 1 nearest the image; negative numbers count from the end (-1 is the deepest).
    """
    names = [each.name for each in discriminator.layers if each.name.startswith("features_")]
    if isinstance(layer, bool | float) or layer not in [*range(-len(names), 0), *range(1, len(names) + 1)]:
        raise ValueError(
            f"The discriminator has feature layers 1 to {len(names)} (or -1 to -{len(names)}). Received: {layer!r}"
        )
    name = names[layer - 1 if layer > 0 else layer]
    return keras.Model(discriminator.input, discriminator.get_layer(name).output, name=f"f_{name}")
