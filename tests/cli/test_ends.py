"""How a command ends: its exit code, and what it leaves behind."""

import csv
import json
import os
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from anogan_lib.cli import main, tables
from tests.benchmarks import kills

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "images"
    kills.make_images(folder, 40)
    return folder


@pytest.fixture
def heard():
    """Signals end a process, also where the tests run in the background or under nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_keeps_csv_and_json(number, photos, tiny_detector, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("anogan_lib.cli.files.BATCH", 10)
    write, calls = tables.Table.write, []

    def interrupted(self, some):
        write(self, some)
        calls.append(some)
        if len(calls) == 3:
            signal.raise_signal(number)

    words = ["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "a"), "--json", str(tmp_path / "b")]
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(tables.Table, "write", interrupted)
        assert main(words) == SIGNALS[number]
    assert signal.getsignal(number) == before
    assert "interrupted; what was written is kept." in capsys.readouterr().err
    kept = json.loads((tmp_path / "b").read_text())["images"]
    with (tmp_path / "a").open(newline="") as table:
        assert len(list(csv.DictReader(table))) == len(kept) == 29  # one of 30 is broken
    assert main([*words, "--resume"]) == 0
    assert len(json.loads((tmp_path / "b").read_text())["images"]) == 39


def test_a_signal_that_is_ignored_stays_ignored(photos, tiny_detector, tmp_path, monkeypatch):
    """As under nohup."""
    predict = type(tables.Table("a")).write

    def hung_up(self, some):
        signal.raise_signal(signal.SIGHUP)
        predict(self, some)

    monkeypatch.setattr(tables.Table, "write", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "a.csv")]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_exit_codes_are_in_the_help(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    assert "Exit codes: 0 done; 2 an error, named in one sentence; 130, 143 or 129 ended by Ctrl-C, SIGTERM" in said


@pytest.mark.parametrize("words", [[], ["unknown"], ["score"], ["score", "a", "b", "--lam", "x"], ["train", "a"]])
def test_words_that_are_no_command_end_with_2(words):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2


@pytest.mark.parametrize("words", [["score", "", "a"], ["score", "a", ""], ["data", ""], ["train", "a", "--out", ""]])
def test_a_word_that_is_empty_is_refused(words, capsys):
    """As that of a variable of the shell that is not set: the present folder would be taken."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2 and "is empty" in capsys.readouterr().err


@pytest.mark.parametrize("card", ["[" * 100_000, "[]", "3", "null", '{"recipe": "best"}'])
def test_a_card_that_is_none_is_refused(card, tmp_path, capsys):
    (tmp_path / "card.json").write_text(card)
    with pytest.raises(SystemExit) as end:
        main(["train", "--from-card", str(tmp_path / "card.json"), "--out", str(tmp_path / "out")])
    assert end.value.code == 2 and "card.json is no card of anogan train" in capsys.readouterr().err


def test_ctrl_c_at_the_very_beginning_is_no_trace(monkeypatch):
    class Interrupted:
        @staticmethod
        def find_spec(name, *_):
            if name == "anogan_lib.cli.commands":
                raise KeyboardInterrupt

    package = sys.modules["anogan_lib.cli"]
    monkeypatch.delitem(sys.modules, "anogan_lib.cli.commands", raising=False)
    monkeypatch.delattr(package, "commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    assert main(["data", "digits:8"]) == 130


def test_a_service_without_standard_streams_scores(photos, tiny_detector, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        patch.setattr(sys, "stdout", None)
        assert main(["score", str(tiny_detector), str(photos), "--csv", str(tmp_path / "a.csv")]) == 0
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 40


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        type("_ArrayMemoryError", (MemoryError,), {})(),  # NumPy's
        tf.errors.ResourceExhaustedError(None, None, "OOM in a step"),
        tf.errors.AbortedError(None, None, "Status: 1, message: could not create a primitive, in mkl_conv.cc"),
    ],
)
def test_too_little_memory_is_said(error, monkeypatch, capsys):
    def greedy(*_, **__):
        raise error

    monkeypatch.setattr("anogan_lib.datasets.load", greedy)
    assert main(["data", "hazelnut"]) == 2
    said = "anogan: the memory is not enough for this; in training, a smaller --size or --width needs less.\n"
    assert capsys.readouterr().err == said


def test_a_reader_that_closes_the_pipe_is_no_error():
    command = f"{sys.executable} -m anogan_lib data digits:8 | true; exit ${{PIPESTATUS[0]}}"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=os.environ)
    assert (said.returncode, said.stderr) == (0, "")


def test_a_killed_run_ends_as_one_that_nobody_disturbed(tiny_detector, tmp_path):
    kills.make_images(tmp_path / "images", 300)
    words = ["score", str(tiny_detector), "../images", "--csv", "a.csv", "--json", "a.json"]
    assert kills.disturbed(words, tmp_path, 2, resume=True)["kills"] == 2
