"""What does each choice bring? Digits 2, 3 and 4 of MNIST, with each switch of the training, map and score changed.

    python -m tests.benchmarks.ablation [--jobs 2] [--out results/bench]

No test image is seen here. Normal images are the digit's calibration images; anomalies are training images of the other
digits. Everything is trained with half the default's steps, so that the table takes hours and not a day. What is
measured lies in OUT/ablation/, a file for each variant and digit, and is not measured again; everything measured so far
is printed as a table and kept as tests/benchmarks/ablation.json, from which another run goes on, here or on another
machine; remove both to begin again. Needs $ANOGAN_DATA.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
DIGITS = (2, 3, 4)
GAN_EPOCHS, ENCODER_EPOCHS = 23, 16  # half of the default's 6,000 and 4,000 steps
ANOMALIES = 150  # of each other digit
LAMS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)

GANS = {  # switches of DCGAN
    "as it is": {},
    "no DiffAugment": {"augment": ""},
    "DiffAugment with colour": {"augment": "translation,colour"},
    "D with batch normalisation": {"normalisation": "batch"},
    "D with spectral normalisation": {"normalisation": "spectral"},
    "no averaged weights": {"ema_decay": 0.0},
    "latent size 8": {"latent_dim": 8},
    "latent size 24": {"latent_dim": 24},
    "normal prior": {"prior": "normal"},
    "half the width": {"width": 16},
}
ENCODERS = {  # switches of fit_encoder, on the default's DCGAN
    "G not adapted": {"adapt": False},
    "no patches": {"patches": False},
    "f-AnoGAN: neither": {"adapt": False, "patches": False},
    "no feature term": {"kappa": 0.0},
}
SEARCHES = {  # options of detector.invert, on the default's networks; on a third of the images
    "searched on, 10 steps": {"steps": 10},
    "searched on, 50 steps": {"steps": 50},
    "random start": {"init": "random"},
    "random start, best of 3": {"init": "random", "restarts": 3},
}


def images(digit: int):
    """(data set, images, labels): held-back normal images, and training images of the other digits."""
    from anogan_lib import datasets

    data, others = datasets.load(f"mnist:{digit}"), []
    for other in range(10):
        if other != digit:
            train = datasets.load(f"mnist:{other}").train
            others.append(train[np.random.default_rng(other).permutation(len(train))[:ANOMALIES]].images)
    x = np.concatenate([data.calibration.images, *others])
    return data, x, (np.arange(len(x)) >= len(data.calibration)).astype(int)


def base(digit: int, out: Path):
    """The detector as it is, which other variants draw on; fitted where it is not there yet."""
    from anogan_lib import DCGAN, AnoGAN

    folder = out / "ablation" / f"as-it-is-{digit}"
    if not folder.is_dir():
        data, _, _ = images(digit)
        gan = DCGAN(data.image_shape)
        gan.train(data.train, epochs=GAN_EPOCHS, verbose=False)
        gan.save(folder / "gan")
        fitted(AnoGAN(gan, recipe="best"), data).calibrate(data.calibration).save(folder)
    return AnoGAN.load(folder)


def fitted(detector, data, **switches):
    """`detector` with its encoder and spreads."""
    detector.fit_encoder(data.train, epochs=ENCODER_EPOCHS, verbose=False, **switches)
    return detector.standardise(data.validation)


def measure(variant: str, digit: int, out: Path) -> dict:
    """AUROC of score="best" by lambda, and of what it might look at instead."""
    from anogan_lib import DCGAN, AnoGAN
    from anogan_lib.evaluation import metrics

    data, x, labels = images(digit)
    options = SEARCHES.get(variant, {})
    if variant == "as it is" or options:
        detector = base(digit, out)
    elif variant in ENCODERS:
        base(digit, out)
        gan = DCGAN.load(out / "ablation" / f"as-it-is-{digit}" / "gan")
        detector = fitted(AnoGAN(gan, recipe="best"), data, **ENCODERS[variant])
    else:
        gan = DCGAN(data.image_shape, **GANS[variant])
        gan.train(data.train, epochs=GAN_EPOCHS, verbose=False)
        detector = fitted(AnoGAN(gan, recipe="best"), data)
    if options:  # spreads of the same search
        x, labels = x[::3], labels[::3]
        detector.scores.learn(detector.invert(data.validation.images[::3], **options).losses)
    found = detector.invert(x, **options)
    told: dict = {"by_lam": {str(lam): metrics.auroc(labels, found.scores(lam, "best")) for lam in LAMS}}
    if variant == "as it is":
        told["instead"] = {name: metrics.auroc(labels, s) for name, s in other_scores(detector, data, found).items()}
    return told


def other_scores(detector, data, found) -> dict[str, np.ndarray]:
    """What an anomaly score might be made of: each (N,)."""
    from scipy.ndimage import gaussian_filter

    from anogan_lib import AnoGAN
    from anogan_lib.scores import local

    x, y = found.images, found.reconstruction
    normal = detector.invert(data.validation)
    mean, covariance = normal.z.mean(axis=0), np.cov(normal.z.T)
    away = found.z - mean
    bare = AnoGAN(detector.gan, recipe="best")
    bare.adopt(detector.generator, detector.encoder)
    residual, *blocks = detector.scores["best"].needs
    one_block = (residual, blocks[-1])
    return {
        "best, background left in": bare.standardise(data.validation).invert(x).scores(),
        "best, D of the last block alone": sum(
            detector.scores["best"].standardise(name, found.losses[name]) for name in one_block
        ),
        "as in the paper: lambda 0.1, raw sums": found.scores(0.1, "paper"),
        "both sums standardised": found.scores(0.5, "standardised"),
        "R: sum of absolute differences": found.residual,
        "R: sum of squares": ((x - y) ** 2).sum(axis=(1, 2, 3)),
        "R: sum of squares, brightness and contrast taken out": (
            (local.without_contrast(x) - local.without_contrast(y)) ** 2
        ).sum(axis=(1, 2, 3)),
        "R: 1 - SSIM": 1 - ssim(x, y),
        "R: highest 16 pixels, brightness and contrast left in": local.top_mean(
            np.abs(gaussian_filter(x - y, (0, local.SCORE_BLUR, local.SCORE_BLUR, 0))).squeeze(-1),
            local.TOP,
        ),
        "D: sum of absolute differences": found.discrimination,
        **{f"D: of block {i} alone, as best takes it": found.losses[name] for i, name in enumerate(blocks, start=1)},
        "prior: distance of z from normal images' z": np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away),
    }


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean structural similarity (Wang et al. 2004) with a Gaussian window of 1.5 pixels, (N,)."""
    from scipy.ndimage import gaussian_filter

    def smooth(image):
        return gaussian_filter(image, (0, 1.5, 1.5, 0))

    mx, my = smooth(x), smooth(y)
    vx, vy, cov = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
    c1, c2 = 0.02**2, 0.06**2  # (0.01 L)^2 and (0.03 L)^2 for a range L of 2
    return ((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean(axis=(1, 2, 3))


def file_of(variant: str, digit: int | str, out: Path) -> Path:
    return out / "ablation" / f"{variant.replace(' ', '-').replace(':', '')}-{digit}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="variants at a time, a core each")
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    parser.add_argument("--measure", nargs=2, metavar=("VARIANT", "DIGIT"), help="one variant, in this process")
    args = parser.parse_args()
    if args.measure:
        variant, digit = args.measure[0], int(args.measure[1])
        told = apart.keep(file_of(variant, digit, args.out), lambda: measure(variant, digit, args.out))
        return print(f"{variant}, digit {digit}: {auroc(told):.3f} in {told['seconds']:.0f} s", flush=True)
    go_on_with(json.loads(KEPT.read_text()) if KEPT.is_file() else {}, args.out)
    variants = [*GANS, *ENCODERS, *SEARCHES]
    for stage in (["as it is"], variants):  # the others draw on its networks
        steps = [(variant, digit) for variant in stage for digit in DIGITS]
        missing = [step for step in steps if not file_of(*step, args.out).is_file()]
        apart.run_each("tests.benchmarks.ablation", missing, args.out, args.jobs)
    told = gather(args.out)
    KEPT.write_text(json.dumps(told, indent=1))
    print(table(told))
    if any(len(row) < len(DIGITS) for row in told.values()):
        sys.exit("not everything could be measured")


def go_on_with(kept: dict, out: Path) -> None:
    """What an unfinished run has measured, as if it had been measured here."""
    apart.go_on_with({file_of(v, digit, out): told for v, row in kept.items() for digit, told in row.items()})


def gather(out: Path) -> dict:
    """{variant: {digit: what was measured}}."""
    return {
        variant: {
            str(digit): json.loads(path.read_text())
            for digit in DIGITS
            if (path := file_of(variant, digit, out)).is_file()
        }
        for variant in (*GANS, *ENCODERS, *SEARCHES)
    }


def auroc(told: dict) -> float:
    """At the default lambda."""
    from anogan_lib import scores

    return told["by_lam"][str(scores.default_lam("best"))]


def table(told: dict) -> str:
    """A row for each variant that all digits were measured for: AUROC on each digit, their mean."""
    whole = {variant: list(row.values()) for variant, row in told.items() if len(row) == len(DIGITS)}
    rows = {variant: [auroc(each) for each in row] for variant, row in whole.items()}
    if asis := whole.get("as it is"):
        rows |= {f"lambda {lam}": [each["by_lam"][lam] for each in asis] for lam in map(str, LAMS)}
        rows |= {f"score: {name}": [each["instead"][name] for each in asis] for name in asis[0]["instead"]}
    lines = ["| | " + " | ".join(f"{digit}" for digit in DIGITS) + " | mean |", "|---" * (len(DIGITS) + 2) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in [*row, float(np.mean(row))]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
