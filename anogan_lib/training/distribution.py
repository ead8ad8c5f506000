"""Training on several replicas: devices, machines or both, under a `tf.distribute` strategy.

A replica takes its rows of each joint batch, and of the random numbers that are drawn for the joint batch from (seed,
step). Gradients are averaged over all replicas, and what is computed from a whole batch (batch normalisation, the
diversity of G's images) from the joint one. So the losses are those of one replica with the joint batch, but for
rounding.

Of R replicas, number r takes rows r, r + R, r + 2 R ... Images that stand in one group of four for the minibatch
deviation of RpGAN then stand in one group here, too. Without a strategy, every function returns what it is given.
"""

import functools
import math
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from anogan_lib.training import workers as tasks

GROUP = 4  # RpGAN's D compares images in groups of this size; each replica needs a whole group


@contextmanager
def strategy_of_environment():
    """Open the MultiWorkerMirroredStrategy that TF_CONFIG describes, if there is one, before anything is computed.

    Raises:
        ConnectionError: another worker cannot be reached any more.
    """
    if tasks.of_environment()[1] == 1:
        yield
        return
    try:
        with tf.distribute.MultiWorkerMirroredStrategy().scope():
            yield
    except tf.errors.OpError as error:
        reason = error.message.split("\n")[0][:200]
        raise ConnectionError(
            f"Another worker cannot be reached: start all workers again, with --resume. TensorFlow says: {reason}"
        ) from None


def replicas() -> int:
    """Return how many replicas train together under the strategy in scope; 1 without one."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def workers() -> tuple[int, int]:
    """Return this worker's number and how many there are, by the strategy in scope: (0, 1) on one machine."""
    cluster = tf.distribute.get_strategy().cluster_resolver
    hosts = cluster.cluster_spec().as_dict() if cluster else {}
    return tasks.place(hosts, cluster.task_type, cluster.task_id) if hosts else (0, 1)


def chief() -> bool:
    """Return whether this worker is the one that writes files and shows its progress."""
    return workers()[0] == 0


def joint_batch(batch_size: int, images: int, variable: tf.Variable | None = None) -> int:
    """Return how many images a step takes on all replicas together, of so many images in all.

    On several replicas, `batch_size` is rounded up to a multiple of four for each.

    Args:
        variable: one of what is trained; ValueError where it was made under another strategy.
    """
    count = replicas()
    made = getattr(variable, "distribute_strategy", None)
    if variable is not None and count != (made.num_replicas_in_sync if made else 1):
        raise ValueError("Make and train a GAN under one strategy, within the same `with strategy.scope():`.")
    if count == 1:
        return min(batch_size, images)
    each = GROUP * count
    if images < each:
        raise ValueError(f"{count} replicas train on at least {each} images. Received: {images}")
    return min(math.ceil(batch_size / each) * each, images - images % each)


def rows_of_worker(batch_size: int) -> np.ndarray | slice:
    """Return the places of the images of a joint batch that this worker reads for its replicas."""
    (worker, count), total = workers(), replicas()
    if count == 1:
        return slice(None)
    return np.flatnonzero(np.arange(batch_size) % total // (total // count) == worker)


def on_replicas(step):
    """Decorate a training step, a method of the worker's images: it runs on every replica with its own rows of them.

    Each figure that it returns becomes its mean over the replicas.
    """

    @functools.wraps(step)
    def run(self, images):
        strategy, (_, count) = tf.distribute.get_strategy(), workers()
        if strategy.num_replicas_in_sync == 1:
            return step(self, images)
        local = strategy.num_replicas_in_sync // count

        def on_one(images):
            return step(self, images[tf.distribute.get_replica_context().replica_id_in_sync_group % local :: local])

        figures = strategy.run(on_one, (images,))
        return tf.nest.map_structure(lambda each: strategy.reduce("MEAN", each, axis=None), figures)

    return run


def joint(count):
    """Return how many images the joint batch has where this replica has `count`."""
    context = _context()
    return count if context is None else count * context.num_replicas_in_sync


def share(drawn):
    """Return this replica's rows of what was drawn for the joint batch."""
    context = _context()
    if context is None:
        return drawn
    return drawn[context.replica_id_in_sync_group :: context.num_replicas_in_sync]


def together(rows):
    """Join the rows of all replicas in the order of the joint batch: (n, ...) -> (n * replicas, ...)."""
    context = _context()
    if context is None:
        return rows
    gathered = tf.reshape(context.all_gather(rows, axis=0), (context.num_replicas_in_sync, -1, *rows.shape[1:]))
    order = (1, 0, *range(2, len(gathered.shape)))  # they come replica by replica
    return tf.reshape(tf.transpose(gathered, order), (-1, *rows.shape[1:]))


def mean(value):
    """Average a value over the replicas."""
    context = _context()
    return value if context is None else context.all_reduce("MEAN", value)


def _context():
    """Return the context of this replica; None where there is one replica, or outside of a step."""
    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def agreed(value: float) -> float:
    """Average a number over all workers, outside of a step, so that they all decide alike."""
    strategy = tf.distribute.get_strategy()
    if workers()[1] == 1:
        return value
    mean_of = tf.function(lambda x: strategy.reduce("MEAN", strategy.run(tf.identity, (x,)), axis=None))
    return float(mean_of(tf.constant(value, tf.float64)))


def adam(learning_rate) -> keras.optimizers.Adam:
    """Return the optimiser of a GAN, Adam with beta_1 = 0.5. It averages the gradients of the replicas."""
    count = replicas()  # Keras sums their gradients
    return keras.optimizers.Adam(learning_rate, beta_1=0.5, loss_scale_factor=count if count > 1 else None)


def synchronise(network: keras.Model) -> None:
    """Let the batch normalisation of a network take the statistics of the joint batch."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = replicas() > 1
