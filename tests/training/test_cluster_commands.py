"""The commands of CONTRIBUTING.md for a real cluster give every worker the TF_CONFIG that it needs."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from anogan_lib.training import workers

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
TOLD = '#!/bin/bash\necho "$TF_CONFIG" > "$PLACE/config-$SLURM_PROCID$JOB_COMPLETION_INDEX"\n'
TOLD += 'printf "%s\\n" "$@" > "$PLACE/words-$SLURM_PROCID$JOB_COMPLETION_INDEX"\n'
TOOLS = {
    "anogan": TOLD,
    "scontrol": "#!/bin/bash\n[ \"$*\" = 'show hostnames' ] && printf 'node%s\\n' 1 2 3 4 5 6 7 8\n",
    "srun": '#!/bin/bash\nfor i in 0 1 2 3 4 5 6 7; do SLURM_PROCID=$i "$@" || exit; done\n',
}


@pytest.fixture
def run(tmp_path):
    """Run a script of the page with an `anogan` that notes what it is given; returns configurations and words."""
    for name, text in TOOLS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(script: str, **environment: str):
        environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PLACE": str(tmp_path)}
        subprocess.run(["bash", "-euc", script], check=True, env={"SLURM_PROCID": "", **environment})

    return run


def check(place: Path, hosts: list[str], command: str, monkeypatch) -> None:
    for number in range(8):
        config = (place / f"config-{number}").read_text()
        assert json.loads(config)["cluster"] == {"worker": hosts}
        monkeypatch.setenv("TF_CONFIG", config)
        assert workers.of_environment() == (number, 8)
        assert (place / f"words-{number}").read_text().split() == shlex.split(command)


def test_slurm_starts_eight_workers_that_know_each_other(run, tmp_path, monkeypatch):
    script = re.search(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", PAGE, re.DOTALL).group(1)  # sbatch wants both lines
    assert "--nodes=8 --ntasks-per-node=1" in script
    run(script, JOB_COMPLETION_INDEX="")
    hosts = [f"node{i + 1}:9000" for i in range(8)]
    check(tmp_path, hosts, "train /shared/parts --out /shared/detector --resume", monkeypatch)


def test_kubernetes_starts_eight_workers_that_know_each_other(run, tmp_path, monkeypatch):
    service, job = yaml.safe_load_all(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL).group(1))
    pods = job["spec"]["template"]["spec"]
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == (pods["subdomain"], "None")
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert job["spec"]["completionMode"] == "Indexed" and job["spec"]["completions"] == job["spec"]["parallelism"] == 8
    (container,) = pods["containers"]
    assert container["command"] == ["bash", "-c"] and container["volumeMounts"][0]["mountPath"] == "/shared"
    (script,) = container["args"]
    for number in range(8):
        run(script, JOB_COMPLETION_INDEX=str(number))
    hosts = [f"anogan-{i}.anogan:9000" for i in range(8)]
    check(tmp_path, hosts, "score /shared/detector /shared/photos --csv /shared/scores.csv --resume", monkeypatch)
