#!/usr/bin/env python3
"""The mixtures of configs/mixtures over files laid out as docs/ready_mixtures.md says: the weights are the papers'.

    ready_mixtures_test.py FROND FOLDER
"""

import collections
import json
import pathlib
import random
import re

from run_checks import check
from tiny_run import TinyRun, arguments

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Ustun et al. 2024, table 3, in percent, and section 6.
SOURCES = ["aya_dataset", "aya_templates", "xp3x", "data_provenance", "aya_translations", "sharegpt_command"]
AYA = {
    "aya_human": [25, 4, 20, 6, 30, 15],
    "aya_translation": [10, 1.5, 15, 3.5, 47.5, 22.5],
    "aya_template": [20, 10, 30, 10, 20, 10],
}
TOLERANCE = 1e-12


def languages():
    """(ISO 639-3, script) of the 101 languages, from the table in the program."""
    text = (ROOT / "mixtures/languages.cc").read_text(encoding="utf-8")
    return re.findall(r'\{"(\w{3})", "\w+", "[^"]+", "(\w{4})", ResourceClass', text)


def lay_out(run, draw):
    """Small files in the layout of the documents; returns rows by (source, language)."""
    counts = collections.Counter()
    table = languages()
    check(len(table) == 101, f"{len(table)} languages in the table")
    for source in SOURCES + ["safety", "aya_dolly"]:
        folder = run.folder / "sets" / source
        folder.mkdir(parents=True)
        files = collections.defaultdict(list)
        for language, script in table:
            for i in range(draw.randint(1, 4)):
                row = {"inputs": f"{source} {language} {i}", "targets": f"answer {draw.randint(0, 99)}"}
                if source == "aya_dataset":
                    row["language"], row["language_code"] = "A language", language
                elif source == "xp3x":
                    row.update(language=f"{language}_{script}", dataset="d", template="t", config="c", split="train")
                else:
                    row.update(language=language, script=script, dataset_name=f"set{i}", template_id="t")
                files[f"{'ab'[i % 2]}.jsonl"].append(row)
                counts[source, language] += 1
        for name, rows in files.items():
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return counts


def lay_out_xp3(run, draw):
    counts = {}
    config = (ROOT / "configs/mixtures/mt0.textproto").read_text(encoding="utf-8")
    for code in re.findall(r'path: "sets/xp3/(\w+)/', config):
        folder = run.folder / "sets/xp3" / code
        folder.mkdir(parents=True)
        counts[f"xp3_{code}"] = draw.randint(1, 30)
        rows = [{"inputs": f"{code} {i}", "targets": f"answer {i}", "dataset_name": "d/c/train", "template_id": "p"}
                for i in range(counts[f"xp3_{code}"])]
        (folder / "d_c_train_p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return counts


def mix(run, name):
    own = f'source {{ name: "rows" path: "{run.folder}/rows.jsonl" }}'
    config = run.write_config(name, [(own, f'mixture {{ import: "{ROOT}/configs/mixtures/{name}.textproto" }}')])
    out = run.folder / f"{name}.json"
    done = run.run("mix", "--config", config, "--json", out, cwd=run.folder)
    check(done.returncode == 0, f"{name}: {done.stderr}")
    return json.loads(out.read_text(encoding="utf-8"))


def check_aya(name, report, weights, counts):
    """`weights`: source -> share. Inside a source, datasets and languages go by their rows."""
    source_of = {"aya_dolly": "aya_translations"}
    shares = collections.Counter()
    for line in report["datasets"]:
        shares[source_of.get(line["source"], line["source"])] += line["share"]
    check(shares.keys() == weights.keys(), f"{name}: sources {sorted(shares)}")
    for source, weight in weights.items():
        check(abs(shares[source] - weight) < TOLERANCE, f"{name}: {source} has {shares[source]}, not {weight}")
    rows = collections.Counter()
    for (dataset, _), count in counts.items():
        rows[source_of.get(dataset, dataset)] += count
    for leaf in report["leaves"]:
        source = source_of.get(leaf["source"], leaf["source"])
        expected = weights[source] * counts[leaf["source"], leaf["language"][:3]] / rows[source]
        check(abs(leaf["share"] - expected) < TOLERANCE, f"{name}: {leaf} should have {expected}")
    classes = {line["resource_class"]: 0 for line in report["languages"]}
    for line in report["languages"]:
        classes[line["resource_class"]] += 1
    check(classes == {"high": 24, "mid": 26, "low": 51}, f"{name}: languages {classes}")


def main():
    frond, folder, _ = arguments()
    run = TinyRun(frond, folder)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    counts = lay_out(run, draw)
    for name, percent in AYA.items():
        check(sum(percent) == 100, f"{name}: the table's row does not add up")
        weights = {source: share / 100 for source, share in zip(SOURCES, percent)}
        check_aya(name, mix(run, name), weights, counts)
    safe = {source: 0.97 * share / 100 for source, share in zip(SOURCES, AYA["aya_translation"])}
    check_aya("aya_safe", mix(run, "aya_safe"), {**safe, "safety": 0.03}, counts)

    rows = lay_out_xp3(run, draw)
    check(len(rows) == 46, f"mT0 has {len(rows)} sources")
    shares = {line["source"]: line["share"] for line in mix(run, "mt0")["datasets"]}
    for source, count in rows.items():
        expected = count / sum(rows.values())
        check(abs(shares[source] - expected) < TOLERANCE, f"mt0: {source} has {shares[source]}, not {expected}")
    print("the ready mixtures have the papers' weights")


if __name__ == "__main__":
    main()
