"""What holds for all pictures: colours, figures that Jupyter shows, imports that are fast."""

import io
import subprocess
import sys

import numpy as np
from matplotlib import colormaps
from PIL import Image

from anogan_lib import pictures
from anogan_lib.pictures import style


def test_palette_is_told_apart_in_grey():
    """Lightness L* (CIE 1976) of what shares a figure differs by 15 at least."""
    from matplotlib.colors import to_rgb

    def lightness(name):
        rgb = np.array(to_rgb(pictures.COLOURS[name]))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16

    for together in (("normal", "anomalous"), ("residual", "discrimination", "score")):
        levels = sorted(lightness(name) for name in together)
        assert min(np.diff(levels)) > 15, together


def test_figures_draw_into_a_given_ax(scored):
    from matplotlib.figure import Figure

    whole = Figure()
    left, right = whole.subplots(1, 2)
    assert pictures.score_distributions(*scored, ax=left) is whole
    assert pictures.roc_curve(*scored, ax=right) is whole
    assert left.patches
    assert right.lines


def test_jupyter_shows_a_returned_figure_with_and_without_inline(scored):
    """The PNG that IPython asks an object for, where `%matplotlib inline` has registered nothing."""
    from IPython.core.formatters import DisplayFormatter

    figure = pictures.roc_curve(*scored)
    data, _ = DisplayFormatter().format(figure)
    assert data["image/png"].startswith(b"\x89PNG")
    assert " at 0x" not in data["text/plain"]  # the same on each run


def test_neither_pyplot_nor_tensorflow_is_loaded():
    code = (
        "import sys, numpy as np; from anogan_lib import pictures; "
        "from anogan_lib.evaluation import baselines, evaluation, regions; "
        "assert not {'matplotlib', 'scipy', 'sklearn'} & set(sys.modules), 'slow import'; "
        "pictures.comparison(*np.zeros((2, 8, 8, 1)), np.zeros((8, 8)), 1.0, vmax=1).savefig(sys.stdout.buffer); "
        "assert not {'matplotlib.pyplot', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(b"\x89PNG")


def test_new_figure_has_the_size_in_inches_and_is_empty():
    figure = pictures.new_figure(3, 2)
    assert figure.get_size_inches().tolist() == [3, 2] and figure.axes == []
    png, about = figure._repr_png_()
    assert Image.open(io.BytesIO(png)).size == (600, 400)  # 200 pixels an inch ...
    assert about == {"width": 300, "height": 200, "alt": ""}  # ... shown at half that size


def test_a_figure_gathers_what_its_panels_show(scored):
    figure = pictures.new_figure(6, 3)
    left, right = figure.subplots(1, 2)
    pictures.score_distributions(*scored, 1.25, ax=left)
    pictures.roc_curve(*scored, ax=right)
    assert "80 images" in figure.alt and "threshold 1.25" in figure.alt and "AUROC" in figure.alt
    assert figure._repr_png_()[1]["alt"] == figure.alt


def test_the_package_has_every_public_name():
    from anogan_lib.pictures import curves, drawings, images

    for module in (curves, drawings, images):
        own = [name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__]
        for name in own:
            assert name.startswith("_") or getattr(pictures, name) is getattr(module, name)
    assert pictures.CLASSES == ("normal", "anomalous") and set(pictures.DASHES) <= set(pictures.COLOURS)


def test_a_picture_in_few_colours_keeps_white_and_the_steps_of_a_colour_bar():
    """Beside photographs the bar had ten colours, its bright end one."""
    photograph = np.random.default_rng(0).integers(0, 140, (300, 300, 3), "uint8")
    bar = np.repeat(colormaps["magma"](np.linspace(0, 1, 240), bytes=True)[:, None, :3], 8, axis=1)  # (240, 8, 3)
    picture = np.full((300, 320, 3), 255, "uint8")
    picture[:, :300], picture[:240, 310:318] = photograph, bar
    few = style.in_few_colours(Image.fromarray(picture))
    shown = np.asarray(few.convert("RGB")).astype(int)
    assert few.mode == "P" and len(few.getcolors()) <= 256
    assert (shown[299, 301:] == 255).all()
    assert len(np.unique(shown[:240, 312], axis=0)) >= 40
    assert np.abs(shown[:240, 312] - bar[:, 0].astype(int)).max() < 16
