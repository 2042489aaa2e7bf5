"""Checks that tests of whole runs share: the first that fails ends the test with what is wrong."""

import hashlib
import pathlib
import sys


def check(condition, message):
    if not condition:
        print(f"FAILED: {message}")
        sys.exit(1)


def check_same_metrics(run, work_name, reference, how):
    """The metrics of two of a TinyRun's work folders, byte for byte. `how` says what the first was subjected to."""
    ours, theirs = run.metrics(work_name), run.metrics(reference)
    for number, (a, b) in enumerate(zip(ours.splitlines(), theirs.splitlines()), 1):
        check(a == b, f"{how}: metrics.jsonl:{number} is\n  {a.decode()}\ninstead of\n  {b.decode()}")
    check(ours == theirs, f"{how}: metrics.jsonl has {len(ours)} bytes instead of {len(theirs)}")


def check_same_run(run, work_name, reference, how, step):
    """The metrics, and every file of the checkpoint of `step`."""
    check_same_metrics(run, work_name, reference, how)
    ours, theirs = _hashes(run.checkpoint(work_name, step)), _hashes(run.checkpoint(reference, step))
    different = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    check(not different, f"{how}: files of the last checkpoint differ: {', '.join(sorted(different))}")


def _hashes(folder):
    check(folder.is_dir(), f"there is no checkpoint {folder}")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


def children(pid):
    """Process ids of what a process has started; none where it has ended."""
    found = []
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += (task / "children").read_text().split()
    except FileNotFoundError:
        pass
    return [int(child) for child in found]
