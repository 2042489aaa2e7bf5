#!/usr/bin/env python3
"""Raw rows train, are sampled and evaluated through templates, and bad templates end with one line.

    templates_test.py FROND FOLDER [MPIRUN]
"""

import collections
import json
import random
import re
import sys

from tiny_run import LANGUAGES, WORDS, TinyRun, arguments

failures = []

PROMPTS = """dataset: colours
templates:
  u1: !Template
    answer_choices: rot ||| vert
    id: u1
    jinja: '{{first}} or {{second}}? ||| {{answer_choices[label]}}'
    metadata: !TemplateMetadata {languages: [en]}
    name: which
    reference: ''
  u2: !Template
    answer_choices: null
    id: u2
    jinja: "{% if label == 1 %}say {{first}} ||| {{[first, second] | choice}}{% endif %}"
    metadata: !TemplateMetadata {languages: [deu]}
    name: say
    reference: ''
"""
SOURCE = """source {{
    name: "raw" path: "{folder}/raw.jsonl"
    template_file {{ path: "{folder}/templates.yaml" }}
    template {{ id: "plain" inputs: "{{first}} {{second}}" targets: "{{label}}" }}
  }}"""
ROWS = 60


def check(name, condition, message=""):
    if not condition:
        failures.append(name)
        print(f"FAILED {name}: {message}")


def raw_rows():
    draw = random.Random(3)
    return [{"first": f"{draw.choice(WORDS)} {i}", "second": draw.choice(WORDS), "label": i % 2,
             "language": LANGUAGES[i % 2]} for i in range(ROWS)]


def config_of(run, name, source=SOURCE, append=""):
    replace = [('source { name: "rows" path: "' + str(run.folder) + '/rows.jsonl" }', source.format(folder=run.folder)),
               ('source { path: "' + str(run.folder) + '/held-out.jsonl" }',
                SOURCE.format(folder=run.folder).replace('"raw"', '"held"')), ("steps: 40", "steps: 14")]
    return run.write_config(name, replace, append)


def segments(text):
    """(language, template, example, epoch, source text, target text) of every example that --sample prints."""
    pattern = re.compile(r"segment \d+: raw / (\S+) / (\S+), example (\d+), epoch (\d+), .*\n"
                         r"    source \[.*?\): (.*)\n.*\n    target \[.*?\): (.*)\n")
    return [(m[1], m[2], int(m[3]), int(m[4]), m[5], m[6]) for m in pattern.finditer(text)]


def sampled(run, rows):
    config = config_of(run, "run")
    done = run.run("mix", "--config", config, "--sample", "200")
    check("mix --sample", done.returncode == 0, done.stderr)
    seen = segments(done.stdout)
    check("many examples", len(seen) > 3 * ROWS, len(seen))
    epochs = collections.defaultdict(set)  # of an example: its templates
    by_language = {language: [row for row in rows if row["language"] == language] for language in LANGUAGES[:2]}
    for language, template, number, epoch, source, target in seen:
        row = by_language[language][number]
        first, second, label = row["first"], row["second"], row["label"]
        texts = {"which": (f"{first} or {second}?", ["rot", "vert"][label]), "plain": (f"{first} {second}", str(label)),
                 "say": (f"say {first}", None)}[template]
        check("text of " + template, source == texts[0] and target in (texts[1], None if texts[1] else target),
              (row, source, target))
        check("a choice of the row", template != "say" or target in (first, second), (row, target))
        check("no template twice in turn", (epoch, template) not in epochs[language, number], (language, number))
        epochs[language, number].add((epoch, template))
    for (language, number), views in epochs.items():
        possible = 2 + by_language[language][number]["label"]
        for begin in range(0, max(epoch for epoch, _ in views) + 1, possible):
            turn = {template for epoch, template in views if begin <= epoch < begin + possible}
            count = sum(begin <= epoch < begin + possible for epoch, _ in views)
            check("other templates in other epochs", len(turn) == count, (language, number, views))
    return config


def reported(run, config):
    done = run.run("mix", "--config", config, "--json", run.folder / "mix.json")
    check("mix", done.returncode == 0 and "which" in done.stdout, done.stderr)
    report = json.loads((run.folder / "mix.json").read_text(encoding="utf-8"))
    lines = {line["template"]: line for line in report["templates"]}
    # Rows count once: half have three templates and half have two.
    check("rows of templates", {name: line["rows"] for name, line in lines.items()} ==
          {"which": ROWS, "say": ROWS // 2, "plain": ROWS}, lines)
    check("shares of templates", abs(lines["say"]["share"] - 1 / 6) < 1e-9 and
          abs(lines["which"]["share"] - 5 / 12) < 1e-9, lines)
    check("examples", report["total"]["examples"] == ROWS, report["total"])
    matched = config_of(run, "matched", SOURCE.replace("template_file", "match_template_language: true template_file", 1))
    done = run.run("mix", "--config", matched, "--json", run.folder / "matched.json")
    check("mix by language", done.returncode == 0, done.stderr)
    lines = json.loads((run.folder / "matched.json").read_text(encoding="utf-8"))["templates"]
    check("rows of templates of their language", {line["template"]: line["rows"] for line in lines} ==
          {"which": ROWS // 2, "say": ROWS // 2, "plain": ROWS}, lines)
    # Leaves by template: then each of a template's renderings is an example.
    split = config_of(run, "split", "mixture {{ dataset {{ " + SOURCE + " templates {{ literal {{}} }} }} }}")
    done = run.run("mix", "--config", split, "--json", run.folder / "split.json")
    check("mix by template", done.returncode == 0, done.stderr)
    leaves = json.loads((run.folder / "split.json").read_text(encoding="utf-8"))["leaves"]
    counts = collections.Counter()
    for leaf in leaves:
        counts[leaf["template_id"]] += leaf["examples"]
    check("leaves of templates", counts == {"which": ROWS, "say": ROWS // 2, "plain": ROWS}, counts)


def training(run, config, mpirun):
    text = config.read_text(encoding="utf-8")
    halves = run.write("halves.textproto", text.replace('/run"', '/halves"'))
    for name, flags in ((config, ()), (halves, ("--set", "steps=6")), (halves, ())):
        done = run.run("train", "--config", name, *flags)
        check("raw rows train", done.returncode == 0, done.stderr)
    check("a stopped run goes on with the same templates", run.metrics("run") == run.metrics("halves"))
    lines = [json.loads(line) for line in run.metrics("run").splitlines()]
    steps = [line for line in lines if "loss" in line]
    for line in steps:
        by_template = line["templates"]["raw"]
        check("losses of templates", set(by_template) <= {"which", "say", "plain"} and len(by_template) >= 2, line)
        check("every target token has a template",
              sum(part["target_tokens"] for part in by_template.values()) ==
              sum(part["target_tokens"] for part in line["languages"].values()), line)
    done = run.run("eval", "--config", config)
    check("eval", done.returncode == 0 and "held/which" in done.stdout, done.stderr)
    scores = json.loads((run.folder / "run" / "eval.json").read_text(encoding="utf-8"))
    check("scores of templates", {name: score["examples"] for name, score in scores["by_template"].items()} ==
          {"held/which": ROWS, "held/say": ROWS // 2, "held/plain": ROWS}, scores["by_template"])
    changed = text.replace('targets: "{label}"', 'targets: "{label}."')
    done = run.run("train", "--config", run.write("changed.textproto", changed), "--set", "steps=20")
    check("other templates are another mixture", done.returncode == 2 and len(done.stderr.splitlines()) >= 1, done.stderr)
    if not mpirun:
        print("SKIPPED what needs mpirun: there is none")
        return
    ranks = run.write("ranks.textproto", text.replace('/run"', '/ranks"'))
    done = run.run("train", "--config", ranks, ranks=2, mpirun=mpirun)
    check("raw rows train on two ranks", done.returncode == 0, done.stderr)
    theirs = [json.loads(line) for line in run.metrics("ranks").splitlines()]
    tokens = [[{name: part["target_tokens"] for name, part in line["templates"]["raw"].items()}
               for line in metrics if "loss" in line] for metrics in (lines, theirs)]
    check("ranks see the same templates", tokens[0] == tokens[1], tokens)


def bad_templates(run):
    def bad(name, source, *words):
        done = run.run("mix", "--config", config_of(run, "bad", source))
        lines = done.stderr.splitlines()
        missing = [word for word in words if word not in done.stderr]
        check(name, done.returncode == 2 and len(lines) == 1 and not missing, (done.returncode, done.stderr, missing))

    start = 'source {{ name: "raw" path: "{folder}/raw.jsonl" '
    bad("a missing field", start + 'template {{ id: "t" inputs: "{{nosuch}}" targets: "x" }} }}',
        "raw.jsonl:1:", "template 't'", "no field 'nosuch'")
    bad("a missing field in Jinja", start + 'template {{ id: "t" jinja: "{{{{ frist }}}} ||| x" }} }}',
        "raw.jsonl:1:", "template 't'", "no field 'frist'")
    bad("an unknown construct", start + 'template {{ id: "t" jinja: "{{% macro f() %}} ||| x" }} }}',
        "source 'raw'", "template 't'", "{% macro %}")
    bad("no such file", start + 'template_file {{ path: "{folder}/nosuch.yaml" }} }}', "nosuch.yaml")
    bad("no such template", start + 'template_file {{ path: "{folder}/templates.yaml" include: "wich" }} }}',
        "templates.yaml", "'wich'", "'which'")
    bad("no template in a language", start + 'template_file {{ path: "{folder}/templates.yaml" language: "sw" }} }}',
        "templates.yaml", "no template is selected")
    bad("half a template", start + 'template {{ id: "t" inputs: "x" }} }}', "data.source[0].template[0].targets")
    run.write("broken.yaml", PROMPTS.replace("answer_choices: null", "answer_choices: [").replace("u2: !T", "u2: !U"))
    bad("broken YAML", start + 'template_file {{ path: "{folder}/broken.yaml" }} }}', "broken.yaml", "line ")
    bad("nothing to say", start + 'template {{ id: "t" jinja: "{{% if label > 5 %}}x ||| y{{% endif %}}" }} }}',
        "has no examples", "no template has anything to say")


def main():
    frond, folder, mpirun = arguments()
    run = TinyRun(frond, folder)
    rows = raw_rows()
    run.write("raw.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    run.write("templates.yaml", PROMPTS)
    config = sampled(run, rows)
    reported(run, config)
    training(run, config, mpirun)
    bad_templates(run)
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
