#!/usr/bin/env python3
"""`frond ablate` as a user meets it: a grid run, cut off and gone on with, shared out over ranks, reported.

    ablate_test.py FROND FOLDER [MPIRUN]
"""

import csv
import html.parser
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from run_checks import check
from tiny_run import TinyRun, arguments, rows

GRID = """\
out_dir: "{out}"
base: "run.textproto"
override: "steps={steps}"
override: "eval.every_steps=2"
override: "eval.max_examples_per_language=2"
override: "checkpoint.every_steps=2"
override: "report.every_steps=1"
override: "report.tensorboard=false"
evaluation {{ source {{ path: "{folder}/held-out.jsonl" }} max_new_tokens: 3 }}
mixture {{ name: "as-is" }}
mixture {{
  name: "even"
  mixture {{
    across_languages {{ literal {{}} }}
    dataset {{ source {{ path: "{folder}/rows.jsonl" }} }}
  }}
}}
bootstrap {{ draws: 50 }}
"""


def cells(folder):
    return sorted(path.name for path in folder.iterdir() if (path / "result.json").exists())


class Grid:
    def __init__(self, tiny, name, extra, steps=4):
        self.tiny, self.out = tiny, tiny.folder / name
        self.path = tiny.write(f"{name}.textproto",
                               GRID.format(out=self.out, folder=tiny.folder, steps=steps) + extra)

    def run(self, *flags, **keywords):
        return self.tiny.run("ablate", "--config", self.path, *flags, **keywords)

    def refused(self, name, words, *flags):
        done = self.run(*flags)
        check(done.returncode == 2, f"{name}: exit code {done.returncode}, {done.stderr}")
        check(len(done.stderr.splitlines()) == 1, f"{name}: it said {done.stderr}")
        for word in words:
            check(word in done.stderr, f"{name}: no {word!r} in {done.stderr}")

    def report(self):
        return json.loads((self.out / "report.json").read_text(encoding="utf-8"))

    def examples(self, cell):
        return (self.out / cell / "examples.jsonl").read_bytes()


class LoadsNothing(html.parser.HTMLParser):
    """Finds what a page would fetch, and tags that are not closed in order."""
    VOID = {"meta", "br", "rect", "circle", "line", "polygon", "polyline"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], {}
        self.feed(text)
        check(not self.open, f"the page leaves {self.open} open")

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        check(not {name for name, _ in attrs} & {"src", "href"}, f"<{tag} {attrs}> loads something")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            check(self.open and self.open.pop() == tag, f"</{tag}> closes another tag")


def check_report(grid):
    report = grid.report()
    check([cell["state"] for cell in report["cells"]] == ["done"] * 4, f"cells: {report['cells']}")
    kinds = [group["kind"] for group in report["groups"]]
    check(kinds[0] == "all" and "class" in kinds and "language" in kinds, f"groups: {kinds}")
    # The mean that the cells themselves have written.
    overall = report["groups"][0]["arms"]["even"]
    for metric in ("loss", "exact_match", "chrf"):
        of_cells = []
        for seed in (1, 2):
            result = json.loads((grid.out / f"even.seed{seed}" / "result.json").read_text(encoding="utf-8"))
            of_cells.append(result[metric])
        values = overall[metric]
        check(abs(values["mean"] - sum(of_cells) / 2) < 1e-9, f"{metric}: {values}, of cells {of_cells}")
        check(values["low"] <= values["high"], f"{metric}: {values}")
    check("difference" not in report["groups"][0]["arms"]["as-is"]["loss"], "the baseline differs from itself")
    curves = {(curve["curve"], curve["group"]): curve["steps"] for curve in report["curves"]}
    check(curves.get(("train/loss", "all")) == [1, 2, 3, 4], f"curves: {curves}")
    check(curves.get(("chrf", "all")) == [2, 4] and ("loss", "language/eng") in curves, f"curves: {curves}")
    with open(grid.out / "report.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    check(len(lines) == len(report["groups"]) * 2 * 3, f"{len(lines)} lines of CSV")
    line = next(x for x in lines if (x["kind"], x["arm"], x["metric"]) == ("all", "even", "loss"))
    check(abs(float(line["difference"]) - overall["loss"]["difference"]) < 1e-6, f"CSV: {line}")
    page = LoadsNothing((grid.out / "report.html").read_text(encoding="utf-8"))
    check(page.tags["svg"] > 5 and page.tags["h2"] >= 7, f"the page has {page.tags}")


def test_whole(tiny):
    grid = Grid(tiny, "whole", "seed: 1 seed: 2\n")
    dry = grid.run("--dry-run")
    check(dry.returncode == 0 and dry.stdout.count("to do") == 4, f"dry run: {dry.stdout}{dry.stderr}")
    check(not grid.out.exists(), "a dry run has written something")
    done = grid.run("--jobs", "1/2")
    check(done.returncode == 0, f"jobs 1/2: {done.stderr}")
    check(cells(grid.out) == ["as-is.seed1", "as-is.seed2"], f"jobs 1/2 ran {cells(grid.out)}")
    check("2 of 4 cells are done" in done.stdout and not (grid.out / "report.html").exists(), done.stdout)
    done = grid.run("--cell-index", "1")
    check(cells(grid.out) == ["as-is.seed1", "as-is.seed2", "even.seed1"], f"index 1 ran {cells(grid.out)}")
    done = grid.run("--cell", "even.seed2")
    check(done.returncode == 0 and "report in" in done.stdout, f"the last cell: {done.stdout}{done.stderr}")
    check_report(grid)
    before = (grid.out / "report.json").read_bytes()
    again = grid.run()
    check("0 of them now" in again.stdout, f"all is done, but {again.stdout}")
    check((grid.out / "report.json").read_bytes() == before, "the same cells give another report")
    check(len(list((grid.out / "cache").glob("*.*"))) == len({p.stem for p in (grid.out / "cache").glob("*.*")}),
          "a source was tokenised twice")
    # Another config in folders that have results.
    Grid(tiny, "whole", "seed: 1 seed: 2\n", steps=5).refused("other steps", ["as-is.seed1", "train.steps: 4 -> 5"])
    Grid(tiny, "whole", "seed: 1 seed: 2\n").refused("no such cell", ["did you mean even.seed1?"], "--cell", "even.sed1")
    Grid(tiny, "whole", "").refused("jobs", ["--jobs takes K/N"], "--jobs", "3/2")
    blocked = Grid(tiny, "blocked", "")
    tiny.write("blocked", "a file where the grid's folder would be")
    blocked.refused("a folder that cannot be made", ["blocked"])
    Grid(tiny, "nothing", "").refused("nothing to report", ["no cell in"], "--report-only")
    Grid(tiny, "wrong", "baseline: \"evn\"").refused("baseline", ["did you mean \"even\"?"])
    return grid


def test_cut_off(tiny, whole):
    """A killed cell goes on from its checkpoint to the same bits; a stop by signal likewise."""
    grid = Grid(tiny, "cut", "seed: 1 seed: 2\n")
    for number, kill in enumerate((signal.SIGKILL, signal.SIGTERM)):
        process = subprocess.Popen(tiny.command("ablate", "--config", grid.path), env=tiny.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        checkpoints = grid.out / ("even.seed1" if number == 0 else "as-is.seed2") / "run/checkpoints"
        deadline = time.time() + 60
        while not list(checkpoints.glob("step_*[1-9]")) and time.time() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(kill)
        out = process.communicate()[0]
        if kill == signal.SIGTERM:
            check(process.returncode == 0, f"a stop ended with {process.returncode}")
            check("stopped on a signal" in out or len(cells(grid.out)) == 4, f"a stop said {out}")
    done = grid.run()
    check(done.returncode == 0 and len(cells(grid.out)) == 4, f"going on: {done.stdout}{done.stderr}")
    for cell in cells(grid.out):
        check(grid.examples(cell) == whole.examples(cell), f"{cell} differs after it was cut off")


def test_ranks(tiny, mpirun, whole):
    grid = Grid(tiny, "ranks", "seed: 1 seed: 2\n")
    done = grid.run(ranks=2, mpirun=mpirun)
    check(done.returncode == 0 and len(cells(grid.out)) == 4, f"two ranks: {done.stdout}{done.stderr}")
    check("4 of 4 cells are done, 4 of them now" in done.stdout, done.stdout)
    for cell in cells(grid.out):
        check(done.stderr.count(f"== cell {cell} (") == 1, f"{cell} was run twice: {done.stderr}")
        check(grid.examples(cell) == whole.examples(cell), f"{cell} differs on another rank")
    check_report(grid)
    pair = Grid(tiny, "pair", "ranks_per_cell: 2\n", steps=2)
    done = pair.run(ranks=2, mpirun=mpirun)
    check(done.returncode == 0 and len(cells(pair.out)) == 2, f"two ranks a cell: {done.stderr}")
    Grid(tiny, "odd", "ranks_per_cell: 3\n")
    done = Grid(tiny, "odd", "ranks_per_cell: 3\n").run(ranks=2, mpirun=mpirun)
    check(done.returncode == 2 and "does not divide" in done.stderr, f"three ranks a cell: {done.stderr}")


def test_slurm(tiny):
    """launch/ablate.sbatch with stand-ins for srun and scontrol."""
    folder = tiny.folder / "slurm"
    folder.mkdir()
    for name, text in (("srun", 'while [[ $1 == --* ]]; do shift; done\nexec "$@"\n'),
                       ("scontrol", f'echo "$@" >>{folder}/requeued\n')):
        (folder / name).write_text("#!/usr/bin/env bash\n" + text, encoding="utf-8")
        (folder / name).chmod(0o755)
    grid = Grid(tiny, "array", "", steps=4000)
    environment = {**tiny.environment(), "PATH": f"{folder}:{os.environ['PATH']}", "FROND_BINARY": tiny.frond,
                   "FROND_CONFIG": str(grid.path)}
    batch = ["bash", str(pathlib.Path(__file__).parents[2] / "launch/ablate.sbatch")]
    done = subprocess.run(batch, env=environment, capture_output=True, text=True, timeout=60)
    check(done.returncode == 2 and "array job" in done.stderr, f"no array: {done.stderr}")
    environment |= {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_JOB_ID": "77"}
    job = subprocess.Popen(batch, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while not list(grid.out.glob("even.*/run/checkpoints/step_*[1-9]")) and time.time() < deadline:
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR1)
    check(job.wait(timeout=60) == 0, f"the time limit gave exit code {job.returncode}")
    check((folder / "requeued").read_text(encoding="utf-8") == "requeue 77_1\n", "the task was not queued again")
    check([path.name for path in grid.out.glob("*.seed42")] == ["even.seed42"], "another cell was run")


def test_failed_cell(tiny):
    """One cell whose loss overflows: the others are run, reported, and the exit code tells."""
    extra = 'mixture { name: "hot" override: "schedule.learning_rate=1e30" }\nkeep_checkpoints: false\n'
    grid = Grid(tiny, "failed", extra)
    done = grid.run()
    check(done.returncode == 1, f"a failed cell gave exit code {done.returncode}: {done.stderr}")
    last = done.stderr.splitlines()[-1]
    check(last.startswith("frond: 1 cell failed: hot.seed42: ") and "not finite" in last, f"it said {last}")
    check(cells(grid.out) == ["as-is.seed42", "even.seed42"], f"done: {cells(grid.out)}")
    check(not (grid.out / "even.seed42/run/checkpoints").exists(), "keep_checkpoints: false keeps them")
    report = grid.report()
    check([cell["state"] for cell in report["cells"]] == ["done", "done", "failed"], f"{report['cells']}")
    check(any("hot.seed42 is missing: it failed" in note for note in report["notes"]), f"{report['notes']}")
    check(report["groups"][0]["arms"]["hot"]["loss"]["mean"] is None, "the failed arm has numbers")
    again = grid.run()
    check(again.returncode == 1 and "0 of them now" in again.stdout, f"again: {again.stdout}{again.stderr}")
    attempts = json.loads((grid.out / "hot.seed42/failed.json").read_text(encoding="utf-8"))["attempts"]
    check(attempts == 2, f"{attempts} attempts")


def write_cell(folder, seed, shifts, metrics=()):
    """A finished cell by hand: rows of three languages whose loss and matched characters are shifted by language."""
    examples = []
    for number in range(30):
        language = ("eng", "deu", "swa")[number % 3]
        loss, match = shifts.get(language, (0, 0))
        grams = [40 - n for n in range(6)]
        matches = [max(0, min(g, 20 - n + match)) for n, g in enumerate(grams)]
        examples.append({"number": number, "row": str(number), "language": language,
                         "task_type": ("count", "name")[number // 3 % 2], "loss": 2 + number / 10 + seed / 7 + loss,
                         "exact_match": number % 5 == 0 or loss < 0,
                         "chrf": [count for g, m in zip(grams, matches) for count in (g, g, m)], "answer": ""})
    (folder / "run").mkdir(parents=True)
    lines = "\n".join(map(json.dumps, examples)) + "\n"
    (folder / "examples.jsonl").write_text(lines, encoding="utf-8")
    (folder / "run/metrics.jsonl").write_text("\n".join(map(json.dumps, metrics)) + "\n", encoding="utf-8")
    (folder / "result.json").write_text(json.dumps({"steps": 4, "seconds": 1.5}), encoding="utf-8")


def test_known_differences(tiny):
    """Swahili gains 0.5 nats in every row, German loses 0.25, English stays."""
    grid = Grid(tiny, "known", "seed: 1 seed: 2\n")
    for seed in (1, 2):
        curve = [{"step": step, "eval": {"chrf": 10 * step + seed, "languages": {
            "deu": {"chrf": step + seed}, "eng": {"chrf": step + seed + 2}}}} for step in (2, 4)]
        write_cell(grid.out / f"as-is.seed{seed}", seed, {}, curve)
        write_cell(grid.out / f"even.seed{seed}", seed, {"swa": (-0.5, 6), "deu": (0.25, -6)})
    done = grid.run("--report-only")
    check(done.returncode == 0, f"by hand: {done.stderr}")
    report = grid.report()
    groups = {(group["kind"], group["name"]): group["arms"]["even"] for group in report["groups"]}
    check(("task", "count") in groups and ("class", "low") in groups, f"groups: {list(groups)}")
    for name, change, verdict in (("eng", 0, "open"), ("deu", 0.25, "worse"), ("swa", -0.5, "better")):
        loss, chrf = groups["language", name]["loss"], groups["language", name]["chrf"]
        for value in (loss["difference"], loss["low"], loss["high"], *loss["difference_by_seed"]):
            check(abs(value - change) < 1e-9, f"{name}: {loss}")
        # English ends differ from 0 by rounding at most.
        check(loss["verdict"] == verdict or name == "eng", f"{name}: {loss['verdict']}")
        check(chrf["verdict"] == verdict, f"{name}: {chrf}")
    overall = groups["all", "all"]["loss"]
    check(abs(overall["difference"] + 0.25 / 3) < 1e-9, f"all languages: {overall}")
    check(abs(groups["class", "low"]["loss"]["difference"] + 0.5) < 1e-9, "low is Swahili")
    check(abs(groups["class", "high"]["loss"]["difference"] - 0.125) < 1e-9, "high is English and German")
    curves = {(curve["curve"], curve["group"]): curve for curve in report["curves"]}
    check(curves["chrf", "all"]["mean"] == [21.5, 41.5] and curves["chrf", "all"]["high"] == [22, 42], f"{curves}")
    check(curves["chrf", "high"]["mean"] == [4.5, 6.5], f"{curves['chrf', 'high']}")
    page = (grid.out / "report.html").read_text(encoding="utf-8")
    check("1 languages are better and 1 worse" in page or "1 better and 1 worse" in page, "the page counts otherwise")
    check(page.index(">Swahili (swa)<") < page.index(">German (deu)<"), "winners do not come first")


def test_changed_rows(tiny, whole):
    """Cells that were judged on different rows are not compared."""
    copy = tiny.folder / "copy"
    shutil.copytree(whole.out, copy)
    path = copy / "even.seed2" / "examples.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[0] = lines[0].replace('"row":"', '"row":"x')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    Grid(tiny, "copy", "seed: 1 seed: 2\n").refused("other rows", ["judged on different rows"], "--report-only")


def main():
    frond, folder, mpirun = arguments()
    tiny = TinyRun(frond, folder)
    tiny.write("held-out.jsonl", rows(40, 2))
    whole = test_whole(tiny)
    test_cut_off(tiny, whole)
    test_failed_cell(tiny)
    test_known_differences(tiny)
    test_slurm(tiny)
    test_changed_rows(tiny, whole)
    if mpirun:
        test_ranks(tiny, mpirun, whole)
    else:
        print("SKIPPED: two ranks, as there is no mpirun")
    print("frond ablate does what it says")


if __name__ == "__main__":
    main()
