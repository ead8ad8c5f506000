"""Work that is gone on with, and what files there are: nothing is lost, nothing is mixed, no name is too odd."""

import csv
import importlib
import io
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from anogan_lib import AnoGAN, saving
from anogan_lib.cli import main, overlays, tables


@pytest.fixture
def photos(tmp_path, tiny_data):
    """Six photographs, good and cracked: a folder."""
    images = [*tiny_data.calibration.images[:3], *tiny_data.test.images[-3:]]
    for i, image in enumerate(images):
        path = tmp_path / "photos" / ("good" if i < 3 else "crack") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8((image[..., 0] + 1) * 127.5)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def score(tiny_detector):
    return lambda *words: main(["score", str(tiny_detector), *map(str, words)])


def table_of(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


# ---- a table of scores


def test_a_table_of_another_threshold_is_not_gone_on_with(photos, score, tmp_path, capsys):
    table = tmp_path / "a.csv"
    assert score(photos / "good", "--csv", table, "--false-alarm-rate", "0.1") == 0
    before = table.read_bytes()
    assert score(photos, "--csv", table, "--false-alarm-rate", "0.97", "--resume") == 2
    assert "another threshold" in capsys.readouterr().err
    assert table.read_bytes() == before


def test_a_table_of_another_detector_is_not_gone_on_with_where_no_image_recurs(
    photos, score, tiny_detector, tmp_path, capsys
):
    table, other = tmp_path / "a.csv", AnoGAN.load(tiny_detector)
    other.gan.averaged.set_weights([0.5 * weights for weights in other.gan.averaged.get_weights()])
    other.save(tmp_path / "other")
    assert score(photos / "good", "--csv", table) == 0
    before = table.read_bytes()
    assert main(["score", str(tmp_path / "other"), str(photos / "crack"), "--csv", str(table), "--resume"]) == 2
    assert "another detector" in capsys.readouterr().err
    assert table.read_bytes() == before


@pytest.mark.parametrize("content", ["one line without an end", "a,b\n", "name,score\n1,2\n", "\n"])
def test_a_file_that_is_no_table_stays_as_it_is(content, photos, score, tmp_path, capsys):
    notes = tmp_path / "notes.txt"
    notes.write_text(content)
    assert score(photos, "--csv", notes, "--resume") == 2
    assert "no table of scores" in capsys.readouterr().err
    assert notes.read_text() == content


@pytest.mark.parametrize("kept", [0, 4, 75, 200])
def test_a_table_torn_anywhere_is_made_whole(kept, photos, score, tmp_path):
    whole, torn = tmp_path / "whole.csv", tmp_path / "torn.csv"
    assert score(photos, "--csv", whole) == 0
    torn.write_bytes(whole.read_bytes()[:kept])
    assert score(photos, "--csv", torn, "--resume") == 0
    assert [row["name"] for row in table_of(torn)] == [row["name"] for row in table_of(whole)]


ROW = {"name": "a.png", "score": -1.5, "p_value": 0.1, "verdict": "normal", "residual": 2.0, "discrimination": 0.5}
ROW |= {"kind": None, "label": None}


@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("line", [b'"im/0\nz.png",1.5,0.1,nor', b'"im/0\nz""\nb.png', b'"a\r\nb', b'"a""\r\n"",\nb'])
def test_a_table_torn_within_a_name_is_made_whole(line, kept, tmp_path):
    rows = [ROW, ROW | {"name": '0 "first"\nof all.png', "kind": "=cut", "label": 1}][:kept]
    tables.write(tmp_path / "a.csv", rows)
    before = (tmp_path / "a.csv").read_bytes()
    (tmp_path / "a.csv").write_bytes(before + line)
    assert tables.read(tmp_path / "a.csv") == rows
    assert (tmp_path / "a.csv").read_bytes() == before


def test_a_quote_that_never_ends_is_read_at_once(tmp_path):
    """Also where every one of very many lines may lie within a name."""
    tables.write(tmp_path / "a.csv", [ROW])
    before = (tmp_path / "a.csv").read_bytes()
    (tmp_path / "a.csv").write_bytes(before + b'"' + b'""\n' * 300_000)
    began = time.process_time()
    assert tables.read(tmp_path / "a.csv") == [ROW] and (tmp_path / "a.csv").read_bytes() == before
    assert time.process_time() - began < 5


@pytest.mark.parametrize("row", [b"a,1,1,normal,1,1,,,more", b"a,inf,1,normal,1,1,,", b"a,1,1,normal,nan,1,,", b"a,1"])
def test_a_table_with_rows_of_another_kind_stays_as_it_is(row, tmp_path):
    tables.write(tmp_path / "a.csv", [ROW])
    with (tmp_path / "a.csv").open("ab") as file:
        file.write(row + b"\r\n")
    before = (tmp_path / "a.csv").read_bytes()
    with pytest.raises(ValueError, match="no table of scores: not every row has the numbers"):
        tables.read(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == before


FORMULAS = [
    "=1+1.png",
    "+1.png",
    "-1.png",
    "@A1.png",
    "\t=1.png",
    "\r.png",
    " =1.png",
    "＝1.png",
    "'=1.png",
    "''+1.png",
]


def test_a_name_is_no_formula(photos, score, tmp_path, monkeypatch):
    content = (photos / "good" / "0.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    names = [*FORMULAS, "'plain.png", "a=1.png"]
    for name in names:
        (tmp_path / "=1+2" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "=1+2" / name).write_bytes(content)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "good").mkdir()
    words = [*(tmp_path.relative_to(tmp_path) / name for name in names), "=1+2", "."]
    words = [f"./{word}" if str(word).startswith("-") else word for word in words]  # becomes a Path without ./
    words += ["--csv", "a.csv", "--json", "a.json"]
    assert score(*words) == 0
    rows = table_of("a.csv")
    assert {row["name"] for row in rows} >= {"'=1+1.png", "'-1.png", "'＝1.png", "''=1.png", "'plain.png", "a=1.png"}
    assert {row["kind"] for row in rows} >= {"'=1+2"}
    for row in rows:
        assert row["name"].lstrip()[0] not in "=+-@＝" and row["name"][0] not in "\t\r"
    before, images = (tmp_path / "a.csv").read_bytes(), json.loads((tmp_path / "a.json").read_text())["images"]
    assert {row["name"] for row in images} >= set(names) and {row["kind"] for row in images} >= {"=1+2"}
    assert score(*words, "--resume") == 0  # every name is known again
    assert (tmp_path / "a.csv").read_bytes() == before
    assert json.loads((tmp_path / "a.json").read_text())["images"] == images


def test_interrupted_pictures_are_made_up_for(photos, score, tmp_path, monkeypatch):
    monkeypatch.setattr("anogan_lib.cli.files.BATCH", 2)
    write, calls = overlays.Pictures.write, []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return write(self, *args)

    words = [photos, "--csv", tmp_path / "a.csv", "--overlays", tmp_path / "pictures"]
    with monkeypatch.context() as patch:
        patch.setattr(overlays.Pictures, "write", interrupted)
        assert score(*words) == 130
    assert score(*words, "--resume") == 0
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 12
    assert len(table_of(tmp_path / "a.csv")) == 6


def test_what_cannot_be_written_is_said_before_anything_is_scored(photos, score, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(AnoGAN, "predict", lambda *_, **__: pytest.fail("scored all the same"))
    assert score(photos, "--json", photos) == 2
    assert score(photos, "--csv", tmp_path / "a", "--json", tmp_path / "a") == 2
    said = capsys.readouterr().err.splitlines()
    assert "is a folder" in said[0] and "two results" in said[-1]


@pytest.mark.parametrize("option", ["--csv", "--json", "--overlays", "--report"])
def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_scored(
    option, photos, tiny_detector, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(AnoGAN, "predict", lambda *_, **__: pytest.fail("scored all the same"))
    (tmp_path / "file").write_text("kept")
    command = "evaluate" if option == "--report" else "score"
    monkeypatch.setattr("anogan_lib.export.write", lambda *_: pytest.fail("exported all the same"))
    monkeypatch.setattr(AnoGAN, "load", lambda *_, **__: pytest.fail("loaded all the same"))
    for place in (tmp_path / "file" / "a", "/proc/none/a"):
        for words in ([command, tiny_detector, photos, option, place], ["export", tiny_detector, "--out", place]):
            assert main(list(map(str, words))) == 2
            said = said_of(capsys)
            assert len(said) == 1 and said[0].startswith(f"anogan: {place}: ")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").write_text("kept")
    assert main(["demo"]) == 2 and said_of(capsys)[0].startswith("anogan: results/demo: ")
    assert (tmp_path / "file").read_text() == "kept"


def test_no_result_is_written_over_what_is_read(photos, tiny_detector, tmp_path, capsys):
    (tmp_path / "groups.csv").write_text("name,group\n")
    before = {file: file.read_bytes() for file in [*tiny_detector.iterdir(), tmp_path / "groups.csv"]}
    (tmp_path / "link").symlink_to(tiny_detector / "card.json")
    for words in (
        ["score", tiny_detector, photos, "--csv", tiny_detector / "detector.json"],
        ["score", tiny_detector, photos, "--json", tmp_path / "link"],
        ["evaluate", tiny_detector, photos, "--report", tiny_detector / "generator.keras"],
        ["evaluate", tiny_detector, photos, "--groups", tmp_path / "groups.csv", "--csv", tmp_path / "groups.csv"],
        ["live", tiny_detector, "--out", tiny_detector / "splits.json"],
        ["score", tmp_path / "groups.csv", photos, "--json", tmp_path / "groups.csv"],
    ):
        assert main(list(map(str, words))) == 2
        assert "is to be read; name another file" in said_of(capsys)[0]
    assert {file: file.read_bytes() for file in before} == before


def test_pictures_of_a_run_are_not_scored_by_the_next(photos, score, tmp_path):
    for table in ("a.csv", "b.csv"):
        assert score(photos, "--csv", tmp_path / table, "--overlays", photos / "out") == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert len(list((photos / "out").rglob("*.png"))) == 12


def test_a_disk_that_is_full_is_named(photos, score, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    for option, place in (
        ("--csv", tmp_path / "full"),
        ("--json", tmp_path / "j"),
        ("--overlays", tmp_path / "out/0.png"),
    ):
        place.symlink_to("/dev/full")
        assert score(photos / "good" / "0.png", option, tmp_path / "out" if option == "--overlays" else place) == 2
        assert said_of(capsys) == [f"anogan: {place}: No space left on device"]


def test_a_text_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        saving.write_text(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


# ---- odd names, links


def test_no_name_is_too_odd(photos, score, tmp_path):
    content = (photos / "good" / "0.png").read_bytes()
    odd = [b"n" * 250 + b".png", b"caf\xe9.png", "a\u2028b.png".encode(), b"two\nlines.png"]
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    for name in odd:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    words = [tmp_path / "odd", "--csv", tmp_path / "a.csv", "--json", tmp_path / "a.json"]
    assert score(*words, "--overlays", tmp_path / "pictures") == 0
    names = {os.fsencode(row["name"]) for row in table_of(tmp_path / "a.csv")}
    assert names == {os.path.join(folder, name) for name in odd}
    assert len(list((tmp_path / "pictures").iterdir())) == 8
    before = (tmp_path / "a.csv").read_bytes()
    assert score(*words, "--resume") == 0
    assert (tmp_path / "a.csv").read_bytes() == before
    assert score(tmp_path / "odd") == 0  # and printed


def test_links_count_where_they_lie(photos, score, tmp_path):
    linked = tmp_path / "linked"
    (linked / "good").mkdir(parents=True)
    (photos / "good" / "2.png").rename(tmp_path / "2.png")
    (linked / "good" / "a.png").symlink_to(tmp_path / "2.png")
    (linked / "crack").symlink_to(photos / "crack", target_is_directory=True)
    (linked / "again").symlink_to(linked, target_is_directory=True)  # a circle
    assert score(linked, "--csv", tmp_path / "a.csv") == 0
    kinds = {row["name"]: row["kind"] for row in table_of(tmp_path / "a.csv")}
    assert len(kinds) == 4 and kinds[f"{linked}/good/a.png"] == "good"
    assert kinds[f"{linked}/crack/4.png"] == "crack"


def test_a_defect_is_known_beside_the_training_images(photos, score, tmp_path):
    (tmp_path / "data" / "test").mkdir(parents=True)
    (tmp_path / "data" / "train").mkdir()
    (photos / "good").rename(tmp_path / "data" / "train" / "good")
    (photos / "crack").rename(tmp_path / "data" / "test" / "crack")
    assert score(tmp_path / "data" / "test", "--csv", tmp_path / "a.csv") == 0
    assert {row["kind"] for row in table_of(tmp_path / "a.csv")} == {"crack"}


def said_of(capsys) -> list[str]:
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return [line for line in said.replace("\r", "\n").splitlines() if line.startswith("anogan:")]


@pytest.mark.parametrize("given", ["folder", "files"])
def test_what_is_no_plain_file_gets_a_line(given, photos, score, tmp_path, capsys):
    folder = photos / "good"
    os.mkfifo(folder / "fifo.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "broken.png").symlink_to("nowhere.png")
    paths = [folder] if given == "folder" else sorted(folder.iterdir())
    assert score(*paths, "--csv", tmp_path / "a.csv") == 0
    assert len(table_of(tmp_path / "a.csv")) == 3
    said = said_of(capsys)
    assert len(said) == 4
    for name in ("fifo", "loop", "zero", "broken"):
        assert sum(f"{name}.png" in line for line in said) == 1


@pytest.mark.parametrize("error", [KeyError(5), RecursionError(), MemoryError()])
@pytest.mark.parametrize("place", ["PIL.Image.open", "anogan_lib.datasets.images.from_uint8"])
def test_a_damaged_image_does_not_end_the_run(place, error, photos, score, tmp_path, capsys, monkeypatch):
    module, _, name = place.rpartition(".")
    sound, calls = getattr(importlib.import_module(module), name), []

    def damaged(*args):
        calls.append(args)
        if len(calls) == 2:
            raise error
        return sound(*args)

    monkeypatch.setattr(place, damaged)
    assert score(photos, "--csv", tmp_path / "a.csv") == 0
    assert len(table_of(tmp_path / "a.csv")) == 5
    assert len(said_of(capsys)) == 1


def test_the_terminal_need_not_know_the_characters_of_a_name(photos, score, monkeypatch):
    content = (photos / "good" / "0.png").read_bytes()
    for name in ("日本.png", "\x1b[31mred.png", "two\nlines.png", "caf\udce9.png", "é.png"):
        (photos / "good" / name).write_bytes(content)
    (photos / "good" / "日本\x1b[2J.txt").write_bytes(b"")
    terminals = [io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="") for _ in range(2)]
    for name, terminal in zip(("stdout", "stderr"), terminals, strict=True):
        monkeypatch.setattr(f"sys.{name}", terminal)
    assert score(photos / "good") == 0
    monkeypatch.undo()
    for terminal in terminals:
        terminal.flush()
    out, errors = (terminal.buffer.getvalue() for terminal in terminals)
    lines = out.decode("cp1252").splitlines()
    assert len(lines) == 1 + 8 + 1  # header, rows, summary
    for shown in ("/\\u65e5\\u672c.png", "/\\x1b[31mred.png", "/two\\nlines.png", "/caf\\udce9.png", "/é.png"):
        assert sum(line.endswith(shown) for line in lines) == 1
    assert b"\\u65e5\\u672c\\x1b[2J.txt" in errors and b"\x1b[2J" not in errors


def test_a_kind_that_is_no_utf_8_is_evaluated(photos, tiny_detector, tmp_path):
    (photos / "crack").rename(photos / "crack\udcff")
    results = {option: tmp_path / f"a.{option}" for option in ("report", "csv", "json")}
    words = [str(word) for option, path in results.items() for word in (f"--{option}", path)]
    assert main(["evaluate", str(tiny_detector), str(photos), *words]) == 0
    assert "crack\\udcff" in results["report"].read_text(encoding="utf-8")
    assert {row["kind"] for row in table_of(results["csv"])} == {"good", "crack\udcff"}


# ---- places of the results


def test_results_go_through_links(photos, score, tmp_path):
    (tmp_path / "kept").mkdir()
    names = ("a.csv", "a.json")
    for name in names:
        (tmp_path / name).symlink_to(f"kept/{name}")
    for _ in range(2):  # to new files, and to those
        assert score(photos, "--csv", tmp_path / "a.csv", "--json", tmp_path / "a.json") == 0
        assert all((tmp_path / name).is_symlink() and (tmp_path / "kept" / name).is_file() for name in names)
    assert len(table_of(tmp_path / "a.csv")) == 6


def test_results_go_through_a_fifo(photos, score, tmp_path, monkeypatch):
    monkeypatch.setattr("anogan_lib.cli.files.BATCH", 2)
    names = ("csv", "json")
    for name in names:
        os.mkfifo(tmp_path / name)
    with ThreadPoolExecutor(2) as pool:
        table, content = (pool.submit((tmp_path / name).read_text) for name in names)
        assert score(photos, "--csv", tmp_path / "csv", "--json", tmp_path / "json") == 0
        assert len(table.result(10).splitlines()) == 7 and len(json.loads(content.result(10))["images"]) == 6
    assert all((tmp_path / name).is_fifo() for name in names)


@pytest.mark.parametrize("option", ["--csv", "--json", "--report"])
def test_no_result_is_written_over_an_image(option, photos, tiny_detector, tmp_path, capsys):
    image = photos / "good" / "0.png"
    before = image.read_bytes()
    (tmp_path / "link").symlink_to(image)
    (tmp_path / "hard").hardlink_to(image)
    (photos / "good" / "damaged.png").write_bytes(b"")
    command = "evaluate" if option == "--report" else "score"
    for place in (image, tmp_path / "link", tmp_path / "hard", photos / "good" / "damaged.png"):
        assert main([command, str(tiny_detector), str(photos), option, str(place)]) == 2
        said = said_of(capsys)
        assert len(said) == 1 and "is an image" in said[0]
    (tmp_path / "loop").symlink_to("loop")
    assert main([command, str(tiny_detector), str(photos), option, str(tmp_path / "loop")]) == 2
    assert "loop" in said_of(capsys)[0]
    assert image.read_bytes() == before and (photos / "good" / "damaged.png").read_bytes() == b""


def test_overlays_of_a_file_and_a_folder_of_one_name_stay_apart(photos, score, tmp_path):
    content, names = (photos / "good" / "0.png").read_bytes(), ["x.bmp", "x.png/0.png", "x_overlay.png/y.PNG/0.png"]
    for name in names:
        (tmp_path / "clash" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clash" / name).write_bytes(content)
    words = [tmp_path / "clash", "--csv", tmp_path / "a.csv", "--overlays", tmp_path / "pictures"]
    for more in ([], ["--resume"]):
        assert score(*words, *more) == 0
        assert len([path for path in (tmp_path / "pictures").rglob("*.png") if path.is_file()]) == 6
    assert len(table_of(tmp_path / "a.csv")) == 3


def test_no_overlay_is_written_over_an_image(photos, score):
    before = {file: file.read_bytes() for file in photos.rglob("*.png")}
    assert score(photos, "--overlays", photos) == 0
    assert {file: file.read_bytes() for file in before} == before
    assert len(list(photos.rglob("*.png"))) == 3 * len(before)


# ---- a training


@pytest.fixture
def parts(tmp_path, tiny_data):
    """Forty good images in a flat folder."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for i, image in enumerate(tiny_data.train.images[:40, ..., 0]):
        Image.fromarray(np.uint8((image + 1) * 127.5)).save(folder / f"{i:02d}.png")
    return folder


def train(folder, out, *words) -> int:
    tiny = ["--width", "4", "--latent-dim", "4", "--recipe", "paper", "--false-alarm-rate", "0.2", "--epochs", "1"]
    return main(["train", str(folder), "--out", str(out), *tiny, *words])


def test_a_training_does_not_go_on_with_other_images(parts, tmp_path, capsys):
    out = tmp_path / "out"
    assert train(parts, out) == 0
    before = (out / "detector.json").read_bytes()
    (parts / "39.png").rename(parts / "xx.png")
    assert train(parts, out, "--epochs", "2", "--resume") == 2
    assert "other images" in capsys.readouterr().err
    assert (out / "detector.json").read_bytes() == before
    (parts / "xx.png").rename(parts / "39.png")
    assert train(parts, out, "--epochs", "2", "--resume") == 0
    assert json.loads((out / "card.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"images": 3}', '{"images": [{}]}', '{"images": [3], "data": 1}'])
def test_a_record_of_images_that_is_none_is_named(content, parts, tmp_path, capsys):
    (record := tmp_path / "out" / "checkpoint" / "images.json").parent.mkdir(parents=True)
    record.write_text(content)
    assert train(parts, tmp_path / "out", "--resume") == 2
    assert str(record) in capsys.readouterr().err


def test_a_folder_of_something_else_is_refused_before_training(parts, tmp_path, capsys):
    (card := tmp_path / "card.md").write_text("mine")
    assert train(parts, tmp_path) == 2
    assert f"{card} is no file of a detector" in capsys.readouterr().err and len(list(tmp_path.iterdir())) == 2


def test_an_image_cut_short_is_left_out_of_training_and_told(parts, tmp_path, capsys, monkeypatch):
    from anogan_lib import DCGAN, datasets

    cut = datasets.load(parts).calibration.names[0]
    noise = np.random.default_rng(0).integers(0, 255, (16, 16), "uint8")
    Image.fromarray(noise).save(parts / cut, format="JPEG")  # whose header says nothing of what is missing
    (parts / cut).write_bytes((parts / cut).read_bytes()[:-90])

    def stopped(self, split, **options):
        assert cut not in split.names
        raise KeyboardInterrupt

    monkeypatch.setattr(DCGAN, "train", stopped)
    assert train(parts, tmp_path / "out") == 130
    out, error = capsys.readouterr()
    assert cut in error and "It is left out." in error
    counts = [int(line.split()[-1]) for line in out.splitlines() if " good " in line]
    assert sum(counts) == len(list(parts.iterdir())) - 1


@pytest.mark.parametrize("count", [12, 17, 18, 19])
def test_few_images_train_a_detector_or_are_refused_at_once(count, parts, tmp_path, capsys):
    for file in sorted(parts.iterdir())[count:]:
        file.unlink()
    done = train(parts, tmp_path / "out", "--false-alarm-rate", "0.4")
    assert done == (0 if count >= 19 else 2)  # a fifth is held back for the test
    assert "training" not in capsys.readouterr().err or done == 0
    assert (tmp_path / "out" / "detector.json").is_file() == (done == 0)
