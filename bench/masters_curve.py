#!/usr/bin/env python3
"""Loss curves of the three master formats, on the same data and seed, and how far they lie apart.

    bench/masters_curve.py --frond build/release/launch/frond --out FOLDER [--device CUDA] [--steps 500]
                           [--preset mt5-small] [--learning-rate 1e-3] [--set FIELD=VALUE ...]

Trains on the built-in corpus in bf16 with f32 masters, exact split masters and stochastically rounded bf16 masters.
Writes curves.json and curves.svg; prints one line per format with the largest difference to f32. The exit code is 1
where split masters differ from f32 at all.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

FORMATS = ["F32", "SPLIT", "BF16_STOCHASTIC"]
COLOURS = ["#1b6ca8", "#e08e0b", "#4c9f70"]


def train(args, name, corpus, vocabulary):
    folder = args.out / name.lower()
    shutil.rmtree(folder, ignore_errors=True)
    values = {"work_dir": folder, "steps": args.steps, "device": args.device, "model.masters": name, "model.compute": "BF16",
              "data.tokenizer": vocabulary, "data.source[0].path": corpus / "train.jsonl", "data.source_length": 128,
              "data.target_length": 64, "batch.rows": 16, "report.every_steps": 10, "checkpoint.every_steps": 100000,
              "schedule.learning_rate": args.learning_rate, "schedule.kind": "CONSTANT", "model.dropout": 0}
    if args.preset:
        values["model.preset"] = args.preset
    config = args.out / "curve.textproto"
    config.write_text("data { source { } }\noptimizer { adafactor { } }\n", encoding="utf-8")
    command = [args.frond, "train", "--config", config]
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    for setting in args.set:
        command += ["--set", setting]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    with open(folder / "metrics.jsonl", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["step"], row["loss"]) for row in rows if row.get("loss") is not None]


def draw(curves, path):
    width, height, left, top = 760, 440, 60, 20
    steps = [step for curve in curves.values() for step, _ in curve]
    losses = [loss for curve in curves.values() for _, loss in curve]
    low, high = min(losses), max(losses)

    def point(step, loss):
        x = left + (step - min(steps)) / max(1, max(steps) - min(steps)) * (width - left - 20)
        y = top + (high - loss) / max(1e-9, high - low) * (height - top - 50)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for i in range(5):
        loss = low + (high - low) * i / 4
        x, y = point(min(steps), loss).split(",")
        parts.append(f'<line x1="{x}" x2="{width - 20}" y1="{y}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{left - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{loss:.2f}</text>')
    for i, (name, curve) in enumerate(curves.items()):
        points = " ".join(point(step, loss) for step, loss in curve)
        dash = ' stroke-dasharray="7 5"' if i == 1 else ""
        parts.append(f'<polyline fill="none" stroke="{COLOURS[i]}" stroke-width="2"{dash} points="{points}"/>')
        parts.append(f'<text x="{width - 190}" y="{top + 20 + 20 * i}" fill="{COLOURS[i]}">{name.lower().replace("_", " ")} masters</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">step ({min(steps)} to {max(steps)}); vertical: loss</text></svg>')
    path.write_text("\n".join(parts), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frond", type=pathlib.Path, default="build/release/launch/frond")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--device", default="CUDA")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--preset", default="mt5-small", help="empty: give a shape with --set")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--set", action="append", default=[], help="further settings of the runs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    corpus, vocabulary = args.out / "corpus", args.out / "spiece.model"
    if not (corpus / "train.jsonl").exists():
        subprocess.run([str(args.frond), "corpus", "--out", str(corpus)], check=True, stdout=subprocess.DEVNULL)
    if not vocabulary.exists():
        subprocess.run([str(args.frond), "vocabulary", "--input", str(corpus / "train.jsonl"), "--size", "8000", "--out",
                        str(vocabulary)], check=True, stdout=subprocess.DEVNULL)
    curves = {name: train(args, name, corpus, vocabulary) for name in FORMATS}
    (args.out / "curves.json").write_text(json.dumps(curves), encoding="utf-8")
    draw(curves, args.out / "curves.svg")
    for name, curve in curves.items():
        apart = max(abs(a - b) / b for (_, a), (_, b) in zip(curve, curves["F32"], strict=True))
        print(f"{name:16} last loss {curve[-1][1]:.4f}, largest relative difference to f32 masters {apart:.1e}")
    return 0 if curves["SPLIT"] == curves["F32"] else 1


if __name__ == "__main__":
    sys.exit(main())
