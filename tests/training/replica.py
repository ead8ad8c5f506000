"""Train tiny GANs and an encoder on one replica, on two devices or as one of two workers; print every loss as JSON.

python -m tests.training.replica one|devices|workers STEPS
"""

import json
import sys

import tensorflow as tf


def strategy_of(name: str):
    if name == "workers":  # by TF_CONFIG, at once when the program starts
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "devices":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return tf.distribute.get_strategy()


def train(steps: int) -> dict:
    from anogan_lib import DCGAN, AnoGAN, RpGAN, datasets
    from anogan_lib.fast import encoder

    encoder.EVERY = 1
    data, told = datasets.load("digits:8", size=16), {}
    options = {"epochs": steps // (len(data.train) // 16), "batch_size": 16, "verbose": False}
    kinds = {DCGAN: {"normalisation": "batch"}, RpGAN: {"flips": True, "augment": "translation,colour"}}
    for kind, settings in kinds.items():
        gan, logs = kind(data.image_shape, latent_dim=4, width=4, seed=0, **settings), []

        def note(_, figures, logs=logs):
            logs.append({name: float(value) for name, value in figures.items()})

        gan.train(data.train, on_step=note, **options)
        told[kind.__name__] = logs
    _, _, history = encoder.train_encoder(gan, data.train, data.validation, moved=True, **options)
    told["encoder"] = [{name: history[name][i] for name in ("loss", "left")} for i in range(len(history["loss"]))]
    found = AnoGAN(gan, steps=3).invert(data.test.images[:20])
    told["search"] = [{"residual": float(each)} for each in found.residual]
    return told


if __name__ == "__main__":
    with strategy_of(sys.argv[1]).scope():
        print(json.dumps(train(int(sys.argv[2]))))
