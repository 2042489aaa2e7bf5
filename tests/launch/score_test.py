#!/usr/bin/env python3
"""`frond score` beside `frond eval`: the same losses, a line for each row, and rows that the rule then keeps.

    score_test.py FROND FOLDER
"""

import json
import math
import shutil
import sys

from run_checks import check
from tiny_run import TinyRun, arguments, rows


def main():
    frond, folder, _ = arguments()
    run = TinyRun(frond, folder)
    done = run.run("train", "--config", run.config, "--set", "steps=7")
    check(done.returncode == 0, f"training failed: {done.stderr}")
    model = next((run.folder / "run/checkpoints").glob("step_*"))
    run.write("rows.jsonl", rows(60, 5))
    lines = (run.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    scores = run.folder / "scores.jsonl"
    rule = (f'rule {{ score {{ scores {{ path: "{scores}" field: "el2n" }} keep: HIGH fraction: 0.5 '
            f'per: ALL }} }}')
    run.write("prune.textproto", f'out_dir: "{run.folder}/out"\nsource {{ path: "{run.folder}/rows.jsonl" }}\n'
                                 f'packing: PLAIN\n{rule}\n')
    score = ["score", "--model", model, "--rows", run.folder / "prune.textproto", "--out", scores]
    lengths = ["--source-length", 32, "--target-length", 16]

    done = run.run(*score, *lengths)
    check(done.returncode == 0, f"scoring failed: {done.stderr}")
    first = scores.read_text(encoding="utf-8")
    found = [json.loads(line) for line in first.splitlines()]
    check(len(found) == len(lines), f"{len(found)} scores of {len(lines)} rows")
    check(all(0 < row["el2n"] < math.sqrt(2) and row["loss"] > 0 and row["tokens"] >= 2 for row in found),
          "scores out of bounds")
    check(run.run(*score, *lengths).returncode == 0 and scores.read_text(encoding="utf-8") == first,
          "the second time gave other bytes")

    # The evaluation's loss of the same rows, from its own batches.
    config = run.write_config("eval", replace=[("held-out.jsonl", "rows.jsonl")])
    done = run.run("eval", "--config", config, "--model", model, "--out", run.folder / "eval.json")
    check(done.returncode == 0, f"evaluation failed: {done.stderr}")
    loss = json.loads((run.folder / "eval.json").read_text(encoding="utf-8"))["loss"]
    mean = sum(row["loss"] for row in found) / len(found)
    check(abs(mean - loss) < 1e-4 * loss, f"the mean loss is {mean}, evaluation says {loss}")

    done = run.run("prune", "--config", run.folder / "prune.textproto")
    check(done.returncode == 0, f"pruning failed: {done.stderr}")
    kept = (run.folder / "out/rows.jsonl").read_text(encoding="utf-8").splitlines()
    order = sorted(range(len(lines)), key=lambda i: (found[i]["el2n"], i))
    expected = [lines[i] for i in sorted(order[len(lines) // 2:])]
    check(kept == expected, "the rule kept other rows than the highest half")

    shutil.rmtree(run.folder / "out")
    run.write("rows.jsonl", rows(61, 6))
    done = run.run("prune", "--config", run.folder / "prune.textproto")
    check(done.returncode == 2 and "has no score" in done.stderr and "rows.jsonl:1:" in done.stderr,
          f"rows without scores: {done.returncode}, {done.stderr}")
    scores.unlink()
    run.write("rows.jsonl", rows(5, 6) + '{"inputs": 1}\n')
    done = run.run(*score)
    check(done.returncode == 2 and "rows.jsonl:6:" in done.stderr, f"a bad row: {done.stderr}")
    check(not list(run.folder.glob("scores.jsonl*")), "it left half a file")
    print("frond score does what it says")


if __name__ == "__main__":
    main()
