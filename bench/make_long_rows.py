#!/usr/bin/env python3
"""Rows that are longer than a benchmark's limits, joined from short ones, so that truncation makes all equal.

    bench/make_long_rows.py --rows corpus/train.jsonl --out long.jsonl [--count 400] [--source-chars 8000]
                            [--target-chars 4000]
"""

import argparse
import itertools
import json


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--source-chars", type=int, default=8000)
    parser.add_argument("--target-chars", type=int, default=4000)
    args = parser.parse_args()
    with open(args.rows, encoding="utf-8") as lines:
        short = [json.loads(line) for line in lines]
    if not short:
        raise SystemExit(f"{args.rows} has no rows")
    endless = itertools.cycle(short)
    with open(args.out, "w", encoding="utf-8") as out:
        for _ in range(args.count):
            source, target = "", ""
            while len(source) < args.source_chars or len(target) < args.target_chars:
                row = next(endless)
                source += row["inputs"] + " "
                target += row["inputs"] + " " + row["targets"] + " "
            out.write(json.dumps({"inputs": source, "targets": target, "language": "mul",
                                  "dataset_name": "long"}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
