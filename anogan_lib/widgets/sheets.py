"""Pictures for the browser: many small ones in one image file, and the borders of masks."""

import math
from io import BytesIO

import numpy as np

from anogan_lib.evaluation import regions


def sheet(tiles: np.ndarray, columns: int | None = None, quality: int | None = None) -> dict:
    """Pack pictures (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, H, W, 4) uint8 into one image file, for `v.sheet`.

    Args:
        columns: tiles in a row; None for about as many as rows.
        quality: of JPEG; None for PNG, which is exact.

    Returns:
        {"data": bytes, "type": MIME type, "count": N, "columns": tiles in a row, "width": W, "height": H}
    """
    from PIL import Image

    count, height, width = tiles.shape[:3]
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    tiles = [Image.fromarray(tile) for tile in (tiles[..., 0] if tiles.shape[3:] == (1,) else tiles)]
    whole = Image.new(tiles[0].mode, (columns * width, math.ceil(count / columns) * height))
    for i, tile in enumerate(tiles):
        whole.paste(tile, (i % columns * width, i // columns * height))
    file, kind = BytesIO(), "png" if quality is None else "jpeg"
    options = {} if quality is None else {"quality": quality, "subsampling": 0}  # colours stay within their tile
    whole.save(file, kind, **options)
    shape = {"count": count, "columns": columns, "width": width, "height": height}
    return {"data": file.getvalue(), "type": f"image/{kind}"} | shape


def border(mask: np.ndarray) -> np.ndarray:
    """Return the border of a mask (H, W) as segments x, y, x, y in pixels from the image's corner, (K, 4)."""
    return regions.outline(mask).reshape(-1, 4) + 0.5
