"""What reading large images takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anogan_lib.datasets.images import read_image

ROOT = Path(__file__).parents[2]
PEAK = """
import sys
from pathlib import Path
from anogan_lib.datasets.images import ImageFiles
import numpy, PIL.Image
from tests.peak import peak
before = peak()
images = ImageFiles([Path(each) for each in sys.argv[1:]], (32, 32, 3)).read()
print((peak() - before) / 2**30, images.mean())
"""


@pytest.mark.parametrize("mode, dtype", [("RGBA", None), ("RGB", None), ("I;16", "uint16")])
def test_a_small_file_that_would_take_gigabytes_is_refused(mode, dtype, tmp_path):
    side = 7400  # 55 million pixels
    image = Image.new(mode, (side, side)) if dtype is None else Image.fromarray(np.zeros((side, side), dtype))
    image.save(tmp_path / "a.png", compress_level=1)
    with pytest.raises(ValueError, match=r"a\.png: it is too large, 7400 x 7400: .*54 million pixels"):
        read_image(tmp_path / "a.png", (16, 16, 3))


def test_a_jpeg_of_any_size_is_read(tmp_path):
    """It is decoded at a part of its size, which leaves the same small image."""
    image = Image.linear_gradient("L").resize((8000, 8000)).convert("RGB")  # 64 million pixels
    image.save(tmp_path / "a.jpg")
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC), np.float32) / 127.5 - 1
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg", (16, 16, 3)), expected, atol=0.02)


def test_several_large_images_at_once_stay_within_the_memory(tmp_path):
    for i in range(4):
        Image.new("RGB", (5000, 5000), (200, 200, 200)).save(tmp_path / f"{i}.png", compress_level=1)
    command = [sys.executable, "-c", PEAK, *map(str, sorted(tmp_path.iterdir()))]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    gigabytes, mean = map(float, told.split())
    assert gigabytes < 1.1 and mean == pytest.approx(200 / 127.5 - 1, abs=1e-4)
