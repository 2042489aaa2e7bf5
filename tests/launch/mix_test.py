#!/usr/bin/env python3
"""`frond mix` says what a run then sees, and a tree trains, resumes and fails as a list does.

    mix_test.py FROND FOLDER [MPIRUN]
"""

import collections
import html.parser
import json
import re
import sys

from tiny_run import TinyRun, arguments

failures = []

# Rules at every level over two files; a tag in a name must not become one in the page.
TREE = """mixture {{
    examples: 500
    group {{
      import: "people.textproto"
      weight: 3
    }}
    dataset {{
      source {{ name: "rows <b>" path: "{folder}/rows.jsonl" weight: 1 }}
      languages {{ literal {{ weight {{ name: "en" weight: 3 }} others: 1 }} }}
    }}
    limit {{ dataset: "held-out" max_epochs: 10 }}
    limit {{ language: "tr" max_share: 0.05 }}
  }}"""
PEOPLE = """name: "people"
dataset {{ source {{ path: "{folder}/held-out.jsonl" }} languages {{ temperature {{ alpha: 0.3 }} }} }}
dataset {{ source {{ name: "templated" path: "{folder}/templated.jsonl" }} templates {{ literal {{}} }} }}
"""


def check(name, condition, message=""):
    if not condition:
        failures.append(name)
        print(f"FAILED {name}: {message}")


def config_of(run, name, tree=TREE, append=""):
    source = f'source {{ name: "rows" path: "{run.folder}/rows.jsonl" }}'
    return run.write_config(name, [(source, tree.format(folder=run.folder))], append)


def mix(run, config, *flags):
    done = run.run("mix", "--config", config, *flags)
    if done.returncode != 0:
        sys.exit(f"frond mix fails:\n{done.stderr}")
    return done.stdout


def count_rows(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return collections.Counter(row["language"] for row in rows)


# ---- Numbers


def numbers(run, config):
    text = mix(run, config, "--json", run.folder / "mix.json", "--html", run.folder / "mix.html")
    report = json.loads((run.folder / "mix.json").read_text(encoding="utf-8"))
    leaves = {(leaf["source"], leaf["language"], leaf.get("template_id", "")): leaf for leaf in report["leaves"]}
    share = {key: leaf["share"] for key, leaf in leaves.items()}
    check("shares sum to 1", abs(sum(share.values()) - 1) < 1e-12)
    for part in ("datasets", "languages", "resource_classes"):
        check(f"{part} sum to 1", abs(sum(line["share"] for line in report[part]) - 1) < 1e-12)
    held_out = count_rows(run.folder / "held-out.jsonl")
    total = sum(share[key] for key in share if key[0] == "held-out")
    check("epochs are limited", abs(total - 10 * sum(held_out.values()) / 500) < 1e-12, total)
    turkish = sum(value for key, value in share.items() if key[1] == "tur")
    check("a language is limited", abs(turkish - 0.05) < 1e-12, turkish)
    # Under the same limits leaves keep the proportions of their rules.
    for a, b in ((key, other) for key in held_out for other in held_out if "tur" not in (key, other)):
        wanted = (held_out[a] / held_out[b]) ** 0.3
        check("temperature", abs(share["held-out", a, ""] / share["held-out", b, ""] - wanted) < 1e-9, (a, b))
    check("literal", abs(share["rows <b>", "eng", ""] / share["rows <b>", "deu", ""] - 3) < 1e-9)
    check("templates", abs(share["templated", "eng", "x"] / share["templated", "eng", "y"] - 1) < 1e-9)
    for leaf in report["leaves"]:
        check("examples are shares", abs(leaf["seen"] - leaf["share"] * report["examples"]) < 1e-6)
        check("epochs", abs(leaf["epochs"] - leaf["seen"] / leaf["examples"]) < 1e-9)
        check("repeats", abs(leaf["repeats"] - max(0, leaf["seen"] - leaf["examples"])) < 1e-6)
    check("the tree is printed", "alpha" not in text and "temperature 3.33333 over examples" in text)
    check("limits are printed", 'limit max_share 0.05 of language "tr"' in text, text)
    packing = report["packing"]
    proposed = packing["proposed_target_length"]
    check("a target length is proposed", proposed != 16 and f"target_length {proposed} would leave" in text, packing)
    mix(run, config, "--set", f"data.target_length={proposed}", "--json", run.folder / "proposed.json")
    taken = json.loads((run.folder / "proposed.json").read_text(encoding="utf-8"))["packing"]
    check("the proposal holds", abs(taken["filled"] - packing["filled_as_proposed"]) < 1e-9 and
          taken["filled"] > packing["filled"], (packing, taken))
    often = mix(run, config, "--most-epochs", "0", "--least-percent", "99")
    check("warnings", "seen more than 0 times" in often and "below 99% of the examples" in often, often)
    return report


# ---- The page


class Page(html.parser.HTMLParser):
    """Counts elements and looks for what is not closed or comes from elsewhere."""

    EMPTY = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.count, self.problems = [], collections.Counter(), []

    def handle_starttag(self, tag, attributes):
        self.count[tag] += 1
        if tag not in self.EMPTY:
            self.open.append(tag)
        self.problems += [f"{tag} {name}" for name, _ in attributes if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")


def page(run, report):
    text = (run.folder / "mix.html").read_text(encoding="utf-8")
    found = Page()
    found.feed(text)
    check("the page is whole", not found.problems and not found.open, (found.problems[:3], found.open))
    check("the page stands alone", not re.search(r"https?://|@import|url\(", text))
    check("charts", found.count["svg"] == 3 and found.count["circle"] == len(report["leaves"]), found.count)
    check("bars", found.count["rect"] == len(report["languages"]) + len(report["resource_classes"]), found.count)
    check("names are text", "rows &lt;b&gt;" in text and found.count["b"] == 6, found.count["b"])


# ---- Samples


def samples(text):
    """Position -> the examples of a row, as (source ids, target ids)."""
    rows = {}
    for line in text.splitlines():
        row = re.match(r"row (\d+:\d+): (\d+) examples, source (\d+) of 32 tokens, target (\d+) of 16", line)
        if row:
            at, sides = row[1], []
            rows[at] = sides
        elif line.startswith("      ids"):
            sides.append([int(word) for word in line.split()[1:]])
    return {at: list(zip(sides[::2], sides[1::2])) for at, sides in rows.items()}


def sampled_rows(run, config):
    all_rows = samples(mix(run, config, "--sample", "120"))
    check("as many rows as asked", len(all_rows) == 120, len(all_rows))
    check("rows hold what fits", all(sum(len(source) for source, _ in row) <= 32 for row in all_rows.values()))
    positions = list(all_rows)
    later = samples(mix(run, config, "--sample", "5", "--at", positions[70]))
    check("--at continues", list(later) == positions[70:75] and
          all(later[at] == all_rows[at] for at in later), list(later))
    # The batches of a run: six rows a step.
    done = run.run("train", "--config", config, "--benchmark", "3", "--dump-batches", run.folder / "dump.jsonl")
    check("the run", done.returncode == 0, done.stderr)
    dumped = [json.loads(line) for line in (run.folder / "dump.jsonl").read_text().splitlines()]
    dumped = [sorted(zip(map(tuple, batch["sources"]), map(tuple, batch["targets"]))) for batch in dumped]
    steps = []
    rows = list(all_rows.values())
    for first in range(0, 120, 6):
        steps.append(sorted((tuple(source), tuple(target)) for row in rows[first:first + 6] for source, target in row))
    start = steps.index(dumped[0]) if dumped[0] in steps else -1
    check("samples are what trains", start >= 0 and steps[start:start + 3] == dumped, start)


# ---- Training


def training(run, mpirun):
    short = config_of(run, "tree", append="").read_text(encoding="utf-8").replace("steps: 40", "steps: 14")
    whole = run.write("whole.textproto", short.replace('/tree"', '/whole"'))
    split = run.write("split.textproto", short.replace('/tree"', '/split"'))
    for config, flags in ((whole, ()), (split, ("--set", "steps=6")), (split, ())):
        done = run.run("train", "--config", config, *flags)
        check("a tree trains", done.returncode == 0, done.stderr)
    check("a tree resumes", run.metrics("whole") == run.metrics("split"))
    saved = (run.folder / "whole" / "config.textproto").read_text(encoding="utf-8")
    check("imports are written out", "held-out" in saved and "import" not in saved)
    done = run.run("train", "--config", split, "--set", "steps=20", "--set", "data.mixture.limit[1].max_share=0.04")
    check("another tree", done.returncode == 2 and "another mixture" in done.stderr, done.stderr)
    if not mpirun:
        print("SKIPPED what needs mpirun: there is none")
        return
    ranks = run.write("ranks.textproto", short.replace('/tree"', '/ranks"'))
    done = run.run("train", "--config", ranks, ranks=2, mpirun=mpirun)
    check("a tree trains on two ranks", done.returncode == 0, done.stderr)
    lines = [[json.loads(line) for line in run.metrics(name).splitlines()] for name in ("whole", "ranks")]
    seen = [[(line["examples"], line["source_tokens"], line["target_tokens"]) for line in metrics if "loss" in line]
            for metrics in lines]
    check("ranks see the same rows", seen[0] == seen[1] and seen[0], seen)


# ---- Pruning


def pruning(run):
    """What rules in a tree drop is shown, kept with the run, and named where it changes."""
    lines = (run.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    run.write("doubled.jsonl", "\n".join(lines + lines[:50]) + "\n")
    run.write("blank.jsonl", "\n".join(lines[:20]) + "\n" + json.dumps(
        {"inputs": "new", "targets": " ", "language": "deu"}) + "\n")
    tree = """mixture {{ prune {{ rule {{ target {{}} }} rule {{ exact_duplicates {{}} }} }}
      dataset {{ source {{ path: "{folder}/doubled.jsonl" }} }}
      dataset {{ source {{ path: "{folder}/blank.jsonl" }} prune {{ rule {{ cap {{ rows: 4 per: SOURCE }} }} }} }} }}"""
    config = config_of(run, "pruned", tree)
    short = config.read_text(encoding="utf-8").replace("steps: 40", "steps: 8")
    done = run.run("mix", "--config", config, "--json", run.folder / "pruned.json")
    check("all of a dataset dropped", done.returncode == 2 and "pruning dropped all rows of blank/" in done.stderr
          and len([line for line in done.stderr.splitlines() if line.startswith("frond: ")]) == 1, done.stderr)
    tree = tree.replace("doubled.jsonl", "x").replace("blank.jsonl", "doubled.jsonl").replace("/x", "/blank.jsonl")
    tree = tree.replace("rows: 4 per", "rows: 320 per")
    config = config_of(run, "pruned", tree)
    short = config.read_text(encoding="utf-8").replace("steps: 40", "steps: 8")
    config = run.write("pruned.textproto", short)
    text = mix(run, config, "--json", run.folder / "pruned.json", "--html", run.folder / "pruned.html")
    report = json.loads((run.folder / "pruned.json").read_text(encoding="utf-8"))
    unique = len({tuple(json.loads(line)[key] for key in ("inputs", "targets")) for line in lines})
    dropped = sum(leaf.get("dropped", 0) for leaf in report["leaves"])
    by_rule = sum(line["dropped"] for line in report["pruning"])
    kept = sum(leaf["examples"] for leaf in report["leaves"])
    check("dropped rows are counted", dropped == by_rule and dropped + kept == 371 and kept <= unique, report["pruning"])
    page_text = (run.folder / "pruned.html").read_text(encoding="utf-8")
    check("the page shows rules", "<h2>Pruning</h2>" in page_text and report["pruning"][0]["ledger"] in page_text)
    check("rules are shown", "exact_duplicates" in text and "dropped" in text, text)
    done = run.run("train", "--config", config)
    ledgers = sorted(path.name for path in (run.folder / "pruned" / "ledgers").iterdir())
    check("training says what went", done.returncode == 0 and "'blank': pruning left 20 of 21 rows; dropped by target 1" in
          done.stderr, done.stderr)
    check("ledgers are kept", len(ledgers) == 2 and all(line["ledger"] in "".join(ledgers) for line in report["pruning"]),
          ledgers)
    manifest = (run.checkpoint("pruned", 8) / "train_state" / "manifest.json").read_text(encoding="utf-8")
    check("the manifest", all(line["ledger"] in manifest for line in report["pruning"]), manifest)
    done = run.run("train", "--config", run.write("pruned.textproto", short.replace("rows: 320", "rows: 310")))
    check("another rule is named", done.returncode == 2 and "cap: settings cap { rows: 320" in done.stderr and
          "-> cap { rows: 310" in done.stderr and "leaf doubled/" in done.stderr, done.stderr)
    done = run.run("train", "--config", run.write("pruned.textproto", short), "--set", "steps=10")
    check("the old rule goes on", done.returncode == 0, done.stderr)


# ---- Errors


def bad_trees(run):
    def bad(name, old, new, *words):
        tree = TREE.replace(old, new)
        check(name, tree != TREE, "the tree has no such text")
        done = run.run("mix", "--config", config_of(run, "bad", tree), "--html", run.folder / "bad.html")
        lines = done.stderr.splitlines()
        missing = [word for word in words if word not in done.stderr]
        check(name, done.returncode == 2 and len(lines) == 1 and not missing, (done.returncode, done.stderr, missing))
        check(name, not (run.folder / "bad.html").exists(), "a page was written")

    bad("unknown language", '"tr" max', '"trr" max', '"trr"', "unknown code", 'did you mean "tur"')
    bad("unknown dataset", '"held-out" max', '"heldout" max', '"heldout"', 'did you mean "held-out"?')
    bad("a quota that cannot be met", "max_share: 0.05", "min_share: 1.0", "leave nothing for the rest", "min_share 1")
    bad("limits that cannot be met", 'dataset: "held-out" max_epochs: 10', "each: LEAF max_epochs: 0.1",
        "cannot be met together", "max_epochs 0.1")
    bad("epochs of an unknown run", "examples: 500", "", "max_epochs", "examples")
    bad("a language without examples", 'name: "en"', 'name: "fi"', '"fi"', "which it does not have")
    bad("a misspelt rule", "literal", "literall", '"literall"', "literal")
    run.write("circle.textproto", 'name: "c" group { import: "circle.textproto" }')
    bad("a circle", "people.textproto", "circle.textproto", "in a circle", "circle.textproto -> ")
    bad("no such file", "people.textproto", "nobody.textproto", "nobody.textproto")
    config = config_of(run, "bad")
    for name, flags, word in (("a position", ["--sample", "1", "--at", "3"], "WINDOW:ROW"),
                              ("no such row", ["--sample", "1", "--at", "0:9999"], "0:9999"),
                              ("--at alone", ["--at", "0:0"], "--sample"),
                              ("a number", ["--most-epochs", "x"], "'x'")):
        done = run.run("mix", "--config", config, *flags)
        check(name, done.returncode == 2 and word in done.stderr, done.stderr)


def main():
    frond, folder, mpirun = arguments()
    run = TinyRun(frond, folder)
    run.write("people.textproto", PEOPLE.format(folder=run.folder))
    rows = [json.loads(line) for line in (run.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    templated = [{**row, "template_id": "x" if i % 3 else "y"} for i, row in enumerate(rows[:90])]
    run.write("templated.jsonl", "\n".join(json.dumps(row) for row in templated))
    config = config_of(run, "mix")
    page(run, numbers(run, config))
    sampled_rows(run, config)
    training(run, mpirun)
    pruning(run)
    bad_trees(run)
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
