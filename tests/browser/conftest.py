"""JupyterLab in Chromium, with folders of its own and a copy of the notebooks. `make test-browser` runs these tests."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import views
from laboratory import ROOT, SET_UP, VIEWS, Lab
from playwright.sync_api import sync_playwright

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell is really there
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


def pytest_addoption(parser):
    parser.addoption("--site", metavar="FOLDER", help="work the site that is built there, instead of building one")


@pytest.fixture(scope="session")
def chromium():
    found = views.chromium()
    assert found, "Chromium is not on this machine; on Debian and Ubuntu: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab server; gives its address and the folder of its notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "img"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "weights").symlink_to(ROOT / "weights")
    for plugin, settings in SETTINGS.items():
        path = folder / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    own |= {"JUPYTER_DATA_DIR": str(folder / "data"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    own |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api?token={token}", timeout=2):
                break
            assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
            time.sleep(0.5)
        yield Lab(address, token, folder)
    finally:
        server.terminate()  # ends its kernels as well
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="session")
def notebook_of_views(lab, chromium):
    """All six views in one notebook, run once."""
    book = lab.open(chromium, lab.write("views.ipynb", [SET_UP, *VIEWS.values(), "print('all there')"]))
    book.run()
    yield book
    book.close()
