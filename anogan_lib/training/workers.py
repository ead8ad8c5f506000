"""Find out which of several workers this process is, from TF_CONFIG, the environment variable that TensorFlow reads."""

import json
import os


def place(cluster: dict, kind: str, number: int) -> tuple[int, int]:
    """Return the number of a task among all workers of a cluster, the chief first, and how many there are."""
    tasks = [(each, i) for each in ("chief", "worker") for i in range(len(cluster.get(each, ())))]
    if (kind, number) not in tasks:
        raise ValueError(f"TF_CONFIG names a task that is none of the cluster's workers: {kind} {number}")
    return tasks.index((kind, number)), len(tasks)


def of_environment() -> tuple[int, int]:
    """Return this worker's number and how many there are, by TF_CONFIG; (0, 1) without it.

    Raises:
        ValueError: TF_CONFIG is not as TensorFlow wants it.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return 0, 1
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, number = str(task["type"]), int(task["index"])
        sizes = {name: len(hosts) for name, hosts in cluster.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        example = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        raise ValueError(f"TF_CONFIG is to look like {example}. Received: {text}") from None
    return place({name: range(size) for name, size in sizes.items()}, kind, number)
