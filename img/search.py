"""Draw README's moving picture, a search for z that finds a hole: `python img/search.py` writes img/search.webp."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from anogan_lib import AnoGAN, datasets, pictures

SHOWN = [*range(0, 20), *range(20, 40, 2), *range(40, 101, 5)]  # steps: G(z) changes most in the first
SIZE, DOTS = (7.2, 2.5), 110  # inches, and pixels to an inch


def frame(image, similar, difference, step: int, steps, scores, scale: float) -> Image.Image:
    """Draw the search at one step: (H, W, C), (H, W, C), (H, W), and the curve of A(x) up to there."""
    figure = pictures.new_figure(*SIZE)
    parts = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.1))
    over = pictures.overlay_image(image, difference, vmax=scale, opacity=0.8)
    for ax, picture, title in zip(
        parts, (image, similar, None), ("image x", f"G(z), step {step}", "where they differ"), strict=False
    ):
        ax.imshow(over if picture is None else pictures.rgb(picture), interpolation="nearest")
        ax.set_title(title)
        ax.set_axis_off()
    seen = steps <= step
    parts[3].plot(steps[seen], scores[seen], color=pictures.COLOURS["score"])
    parts[3].plot(step, scores[seen][-1], "o", color=pictures.COLOURS["score"])
    parts[3].set(title="anomaly score A(x)", xlabel="step", xlim=(-2, 102), ylim=(0, 1.05 * scores.max()))
    file = BytesIO()
    figure.savefig(file, dpi=DOTS)
    return Image.open(file).convert("RGB")


def main() -> None:
    data = datasets.load("hazelnut")
    image = data.test[np.flatnonzero(data.test.kinds == "hole")[:1]]
    detector = AnoGAN(AnoGAN.load("weights/hazelnut").gan)  # the search as in the paper, from a random start
    trace = detector.invert(image, steps=100, trace=True, record_every=1).trace
    x = image.images[0]
    similar = detector.gan.averaged(trace.z[:, 0], training=False).numpy()  # (T, H, W, C)
    differences = np.abs(x - similar).mean(axis=-1)
    scores = 0.9 * trace.residual[:, 0] + 0.1 * trace.discrimination[:, 0]
    scale = float(np.quantile(differences[-1], 0.995))
    frames = [
        frame(x, similar[t], differences[t], step, np.asarray(trace.steps), scores, scale)
        for t, step in enumerate(trace.steps)
        if step in SHOWN
    ]
    times = [200] * (len(frames) - 1) + [4000]
    path = Path(__file__).with_suffix(".webp")
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=80, method=6)
    print(f"{path.name}: {len(frames)} frames, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
