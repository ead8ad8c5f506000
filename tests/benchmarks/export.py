"""Does an exported detector judge as the folder does, and what does it cost where there is no TensorFlow?

    python -m tests.benchmarks.export [--only hazelnut ...]

Each ready detector that can be exported judges 1,000 images: the library, LiteRT and ONNX Runtime.
Where its data set has fewer than 1,000, mirror images make up the rest. Then `anogan score FILE.tflite` judges one
image in a new environment that has the LiteRT runtime and no TensorFlow, made by the commands of anogan_lib/README.md.
What is measured is kept as tests/benchmarks/export.json. MNIST needs $ANOGAN_DATA, the environment a package registry
and Linux.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks import apart

KEPT = Path(__file__).with_suffix(".json")
SPECS = {"digits-8": "digits:8", "mnist-8": "mnist:8", "hazelnut": "hazelnut", "brick": "textures:brick"}
COUNT = 1000
RUN_ONNX = """
import sys
import numpy as np
import onnxruntime
run, images = onnxruntime.InferenceSession(sys.argv[1]), np.load(sys.argv[2])
found = [run.run(["score", "verdict"], {"image": images[i : i + 50]}) for i in range(0, len(images), 50)]
np.savez(sys.argv[3], **dict(zip(("scores", "verdicts"), map(np.concatenate, zip(*found)))))
"""
SCORE = """
import sys
from pathlib import Path
from anogan_lib.cli import main
assert main(sys.argv[1:]) == 0
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""  # what getrusage says of the most memory is that of the parent, where that was more
RUNTIME = ("ai-edge-litert", "numpy", "pillow", "tqdm", "scipy", "matplotlib")  # as anogan_lib/README.md has it


def images_for(detector, spec: str) -> np.ndarray:
    """1,000 images of a data set: its test images, others, and mirror images.

    None of its calibration images: one of them lies exactly on the threshold, where rounding decides.
    """
    from anogan_lib import datasets

    data = datasets.load(spec, size=detector.image_shape[:2])
    images = np.concatenate([each.images for each in (data.test, data.validation, data.train)])
    return np.concatenate([images, images[:, :, ::-1], images[:, ::-1]])[:COUNT]


def compared(name: str, python: Path, place: Path) -> dict:
    """How far both exports of a ready detector are from it, and what one image costs without TensorFlow."""
    from anogan_lib import AnoGAN, export
    from anogan_lib.litert import LiteDetector

    detector = AnoGAN.load(apart.ROOT / "weights" / name)
    images, files = images_for(detector, SPECS[name]), {kind: place / f"{name}.{kind}" for kind in ("tflite", "onnx")}
    for file in files.values():
        export.write(detector, file)
    wanted, lite = detector.predict(images), LiteDetector(files["tflite"]).predict(images)
    told: dict = {"images": len(images), "anomalous": int(wanted.verdicts.sum())}
    told["LiteRT"] = apart_by(wanted, lite.scores, lite.verdicts) | {"bytes": files["tflite"].stat().st_size}
    np.save(place / "images.npy", images)
    subprocess.run([python, "-c", RUN_ONNX, files["onnx"], place / "images.npy", place / "found.npz"], check=True)
    with np.load(place / "found.npz") as found:
        scores, verdicts = found["scores"], found["verdicts"]
    told["ONNX"] = apart_by(wanted, scores, verdicts.astype(bool)) | {"bytes": files["onnx"].stat().st_size}
    pixels = np.uint8(np.round((images[0].squeeze() + 1) * 127.5))
    Image.fromarray(pixels).save(place / f"{name}.png")
    words = ["score", str(files["tflite"]), str(place / f"{name}.png")]
    return told | {"alone": min((cost(python, words) for _ in range(5)), key=lambda each: each["seconds"])}


def apart_by(wanted, scores: np.ndarray, verdicts: np.ndarray) -> dict:
    """The largest difference of scores, in shares of them, and how many verdicts differ.

    Scores are in spreads of normal images and go through 0; one below 0.1 counts as 0.1.
    """
    relative = np.abs(scores - wanted.scores) / np.maximum(np.abs(wanted.scores), 0.1)
    return {"largest": float(relative.max()), "verdicts": int(np.sum(verdicts != wanted.verdicts))}


def environment(place: Path) -> Path:
    """Make an environment without TensorFlow; returns its Python."""
    python = place / "scoring" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", place / "scoring"], check=True)
    for words in (["--no-deps", str(apart.ROOT)], RUNTIME, ["onnxruntime"]):
        subprocess.run([python, "-m", "pip", "install", "--quiet", *words], check=True)
    code = "import importlib.util as u; assert not any(map(u.find_spec, ('tensorflow', 'keras')))"
    subprocess.run([python, "-c", code], check=True)
    return python


def cost(python: Path, words: list[str]) -> dict:
    """Processor seconds and the most bytes that `anogan` takes, its start included."""
    process = subprocess.Popen(
        [python, "-c", SCORE, *words], env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True
    )
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, words
    return {"seconds": round(used.ru_utime + used.ru_stime, 3), "bytes": 1024 * int(said.split()[-2])}


def table(told: dict[str, dict]) -> str:
    """The table of the results page: a row for each ready detector."""
    names = ("exported", "images", "called anomalous")
    names += tuple(
        f"{kind}: {what}" for kind in ("LiteRT", "ONNX") for what in ("scores apart by at most", "verdicts that differ")
    )
    names += ("file, MB (LiteRT)", "one image without TensorFlow: seconds", "MB of memory")
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for name, each in told.items():
        cells = [f"`weights/{name}`", f"{each['images']:,}", each["anomalous"]]
        for kind in ("LiteRT", "ONNX"):
            cells += [f"{each[kind]['largest']:.0e}", each[kind]["verdicts"]]
        cells += [f"{each['LiteRT']['bytes'] / 1e6:.1f}", f"{each['alone']['seconds']:.2f}"]
        lines.append(f"| {' | '.join(map(str, (*cells, round(each['alone']['bytes'] / 1e6))))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SPECS, default=list(SPECS), help="these ready detectors alone")
    args = parser.parse_args()
    told = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    with tempfile.TemporaryDirectory() as place:
        python = environment(Path(place))
        for name in args.only:
            told[name] = compared(name, python, Path(place)) | {"commit": apart.commit()}
            print(name, told[name], flush=True)
    KEPT.write_text(json.dumps({name: told[name] for name in SPECS if name in told}, indent=1) + "\n")
    print(table(told))


if __name__ == "__main__":
    main()
