#!/usr/bin/env python3
"""Nine public sets through templates: prunes them, plants defects into what stays and counts how many of those are
found, shows the mixture, and trains a tiny model on it.

    real_mixture.py --frond build/release/launch/frond --data DATA --out FOLDER

DATA holds a folder for each set as published (tatoeba, gatitos, ntrex, sib200, xquad, afriqa, dolly-small, tata, xcopa)
and languages101.tsv, which says what each set calls a language; a set that is not there is left out, aloud.
"""

import argparse
import collections
import csv
import gzip
import json
import pathlib
import random
import re
import subprocess
import sys
import unicodedata

MOST_ROWS = 150  # of a set, template and language
SEED = 7

# Own text with fields; none is near another of its set.
TEMPLATES = {
    "tatoeba": ["Translate this sentence into {l}: {a}", "{a}\nHow would a speaker of {l} say that?"],
    "gatitos": ["Dictionary, English to {l}. Entry: {a}"],
    "ntrex": ["From today's news, in {l} please: {a}", "{a}\n\nWrite the text above in the language {l}."],
    "sib200": ["{a}\nGive the same information in {l}, word by word if you can."],
    "sib200.topic": ["{a}\nIs this about geography, health, politics, sports, travel, entertainment or science?"],
    "xquad": ["Read the passage and answer.\n{c}\nQuestion: {q}", "{q}\nThe answer is somewhere in here: {c}"],
    "afriqa": ["Somebody asks in {l}: {q}\nThe encyclopedia says: {c}\nAnswer in {l}."],
    "tata": ["Describe in a sentence what this table shows: {a}"],
    "xcopa": ["{p} What was the {k}?\nFirst choice: {x}\nSecond choice: {y}", "{p}\nPick the more plausible {k}: {x} / {y}"],
}


def lines(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8")
    with opened as file:
        return [line.rstrip("\n") for line in file]


class Languages:
    """One code for a language, whatever a set calls it."""

    def __init__(self, data):
        self.codes = {}
        for row in csv.DictReader(lines(data / "languages101.tsv"), delimiter="\t"):
            for column in ("code", "iso639_3", "flores_sib_code", "ntrex_code", "tatoeba_code"):
                if row[column] != "-":
                    self.codes[row[column]] = row["iso639_3"]

    def of(self, code):
        return self.codes.get(code) or re.split("[-_]", code)[0]


# ---- Sets: each yields (set, language, fields, target)


def tatoeba(folder, languages):
    for path in sorted(folder.glob("tatoeba.*-eng.eng.gz")):
        code = path.name.split(".")[1].split("-")[0]
        other = lines(folder / f"tatoeba.{code}-eng.{code}.gz")
        for english, text in zip(lines(path), other):
            yield "tatoeba", languages.of(code), {"a": english}, text


def gatitos(folder, languages):
    for path in sorted(folder.glob("en_*.tsv.gz")):
        code = path.name[3:-7]
        if code not in languages.codes and not re.fullmatch(r"[a-z]{3}", code):
            continue
        for line in lines(path):
            english, _, text = line.partition("\t")
            yield "gatitos", languages.of(code), {"a": english}, text


def ntrex(folder, languages):
    english = lines(folder / "first500/newstest2019-src.eng.txt.gz")
    for path in sorted((folder / "first500").glob("newstest2019-ref.*.txt.gz")):
        code = path.name.split(".")[1]
        for a, text in zip(english, lines(path)):
            yield "ntrex", languages.of(code), {"a": a}, text


def sib200(folder, languages):
    topics = [row["category"] for row in csv.DictReader(lines(folder / "index.tsv"), delimiter="\t")]
    english = lines(folder / "eng_Latn.txt.gz")
    for path in sorted(folder.glob("*_*.txt.gz")):
        code = path.name.split(".")[0]
        for a, text, topic in zip(english, lines(path), topics):
            if code != "eng_Latn":
                yield "sib200", languages.of(code), {"a": a}, text
            yield "sib200.topic", languages.of(code), {"a": text}, topic


def xquad(folder, languages):
    for path in sorted(folder.glob("xquad.*.json.gz")):
        code = path.name.split(".")[1]
        for article in json.loads("".join(lines(path)))["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    yield "xquad", languages.of(code), {"c": paragraph["context"], "q": question["question"]}, \
                        question["answers"][0]["text"]


def afriqa(folder, languages):
    for path in sorted(folder.glob("*.json.gz")):
        for line in lines(path):
            row = json.loads(line)
            yield "afriqa", languages.of(path.name.split(".")[2]), \
                {"c": row["context"], "q": row["question_lang"]}, row["answer_lang"]


def dolly(folder, languages):
    for line in lines(folder / "dolly_hhrlhf_train_small_first800.jsonl"):
        row = json.loads(line)
        yield "dolly-small", languages.of("en"), row["prompt"], row["response"]


def tata(folder, languages):
    for row in json.loads("".join(lines(folder / "dev.json.gz"))):
        code = row["example_id"].split("-")[-2]
        for text in row["table_text"]:
            yield "tata", languages.of(code), {"a": row["linearized_input"]}, text


def xcopa(folder, languages):
    for path in sorted(folder.glob("*/*.jsonl")):
        for line in lines(path):
            row = json.loads(line)
            fields = {"p": row["premise"], "x": row["choice1"], "y": row["choice2"], "k": row["question"]}
            yield "xcopa", languages.of(path.parent.name), fields, row["choice1" if row["label"] == 0 else "choice2"]


SETS = {"tatoeba": tatoeba, "gatitos": gatitos, "ntrex": ntrex, "sib200": sib200, "xquad": xquad, "afriqa": afriqa,
        "dolly-small": dolly, "tata": tata, "xcopa": xcopa}


def read_rows(data):
    """set -> its rows through the templates."""
    languages = Languages(data)
    rows = collections.defaultdict(list)
    counts = collections.Counter()
    for name, read in SETS.items():
        if not (data / name).is_dir():
            print(f"SKIPPED {name}: {data / name} is not there")
            continue
        for part, language, fields, target in read(data / name, languages):
            for number, template in enumerate(TEMPLATES.get(part, ["{prompt}"])):
                key = (part, number, language)
                counts[key] += 1
                if counts[key] > MOST_ROWS or not isinstance(target, str) or not target.strip():
                    continue
                inputs = fields if isinstance(fields, str) else template.format(l=language, **fields)
                rows[name].append({"inputs": inputs, "targets": target, "language": language,
                                   "dataset_name": name, "template_id": f"{part}.{number}"})
    return rows


# ---- Frond


class Workshop:
    def __init__(self, frond, folder):
        self.frond, self.folder = frond, folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *args):
        done = subprocess.run([self.frond, *map(str, args)], capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            sys.exit(f"frond {args[0]} failed: {done.stderr}")
        return done.stdout

    def write(self, name, rows_of):
        (self.folder / name).mkdir(exist_ok=True)
        for source, rows in rows_of.items():
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (self.folder / name / f"{source}.jsonl").write_text(text, encoding="utf-8")

    def prune(self, name, sources):
        """Prunes the rows in folder `name`; returns what stays by source, and the dropped rows by rule."""
        translated = [s for s in ("tatoeba", "ntrex", "sib200") if s in sources]
        limits = " ".join(f'dataset: "{source}"' for source in translated)
        # The answers of a list of words are words.
        instructions = " ".join(f'dataset: "{source}"' for source in sources if source != "gatitos")
        config = "".join(f'source {{ path: "{name}/{source}.jsonl" }}\n' for source in sources)
        config += f"""out_dir: "{name}.pruned" packing: PLAIN
rule {{ target {{}} }}
rule {{ median_target {{}} {instructions} }}
rule {{ near_duplicate_templates {{}} }}
rule {{ exact_duplicates {{}} }}
rule {{ near_duplicates {{}} }}
rule {{ script {{}} {limits} }}
rule {{ language_id {{}} {limits} }}
"""
        (self.folder / f"{name}.textproto").write_text(config, encoding="utf-8")
        table = self.run("prune", "--config", f"{name}.textproto", "--dropped", f"{name}.dropped.jsonl")
        kept = {source: [json.loads(line) for line in lines(self.folder / f"{name}.pruned/{source}.jsonl")]
                for source in sources}
        dropped = collections.defaultdict(list)
        for line in lines(self.folder / f"{name}.dropped.jsonl"):
            row = json.loads(line)
            dropped[row["rule"]].append(row["row"])
        return kept, dropped, table


# ---- Defects


def shingles(row):
    text = unicodedata.normalize("NFKC", f"{row['inputs']}\n{row['targets']}").casefold()
    text = " ".join(text.split())
    return {text[i:i + 5] for i in range(max(1, len(text) - 4))}


def nearly(row, draw):
    """The row with letters of its target changed, 0.82 to 0.95 alike; None where that does not come out."""
    ours = shingles(row)
    for _ in range(20):
        text = list(row["targets"])
        for _ in range(draw.randint(1, 4)):
            text[draw.randrange(len(text))] = draw.choice("xqzj")
        changed = dict(row, targets="".join(text))
        theirs = shingles(changed)
        if 0.82 <= len(ours & theirs) / len(ours | theirs) <= 0.95:
            return changed
    return None


def plant(kept, draw):
    """Adds defects to `kept`; returns rule -> marks of the rows that it should drop."""
    planted = collections.defaultdict(set)

    def add(rule, source, row, at=None):
        row = dict(row, planted=f"{rule}.{len(planted[rule])}")
        planted[rule].add(row["planted"])
        if at is None:
            kept[source].append(row)
        else:
            kept[source][at] = row

    # Languages first: what is copied afterwards is as it stood.
    for source in ("tatoeba", "ntrex", "sib200"):
        rows = kept.get(source, [])
        by_language = collections.defaultdict(list)
        for row in rows:
            by_language[row["language"]].append(row["targets"])
        for at in range(0, len(rows), 20):
            row = rows[at]
            others = [language for language in by_language if language != row["language"]]
            text = draw.choice(by_language[draw.choice(others)])
            if len(text) < 30:
                continue
            add("language", source, dict(row, targets=text), at)
    originals = {source: [row for row in rows if "planted" not in row] for source, rows in kept.items()}
    for source, rows in originals.items():
        for row in draw.sample(rows, min(len(rows), 60)):
            add("exact_duplicates", source, dict(row, inputs=row["inputs"].replace(" ", "  ") + "\n"))
        for row in draw.sample(rows, min(len(rows), 120)):
            changed = nearly(row, draw)
            if changed is not None:
                add("near_duplicates", source, changed)
    # Templates: one-word answers, and other breaks in a template that is there already, over contents of their own.
    for source in ("xcopa", "tata", "dolly-small"):
        for row in originals.get(source, [])[:80]:
            add("median_target", source, dict(row, template_id=f"{source}.label", targets=draw.choice(["yes", "no"]),
                                              inputs=f"Does this make sense? {row['inputs']}"))
    for source, template in (("xquad", "xquad.0"), ("ntrex", "ntrex.1"), ("tata", "tata.0")):
        for row in [r for r in originals.get(source, []) if r["template_id"] == template][::3]:
            add("near_duplicate_templates", source,
                dict(row, template_id=f"{template}.again", inputs=row["inputs"].replace(".", " .").replace("\n", "\n\n")))
    return planted


def count_found(planted, dropped):
    """Lines of a table: rule, planted, found, precision, recall."""
    # A wrong language in another script is the script rule's.
    rules = {"language": ["script", "language_id"]}
    table = []
    for kind, marks in sorted(planted.items()):
        found = [row for rule in rules.get(kind, [kind]) for row in dropped[rule]]
        right = sum(row.get("planted") in marks for row in found)
        all_found = sum(row.get("planted") in marks for rows in dropped.values() for row in rows)
        table.append((kind, len(marks), len(found), right / max(1, len(found)), right / len(marks),
                      all_found / len(marks)))
    return table


CONFIG = """work_dir: "run"
steps: 20
model {{ shape {{ d_model: 64 d_kv: 16 d_ff: 128 num_heads: 4 num_layers: 2 }} }}
data {{
  tokenizer: "spiece.model"
  mixture {{
{datasets}
    across_languages {{ temperature {{ alpha: 0.3 }} }}
    limit {{ each: LEAF max_epochs: 30 }}
    examples: 2000
  }}
  source_length: 128
  target_length: 64
  window: 512
}}
batch {{ rows: 16 }}
optimizer {{ adafactor {{}} }}
schedule {{ learning_rate: 0.01 }}
report {{ every_steps: 5 }}
device: CPU
"""


def train(shop, name, sources):
    shop.run("vocabulary", "--size", 8000, "--out", "spiece.model",
             *[word for source in sources for word in ("--input", f"{name}/{source}.jsonl")])
    datasets = "".join(f'    dataset {{ source {{ path: "{name}/{source}.jsonl" }} }}\n' for source in sources)
    (shop.folder / "run.textproto").write_text(CONFIG.format(datasets=datasets), encoding="utf-8")
    shop.run("mix", "--config", "run.textproto", "--html", "mixture.html", "--json", "mixture.json")
    report = json.loads((shop.folder / "mixture.json").read_text(encoding="utf-8"))
    shop.run("train", "--config", "run.textproto")
    metrics = [json.loads(line) for line in lines(shop.folder / "run/metrics.jsonl")]
    print(f"mixture: {len(report['datasets'])} sets, {len(report['languages'])} languages, {len(report['leaves'])} leaves")
    print("training: " + ", ".join(f"step {m['step']} loss {m['loss']:.3f}" for m in metrics if "loss" in m))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frond", type=lambda text: str(pathlib.Path(text).resolve()), required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if not (options.data / "languages101.tsv").exists():
        print(f"SKIPPED: no data in {options.data}")
        return
    draw = random.Random(SEED)
    shop = Workshop(options.frond, options.out)
    rows = read_rows(options.data)
    shop.write("all", rows)
    print(f"{sum(map(len, rows.values()))} rows, {len({r['language'] for s in rows.values() for r in s})} languages")
    kept, _, table = shop.prune("all", list(rows))
    print(table)
    planted = plant(kept, draw)
    shop.write("planted", kept)
    pruned, dropped, table = shop.prune("planted", [source for source in rows if kept[source]])
    print(table)
    print("| defect | planted | dropped by its rule | precision | recall | dropped by any rule |\n|---|---|---|---|---|---|")
    for kind, marks, found, precision, recall, any_rule in count_found(planted, dropped):
        print(f"| {kind} | {marks} | {found} | {precision:.3f} | {recall:.3f} | {any_rule:.3f} |")
    train(shop, "planted.pruned", [source for source in pruned if pruned[source]])


if __name__ == "__main__":
    main()
