"""The ladder: from AnoGAN as published to the ready detector, a rung for each idea, on the same test images.

    python -m tests.benchmarks.ladder [--out results/bench]      (make ladder)

Every rung keeps the ideas of those below it. The first four are in the DCGAN of weights/hazelnut-paper, and their
encoders are trained here; the others are in the networks of weights/hazelnut. What takes minutes is kept in OUT/ladder,
goes on where it was stopped, and is not measured again. The scores of all test images, rung by rung, are written to
notebooks/ladder.json, which the notebooks read; a test holds them against the ready detector.

"adapted G" takes the longest. Its kept scores are those of the ready detector of version 0.2 (commit bbaf421), whose
encoder and G were trained in this way in this very DCGAN.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks import apart

KEPT = apart.ROOT / "notebooks" / "ladder.json"
ENCODERS = {  # switches of fit_encoder; 8 steps an epoch
    "f-AnoGAN": {"patches": False, "adapt": False, "epochs": 120},
    "patches": {"patches": True, "adapt": False, "epochs": 120},
    "adapted G": {"patches": True, "adapt": True, "epochs": 500},
}


def published(data) -> dict:
    """AnoGAN as published: a search from a random start, lambda 0.1, raw sums."""
    return {"scores": rounded(paper().invert(data.test).scores())}


def encoded(data, switches: dict, checkpoints: Path) -> dict:
    """f-AnoGAN's score, of an encoder that is trained with these switches."""
    from anogan_lib import AnoGAN

    detector = AnoGAN(paper().gan, recipe="f-anogan")
    detector.fit_encoder(data.train, moved=False, verbose=False, checkpoint_dir=checkpoints, **switches)
    return {"scores": rounded(detector.invert(data.test).scores()), "losses": detector.encoder_losses[::5]}


def of_the_ready_detector(data) -> dict[str, np.ndarray]:
    """Scores in the ready networks: f-AnoGAN's, then the parts of score="best", one more on each rung."""
    from anogan_lib import AnoGAN
    from anogan_lib.scores import local

    ready = AnoGAN.load(apart.ROOT / "weights" / "hazelnut")
    found, normal = (ready.invert(split) for split in (data.test, data.validation))
    own, best = ready.scores["best"], found.scores()
    first, *_, last = own.needs  # R; D in each block, f the last

    def plain(found):
        x, y = found.images, found.reconstruction
        return {first: x - y, last: local.in_cells(ready.features(x) - ready.features(y), local.CELLS)}

    def score(differences, names):  # half R, half D, in spreads of validation images
        r, *d = (spread(*(np.asarray(own.largest(name, each[name])) for each in differences)) for name in names)
        return (r + sum(d) / len(d)) / 2

    def spread(test, normal):
        return (test - normal.mean()) / normal.std()

    paler = [ready.scores.differences(each) for each in (found, normal)]
    ready.score = "f-anogan"
    return {
        "RpGAN": ready.invert(data.test).scores(),
        "places": score([plain(found), plain(normal)], (first, last)),
        "contrast": score(paler, (first, last)),
        "every block": score(paler, own.needs),
        "background": best,
    }


def paper():
    from anogan_lib import AnoGAN

    return AnoGAN.load(apart.ROOT / "weights" / "hazelnut-paper")


def rounded(scores: np.ndarray) -> list[float]:
    return [float(f"{score:.6g}") for score in scores]


def main() -> None:
    from anogan_lib import datasets
    from anogan_lib.evaluation import baselines

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=apart.ROOT / "results" / "bench")
    out, data = parser.parse_args().out / "ladder", datasets.load("hazelnut")
    long = {"AnoGAN": lambda: published(data)}
    for name, switches in ENCODERS.items():
        long[name] = partial(encoded, data, switches, out / name.replace(" ", "-"))
    rungs = {}
    for name, measure in long.items():
        file = out / f"{name.replace(' ', '-')}.json"
        told = json.loads(file.read_text()) if file.is_file() else apart.keep(file, measure)
        rungs[name] = told["scores"]
    rungs |= {name: rounded(scores) for name, scores in of_the_ready_detector(data).items()}
    test, train = data.test, data.train
    rivals = baselines.compare(train.images, test.images, test.labels)
    about = {"command": "make ladder", "commit": apart.commit(), "labels": test.labels.tolist()}
    KEPT.write_text(json.dumps(about | {"rivals": rivals, "rungs": rungs}, indent=None) + "\n")
    print(table(json.loads(KEPT.read_text())))


def table(kept: dict) -> str:
    """A row for each rung and rival: AUROC, and its 95 % interval."""
    from anogan_lib.evaluation import metrics

    lines, labels = ["| rung | AUROC |", "|---|---|"], np.array(kept["labels"])
    for name, scores in kept["rungs"].items():
        low, high = metrics.bootstrap_interval(metrics.auroc, labels, np.array(scores))
        lines.append(f"| {name} | {metrics.auroc(labels, np.array(scores)):.3f} [{low:.3f}, {high:.3f}] |")
    return "\n".join([*lines, *(f"| rival: {name} | {value:.3f} |" for name, value in kept["rivals"].items())])


if __name__ == "__main__":
    main()
