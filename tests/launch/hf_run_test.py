#!/usr/bin/env python3
"""A checkpoint of a run opens with Transformers' Auto classes: the same ids, loss and answers as ours.

    hf_run_test.py FROND FOLDER

FROND_PYTHON names the Python that has Transformers (/opt/frond-venv/bin/python).
"""

import json
import os
import pathlib
import subprocess
import sys

from tiny_run import TinyRun

STEPS = 30
NEW_TOKENS = 6
LOSS_TOLERANCE = 1e-6  # relative: ours is f32, theirs f64
CHECKER = pathlib.Path(__file__).resolve().parents[1] / "reference" / "check_hf_run.py"


def main():
    python = os.environ.get("FROND_PYTHON", "/opt/frond-venv/bin/python")
    if not pathlib.Path(python).exists():
        print(f"SKIPPED: no {python} (set FROND_PYTHON), nothing was checked")
        return
    run = TinyRun(sys.argv[1], sys.argv[2])
    config = run.write_config("run", [("steps: 40", f"steps: {STEPS}"), ("  every_steps: 15", f"  every_steps: {STEPS}")])
    done = run.run("train", "--config", config)
    assert done.returncode == 0, done.stderr
    checkpoint = run.checkpoint("run", STEPS)
    theirs = subprocess.run([python, str(CHECKER), str(checkpoint), str(run.folder / "held-out.jsonl"), str(NEW_TOKENS)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=run.environment())
    if theirs.returncode == 3:
        print(f"SKIPPED: {python}: {theirs.stdout.strip()}, nothing was checked")
        return
    assert theirs.returncode == 0, theirs.stderr
    theirs = json.loads(theirs.stdout)

    rows = [json.loads(line) for line in (run.folder / "held-out.jsonl").read_text(encoding="utf-8").splitlines()]
    prompts = run.write("prompts.txt", "".join(row["inputs"] + "\n" for row in rows))
    done = run.run("tokenize", "--model", checkpoint / "spiece.model", input=prompts.read_text(encoding="utf-8"))
    ids = [[int(token) for token in line.split()] + [1] for line in done.stdout.splitlines()]
    assert ids == theirs["ids"], f"token ids:\n{ids}\ninstead of\n{theirs['ids']}"
    done = run.run("generate", "--model", checkpoint, "--input", prompts, "--max-new-tokens", NEW_TOKENS)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert any(answers), "all answers are empty"
    assert answers == theirs["answers"], f"answers:\n{answers}\ninstead of\n{theirs['answers']}"
    evaluations = [json.loads(line)["eval"] for line in run.metrics("run").splitlines() if b'"eval"' in line]
    loss = evaluations[-1]["loss"]
    assert abs(loss / theirs["loss"] - 1) <= LOSS_TOLERANCE, f"loss {loss} instead of {theirs['loss']}"
    print(f"Transformers opens {checkpoint.name}: equal token ids and answers of {len(rows)} rows, "
          f"losses within {abs(loss / theirs['loss'] - 1):.1e}")


if __name__ == "__main__":
    main()
