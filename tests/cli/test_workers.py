"""Several workers score one folder: the table is that of one, whoever is killed on the way."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from anogan_lib.cli import files, main, tables


def images(count: int, data, folder):
    """Fill a folder with images, one of which cannot be read."""
    for i, image in enumerate(np.resize(data.test.images, (count, 16, 16))):
        Image.fromarray(np.uint8((image + 1) * 127.5)).save(folder / f"{i}.png")
    (folder / "7.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def photos(tiny_data, tmp_path_factory):
    return images(300, tiny_data, tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def expected(photos, tiny_detector, tmp_path_factory):
    """The table that one worker writes."""
    table = tmp_path_factory.mktemp("one") / "scores.csv"
    assert main(["score", str(tiny_detector), str(photos), "--csv", str(table)]) == 0
    return table.read_bytes()


def as_worker(monkeypatch, worker: int, count: int = 2, kind: str = "worker"):
    cluster = {"worker": [f"localhost:{1000 + i}" for i in range(count)]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": worker}}))


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (2, 0, 1)])
def test_workers_write_the_table_of_one(order, photos, tiny_detector, expected, tmp_path, monkeypatch, capsys):
    words = [
        "score",
        str(tiny_detector),
        str(photos),
        "--csv",
        str(tmp_path / "a.csv"),
        "--json",
        str(tmp_path / "a.json"),
    ]
    for worker in order:
        assert not (tmp_path / "a.csv").exists()
        as_worker(monkeypatch, worker, len(order))
        assert main(words) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json"]
    assert (tmp_path / "a.csv").read_bytes() == expected
    assert len(json.loads((tmp_path / "a.json").read_text())["images"]) == 299
    said = capsys.readouterr()
    assert said.err.count("7.png") == 1 and said.out.count("299 images") == 1


def test_pictures_are_those_of_one(photos, tiny_detector, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 2)
    (tmp_path / "in").mkdir()
    for i, name in enumerate(("a.png", "a.bmp", "b.png", "a.gif")):
        Image.open(photos / f"{i}.png").save(tmp_path / "in" / name)
    words = ["score", str(tiny_detector), str(tmp_path / "in"), "--overlays"]
    assert main([*words, str(tmp_path / "one")]) == 0
    for worker in (1, 0):
        as_worker(monkeypatch, worker)
        assert main([*words, str(tmp_path / "two"), "--csv", str(tmp_path / "a.csv")]) == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert len(one) == 8 and one == two


def test_a_killed_worker_scores_only_what_it_had_not(tiny_data, tiny_detector, tmp_path, tmp_path_factory, monkeypatch):
    photos = images(2000, tiny_data, tmp_path_factory.mktemp("photographs"))
    monkeypatch.setattr(files, "BATCH", 20)  # as below: the last digits of a score may depend on it
    assert main(["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "one.csv")]) == 0
    expected = (tmp_path / "one.csv").read_bytes()
    (tmp_path / "one.csv").unlink()
    words = ["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "a.csv"), "--resume"]
    code = "import sys, time; from anogan_lib.cli import files, main; files.BATCH = 20; slow = float(sys.argv.pop(1))\n"
    code += "from anogan_lib import AnoGAN; predict = AnoGAN.predict\n"
    code += "AnoGAN.predict = lambda *each: (time.sleep(slow * (len(each[1]) > 1)), print(len(each[1]), flush=True), "
    code += "predict(*each))[2]\n"
    code += "sys.exit(main(sys.argv[1:]))"

    def started(worker: int, slow: float = 0) -> subprocess.Popen:
        task = {"cluster": {"worker": ["localhost:1", "localhost:2"]}, "task": {"type": "worker", "index": worker}}
        command = [sys.executable, "-c", code, str(slow), *words]
        return subprocess.Popen(command, env=os.environ | {"TF_CONFIG": json.dumps(task)}, stdout=subprocess.PIPE)

    first, killed = started(0), started(1, slow=0.5)
    deadline = time.monotonic() + 300
    while not (part := [*tmp_path.glob("*2-of-2.unfinished")]) or part[0].read_bytes().count(b"\n") < 41:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    scored = part[0].read_bytes().count(b"\n") - 1
    assert scored < 1000 and b"joins the parts" in first.communicate()[0] and first.returncode == 0
    assert not (tmp_path / "a.csv").exists()
    again = started(1)
    said = again.communicate()[0]
    assert again.returncode == 0
    counts = [int(count) for count in re.findall(rb"^(\d+)$", said, re.MULTILINE)]
    assert sum(counts) == 1000 - scored + 1  # and one to compare with
    assert (tmp_path / "a.csv").read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_two_workers_that_finish_at_once_join_the_parts_once(
    photos, tiny_detector, expected, tmp_path, monkeypatch, capsys
):
    """The first reads a part; before it reads the other, the second joins the table and removes both."""
    words, read = ["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "a.csv")], tables.read
    as_worker(monkeypatch, 0)
    assert main(words) == 0

    def overtaken(path):
        monkeypatch.setattr(tables, "read", read)
        rows = read(path)
        assert main(words) == 0
        return rows

    as_worker(monkeypatch, 1)
    monkeypatch.setattr(tables, "read", overtaken)
    assert main(words) == 0
    assert (tmp_path / "a.csv").read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert capsys.readouterr().out.count("joins the parts") == 2


def test_parts_of_different_runs_are_not_joined(photos, tiny_detector, expected, tmp_path, monkeypatch, capsys):
    words = ["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "a.csv")]
    as_worker(monkeypatch, 0)
    assert main([*words, "--lam", "0.7"]) == 0
    as_worker(monkeypatch, 1)
    assert main(words) == 0
    assert not (tmp_path / "a.csv").exists()
    as_worker(monkeypatch, 0)
    assert main(words) == 0
    assert (tmp_path / "a.csv").read_bytes() == expected


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("no", "TF_CONFIG is to look like"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG is to look like"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "none of the cluster's workers"),
        (
            '{"cluster": {"ps": ["a:1"], "worker": ["a:2"]}, "task": {"type": "ps", "index": 0}}',
            "none of the cluster's",
        ),
        ('{"cluster": {"worker": ["a:1", "a:2"]}, "task": {"type": "worker", "index": 1}}', "--csv FILE"),
    ],
)
def test_a_wrong_cluster_gets_a_sentence(config, said, photos, tiny_detector, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", config)
    assert main(["score", str(tiny_detector), str(photos)]) == 2
    assert said in capsys.readouterr().err
