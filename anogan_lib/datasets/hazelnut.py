"""Rendered images of hazelnuts with MVTec AD's four kinds of defects and exact masks.

The script `data/hazelnut/render.py` renders them; the images beside it are those of size 64 and seed 0.
"""

import functools
import importlib.util
from types import ModuleType

import numpy as np

from anogan_lib.datasets import folders, places
from anogan_lib.datasets.base import Source, Split
from anogan_lib.datasets.images import from_uint8

SHIPPED = places.root() / "data" / "hazelnut"


@functools.cache
def renderer() -> ModuleType:
    """Load the script `data/hazelnut/render.py` as a module, at first use, since it imports SciPy."""
    spec = importlib.util.spec_from_file_location("hazelnut_renderer", SHIPPED / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def render(seed, size=64, kind: str = "good") -> tuple[np.ndarray, np.ndarray]:
    """Render one image (H, W, 3) uint8, and the mask (H, W) bool of its defect, as the script's `render` says."""
    return renderer().render(seed, size, kind)


def dataset_plan(seed: int = 0) -> list[tuple[str, str, str, tuple[int, int, int]]]:
    """List every image as (split, kind, file name, seed): 391 to train on; 40 good and 70 defective to test."""
    return renderer().dataset_plan(seed)


def read(size: tuple[int, int] | None = None, seed: int = 0) -> Source:
    """Read the shipped images if they have this size (H, W), 64x64 by default, and seed; else render the set."""
    about = "Rendered hazelnuts in the proportions of MVTec AD's, with exact masks; anogan_lib's own, Apache-2.0."
    if seed == 0 and size in (None, (64, 64)):
        return folders.read(SHIPPED, (64, 64), seed, "hazelnut", about, groups="")
    from tqdm.auto import tqdm

    plan = sorted(dataset_plan(seed), key=lambda item: (item[0] == "test", item[1], item[2]))  # as in folders
    rendered = [render(nut_seed, size or 64, kind) for _, kind, _, nut_seed in tqdm(plan, "rendering hazelnuts")]
    images, masks = map(np.stack, zip(*rendered, strict=True))  # (501, H, W, 3) and (501, H, W)
    splits, kinds, names, _ = zip(*plan, strict=True)
    names = ["/".join(parts) for parts in zip(splits, kinds, names, strict=True)]
    images = Split(from_uint8(images), None, kinds, masks, names)
    return Source("hazelnut", about, images, np.array(splits) == "test")
