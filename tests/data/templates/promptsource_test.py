#!/usr/bin/env python3
"""Holds our rendering of PromptSource's templates against Jinja2's.

    promptsource_test.py RENDER_PROMPTS SCRATCH [SEED]

1. Every template of FROND_PROMPTS (../shared/data/prompts beside the repository) on real rows of the
   data sets beside it and on rows drawn afresh: each text we render is one that Jinja2 can render.
2. Small templates that exercise the subset feature by feature, on rows drawn afresh.
FROND_PYTHON names the Python that has jinja2 and yaml (/opt/frond-venv/bin/python).
"""

import gzip
import json
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from jinja_cases import CASES  # noqa: E402
from prompt_rows import rows_for  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROWS_DRAWN = 12


class Reference:
    def __init__(self, python):
        self.process = subprocess.Popen([python, str(HERE / "promptsource_reference.py")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.versions = self.process.stdout.readline().strip()

    def ask(self, job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def ours(binary, templates, rows, scratch):
    path = scratch / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = subprocess.run([binary, templates, str(path)], capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise SystemExit(f"FAILED: {templates}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def is_equal(mine, results):
    """Whether our rendering is among the reference's."""
    if "error" in mine:
        return all(isinstance(result, dict) for result in results)
    text = [mine["inputs"], mine["targets"]] if "inputs" in mine else None
    return text in results


def check_files(binary, reference, prompts, scratch, rng):
    templates, equal, drawing, seen, failures, silent = 0, 0, 0, 0, [], []
    for path in sorted(prompts.rglob("templates.yaml")):
        rows = rows_for(path.relative_to(prompts).parent.as_posix(), prompts.parent, rng, ROWS_DRAWN)
        theirs = reference.ask({"file": str(path), "rows": rows})
        mine = ours(binary, str(path), rows, scratch)
        assert len(mine) == len(theirs), f"{path}: {len(mine)} renderings, {len(theirs)} expected"
        by_template = {}
        for a, b in zip(mine, theirs):
            assert a["id"] == b["id"], f"{path}: {a['id']} where {b['id']} is due"
            # The reference may only fail where a row is made to lack something; rows here do not.
            good = is_equal(a, b["results"]) and "error" not in a
            entry = by_template.setdefault(b["id"], dict(name=b["name"], good=True, texts=0, drawing=b["draws"]))
            entry["texts"] += "inputs" in a
            seen += "inputs" in a
            if not good and entry["good"]:
                failures.append(f"{path}: template {b['name']!r}, row {rows[b['row']]}\n"
                                f"  ours:   {a}\n  theirs: {b['results'][:4]}")
                entry["good"] = False
        templates += len(by_template)
        equal += sum(e["good"] and e["texts"] > 0 for e in by_template.values())
        drawing += sum(e["drawing"] for e in by_template.values())
        silent += [f"{path.parent.relative_to(prompts)}: {e['name']}" for e in by_template.values() if e["texts"] == 0]
    print(f"templates: {equal} of {templates} render as Jinja2 does ({drawing} of them draw), {seen} texts compared")
    for name in silent:
        print(f"  says nothing for any row: {name}")
    return failures


def check_cases(binary, reference, scratch, rng):
    cases = []
    for jinja, choices, row in CASES:
        for _ in range(3):
            cases.append({"jinja": jinja + " ||| .", "choices": choices or "", "row": row(rng)})
    theirs = reference.ask({"cases": cases})
    mine = ours(binary, "-", cases, scratch)
    failures = [f"case {case}\n  ours:   {a}\n  theirs: {b['results'][:4]}"
                for case, a, b in zip(cases, mine, theirs) if not is_equal(a, b["results"])]
    print(f"cases: {len(cases) - len(failures)} of {len(cases)} equal")
    return failures


def main():
    binary, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    scratch.mkdir(parents=True, exist_ok=True)
    python = os.environ.get("FROND_PYTHON", "/opt/frond-venv/bin/python")
    if not pathlib.Path(python).exists():
        print(f"SKIPPED: no {python} (set FROND_PYTHON), nothing was checked")
        return
    probe = subprocess.run([python, "-c", "import jinja2, yaml"], capture_output=True, text=True, encoding="utf-8")
    if probe.returncode != 0:
        print(f"SKIPPED: {python}: {probe.stderr.strip().splitlines()[-1]}, nothing was checked")
        return
    reference = Reference(python)
    print(f"seed {seed}, {reference.versions}")
    failures = check_cases(binary, reference, scratch, rng)
    prompts = pathlib.Path(os.environ.get("FROND_PROMPTS", HERE.parents[2].parent / "shared/data/prompts"))
    if prompts.is_dir():
        failures += check_files(binary, reference, prompts, scratch, rng)
    else:
        print(f"SKIPPED PromptSource's files: no {prompts} (set FROND_PROMPTS)")
    for failure in failures[:10]:
        print(f"FAILED: {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
