"""What the search is measured against: AnoGAN as it is usually written in Keras, and networks of the usual width.

Generator 256-256-128-64, discriminator 64-128-256, kernels of 5x5, images 64x64x3, 100 latent dimensions. One image at
a time; z is the output of a trainable Dense layer; a step is an epoch of one batch of one image.
"""

import keras
import tensorflow as tf
from keras import layers

from anogan_lib import DCGAN
from anogan_lib.paper import prior

IMAGE_SHAPE, LATENT_DIM, KERNEL = (64, 64, 3), 100, 5
STEPS, LEARNING_RATE = 500, 1e-3  # as in the paper; Keras's own


def build_generator() -> keras.Model:
    """z (N, 100) -> (N, 64, 64, 3) in [-1, 1]."""
    z = keras.Input((LATENT_DIM,))
    y = layers.Dense(8 * 8 * 256, use_bias=False)(z)
    y = layers.Reshape((8, 8, 256))(y)
    for channels in (256, 128, 64):
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv2DTranspose(channels, KERNEL, strides=2, padding="same", use_bias=False)(y)  # sides doubled
    y = layers.ReLU()(layers.BatchNormalization()(y))
    return keras.Model(z, layers.Conv2D(3, KERNEL, padding="same", activation="tanh")(y), name="generator")


def build_discriminator() -> keras.Model:
    """(N, 64, 64, 3) -> logits (N, 1)."""
    image = y = keras.Input(IMAGE_SHAPE)
    for i, channels in enumerate((64, 128, 256), start=1):
        y = layers.Conv2D(channels, KERNEL, strides=2, padding="same")(y)  # sides halved
        y = layers.Dropout(0.3)(layers.LeakyReLU(0.2, name=f"features_{i}")(y))
    return keras.Model(image, layers.Dense(1)(layers.Flatten()(y)), name="discriminator")


def build_gan(seed: int = 0) -> DCGAN:
    """A DCGAN of these two networks. Its z is free, as the textbook's is: all searches look in the same space."""
    gan = DCGAN(IMAGE_SHAPE, latent_dim=LATENT_DIM, prior="normal", flips=True, seed=seed)
    gan.generator, gan.averaged, gan.discriminator = build_generator(), build_generator(), build_discriminator()
    gan.averaged.set_weights(gan.generator.get_weights())
    gan.averaged.trainable = False
    gan.d_optimizer, gan.g_optimizer = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    gan.d_optimizer.build(gan.discriminator.trainable_variables)
    gan.g_optimizer.build(gan.generator.trainable_variables)
    return gan


class TextbookSearch:
    """The search as it is usually written: model.fit, 500 epochs of one step, z = Dense(z_0).

    The Dense layer begins as the identity, so that every search of the benchmark begins at the same z_0. Compiled once;
    layer and optimiser begin again for each image.

    Args:
        search: G, f and the prior, as the library's own search has them.
        weights: of R and D.
    """

    def __init__(self, search, weights):
        self.search = search
        search.generator.trainable = search.features.trainable = False
        given = keras.Input((search.generator.input_shape[-1],))
        self.dense = layers.Dense(search.generator.input_shape[-1], kernel_initializer="identity")
        z = layers.Lambda(lambda z: prior.onto_prior(z, search.prior))(self.dense(given))
        y = search.generator(z, training=False)
        self.model = keras.Model(given, [y, search.features(y, training=False)])

        def sum_of_residual(wanted, found):
            return tf.reduce_sum(tf.abs(wanted - found))

        adam = keras.optimizers.Adam(LEARNING_RATE)
        self.model.compile(adam, loss=[sum_of_residual, sum_of_residual], loss_weights=list(weights))
        adam.build(self.model.trainable_variables)
        self.variables = [*self.model.trainable_variables, *adam.variables]
        self.fresh = [variable.numpy() for variable in self.variables]

    def run(self, x, z, steps: int = STEPS) -> float:
        """The objective after `steps` steps for one image x (1, H, W, C) from z (1, latent_dim)."""
        _begin_again(self.variables, self.fresh)
        wanted = [x, self.search.features(x, training=False)]
        self.model.fit(z, wanted, batch_size=1, epochs=steps, verbose=0)
        return float(self.model.evaluate(z, wanted, verbose=0, return_dict=True)["loss"])


class PlainSearch:
    """The same search, step for step, without Keras's loop: one tf.function, called 500 times."""

    def __init__(self, search, weights):
        self.search, size = search, search.generator.input_shape[-1]
        self.kernel, self.bias = tf.Variable(tf.eye(size)), tf.Variable(tf.zeros(size))
        self.adam = keras.optimizers.Adam(LEARNING_RATE)
        self.adam.build([self.kernel, self.bias])
        self.variables = [self.kernel, self.bias, *self.adam.variables]
        self.fresh = [variable.numpy() for variable in self.variables]

        def objective(x, feature_x, given):
            z = prior.onto_prior(given @ self.kernel + self.bias, search.prior)
            return tf.reduce_sum(search.loss(x, feature_x, z, weights))

        @tf.function(jit_compile=False)
        def step(x, feature_x, given):
            with tf.GradientTape() as tape:
                loss = objective(x, feature_x, given)
            variables = [self.kernel, self.bias]
            self.adam.apply(tape.gradient(loss, variables), variables)

        self.step, self.objective = step, objective

    def run(self, x, z, steps: int = STEPS) -> float:
        _begin_again(self.variables, self.fresh)
        feature_x = self.search.features(x, training=False)
        for _ in range(steps):
            self.step(x, feature_x, z)
        return float(self.objective(x, feature_x, z))


def _begin_again(variables, values) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
