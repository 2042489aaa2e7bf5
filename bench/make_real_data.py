#!/usr/bin/env python3
"""Instruction rows (JSONL) from aligned sentence files and prompt/response files.

    bench/make_real_data.py --tatoeba FOLDER --dolly FILE --out FOLDER

tatoeba: LASER's test set, tatoeba.CODE-eng.{CODE,eng}.gz, becomes translation rows in both directions.
dolly:   JSON lines with "prompt" and "response".
Also joins sentences into rows that are longer than 512 / 128 tokens, for benchmarks at full length.
Writes tatoeba.jsonl, dolly.jsonl and long.jsonl; every 50th row goes to *_eval.jsonl.
"""

import argparse
import gzip
import json
import pathlib


def tatoeba_rows(folder):
    for path in sorted(folder.glob("tatoeba.*-eng.eng.gz")):
        code = path.name.split(".")[1].split("-")[0]
        foreign = folder / f"tatoeba.{code}-eng.{code}.gz"
        with gzip.open(foreign, "rt", encoding="utf-8") as a, gzip.open(path, "rt", encoding="utf-8") as b:
            for text, english in zip(a, b):
                text, english = text.strip(), english.strip()
                if not text or not english:
                    continue
                yield {"inputs": f"Translate to {code}: {english}", "targets": text, "language": code}
                yield {"inputs": f"Translate to English: {text}", "targets": english, "language": code}


def dolly_rows(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row["prompt"].split("### Instruction:")[-1].split("### Response:")[0].strip()
            if text and row["response"].strip():
                yield {"inputs": text, "targets": row["response"].strip(), "language": "eng"}


def long_rows(rows, count=400, sentences=60):
    rows = list(rows)
    for i in range(count):
        part = rows[i * sentences:(i + 1) * sentences]
        if len(part) < sentences:
            return
        yield {"inputs": " ".join(r["inputs"] for r in part),
               "targets": " ".join(r["targets"] for r in part[: sentences // 2]), "language": "mul"}


def write(rows, out, name):
    rows = list(rows)
    held_out = rows[:: 50]
    for suffix, part in (("", [r for i, r in enumerate(rows) if i % 50]), ("_eval", held_out)):
        with open(out / f"{name}{suffix}.jsonl", "w", encoding="utf-8") as file:
            for row in part:
                file.write(json.dumps({**row, "dataset_name": name}, ensure_ascii=False) + "\n")
    print(f"{name}: {len(rows)} rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tatoeba", type=pathlib.Path, required=True)
    parser.add_argument("--dolly", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    write(tatoeba_rows(args.tatoeba), args.out, "tatoeba")
    write(dolly_rows(args.dolly), args.out, "dolly")
    write(long_rows(tatoeba_rows(args.tatoeba)), args.out, "long")


if __name__ == "__main__":
    main()
