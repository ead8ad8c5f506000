"""Augmentation: how images are changed before a network sees them.

Before the discriminator, DiffAugment (Zhao et al. 2020, arXiv 2006.10738) keeps it from memorising few images: real and
generated images are changed alike, and the change is differentiable, so G does not learn to draw it. Before the
encoder, patches of other images are pasted in, so that it learns to see the normal image behind a defect.
"""

import tensorflow as tf

from anogan_lib.training.distribution import joint, share, together

SHIFT = 8  # images are moved by up to 1/8 of their side, before D


def check_augment(names: str) -> list[str]:
    """Return the augmentations that a string names, split at commas. Raises ValueError for an unknown one."""
    split = [name for name in names.split(",") if name] if isinstance(names, str) else [None]
    if not set(split) <= set(DIFFERENTIABLE):
        raise ValueError(f'augment is "", or names from {", ".join(DIFFERENTIABLE)} with commas. Received: {names!r}')
    return split


def differentiable(images, names: str, seed):
    """Apply "translation", "colour", both ("translation,colour") or nothing ("") to images (N, H, W, C)."""
    for i, name in enumerate(check_augment(names)):
        images = DIFFERENTIABLE[name](images, seed + tf.cast((i, 0), tf.int64) * 7919)
    return images


def uniform(shape, seed, *limits):
    """Draw uniform numbers of a shape (N, ...), for each image its own, as tf.random.stateless_uniform does."""
    return share(tf.random.stateless_uniform((joint(shape[0]), *shape[1:]), seed, *limits))


def translate(images, seed, part: int = SHIFT):
    """Move each image by its own whole number of pixels, up to 1/`part` of the side; new pixels repeat the border."""
    count, height, width, _ = tf.unstack(tf.shape(images))
    for axis, side in ((1, height), (2, width)):
        most = tf.maximum(side // part, 1)
        seed = seed + tf.constant((1, 0), tf.int64)
        shift = uniform((count, 1), seed, -most, most + 1, tf.int32)
        index = tf.clip_by_value(tf.range(side)[None] + shift, 0, side - 1)  # (N, side)
        images = tf.gather(images, index, axis=axis, batch_dims=1)
    return images


def recolour(images, seed):
    """Move each image's brightness by up to 0.2 and scale its contrast by 0.7 to 1.3."""
    draws = uniform((tf.shape(images)[0], 2, 1, 1), seed, -1.0, 1.0)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (1.0 + 0.3 * draws[:, :1]) + mean + 0.2 * draws[:, 1:]


def flip(images, seed):
    """Mirror each image left-right, up-down, both or neither, with equal chances."""
    draws = uniform((tf.shape(images)[0], 2, 1, 1, 1), seed) < 0.5
    images = tf.where(draws[:, 0], images[:, :, ::-1], images)
    return tf.where(draws[:, 1], images[:, ::-1], images)


def patch(images, seed):
    """Paste a square of another image into seven images in ten, a seventh to four sevenths of the side wide.

    The square's content is normal in itself but not in its place (compare CutPaste, Li et al. 2021, arXiv 2104.04015).
    An encoder that has to return the whole image learns to explain what is normal, and no more.
    """
    _, height, width, _ = tf.unstack(tf.shape(images))
    sides = tf.cast(tf.stack((height, width)), tf.float32)
    draws = uniform((tf.shape(images)[0], 4), seed)
    half = tf.reduce_min(sides) * (1 / 7 + 3 / 7 * draws[:, :1, None]) / 2  # (N, 1, 1)
    down = tf.abs(tf.range(sides[0])[None, :, None] - draws[:, 1:2, None] * sides[0]) < half  # (N, H, 1)
    across = tf.abs(tf.range(sides[1])[None, None] - draws[:, 2:3, None] * sides[1]) < half  # (N, 1, W)
    inside = down & across & (draws[:, 3:, None] < 0.7)  # (N, H, W)
    others = share(tf.roll(together(images), (1, height // 6), axis=(0, 1)))
    return tf.where(inside[..., None], others, images)


DIFFERENTIABLE = {"translation": translate, "colour": recolour}
