#!/usr/bin/env python3
"""Speed and recall of `frond prune` on a made-up file, side by side with datasketch's MinHashLSH.

    near_duplicates.py FROND FOLDER [--rows N] [--peer-rows N]

Every twentieth row is a worn copy of an earlier one, of a similarity from 0.80 to 0.84. Both search with 21 bands of
6 values over character 5-grams and compare candidates exactly; datasketch gets the first --peer-rows rows and a process,
since it has no threads, and its speed is doubled for two cores. Text counts as MB: input and target.
"""

import argparse
import json
import pathlib
import random
import resource
import shutil
import subprocess
import time

NGRAM, BANDS, WIDTH, THRESHOLD = 5, 21, 6, 0.8
SYLLABLES = "ba ki tu me lo sa wa ni ra po de shi go zu ha fe mi nyo".split()


def sentence(draw, words):
    return " ".join("".join(draw.choices(SYLLABLES, k=draw.randint(2, 4))) for _ in range(words)) + "."


def grams(text):
    return {text[i:i + NGRAM] for i in range(len(text) - NGRAM + 1)}


def jaccard(a, b):
    return len(a & b) / len(a | b)


def worn(draw, text):
    """A copy whose similarity to `text` is barely above the threshold."""
    whole = grams(text)
    while True:
        letters = list(text)
        similarity = 1
        while similarity > 0.84:
            for _ in range(3):
                letters[draw.randrange(len(letters))] = "q"
            similarity = jaccard(whole, grams("".join(letters)))
        if similarity >= THRESHOLD:
            return "".join(letters)


def make_rows(count):
    draw = random.Random(1)
    rows, planted = [], set()
    for i in range(count):
        if i % 20 == 19:
            original = draw.randrange(i)
            while original in planted:  # a copy of a copy may be too far from what stays
                original = draw.randrange(i)
            inputs, targets = rows[original]
            # The target alone is worn: the whole text is then a little more alike.
            rows.append((inputs, worn(draw, targets)))
            planted.add(i)
        else:
            rows.append((sentence(draw, draw.randint(5, 20)), sentence(draw, draw.randint(20, 100))))
    return rows, planted


def run_frond(frond, folder, name, rule, threads):
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    config = folder / "prune.textproto"
    config.write_text(f'out_dir: "{out}"\nsource {{ path: "{folder / "rows.jsonl"}" }}\n{rule}\n')
    start = time.perf_counter()
    subprocess.run([frond, "prune", "--config", config, "--dropped", folder / "dropped.jsonl", "--threads",
                    str(threads)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    with open(folder / "dropped.jsonl", encoding="utf-8") as file:
        dropped = {json.loads(line)["line"] - 1 for line in file}
    return seconds, dropped


def run_datasketch(rows):
    from datasketch import MinHash, MinHashLSH
    dropped, texts = set(), {}
    lsh = MinHashLSH(num_perm=BANDS * WIDTH, params=(BANDS, WIDTH))
    start = time.perf_counter()
    for i, (inputs, targets) in enumerate(rows):
        text = f"{inputs}\n{targets}".lower()
        shingles = grams(text)
        signature = MinHash(num_perm=BANDS * WIDTH)
        signature.update_batch([gram.encode() for gram in shingles])
        if any(jaccard(shingles, grams(texts[other])) >= THRESHOLD for other in lsh.query(signature)):
            dropped.add(i)
        else:
            lsh.insert(i, signature)
            texts[i] = text
    return time.perf_counter() - start, dropped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frond")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--peer-rows", type=int, default=5_000)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    rows, planted = make_rows(args.rows)
    with open(args.folder / "rows.jsonl", "w", encoding="utf-8") as file:
        for inputs, targets in rows:
            file.write(json.dumps({"inputs": inputs, "targets": targets, "language": "sw"}) + "\n")

    def megabytes(part):
        return sum(len(inputs) + len(targets) for inputs, targets in part) / 1e6

    def show(name, part, seconds, dropped=None):
        recall = ""
        if dropped is not None:
            wanted = {i for i in planted if i < len(part)}
            recall = f"{len(dropped & wanted) / len(wanted):10.4f}"
        print(f"{name:44} {len(part):8} rows {megabytes(part):7.1f} MB {seconds:8.2f} s"
              f" {megabytes(part) / seconds:8.2f} MB/s {recall}", flush=True)
        return megabytes(part) / seconds

    near = f"rule {{ near_duplicates {{ ngram: {NGRAM} bands: {BANDS} rows_per_band: {WIDTH} }} }}"
    simple = ("rule { target {} } rule { length { max_ratio: 50 } } rule { script {} } rule { urls {} } rule { code {} }"
              " rule { repetition {} } rule { exact_duplicates {} }")
    for threads in (1, 2):
        seconds, _ = run_frond(args.frond, args.folder, "simple", simple, threads)
        show(f"frond, seven simple rules, {threads} threads", rows, seconds)
    for threads in (1, 2):
        seconds, dropped = run_frond(args.frond, args.folder, "near", near, threads)
        ours = show(f"frond, near duplicates, {threads} threads", rows, seconds, dropped)
    print(f"largest memory of a frond: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")
    try:
        seconds, dropped = run_datasketch(rows[:args.peer_rows])
    except ImportError:
        print("SKIPPED datasketch: pip install datasketch")
        return
    theirs = show("datasketch, one process", rows[:args.peer_rows], seconds, dropped)
    print(f"frond with 2 threads over two processes of datasketch: {ours / (2 * theirs):.1f}x")


if __name__ == "__main__":
    main()
