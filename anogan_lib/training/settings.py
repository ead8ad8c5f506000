"""The settings of a DCGAN, checked: a bad one is refused before a network is built."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

from anogan_lib.checks import check_seed, flag, one_of, real, whole
from anogan_lib.training.augmentation import check_augment

MOST_WIDTH = 256  # at 256x256 G then has 60 million weights, a quarter of a gigabyte

PRIORS = ("sphere", "normal")


@dataclass(frozen=True)
class Settings:
    """The settings of a DCGAN; `DCGAN(image_shape, **settings)` takes the same names.

    Attributes:
        image_shape: (H, W, C), sides from 16 to 256, C 1 or 3.
        latent_dim: length of z, up to 1024; None for one number per 64 pixels, at most 64.
        width: channels of the blocks next to the image, up to 256. Computation grows with its square.
        prior: "sphere" or "normal", the distribution of z.
        augment: how images are changed before D sees them: "", "translation", "colour", or "translation,colour".
        flips: also show D the training images mirrored, left-right and up-down: for objects that may lie either way.
        normalisation: of D: "layer", "batch" or "spectral".
        ema_decay: of the averaged generator, 0 to 1; 0 for no average.
        learning_rate, d_learning_rate: Adam's for G and D; beta_1 is 0.5.
        seed: of weights, noise and the order of images.
    """

    image_shape: tuple[int, int, int] = (64, 64, 3)
    latent_dim: int | None = None
    width: int = 32
    prior: str = "sphere"
    augment: str = "translation"
    flips: bool = False
    normalisation: str = "layer"
    ema_decay: float = 0.999
    learning_rate: float = 4e-4
    d_learning_rate: float = 2e-4
    seed: int = 0

    def __post_init__(self):
        height, breadth, _ = shape = check_image_shape(self.image_shape)
        latent_dim = min(64, max(1, height * breadth // 64)) if self.latent_dim is None else self.latent_dim
        checked = {
            "image_shape": shape,
            "latent_dim": whole("latent_dim", latent_dim, 1, 1024),
            "width": whole("width", self.width, 1, MOST_WIDTH),
            "flips": flag("flips", self.flips),
            "ema_decay": real("ema_decay", self.ema_decay, 0, 1),
            "seed": check_seed(self.seed),
        }
        rates = ("learning_rate", "d_learning_rate")
        checked |= {name: real(name, getattr(self, name), 0, 1, above=True) for name in rates}
        for name, value in checked.items():  # the dataclass is frozen
            object.__setattr__(self, name, value)
        one_of("The prior", self.prior, PRIORS)
        check_augment(self.augment)


def check_image_shape(image_shape) -> tuple[int, int, int]:
    """Return the shape as three ints. Raises ValueError for sides or channels that the networks cannot have."""
    shape = tuple(image_shape) if isinstance(image_shape, Iterable) else ()
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in shape)
    if len(shape) != 3 or not whole or not all(16 <= n <= 256 for n in shape[:2]) or shape[2] not in (1, 3):
        raise ValueError(
            "An image shape is (height, width, channels) with sides from 16 to 256 and 1 or 3 channels, "
            f"for example (64, 64, 3). Received: {shape or image_shape}"
        )
    return tuple(map(int, shape))
