"""What every source of data gives: splits of images in [-1, 1], in memory or streamed from disk."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anogan_lib.datasets.images import ImageFiles

FEWEST_NORMAL = 10  # with fewer, a part of the 70/10/20 split would be empty
_TOLERANCE = 1e-3  # how far beyond [-1, 1] a resize or a float error may reach


def split_normal(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of the training (70 %), validation (10 %) and calibration (20 %) images among n normal ones.

    The rule is fixed: a permutation drawn from `seed`, cut in three, each part sorted.
    """
    if n < FEWEST_NORMAL:
        raise ValueError(f"Too few normal images: at least {FEWEST_NORMAL} are wanted. Received: {n}.")
    order = np.random.default_rng(seed).permutation(n)
    calibration, validation = round(0.2 * n), round(0.1 * n)
    cuts = [n - calibration - validation, n - calibration]
    train, validation, calibration = (np.sort(part) for part in np.split(order, cuts))
    return train, validation, calibration


class Split:
    """Images with what is known of each.

    Attributes:
        images: (N, H, W, C) float32 in [-1, 1]; files are read at first use and kept.
        labels: (N,) int, 0 normal and 1 anomalous, or None.
        kinds: (N,) str, "good" or the kind of anomaly, or None.
        masks: (N, H, W) bool, True on the defect, or None; read at first use and kept.
        names: (N,) str, or None.
        image_shape: (H, W, C).
        reference: for the test split of a data set its training split, else None.

    `len(split)`, `split[:8]`, `split[[3, 5]]` (again splits) and `batches` read no file before it is needed.
    """

    reference: "Split | None" = None

    def __init__(self, images, labels=None, kinds=None, masks=None, names=None):
        self._images = images if isinstance(images, ImageFiles) else check_images(images)
        self.image_shape = tuple(self._images.shape[-3:])
        self.kinds = None if kinds is None else np.asarray(kinds, str)
        if labels is None and kinds is not None:
            labels = self.kinds != "good"
        self.labels = None if labels is None else _whole_numbers(labels)
        self._masks = masks if masks is None or isinstance(masks, ImageFiles) else np.asarray(masks, bool)
        self.names = None if names is None else np.asarray(names, str)
        for what in ("labels", "kinds", "_masks", "names"):
            values = getattr(self, what)
            if values is not None and len(values) != len(self):
                raise ValueError(f"{len(self)} images need as many {what.strip('_')}. Received: {len(values)}.")
        if self._masks is not None and self._masks.shape[-2:] != self.image_shape[:2]:
            raise ValueError(
                f"Masks of the images' size {self.image_shape[:2]} are wanted. Received: {self._masks.shape[-2:]}."
            )

    @property
    def images(self) -> np.ndarray:
        if isinstance(self._images, ImageFiles):
            self._images = self._images[:]
        return self._images

    @property
    def masks(self) -> np.ndarray | None:
        if isinstance(self._masks, ImageFiles):
            self._masks = self._masks[:]
        return self._masks

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, indices) -> "Split":
        places = np.atleast_1d(np.arange(len(self))[indices])

        def take(values):
            return values.select(places) if isinstance(values, ImageFiles) else values[places]

        parts = (self._images, self.labels, self.kinds, self._masks, self.names)
        return Split(*(None if part is None else take(part) for part in parts))

    def __repr__(self) -> str:
        where = "files" if isinstance(self._images, ImageFiles) else "in memory"
        return f"Split({len(self)} images of {'x'.join(map(str, self.image_shape))}, {where})"

    def batches(self, n: int, shuffle_seed: int | None = None):
        """A tf.data.Dataset of (n, H, W, C) float32 batches, the last one smaller, read ahead of their use.

        Args:
            n: images in a batch.
            shuffle_seed: None keeps the order; each seed gives one order, always the same.
        """
        import tensorflow as tf

        _check_batch_size(n)
        images = self._images
        order = np.arange(len(self))
        if shuffle_seed is not None:
            order = np.random.default_rng(shuffle_seed).permutation(order)

        def fetch(places):
            batch = tf.numpy_function(lambda i: images[i], [places], tf.float32)
            batch.set_shape((None, *self.image_shape))
            return batch

        return tf.data.Dataset.from_tensor_slices(order).batch(n).map(fetch).prefetch(2)


@dataclass
class AnomalyDataset:
    """A data set: three splits of normal images, and a test split that none of them touches.

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

    def __post_init__(self):
        self.test.reference = self.train  # what an evaluation of the test images fits its baselines on

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.train.image_shape

    def summary(self) -> str:
        """A short table: images by split and kind, their shape, the source."""
        rows = [("train", "good", len(self.train)), ("validation", "good", len(self.validation))]
        rows.append(("calibration", "good", len(self.calibration)))
        for kind in sorted(set(self.test.kinds), key=lambda kind: (kind != "good", kind)):
            rows.append(("test", str(kind), int((self.test.kinds == kind).sum())))
        width = max(len(kind) for _, kind, _ in rows)
        shape = " x ".join(map(str, self.image_shape))
        masks = "yes" if self.test._masks is not None else "no"
        lines = [self.name, self.description, f"images {shape} (height, width, channels), masks: {masks}", ""]
        return "\n".join(lines + [f"  {split:<12}{kind:<{width}}  {n:>6}" for split, kind, n in rows])

    def __str__(self) -> str:
        return self.summary()


def check_images(images, image_shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """Images as float32 (N, H, W, C); ValueError where shape or values are not those of images in [-1, 1]."""
    try:
        array = np.asarray(images)
    except ValueError:
        raise ValueError("All images must have one shape (H, W, C); resize them to the same size.") from None
    if array.dtype.kind in "ub":
        raise ValueError(
            "Images must lie in [-1, 1]; datasets.images.from_uint8(images) brings values of 0 to 255 there. "
            f"Received values of type {array.dtype}."
        )
    if array.dtype.kind not in "fi":
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
    low, high = float(array.min()), float(array.max())  # NaN comes through both
    if not np.isfinite(low + high):
        raise ValueError("Images must hold finite values. Received NaN or infinity.")
    if low < -1 - _TOLERANCE or high > 1 + _TOLERANCE:
        raise ValueError(
            "Images must lie in [-1, 1]; datasets.images.from_uint8(images) brings values of 0 to 255 there. "
            f"Received values from {low:g} to {high:g}."
        )
    return array.astype(np.float32, copy=False)


def check_fit(network: str, wanted: tuple, received: tuple) -> None:
    """ValueError where images are `received` (H, W, C) and the network was made for `wanted`."""
    if received != wanted:
        same_size = received[:2] == wanted[:2]
        what = f"with channels={wanted[2]}" if same_size else f"with size={wanted[:2]}"
        raise ValueError(
            f"This {network} takes images of shape {wanted}; load the data {what}. Received images of shape {received}."
        )


def iterate_batches(images, batch_size: int, image_shape=None) -> Iterator[np.ndarray]:
    """Walks through images, whatever holds them, a batch at a time.

    Args:
        images: an array (N, H, W, C), a Split, or a tf.data.Dataset of images or (image, label) pairs,
            batched or not; values in [-1, 1].
        batch_size: images in a batch, however many there are in those of a dataset.
        image_shape: (H, W, C) that all must have, or None.

    Yields:
        float32 arrays (batch_size, H, W, C) in order, the last one smaller.

    Raises:
        ValueError: wrong rank, shape or channels, values outside [-1, 1], NaN, no images at all.
    """
    _check_batch_size(batch_size)
    if isinstance(images, Split):
        blocks = (images._images[i : i + batch_size] for i in range(0, len(images), batch_size))
    elif hasattr(images, "element_spec"):
        blocks = (block for block, _ in _dataset_blocks(images, batch_size))
    else:
        blocks = [images]
    rest = None  # what does not fill a batch waits for the next block
    for block in blocks:
        block = check_images(block, image_shape)
        image_shape = block.shape[1:]
        block = block if rest is None or not len(rest) else np.concatenate([rest, block])
        full = len(block) - len(block) % batch_size
        for i in range(0, full, batch_size):
            yield block[i : i + batch_size]
        rest = block[full:]
    if rest is None:
        raise ValueError("There are no images: at least one is wanted.")
    if len(rest):
        yield rest


def as_array(images) -> np.ndarray:
    """All images as one float32 array (N, H, W, C); takes what `iterate_batches` takes."""
    if isinstance(images, Split):
        return images.images
    if not hasattr(images, "element_spec"):
        return check_images(images)
    return np.concatenate(list(iterate_batches(images, 256)))


def as_source(images):
    """What can be walked through again and again, a Split or a tf.data.Dataset, and how many images it holds."""
    if hasattr(images, "element_spec"):
        return images, sum(len(block) for block in iterate_batches(images, 256))
    split = images if isinstance(images, Split) else Split(images)
    return split, len(split)


def drawn(images, count: int, seed: int = 0) -> np.ndarray:
    """At most `count` of the images, drawn once, in their order: (n, H, W, C) float32."""
    source, total = as_source(images)
    chosen = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    if isinstance(source, Split):
        return source[chosen].images
    firsts = range(0, total, 256)
    blocks = zip(firsts, iterate_batches(source, 256), strict=True)
    return np.concatenate([block[chosen[(chosen >= i) & (chosen < i + 256)] - i] for i, block in blocks])


def labelled(data) -> Split:
    """Images with labels: the test split of a whole data set, a Split, or what a tf.data.Dataset of pairs holds.

    The dataset is walked through once: one that shuffles gives another order each time.
    """
    split = data.test if isinstance(data, AnomalyDataset) else data
    if hasattr(data, "element_spec"):
        blocks = list(_dataset_blocks(data, 256))
        if not blocks:
            raise ValueError("There are no images: at least one is wanted.")
        images, labels = zip(*blocks, strict=True)
        known = None if labels[0] is None else np.concatenate([np.ravel(each) for each in labels])
        split = Split(np.concatenate(images), known)
    if not isinstance(split, Split) or split.labels is None:
        raise ValueError("Images with labels are wanted: a test split, or a tf.data.Dataset of (image, label) pairs.")
    return split


def _whole_numbers(labels) -> np.ndarray:
    """Labels as (N,) int; a share, NaN or a word is none."""
    array = np.asarray(labels)
    if array.dtype.kind not in "biuf" or not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
        raise ValueError(f"Labels are whole numbers, 0 normal and 1 anomalous. Received: {array[:5]}.")
    return array.astype(int)


def _dataset_blocks(dataset, batch_size: int):
    """(images, labels or None) of each batch of a tf.data.Dataset."""
    import tensorflow as tf

    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The dataset never ends: give it without .repeat(), or with .take(n).")
    spec = dataset.element_spec
    paired = isinstance(spec, tuple | list)
    spec = spec[0] if paired and spec else spec
    if not isinstance(spec, tf.TensorSpec):
        raise ValueError(f"A dataset must give images or (image, label) pairs. Received: {dataset.element_spec}.")
    if spec.shape.rank == 3:
        dataset = dataset.batch(batch_size)
    try:
        for element in dataset.as_numpy_iterator():
            image, label = (*element, None)[:2] if paired else (element, None)
            yield image[None] if spec.shape.rank is None and image.ndim == 3 else image, label
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        # The sentence of the reader within the dataset, without TensorFlow's account of where it was.
        sentence = re.search(r"(?:Value|FileNotFound)Error: (.+)", error.message)
        raise ValueError(sentence[1] if sentence else error.message.split("\n")[0]) from None


def _check_batch_size(n) -> None:
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        raise ValueError(f"A batch holds a whole number of images, 1 or more. Received: {n!r}.")
