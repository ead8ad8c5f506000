"""Importing the library: quickly, quietly, without touching anybody's settings, and only on TensorFlow."""

import os
import subprocess
import sys

import pytest


def python(code: str, **environment) -> subprocess.CompletedProcess:
    variables = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "KERAS_HOME")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=variables | environment)


def test_import_alone_does_not_wait_for_tensorflow():
    said = python(
        "import sys, anogan_lib, anogan_lib.cli; print(sorted({'tensorflow', 'matplotlib'} & set(sys.modules)))"
    )
    assert said.stdout == "[]\n", said.stderr


def test_import_is_quiet_and_leaves_tensorflows_logger_alone():
    """A filter on TensorFlow's logger hid every user's own warnings of retracing."""
    code = "from anogan_lib import AnoGAN; import tensorflow as tf; print(tf.get_logger().filters)"
    said = python(code)
    assert (said.stdout, said.stderr) == ("[]\n", "")


def test_import_with_standard_error_closed():
    """It ended in OSError: Bad file descriptor."""
    code = "import os; os.close(2); from anogan_lib import AnoGAN; print(AnoGAN.__name__)"
    assert python(code).stdout == "AnoGAN\n"


@pytest.mark.parametrize("name", ["AnoGAN", "DCGAN"])
def test_another_keras_backend_is_refused_in_one_sentence(name):
    said = python(f"from anogan_lib import {name}", KERAS_BACKEND="jax")
    expected = "ImportError: anogan_lib runs on TensorFlow: set KERAS_BACKEND to \"tensorflow\". Received: 'jax'"
    assert said.stderr.strip().splitlines()[-1] == expected


def test_a_command_refuses_another_keras_backend_too(tmp_path):
    """It said: No module named 'torch'."""
    command = "import sys; from anogan_lib.cli import main; sys.exit(main(['train', 'digits:8', '--out', 'x']))"
    said = python(f"import os; os.chdir({str(tmp_path)!r}); {command}", KERAS_BACKEND="torch")
    expected = "anogan: anogan_lib runs on TensorFlow: set KERAS_BACKEND to \"tensorflow\". Received: 'torch'"
    assert said.returncode == 2 and said.stderr.strip().splitlines()[-1] == expected


@pytest.mark.parametrize("setting", ['"backend": "torch"', '"image_data_format": "channels_first"'])
def test_other_settings_in_keras_json_are_refused_in_one_sentence(setting, tmp_path):
    (tmp_path / "keras.json").write_text(f"{{{setting}}}")
    said = python("from anogan_lib import AnoGAN", KERAS_HOME=str(tmp_path))
    last = said.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: anogan_lib ") and "Received: " in last


def test_an_unknown_name_is_an_attribute_error():
    import anogan_lib

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        anogan_lib.nonsense  # noqa: B018
