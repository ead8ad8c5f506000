"""Networks as lists of layers with plain arrays, for the JavaScript of networks.js.

In a search the networks run in inference mode. Batch normalisation is then a factor and an offset for each channel, and
is folded into the layer before it.
"""

import zlib

import numpy as np

STRIDED = ((4, 4), (2, 2), "same")  # kernel, strides and padding of all convolutions


class Weights:
    """Arrays laid one after the other; `add` says where each one lies."""

    def __init__(self):
        self.arrays: list[np.ndarray] = []
        self.size = 0

    def add(self, array) -> dict[str, int]:
        self.arrays.append(np.asarray(array, "float32").ravel())
        place = {"offset": self.size, "size": self.arrays[-1].size}
        self.size += place["size"]
        return place

    def packed(self) -> bytes:
        """Pack all arrays as float16, deflated: all lower bytes and then all higher ones, which are much alike."""
        halves = np.concatenate(self.arrays).astype("<f2").view(np.uint8).reshape(-1, 2).T
        return zlib.compress(halves.tobytes(), 9)


def chain(model, weights: Weights) -> list[dict]:
    """List the layers of G, f or E in their order, and add their arrays to `weights`.

    Raises:
        ValueError: a layer is none of those that the project's networks are built from.
    """
    found: list[dict] = []
    for layer in model.layers:
        name = type(layer).__name__
        if name == "SpectralNormalization":  # in inference mode its kernel is the one normalised last
            layer, name = layer.layer, type(layer.layer).__name__
        if name in ("InputLayer", "Flatten"):
            continue
        elif name == "Dense":
            found.append({"kind": "dense", "shape": [layer.units], "weight": layer.kernel, "bias": layer.bias})
        elif name == "Reshape":
            found[-1]["shape"] = list(layer.target_shape)
        elif name in ("Conv2D", "Conv2DTranspose") and (layer.kernel_size, layer.strides, layer.padding) == STRIDED:
            kind = "convolution" if name == "Conv2D" else "transposed"
            about = {"channels": layer.filters, "weight": layer.kernel, "bias": layer.bias}
            found.append({"kind": kind} | about)
        elif name == "BatchNormalization":
            _fold(layer, found[-1])
        elif name == "GroupNormalization" and layer.groups == 1:
            found.append({"kind": "normalise", "epsilon": layer.epsilon, "gamma": layer.gamma, "beta": layer.beta})
        elif name in ("ReLU", "LeakyReLU"):
            found.append({"kind": "leak", "slope": float(layer.negative_slope)})
        elif name == "Cropping2D":
            (top, _), (left, _) = layer.cropping
            found.append({"kind": "crop", "top": top, "left": left, "size": list(layer.output.shape[1:3])})
        elif name == "Activation" and layer.activation.__name__ == "tanh":
            found.append({"kind": "tanh"})
        elif name == "Standardise":
            about = {"mean": layer.mean, "spread": float(np.asarray(layer.spread))}
            found.append({"kind": "picture" if layer.inverse else "standardise"} | about)
        elif name == "Concatenate" and found and found[-1]["kind"] == "standardise":
            found[-1]["beside"] = True
        else:
            raise ValueError(
                "The live page computes the layers that the project's own networks are built from. "
                f"Received: {name} {layer.name!r} in {model.name!r}."
            )
    return [_packed(each, weights) for each in found]


def _fold(layer, before: dict) -> None:
    """Put a batch normalisation's factor and offset, (channels,), into the weights of the layer before it."""
    gamma, beta, mean, variance = map(np.asarray, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance))
    factor = gamma / np.sqrt(variance + layer.epsilon)
    repeats = int(np.prod(before["shape"])) // len(factor) if before["kind"] == "dense" else 1
    offset, factor = np.tile(beta - mean * factor, repeats), np.tile(factor, repeats)
    bias = 0 if before["bias"] is None else np.asarray(before["bias"])
    before["bias"] = bias * factor + offset
    axis = factor[:, None] if before["kind"] == "transposed" else factor  # its kernel is (4, 4, out, in)
    before["weight"] = np.asarray(before["weight"]) * axis


def _packed(layer: dict, weights: Weights) -> dict:
    """Replace the arrays of a layer by their places."""
    if layer["kind"] == "transposed" and layer["bias"] is None:
        layer["bias"] = np.zeros(layer["channels"])
    arrays = {name: layer.pop(name) for name in ("weight", "bias", "gamma", "beta", "mean") if name in layer}
    return layer | {"arrays": {name: weights.add(value) for name, value in arrays.items() if value is not None}}
