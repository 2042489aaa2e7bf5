#!/usr/bin/env python3
"""The loss curves of one run with each format of master weights, from `frond train`.

    bench/masters_curve.py --frond build/release/launch/frond --config run.textproto --out /tmp/curve --steps 500

Runs CONFIG (a config of `frond train`, compute BF16) three times, with masters F32, SPLIT and BF16_STOCHASTIC, and
prints a Markdown table of their losses: SPLIT must be F32's curve to the last bit, BF16_STOCHASTIC lies beside it.
curve.csv in OUT has every reported step, for a plot. The exit status is 1 where SPLIT differs.
"""

import argparse
import json
import pathlib
import subprocess
import sys

FORMATS = ["F32", "SPLIT", "BF16_STOCHASTIC"]


def losses(args, masters):
    folder = pathlib.Path(args.out) / masters
    sets = [f"work_dir={folder}", f"steps={args.steps}", f"report.every_steps={args.every}", "model.compute=BF16",
            f"model.masters={masters}", *args.set]
    command = [args.frond, "train", "--config", args.config, *(word for s in sets for word in ("--set", s))]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {record["step"]: record["loss"] for record in records if "loss" in record}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frond", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True, help="a folder that holds no runs yet")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    args = parser.parse_args()
    pathlib.Path(args.out).mkdir(parents=True, exist_ok=True)

    curves = {masters: losses(args, masters) for masters in FORMATS}
    steps = sorted(curves["F32"])
    rows = [",".join(["step", *FORMATS])]
    rows += [",".join([str(step), *(repr(curves[m][step]) for m in FORMATS)]) for step in steps]
    (pathlib.Path(args.out) / "curve.csv").write_text("\n".join(rows) + "\n")

    print("| steps | " + " | ".join(FORMATS) + " |\n|---|" + "---|" * len(FORMATS))
    width = max(1, len(steps) // 10)
    for first in range(0, len(steps), width):
        part = steps[first:first + width]
        means = [sum(curves[m][step] for step in part) / len(part) for m in FORMATS]
        print(f"| {part[0]} ... {part[-1]} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")
    tail = steps[-max(1, len(steps) // 5):]
    mean = {m: sum(curves[m][step] for step in tail) / len(tail) for m in FORMATS}
    print(f"\nBF16_STOCHASTIC over the last fifth: {100 * (mean['BF16_STOCHASTIC'] / mean['F32'] - 1):+.2f} % of F32")
    same = curves["SPLIT"] == curves["F32"]
    print("SPLIT and F32: " + ("the same to the last bit" if same else "DIFFERENT"))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
