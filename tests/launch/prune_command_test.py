#!/usr/bin/env python3
"""`frond prune` as a user meets it: exit codes, one line of error, nothing half-written.

    prune_command_test.py FROND FOLDER
"""

import json
import pathlib
import shutil
import subprocess
import sys

from run_checks import check

ROWS = [{"inputs": f"question {i}", "targets": f"answer number {i}", "language": "sw"} for i in range(6)]
ROWS.append(dict(ROWS[2], inputs="QUESTION  2"))


class Prune:
    def __init__(self, frond, folder):
        self.frond, self.folder = frond, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def run(self, rules, rows=None, flags=()):
        lines = rows if rows is not None else [json.dumps(row) for row in ROWS]
        (self.folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
        config = self.folder / "prune.textproto"
        config.write_text(f'out_dir: "{self.folder}/out"\nsource {{ path: "{self.folder}/rows.jsonl" }}\n{rules}\n',
                          encoding="utf-8")
        return subprocess.run([self.frond, "prune", "--config", config, *flags], capture_output=True, text=True)

    def refuse(self, name, words, **given):
        before = sorted(self.folder.rglob("*"))
        done = self.run(**given)
        check(done.returncode == 2, f"{name}: exit code {done.returncode}")
        lines = done.stderr.splitlines()
        check(len(lines) == 1 and lines[0].startswith("frond: "), f"{name}: it said {done.stderr}")
        for word in words:
            check(word in lines[0], f"{name}: no {word!r} in {lines[0]}")
        check(sorted(self.folder.rglob("*")) == before, f"{name}: it left something behind")


def main():
    prune = Prune(sys.argv[1], pathlib.Path(sys.argv[2]).resolve())
    dropped = prune.folder / "dropped.jsonl"
    done = prune.run("rule { exact_duplicates {} }", flags=["--dropped", dropped])
    check(done.returncode == 0, f"a good run ended with {done.returncode}: {done.stderr}")
    check("exact_duplicates" in done.stdout and "6 of 7 rows kept" in done.stdout, f"it said {done.stdout}")
    row = json.loads(dropped.read_text(encoding="utf-8"))
    check((row["line"], row["reason"]) == (7, "repeats row 3 of rows"), f"dropped: {row}")
    ledger = json.loads((prune.folder / "out/ledger.json").read_text(encoding="utf-8"))
    check(ledger["hash"] in done.stdout, "the ledger's hash is not the one that was printed")

    rule = "rule { target {} }"
    prune.refuse("a folder that is not empty", ["out", "is not empty"], rules=rule)
    shutil.rmtree(prune.folder / "out")
    prune.refuse("an unknown rule", ["prune.textproto:3:", 'did you mean "target"?'], rules="rule { targt {} }")
    prune.refuse("no bands", ["near_duplicates.bands is 0"],
                 rules="rule { near_duplicates { bands: 0 } }")
    prune.refuse("a language that no source has", ["'swa'", "did you mean 'sw'?"],
                 rules='rule { target {} language: "swa" }')
    prune.refuse("one language only", ["rule 'language_id': fewer than two languages"], rules="rule { language_id {} }")
    bad = [json.dumps(ROWS[0]), "", '{"inputs": "x", "targets": 3, "language": ["sw"]}']
    prune.refuse("a bad row", ["rows.jsonl:3:", "language"], rules=rule, rows=bad)
    prune.refuse("threads below 0", ["threads"], rules=rule + " threads: -1")
    print("frond prune does what it says")


if __name__ == "__main__":
    main()
