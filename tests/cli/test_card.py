"""A card says what its command did, and `anogan train --from-card` makes the detector again, bit for bit."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anogan_lib import AnoGAN
from anogan_lib.cli import commands, main
from anogan_lib.fast import encoder

WEIGHTS = Path(__file__).parents[2] / "weights"


@pytest.fixture(autouse=True, scope="module")
def short_encoder_training():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "ADAPTED", encoder.ADAPTED._replace(steps=20))
        yield


@pytest.fixture(scope="module")
def parts(tiny_data, tmp_path_factory):
    """Sixty good images in a flat folder."""
    folder = tmp_path_factory.mktemp("parts")
    for i, image in enumerate(tiny_data.train.images[:60, ..., 0]):
        Image.fromarray(np.uint8((image + 1) * 127.5)).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def made(parts, tmp_path_factory):
    """A folder with a tiny detector whose options differ from the usual ones."""
    out = tmp_path_factory.mktemp("made") / "first"
    options = ["--size", "16x20", "--latent-dim", "4", "--width", "4", "--epochs", "2", "--flips", "--seed", "3"]
    assert main(["train", str(parts), *options, "--false-alarm-rate", "0.2", "--out", str(out)]) == 0
    return out


def contents(folder) -> dict[str, bytes]:
    """What a detector consists of, bit for bit: its files, and of each network the weights."""
    detector = AnoGAN.load(folder)
    networks = [detector.gan.averaged, detector.gan.discriminator, detector.generator, detector.encoder]
    weights = {f"{i}": b"".join(w.tobytes() for w in each.get_weights()) for i, each in enumerate(networks)}
    files = (file for name in ("*.npz", "dcgan.json", "splits.json") for file in folder.glob(name))
    return weights | {file.name: file.read_bytes() for file in files}


def test_a_detector_is_made_again_from_its_card_bit_for_bit(made, tmp_path):
    assert main(["train", "--from-card", str(made / "card.json"), "--out", str(tmp_path / "second")]) == 0
    first, second = contents(made), contents(tmp_path / "second")
    assert len(first) == 8 and first == second
    cards = [json.loads((folder / "card.json").read_text()) for folder in (made, tmp_path / "second")]
    for card, out in zip(cards, (made, tmp_path / "second"), strict=True):
        words = shlex.split(card.pop("command"))
        assert words[:3] == ["anogan", "train", card["data"]] and words[-1] == str(out)
        assert card.pop("minutes") > 0
    assert cards[0] == cards[1]


def test_a_card_says_what_its_command_did(made, parts, tmp_path):
    card = json.loads((made / "card.json").read_text())
    expected = {
        "data": str(parts),
        "seed": 3,
        "recipe": "best",
        "width": 4,
        "latent_dim": 4,
        "epochs": 2,
        "flips": True,
    }
    expected |= {"false_alarm_rate": 0.2, "image_shape": [16, 20, 1], "normal": None}
    assert {name: card[name] for name in expected} == expected
    assert card["steps"] == 2 * (card["images"]["train"] // 32) and card["cores"] >= 1
    assert set(card["versions"]) == {"python", "anogan_lib", "tensorflow", "keras", "numpy"}
    assert "interrupted" not in card
    shutil.copytree(made, out := tmp_path / "again")
    more = [*shlex.split(card["command"])[1:-1], str(out), "--epochs", "3", "--resume"]
    assert main(more) == 0
    assert "interruption" in json.loads((out / "card.json").read_text())["interrupted"]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"data": "digits:8"}', "[" * 10**5, '{"a": 1e999}'])
def test_what_is_no_card_is_refused(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "card.json").write_text(content)
    with pytest.raises(SystemExit):
        main(["train", "--from-card", str(tmp_path / "card.json"), "--out", str(tmp_path / "out")])
    assert "card.json is no card of anogan train" in capsys.readouterr().err


def test_a_card_with_a_wrong_option_is_refused(made, tmp_path, capsys):
    card = json.loads((made / "card.json").read_text())
    for name, value in {"recipe": "worst", "epochs": "many", "width": [1], "image_shape": [[], 1]}.items():
        (tmp_path / "card.json").write_text(json.dumps(card | {name: value}))
        with pytest.raises(SystemExit):
            main(["train", "--from-card", str(tmp_path / "card.json"), "--out", str(tmp_path / "out")])
        assert "error: argument --" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", sorted(file.parent.name for file in WEIGHTS.glob("*/card.json")))
def test_a_ready_detector_can_be_made_again_from_its_card(name, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(commands, "train", asked.append)
    card = json.loads((WEIGHTS / name / "card.json").read_text())
    assert main(["train", "--from-card", str(WEIGHTS / name / "card.json"), "--out", str(tmp_path)]) == 0
    assert main(shlex.split(card["command"])[1:]) == 0
    again, first = map(vars, asked)
    for option in ("data", "recipe", "flips", "seed", "false_alarm_rate", "normal", "groups"):
        assert again[option] == first[option] == card.get(option), option
    assert card["minutes"] > 0 and card["steps"] > 0 and again["epochs"] == card["epochs"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: DATA, or --from-card"),
        (["digits:8", "--from-card", "card.json"], "leave out digits:8"),
        (["--from-card", "card.json", "--seed=1", "--flips"], "leave out --flips, --seed"),
    ],
)
def test_data_and_options_are_named_once(words, said, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", *words, "--out", str(tmp_path)])
    assert said in capsys.readouterr().err
