"""The commands, each a short walk through the library.

What is heavy is imported inside the commands, so that a mistake in the options is reported at once.
"""

import os
import platform
import shutil
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

from anogan_lib import datasets, import_keras, saving
from anogan_lib.cli import files, tables
from anogan_lib.cli.main import CARD_OPTIONS, LATER
from anogan_lib.datasets import AnomalyDataset, Split, places
from anogan_lib.datasets.base import labelled
from anogan_lib.datasets.folders import POSSIBLE_SIDES
from anogan_lib.datasets.images import look
from anogan_lib.evaluation import thresholds
from anogan_lib.evaluation.calibration import LOOKED
from anogan_lib.training.reading import MOST_BYTES, CheckedFolder, naming
from anogan_lib.training.writing import check_free

SHOWN = (("good", 0), ("hole", 1), ("crack", 1), ("cut", 1), ("print", 1), ("hole", 4))  # in the demo's overview
# The figures of an evaluation that go on the card.
RESULTS = ("auroc", "auroc_interval", "average_precision", "pixel_auroc", "accuracy", "trivial_accuracy")
RESULTS += ("false_alarm_rate", "hit_rate", "baselines", "pixel_baselines")
VERSIONS = ("anogan_lib", "tensorflow", "keras", "numpy")  # also on it
SETTINGS = ("threshold", "false_alarm_rate", "lam", "score", "steps", "recipe")  # beside the rows in --json FILE


def demo(args) -> None:
    """Find defects on built-in data with a trained detector."""
    from tqdm import tqdm

    from anogan_lib import AnoGAN, pictures
    from anogan_lib.cli.overlays import Pictures
    from anogan_lib.pictures import report

    files.try_to_write(out := Path("results/demo"), out)
    detector = AnoGAN.load(places.root() / "weights" / "hazelnut")
    data = datasets.load("hazelnut", size=detector.image_shape[:2])
    test = data.test
    print(f"{len(test)} test images of rendered hazelnuts, none of which the detector was trained on")
    found = detector.predict(test, progress=True)
    evaluation = detector.evaluate(data, found)
    _write_evaluation(evaluation, out / "evaluation.json", out / "scores.csv")
    report.write(out / "report.html", detector, data, evaluation, found)
    print(f"\n{evaluation}\n")
    each = Pictures(out, detector)
    for i, name in enumerate(tqdm(test.names, "pictures", unit="image")):
        each.write(each.name(Path(name)), test.images[i], found, i)
    chosen = [int(np.flatnonzero(test.kinds == kind)[i]) for kind, i in SHOWN]
    scale = {"vmax": detector.map_scale, "opacity": 0.9}
    overlays = [pictures.overlay_image(test.images[i], found.maps[i], **scale) for i in chosen]
    rows = [test.images[chosen], found.reconstruction[chosen], datasets.images.from_uint8(np.stack(overlays))]
    titles = [kind for kind, _ in SHOWN] + ["G(z)"] * len(SHOWN) + [f"A(x) = {found.scores[i]:.1f}" for i in chosen]
    pictures.image_grid(np.concatenate(rows), titles, columns=len(SHOWN)).savefig(out / "overview.png")
    pictures.score_distributions(found.scores, test.labels, detector.threshold).savefig(out / "scores.png")
    print(f"in {out}/: report.html (all of it on one page), overview.png (image, similar image, anomalies),")
    print("scores.png, test/ (each image by itself), scores.csv, evaluation.json")


def train(args) -> None:
    """Train a DCGAN on normal images, fit a detector, save both with a card."""
    out, checkpoint = Path(args.out), Path(args.out) / "checkpoint"
    finished, begun = (out / "detector.json").is_file(), checkpoint.is_dir()
    if (finished or begun) and not args.resume:
        what = "a detector" if finished else "an unfinished training"
        raise ValueError(f"{out} already holds {what}; continue it with --resume, or choose another --out.")
    if finished and not begun:
        raise ValueError(f"{out} holds a detector but no checkpoint to continue from; choose another --out.")
    if args.epochs is not None and args.epochs < 1:
        raise ValueError(f"--epochs is at least 1; leave it out for the default. Received: {args.epochs}")
    if args.seed < 0:
        raise ValueError(f"--seed is a whole number, 0 or more. Received: {args.seed}")
    check_free(out)
    import_keras()

    from anogan_lib.training import distribution

    with distribution.strategy_of_environment():
        _train(args, checkpoint, begun)
        distribution.agreed(0.0)  # no worker ends before the chief has written


def _train(args, checkpoint: Path, begun: bool) -> None:
    """Train under the strategy in scope; of several workers the chief alone writes and prints."""
    from anogan_lib import DCGAN, AnoGAN, RpGAN
    from anogan_lib.training.distribution import chief, replicas

    data = datasets.load(args.data, size=args.size, normal=args.normal, groups=args.groups)
    if chief():
        print(data.summary() + ("" if args.size else _advice(data)))
    asked = (args.false_alarm_rate, data.calibration.groups, args.estimate)
    thresholds.hierarchical(range(len(data.calibration)), *asked)  # refused now, not after training
    if len(data.validation) < 2:  # one image has no spread
        count = len(data.train) + len(data.validation) + len(data.calibration)
        raise ValueError(f"Too few normal images to train a detector: at least 15 are wanted. Received: {count}.")
    kind = RpGAN if args.recipe == "best" else DCGAN
    gan = kind(data.image_shape, latent_dim=args.latent_dim, width=args.width, flips=args.flips, seed=args.seed)
    _check_same_images(checkpoint / "images.json", data, new=chief())
    history = gan.train(data.train, epochs=args.epochs, checkpoint_dir=checkpoint, verbose=chief())
    started = time.perf_counter()
    detector = AnoGAN(gan, recipe=args.recipe, seed=args.seed)
    options = {"verbose": chief(), "checkpoint_dir": checkpoint / "encoder", "estimate": args.estimate}
    detector.fit(data, args.false_alarm_rate, **options)
    if not chief():
        return
    out, parts = Path(args.out), {name: getattr(data, name) for name in ("train", "validation", "calibration", "test")}
    card = {name: getattr(args, name) for name in CARD_OPTIONS + LATER} | {
        "data": args.data,
        "description": data.description,
        "command": args.command,
        "image_shape": list(data.image_shape),
        "images": {name: len(part) for name, part in parts.items()},
        "groups_in": {name: part.group_count for name, part in parts.items() if part.group_count},
        "latent_dim": gan.latent_dim,
        "epochs": len(history["d_loss"]),
        "steps": int(gan.steps_done.numpy()),
        "minutes": round((sum(history["seconds"]) + time.perf_counter() - started) / 60, 1),
        "cores": os.cpu_count(),
        "replicas": replicas(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        "threshold": float(detector.threshold),
        "results": {},
    }
    if begun:
        card["interrupted"] = "yes; minutes are those of the DCGAN and of what came after the last interruption"
    detector.save(out, card=card)  # before the evaluation, which may fail or be interrupted
    shutil.rmtree(checkpoint / "encoder" / LOOKED, ignore_errors=True)
    if len(set(data.test.labels)) == 2:
        evaluation = detector.evaluate(data, progress=True)
        figures = evaluation.to_dict()
        card["results"] = {name: figures[name] for name in RESULTS if figures.get(name) not in (None, {})}
        detector.save(out, card=card)
        print(f"\n{evaluation}\n")
    print(f"detector in {out}/, threshold {detector.threshold:.4g}; use it with: anogan score {out} PATH...")


def score(args) -> None:
    """Score images as they are read, and write a row for each at once."""
    from anogan_lib.cli import overlays

    if args.resume and not args.csv:
        raise ValueError("--resume continues a table of scores: name it with --csv FILE.")
    files.check_places(args, args.csv, args.json)
    exported = args.detector.endswith(".tflite")
    if not args.paths:
        if exported:
            return _show_card(args.detector)
        raise ValueError("Name the images, or folders of images, to be scored.")
    found_files = list(files.find(args.paths, args.overlays))
    detector = _load_exported(args) if exported else _load_detector(args, args.steps, args.false_alarm_rate)
    scored = [file.as_posix() for file, _ in found_files]
    pictures = overlays.Pictures(args.overlays, detector, scored) if args.overlays else None
    settings = {name: getattr(detector, name) for name in SETTINGS}
    parts = tables.Parts(args.csv, scored, settings, args.resume)
    rows = tables.resume(parts.table, detector) if args.resume else []
    table = tables.Table(parts.table, append=bool(rows)) if parts.table else None
    before = {row["name"] for row in rows}
    if pictures:
        found_files = [(file, pictures.name(name)) for file, name in found_files]
    found_files = files.unfinished(found_files, before, parts.worker, parts.count)
    scores = [row["score"] for row in rows]
    try:
        for batch, images in files.read_batches(found_files, detector.image_shape, detector.value_range):
            names = [file.as_posix() for file, _ in batch]
            new = [i for i, name in enumerate(names) if name not in before]
            if not new:
                continue
            found = detector.predict(images)
            kinds, labels = zip(*(files.kind_of(file, args.paths) for file, _ in batch), strict=True)
            some = tables.rows(found, names, kinds, labels)
            some = [some[i] for i in new]
            for i in new if pictures else ():  # before their rows, which --resume relies on
                pictures.write(batch[i][1], images[i], found, i)
            if args.json:  # the only result that needs all rows at once
                rows += some
            if table:
                table.write(some)  # without a score, an earlier file stays as it is
            else:
                tables.show(some, header=not scores)
            scores += [row["score"] for row in some]
    finally:  # after an interruption, too
        if args.json and rows and parts.count == 1:
            saving.write_json(args.json, settings | {"images": rows})
        if table:
            table.close()
    if parts.count > 1:
        rows = parts.finish()
        if rows is None:
            part = f"{len(scores)} images, part {parts.worker + 1} of {parts.count}"
            return print(f"{part}; the worker that finishes last joins the parts in {args.csv}")
        if args.json:
            saving.write_json(args.json, settings | {"images": rows})
        scores = [row["score"] for row in rows]
    if not scores:
        raise ValueError("Nothing could be scored: not one image could be read.")
    if len(scores) >= thresholds.ENOUGH_FOR_DRIFT:
        p, drift = detector.drift(scores)
        if p < thresholds.DRIFT_LEVEL:
            files.complain(f"note: {drift}")
    anomalous = np.sum(np.array(scores) > detector.threshold)
    verdict = f"{len(scores)} images, {anomalous} anomalous (score above {detector.threshold:.4g})"
    written = "".join(f"; {path}" for path in (args.csv, args.json, args.overlays) if path)
    print(f'{verdict}, recipe "{detector.recipe}"{written}')


def evaluate(args) -> None:
    """Measure how good the detector is on labelled images, with the baselines beside it."""
    from anogan_lib.pictures import report

    files.check_places(args, args.json, args.csv, args.report)
    detector = _load_detector(args)
    data, left_out = _data_to_test(detector, args)
    prediction = detector.predict(labelled(data), progress=True)
    evaluation = detector.evaluate(data, prediction)
    evaluation.left_out = left_out
    print(evaluation)
    _write_evaluation(evaluation, args.json, args.csv)
    if args.report:
        report.write(args.report, detector, data, evaluation, prediction)


def export(args) -> None:
    """Write a detector as one graph, for machines without TensorFlow."""
    files.try_to_write(args.out, os.path.dirname(os.path.realpath(args.out)))
    detector = _load_detector(args, None, args.false_alarm_rate)

    from anogan_lib.export import write  # TensorFlow has been imported by now, quietly

    write(detector, args.out)
    print(f"{args.out}, threshold {detector.threshold:.4g}, recipe {detector.recipe!r}")


def live(args) -> None:
    """Write the page in which the search for z runs by itself."""
    from anogan_lib import pictures

    files.check_places(args, args.out)
    detector = _load_detector(args)
    path = pictures.live(detector, args.out, progress=True)
    print(f"{path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser; it needs neither Python nor a network")


def data(args) -> None:
    """Show what is in a data set, what was left out and what looks wrong; with --out, write it as folders."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda note, *_: print(f"- {files.printable(str(note))}")
        found = datasets.load(args.data, normal=args.normal, groups=args.groups)
    print(found.summary() + _advice(found))
    if args.out:
        datasets.write(found, args.out)
        print(f"\nwritten to {args.out}/, which is a DATA as well")


def _advice(data: AnomalyDataset) -> str:
    """Say what a larger --size would show and cost, where files are larger than what is read of them; else ""."""
    sides = np.array(data.image_shape[:2])
    own = sides if data.train.paths is None else look(data.train.paths[0]).shape[:2]
    scale = min(2, min(own) / min(sides), max(POSSIBLE_SIDES) / max(sides))
    if scale <= 1:
        return ""
    sizes = ("x".join(map(str, each)) for each in (own, sides, np.rint(scale * sides).astype(int)))
    words = "\n\nThe first image has {} pixels and is read at {}. If defects are fine, --size {} shows them better"
    return f"{words.format(*sizes)}; training then takes about {scale**2:.2g} times as long."


def _load_detector(args, steps: int | None = None, false_alarm_rate: float | None = None):
    """Load a detector and change what the options say."""
    from anogan_lib import AnoGAN

    if Path(args.detector).is_file():
        raise ValueError(f"A folder that anogan train wrote is wanted, not a single file. Received: {args.detector}")
    detector = AnoGAN.load(args.detector, score=args.score)
    if args.lam is not None:
        detector.lam = args.lam
    if steps is not None and steps != detector.steps:
        lam, score, detector = detector.lam, detector.score, AnoGAN.load(args.detector, steps=steps)
        _calibrate_again(detector)  # it searches for its own lambda and score; the options' weigh what is found
        detector.lam, detector.score = lam, score
    if false_alarm_rate is not None:
        detector.false_alarm_rate = false_alarm_rate
    float(detector.threshold)  # raises where a calibration is missing, or too small for the rate
    return detector


def _load_exported(args):
    """Load a detector from FILE.tflite, without TensorFlow."""
    from anogan_lib.litert import LiteDetector

    for name in ("lam", "score", "steps"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} cannot change an exported detector; give it to anogan export, or train again.")
    detector = LiteDetector(args.detector)
    if args.false_alarm_rate is not None:
        detector.false_alarm_rate = args.false_alarm_rate
    float(detector.threshold)  # raises where the calibration is too small for the rate
    return detector


def _show_card(path: str) -> None:
    from anogan_lib.litert import read_card

    about = read_card(path)
    for name in ("calibration_scores", "calibration_groups"):
        about[name] = None if about[name] is None else f"{len(about[name])} numbers"
    print(saving.card_as_text(about), end="")


def _calibrate_again(detector) -> None:
    """Standardise and calibrate for another number of steps, on the detector's own images, or raise ValueError."""
    try:
        data = saving.own_data(detector)
    except ValueError as error:
        raise ValueError(f"--steps {detector.steps} needs a new calibration; leave it out. {error}") from None
    estimate = getattr(detector.calibration, "estimate", False)
    detector.standardise(data.validation).calibrate(data.calibration, detector.false_alarm_rate, estimate)
    done = f"calibrated again for {detector.steps} steps, on {len(data.calibration)} images of {data.name}"
    files.complain(f"note: {done}.")


def _data_to_test(detector, args) -> tuple[AnomalyDataset | Split, int]:
    """Load all labelled images of a data set, and leave out those that the detector has learned from.

    Its card says which are normal and belong together where the options do not.

    Returns:
        The data set that the detector was made from, with every other image in its test split; or else one Split. And
        how many images were left out.
    """
    spec, given = args.data, {name: getattr(args, name) for name in ("normal", "groups")}
    given = saving.as_learned(detector) | {name: value for name, value in given.items() if value is not None}
    if not detector.split_digests:  # saved by an earlier version, which kept no record
        return datasets.load(spec, **given), 0
    images = datasets.labelled_folder(spec, **given)
    unseen, digests = detector.unseen(images), images.digests()
    if not len(unseen):
        raise ValueError(f"The detector has learned from every image of {spec}: evaluate it on others.")
    data, left_out = images[unseen], len(images) - len(unseen)
    known = [set(detector.split_digests.get(name, {}).values()) for name in ("train", "validation", "calibration")]
    rows = [[i for i, digest in enumerate(digests) if digest in part] for part in known]
    if all(rows):
        train, validation, calibration = (images[part] for part in rows)
        data.reference = train
        data = AnomalyDataset(spec, detector.card.get("description", ""), train, validation, calibration, data)
    return data, left_out


def _write_evaluation(evaluation, json_path, csv_path) -> None:
    if json_path:
        saving.write_json(json_path, evaluation.to_dict())
    if csv_path:
        tables.write(csv_path, tables.rows(evaluation, evaluation.names, evaluation.kinds, evaluation.labels))


def _check_same_images(record: Path, data: AnomalyDataset, new: bool) -> None:
    """Raise ValueError where the record of an earlier training holds other images; with `new`, record a new one's."""
    images = [dict(zip(part.names.tolist(), part.digests(), strict=True)) for part in (data.train, data.calibration)]
    if not record.exists():
        if new:
            saving.write_json(record, {"data": data.name, "images": images})
        return
    begun = CheckedFolder(record.parent).json(record.name, MOST_BYTES)
    with naming(record):
        others = f"{len(begun['images'][0])} of {begun['data']}"
    if begun["images"] != images:
        raise ValueError(
            f"The training in {record.parent} was begun on other images: {others}. "
            f"Choose another --out. Received: {len(data.train)} of {data.name}."
        )
