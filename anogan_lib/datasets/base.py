"""Splits of images in [-1, 1], in memory or on disk, and the data sets that they form.

`as_split` is the door: it turns images in any form into a Split, and the rest of the library takes Splits alone.
"""

import hashlib
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anogan_lib.checks import check_seed, printable, whole
from anogan_lib.datasets.groups import split_groups
from anogan_lib.datasets.images import ImageFiles

FEWEST_NORMAL = 10  # with fewer, a part of the 70/10/20 split would be empty
IN_MEMORY = 2**30  # bytes: smaller sets are kept in memory, larger ones are read from their files at each epoch
MANY = 10  # so many images, none of which has a pixel below 0, are hardly in [-1, 1]
_TOLERANCE = 1e-3  # how far beyond [-1, 1] a resize or a float error may reach


class Split:
    """Images with what is known of each.

    `split[:8]`, `split[[3, 5]]` and `split[split.labels == 1]` are Splits again, with the same reference. Neither these
    nor `len(split)` nor `batches` read a file before it is needed.

    Attributes:
        images: (N, H, W, C) float32 in [-1, 1]; files are read at first use and kept.
        labels: (N,) int, 0 normal and 1 anomalous, or None.
        kinds: (N,) str, "good" or the kind of anomaly, or None.
        masks: (N, H, W) bool, True on the defect, or None; files are read at first use and kept.
        names: (N,) str, or None.
        groups: (N,) str, equal for images that belong together, as of one part or day; None where each stands alone.
        reference: for test images, the training split that baselines are fitted on; else None.
        image_shape: (H, W, C).
        group_count: how many groups there are, or None.
        paths: the images' files, or None.
        value_range: the values that became -1 and 1 where files have more than 8 bits a channel, else None.
    """

    def __init__(
        self, images, labels=None, kinds=None, masks=None, names=None, reference: "Split | None" = None, groups=None
    ):
        self._files, self._digests = images if isinstance(images, ImageFiles) else None, None
        self._images = check_images(images) if self._files is None else images
        self._masks = masks if masks is None or isinstance(masks, ImageFiles) else np.asarray(masks, bool)
        texts = (None if each is None else np.asarray(each, str) for each in (kinds, names, groups))
        self.kinds, self.names, self.groups = texts
        if groups is not None and len(set(self.groups)) == len(self):
            self.groups = None
        if labels is None and kinds is not None:
            labels = self.kinds != "good"
        self.labels = None if labels is None else _whole_numbers(labels)
        self.image_shape, self.reference = tuple(self._images.shape[-3:]), reference
        for what in ("labels", "kinds", "_masks", "names", "groups"):
            values = getattr(self, what)
            if values is not None and len(values) != len(self):
                raise ValueError(f"{len(self)} images need as many {what.strip('_')}. Received: {len(values)}.")
        size = self.image_shape[:2]
        if self._masks is not None and self._masks.shape[-2:] != size:
            raise ValueError(f"Masks of the images' size {size} are wanted. Received: {self._masks.shape[-2:]}.")

    @property
    def images(self) -> np.ndarray:
        if isinstance(self._images, ImageFiles):
            self._images = self._images.read()
        return self._images

    @property
    def masks(self) -> np.ndarray | None:
        if isinstance(self._masks, ImageFiles):
            self._masks = self._masks.read()
        return self._masks

    value_range = property(lambda self: None if self._files is None else self._files.value_range)
    paths = property(lambda self: None if self._files is None else self._files.paths)
    group_count = property(lambda self: None if self.groups is None else len(set(self.groups)))

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, indices) -> "Split":
        places = np.atleast_1d(np.arange(len(self))[indices])
        parts = (self._images, self.labels, self.kinds, self._masks, self.names)
        parts += (self.groups, self._files, self._digests)
        *parts, groups, files, digests = (None if part is None else part[places] for part in parts)
        chosen = Split(*parts, reference=self.reference, groups=groups)
        chosen._files, chosen._digests = files, digests  # known even when the images have been read
        return chosen

    def __repr__(self) -> str:
        where = "files" if isinstance(self._images, ImageFiles) else "in memory"
        return f"Split({len(self)} images of {'x'.join(map(str, self.image_shape))}, {where})"

    def batches(self, n: int, shuffle_seed: int | None = None):
        """Make a tf.data.Dataset of (n, H, W, C) float32 batches, the last one smaller, read ahead of their use.

        A `shuffle_seed` of None keeps the order; each seed gives one order, always the same.
        """
        import tensorflow as tf

        whole("batch_size", n, 1)
        order = np.arange(len(self))
        if shuffle_seed is not None:
            order = np.random.default_rng(shuffle_seed).permutation(order)

        def fetch(places):
            batch = tf.numpy_function(lambda places: self[places].images, [places], tf.float32)
            batch.set_shape((None, *self.image_shape))
            return batch

        return tf.data.Dataset.from_tensor_slices(order).batch(n).map(fetch).prefetch(2)

    def digests(self) -> list[str]:
        """Compute a short SHA-256 of each image, by which a detector recognises what it has learned from.

        It is that of the file's bytes where the image is a file, whatever size it is read at, else of its values.
        """
        if self._digests is None:  # computed once: fitting and evaluating ask for them several times
            if self._files is None:
                found = (hashlib.sha256(image.tobytes()).hexdigest() for image in self._images)
            else:
                found = map(file_sha256, self._files.paths)
            self._digests = np.array([each[:16] for each in found])
        return self._digests.tolist()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of any size, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class AnomalyDataset:
    """A data set: three splits of normal images, and a test split that shares no image with them.

    Attributes:
        name: the spec it came from.
        description: what it is, its source and its licence, in a sentence or two.
        train, validation, calibration: normal images only.
        test: normal and anomalous images with labels, kinds and, where there are any, masks.
    """

    name: str
    description: str
    train: Split
    validation: Split
    calibration: Split
    test: Split

    image_shape = property(lambda self: self.train.image_shape)

    def summary(self) -> str:
        """Write a short table: images by split and kind, their shape, the source."""
        rows = [(name, "good", getattr(self, name)) for name in ("train", "validation", "calibration")]
        kinds = sorted(set(self.test.kinds), key=lambda kind: (kind != "good", kind))
        rows += [("test", kind, self.test[self.test.kinds == kind]) for kind in kinds]
        rows = [(*row, len(part), f" in {part.group_count} groups" * bool(part.group_count)) for *row, part in rows]
        width = max(map(len, ["good", *kinds]))
        shape, masks = " x ".join(map(str, self.image_shape)), "no" if self.test._masks is None else "yes"
        lines = [self.name, self.description, f"images {shape} (height, width, channels), masks: {masks}"]
        if self.train.value_range:
            lines.append("values from {:g} (black) to {:g} (white), for all images".format(*self.train.value_range))
        lines.append("")
        lines += [f"  {split:<12}{kind:<{width}}  {n:>6}{groups}" for split, kind, n, groups in rows]
        return "\n".join(map(printable, lines))

    __str__ = summary


def split_normal(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split n normal images 70/10/20: the places of those to train on, to validate on and to calibrate on.

    The rule is fixed: a permutation drawn from `seed`, cut in three, each part sorted.
    """
    if n < FEWEST_NORMAL:
        raise ValueError(f"Too few normal images: at least {FEWEST_NORMAL} are wanted. Received: {n}.")
    order = np.random.default_rng(check_seed(seed)).permutation(whole("n", n, 0))
    calibration, validation = round(0.2 * n), round(0.1 * n)
    cuts = [n - calibration - validation, n - calibration]
    train, validation, calibration = (np.sort(part) for part in np.split(order, cuts))
    return train, validation, calibration


class Source(NamedTuple):
    """All images of a data set, before they are split; in_test (N,) bool marks those of the test."""

    name: str
    description: str
    images: Split
    in_test: np.ndarray

    def split(self, seed: int) -> AnomalyDataset:
        """Split the images outside the test, groups whole. Raises ValueError if they are fewer than 10, or 3 groups."""
        normal, test = np.flatnonzero(~self.in_test), self.images[self.in_test]
        if len(normal) < FEWEST_NORMAL:
            raise ValueError(
                f"Too few normal images in {self.name}: at least {FEWEST_NORMAL} are wanted beside those of the test. "
                f"Received: {len(normal)}."
            )
        groups = normal if self.images.groups is None else self.images.groups[normal]
        train, validation, calibration = (self.images[normal[part]] for part in split_groups(groups, seed))
        test.reference = train
        return AnomalyDataset(self.name, self.description, train, validation, calibration, test)


def check_images(images, image_shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """Return images as float32 (N, H, W, C). Raises ValueError unless they are images with values in [-1, 1]."""
    try:
        array = np.asarray(images)
    except ValueError:
        raise ValueError("All images must have one shape (H, W, C); resize them to the same size.") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"Images must be an array (N, H, W, C), a Split or a tf.data.Dataset. Received: {type(images).__name__}."
        )
    if array.ndim != 4:
        hint = " For one image, give image[None]." if array.ndim == 3 else ""
        raise ValueError(f"Images must have the shape (N, H, W, C).{hint} Received shape: {array.shape}.")
    if 0 in array.shape:
        raise ValueError(f"There are no images: at least one is wanted. Received shape: {array.shape}.")
    if array.shape[-1] not in (1, 3):
        raise ValueError(f"Images must have 1 or 3 channels, the last axis. Received shape: {array.shape}.")
    if image_shape is not None and array.shape[1:] != tuple(image_shape):
        raise ValueError(f"Images of shape {tuple(image_shape)} are wanted. Received shape: {array.shape[1:]}.")
    low, high = float(array.min()), float(array.max())  # either is NaN if any value is
    if not np.isfinite(low + high):
        raise ValueError("Images must hold finite values. Received NaN or infinity.")
    if array.dtype.kind in "iub" or low < -1 - _TOLERANCE or high > 1 + _TOLERANCE:
        raise ValueError(
            "Images must lie in [-1, 1]; datasets.images.from_uint8(images) brings values of 0 to 255 there. "
            f"Received {array.dtype} values from {low:g} to {high:g}."
        )
    if len(array) >= MANY and low >= 0 and high > 0.5:
        warnings.warn(
            f"The values of these {len(array)} images lie in [0, 1], and images lie in [-1, 1]: if black is 0, "
            "give 2 * images - 1.",
            stacklevel=3,
        )
    return array.astype(np.float32, copy=False)


def check_fit(network: str, wanted: tuple, received: tuple) -> None:
    """Raise ValueError if images are `received` (H, W, C) and the network was made for `wanted`."""
    if received != wanted:
        what = f"channels={wanted[2]}" if received[:2] == wanted[:2] else f"size={wanted[:2]}"
        raise ValueError(
            f"This {network} takes images of shape {wanted}; load the data with {what}. "
            f"Received images of shape {received}."
        )


def as_split(images) -> Split:
    """Turn images in any form into a Split; a Split is returned as it is.

    Args:
        images: an array (N, H, W, C), a Split, or a tf.data.Dataset of images or (image, label) pairs, batched or not;
            values in [-1, 1]. A dataset is read once and kept in memory.

    Raises:
        ValueError: what `check_images` refuses; a dataset that never ends or holds more than a gigabyte.
    """
    if isinstance(images, Split):
        return images
    if not hasattr(images, "element_spec"):
        return Split(images)
    blocks, labels, size = [], [], 0
    for block, known in _dataset_blocks(images):
        blocks.append(check_images(block, blocks[0].shape[1:] if blocks else None))
        labels += [] if known is None else [np.ravel(known)]
        size += blocks[-1].nbytes
        if size > IN_MEMORY:
            raise ValueError(
                "This tf.data.Dataset holds more than a gigabyte of images; give a folder of image files instead: "
                "datasets.load(folder) reads them as they are needed."
            )
    if not blocks:
        raise ValueError("There are no images: at least one is wanted.")
    return Split(np.concatenate(blocks), np.concatenate(labels) if labels else None)


def normal_split(images) -> Split:
    """Turn normal images in any form into a Split, with a warning where labels call some of them anomalous."""
    split = as_split(images)
    if split.labels is not None and (bad := np.sum(split.labels == 1)):
        learned = "and a detector learns from normal images alone"
        warnings.warn(f"{bad} of these {len(split)} images are labelled anomalous (1), {learned}.", stacklevel=3)
    return split


def labelled(data) -> Split:
    """Return the labelled images of an AnomalyDataset (its test split), a Split, or a tf.data.Dataset of pairs."""
    split = as_split(data.test if isinstance(data, AnomalyDataset) else data)
    if split.labels is None:
        raise ValueError("Images with labels are wanted: a test split, or a tf.data.Dataset of (image, label) pairs.")
    return split


def iterate_batches(images, batch_size: int) -> Iterator[np.ndarray]:
    """Yield images of any form in order, as float32 (batch_size, H, W, C); the last batch may be smaller."""
    whole("batch_size", batch_size, 1)
    split = as_split(images)
    for first in range(0, len(split), batch_size):
        yield split[first : first + batch_size].images


def epoch_batches(
    split: Split, batch_size: int, seed: int, epoch: int, rows=slice(None), first: int = 0
) -> Iterator[np.ndarray]:
    """Yield one epoch of training as float32 (batch_size, H, W, C), in an order drawn from (epoch, seed).

    Batches before number `first` are left out, and of each only `rows` are read, an array of places or a slice. A
    smaller last batch would upset batch normalisation, so it is left out; each epoch leaves out other images.
    Sets below `IN_MEMORY` are read once and kept, the files of larger ones are read at each epoch.
    """
    order = np.random.default_rng((epoch, seed)).permutation(len(split))
    batches = order[: len(split) - len(split) % batch_size].reshape(-1, batch_size)[first:, rows]
    if isinstance(split._images, ImageFiles) and len(split) * np.prod(split.image_shape) * 4 >= IN_MEMORY:
        yield from split[batches.ravel()].batches(batches.shape[1]).as_numpy_iterator()
    else:
        for places in batches:
            yield split.images[places]


def steps_from(split: Split, batch_size: int, seed: int, first: int, last: int, rows=slice(None)):
    """Yield the batches of training steps `first` to `last` - 1, counted over all epochs, as `epoch_batches` does."""
    per_epoch = len(split) // batch_size
    for epoch in range(first // per_epoch, math.ceil(last / per_epoch)):
        begin = epoch * per_epoch
        yield from islice(
            epoch_batches(split, batch_size, seed, epoch, rows, max(first - begin, 0)), last - max(first, begin)
        )


def sample_images(images, count: int, seed: int = 0) -> np.ndarray:
    """Choose at most `count` of the images at random; they keep their order: (n, H, W, C) float32."""
    split = as_split(images)
    order = np.random.default_rng(check_seed(seed)).permutation(len(split))
    return split[np.sort(order[: whole("count", count, 1)])].images


def _whole_numbers(labels) -> np.ndarray:
    """Return labels as (N,) int. Raises ValueError if one is a fraction, NaN or a word."""
    array = np.asarray(labels)
    if array.dtype.kind not in "biuf" or not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
        raise ValueError(f"Labels are whole numbers, 0 normal and 1 anomalous. Received: {array[:5]}.")
    return array.astype(int)


def _dataset_blocks(dataset) -> Iterator[tuple]:
    """Yield (images, labels or None) of each batch of a tf.data.Dataset."""
    import tensorflow as tf

    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The dataset never ends: give it without .repeat(), or with .take(n).")
    spec = dataset.element_spec
    paired = isinstance(spec, tuple | list)
    spec = spec[0] if paired and spec else spec
    if not isinstance(spec, tf.TensorSpec):
        raise ValueError(f"A dataset must give images or (image, label) pairs. Received: {dataset.element_spec}.")
    if spec.shape.rank == 3:
        dataset = dataset.batch(256)
    try:
        for element in dataset.as_numpy_iterator():
            image, label = (*element, None)[:2] if paired else (element, None)
            yield image[None] if spec.shape.rank is None and image.ndim == 3 else image, label
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        # What the reader inside the dataset said, without TensorFlow's traceback.
        sentence = re.search(r"(?:Value|FileNotFound)Error: (.+)", error.message)
        raise ValueError(sentence[1] if sentence else error.message.split("\n")[0]) from None
