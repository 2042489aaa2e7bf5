#!/usr/bin/env python3
"""Bad input ends with one clear line and exit code 2, and nothing is lost.

    bad_input_test.py FROND FOLDER [MPIRUN]
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys

from tiny_run import TinyRun, arguments

SHAPE = "  shape { d_model: 32 d_kv: 8 d_ff: 64 num_heads: 4 num_layers: 2 }\n"
LAST_STEP = 14  # checkpoints at 7 and 14
failures = []


def expect(name, done, *words, alone=True):
    """Exit code 2, one line "frond: ..." with all `words`; `alone`: and nothing else on stderr."""
    lines = done.stderr.splitlines()
    ours = [line for line in lines if line.startswith("frond: ")]
    problems = []
    if done.returncode != 2:
        problems.append(f"exit code {done.returncode}")
    if len(ours) != 1 or (alone and len(lines) != 1):
        problems.append(f"{len(ours)} lines of error among {len(lines)}")
    problems += [f"no {word!r}" for word in map(str, words) if word not in "".join(ours)]
    if problems:
        failures.append(name)
        print(f"FAILED {name}: {', '.join(problems)}; it said:\n{done.stderr[-2000:]}")


def check(name, condition, message):
    if not condition:
        failures.append(name)
        print(f"FAILED {name}: {message}")


class Cases:
    def __init__(self, run):
        self.run = run
        self.count = 0

    def train(self, name, *words, replace=(), append="", flags=(), alone=True):
        """A run of the tiny config, changed."""
        self.count += 1
        config = self.run.write_config(f"work{self.count}", replace, append)
        expect(name, self.run.run("train", "--config", config, *flags), *words, alone=alone)

    def row(self, name, line, *words):
        """A run whose eighth row is `line`."""
        lines = (self.run.folder / "rows.jsonl").read_bytes().split(b"\n")
        lines[7] = line
        path = self.run.write(f"bad{self.count}.jsonl", b"\n".join(lines))
        self.train(name, f"{path}:8: ", *words, replace=[("rows.jsonl", path.name)])

    def file(self, name, ending, content, *words):
        """A run whose rows are this file."""
        path = self.run.write(f"bad{self.count}{ending}", content)
        self.train(name, path, *words, replace=[("rows.jsonl", path.name)])

    def model(self, name, change, *words):
        """A run that starts from a model folder, damaged by `change`."""
        folder = self.run.folder / f"model{self.count}"
        shutil.copytree(self.run.checkpoint("run", LAST_STEP), folder)
        change(folder)
        self.train(name, folder, *words, replace=[(SHAPE, f'  path: "{folder}"\n')], alone=False)


def command_line(run):
    expect("no such command", run.run("trian"), "'trian'", "'train'")
    expect("no such flag", run.run("train", "--confg", "x"), "--confg", "--config")
    expect("missing flag", run.run("train"), "--config")
    expect("flag without a value", run.run("train", "--config"), "--config")
    expect("flag of a wrong type", run.run("train", "--config", run.config, "--benchmark", "x"), "--benchmark", "'x'")
    expect("a flag without its other", run.run("train", "--config", run.config, "--dump-batches", run.folder / "x"),
           "--dump-batches", "--benchmark")
    expect("flags that contradict", run.run("eval", "--config", run.config, "--model", run.folder, "--untrained"),
           "--model", "--untrained")
    expect("samples out of range", run.run("eval", "--config", run.config, "--samples", "-1"), "--samples", "'-1'")
    expect("no such config", run.run("train", "--config", "/nowhere.textproto"), "/nowhere.textproto")
    expect("no such model", run.run("generate", "--model", "/nowhere", "--prompt", "x"), "/nowhere")
    expect("no checkpoint", run.run("eval", "--config", run.write_config("untrained")), "untrained", "--model")
    expect("no such language", run.run("corpus", "--out", run.folder / "corpus", "--language", "xxx"), '"xxx"')
    expect("few rows of a language", run.run("corpus", "--out", run.folder / "corpus", "--max-rows-per-language", "60"),
           "--max-rows-per-language", "60", "100")
    (run.folder / "old_corpus").mkdir(exist_ok=True)
    run.write("old_corpus/README.md", "a corpus")
    expect("a corpus over another", run.run("corpus", "--out", run.folder / "old_corpus"), "old_corpus", "holds a corpus")
    expect("a folder for a file", run.run("vocabulary", "--input", "/nowhere", "--out", run.folder), "--out", "is a folder")
    expect("no folder for a file", run.run("eval", "--config", run.config, "--out", "/nowhere/x"), "--out", "/nowhere")
    expect("no rows", run.run("vocabulary", "--input", "/nowhere", "--out", run.folder / "x"), "/nowhere")
    plan = ["plan", "--config", run.config, "--cluster"]
    expect("no cluster", run.run("plan", "--config", run.config), "--cluster")
    expect("unknown cluster", run.run(*plan, "8xV100"), "8xV100", "such as 8xH100")
    expect("part of a node", run.run(*plan, "12xH100"), "12xH100", "whole nodes of 8")
    expect("a bad cluster file", run.run(*plan, run.write("cluster.textproto", "gpu { memory_tb: 1 }")),
           "cluster.textproto:1:", "memory_tb", "memory_gb")
    expect("examples beyond rows", run.run(*plan, "1xH100", "--examples-per-row", "17"), "17", "1 to 16")
    expect("too few rows for a cluster", run.run(*plan, "8xH100"), "8xH100", "batch.rows is 6", "8 data ranks")
    expect("no tokenizer file", run.run("tokenize", "--model", run.folder / "rows.jsonl", stdin=subprocess.DEVNULL),
           "rows.jsonl", "not a SentencePiece model")


def configs(cases):
    train, folder = cases.train, cases.run.folder
    train("missing steps", "steps is missing", replace=[("steps: 40\n", "")])
    train("missing rows of a step", "batch.rows is missing", replace=[("batch { rows: 6 }", "")])
    train("missing source", "data.source is missing",
          replace=[(f'  source {{ name: "rows" path: "{folder}/rows.jsonl" }}\n', "")])
    train("too many threads", "threads is 100000", "at most 1024", flags=("--set", "threads=100000"))
    train("unknown field", ":2:1: ", '"stepps"', '"steps"', replace=[("steps: 40", "stepps: 40")])
    train("unknown field within", '"dmodel"', '"d_model"', replace=[("d_model", "dmodel")])
    train("wrong type", ":2:8: ", "steps", '"many"', replace=[("steps: 40", 'steps: "many"')])
    train("a fraction for a number", "data.window", "4.5", replace=[("window: 48", "window: 4.5")])
    train("unknown value", '"COSIN"', '"COSINE"', replace=[("schedule { ", "schedule { kind: COSIN ")])
    train("syntax", ":2:7: ", replace=[("steps: 40", "steps 40")])
    train("override of an unknown field", '"row"', '"rows"', flags=["--set", "batch.row=3"])
    train("override of a wrong type", "batch.rows=x", flags=["--set", "batch.rows=x"])
    train("override without a value", "batch.rows", flags=["--set", "batch.rows"])
    train("negative weight", "weight is -1", replace=[('name: "rows"', 'name: "rows" weight: -1')])
    train("only zero weights", "weight is 0", replace=[('name: "rows"', 'name: "rows" weight: 0')])
    train("not a number", "schedule.learning_rate is nan", replace=[("rate: 0.02", "rate: nan")])
    train("more ranks than launched", "data=2", "needs 2 ranks", "1 was", append="mesh { data: 2 }\n")
    train("more tensor ranks than launched", "tensor=2", "needs 2 ranks", append="mesh { tensor: 2 }\n")
    train("CUDA graphs without a GPU", "device is CPU", "CUDA with cuda_graphs", append="cuda_graphs: true\n")
    train("a stage of ZeRO", "mesh.zero_stage is 1", "0 or 2", append="mesh { zero_stage: 1 }\n")
    train("chunks of shared tokens", "model.chunk_tokens", "mesh.sequence_parallel",
          replace=[("dropout: 0.1", "dropout: 0.1 recompute: BLOCK chunk_tokens: 100")], append="mesh { sequence_parallel: true }\n")
    train("chunks of kept activations", "model.chunk_tokens is 64", "model.recompute is BLOCK",
          flags=["--set", "model.chunk_tokens=64"])
    train("cuDNN in f32", "model.cross_attention is CUDNN", "model.compute is BF16",
          flags=["--set", "model.cross_attention=CUDNN"])
    train("cuDNN on a CPU", "model.cross_attention is CUDNN", "device is CUDA or AUTO",
          flags=["--set", "model.cross_attention=CUDNN", "--set", "model.compute=BF16"])
    train("cuDNN beside activations in f32", "model.cross_attention is CUDNN", "model.f32_activations",
          flags=["--set", "model.cross_attention=CUDNN", "--set", "model.compute=BF16",
                 "--set", "model.f32_activations=true"])
    train("f32 kept of f32", "model.f32_activations is true", "model.compute is BF16",
          flags=["--set", "model.f32_activations=true"])
    train("clipping of updates in backward", "clip_global_norm is 1", "update_in_backward",
          flags=["--set", "optimizer.update_in_backward=true", "--set", "optimizer.clip_global_norm=1"])
    train("micro-batches of updates in backward", "batch.micro_batches is 2", "update_in_backward", "chunk_tokens",
          flags=["--set", "optimizer.update_in_backward=true", "--set", "batch.micro_batches=2"])
    train("a model larger than any memory", "the run does not fit", "CPU has", "most for", "frond plan",
          replace=[("d_model: 32", "d_model: 1000000"), ("d_ff: 64", "d_ff: 10000000")], alone=False)
    train("unknown preset", "'mt5-smal'", "'mt5-small'", replace=[("shape {", 'preset: "mt5-smal" shape {')])
    train("a work folder that is a file", "rows.jsonl",
          replace=[(f'work_dir: "{folder}/work{cases.count + 1}"', f'work_dir: "{folder}/rows.jsonl"')])
    train("tokenizer larger than the vocabulary", "300 pieces", "100",
          replace=[("d_model: 32", "d_model: 32 vocab_size: 100")])
    train("no such tokenizer", "no.model", replace=[("spiece.model", "no.model")])
    train("another file as tokenizer", "rows.jsonl", "not a SentencePiece model", replace=[("spiece.model", "rows.jsonl")])


def rows(cases):
    cases.row("malformed JSON", b'{"inputs": "a", ', "malformed JSON")
    cases.row("a list", b"[1]", "array")
    cases.row("invalid UTF-8", b'{"inputs": "a\xff", "targets": "b", "language": "eng"}', "UTF-8", "byte 14")
    cases.row("empty target", b'{"inputs": "a", "targets": "", "language": "eng"}', "'targets' is empty")
    cases.row("blank target", b'{"inputs": "a", "targets": "  ", "language": "eng"}', "'targets' is empty")
    cases.row("missing target", b'{"inputs": "a", "language": "eng"}', "'targets' is missing")
    cases.row("missing language", b'{"inputs": "a", "targets": "b"}', "'language' is missing")
    head = b"inputs,targets,language\n"
    cases.file("columns too few", ".csv", head + b"a,b,eng\n\na,b\n", ":4: the row has 2 columns", "names 3")
    cases.file("an open quote", ".csv", head + b'a,"b,eng\n', ":2: the quote that opens column 2 is never closed")
    cases.file("no language", ".tsv", b"inputs\ttargets\na\tb\n", ":2: field 'language' is missing")
    cases.file("invalid UTF-8 in CSV", ".csv", head + b"a,\xff,eng\n", ":2: invalid UTF-8 at byte 3")
    cases.file("a missing column", ".csv", b"input,targets,language\na,b,eng\n", ":2: field 'inputs' is missing")
    cases.file("no Parquet", ".parquet", b"PAR1", "Parquet")
    cases.run.write("one.txt", "a\n")
    two = cases.run.write("two.txt", "a\nb\n")
    cases.train("lines that do not belong together", "one.txt' has 1 lines, but", "two.txt' has 2;",
                replace=[("rows.jsonl", f'one.txt" target_path: "{two}')])
    cases.train("a format beside target_path", "data.source[0].format is CSV beside target_path",
                replace=[("rows.jsonl\"", f'one.txt" target_path: "{two}" format: CSV')])
    cases.train("a schema that is nowhere", "schema 'mt', which a source names, is nowhere",
                replace=[("rows.jsonl\"", 'one.txt" schema: "mt"')])
    cases.run.write("none.jsonl", "")
    cases.train("an empty file", "none.jsonl", "empty", replace=[("rows.jsonl", "none.jsonl")])
    cases.train("no such file", "nothing.jsonl", replace=[("rows.jsonl", "nothing.jsonl")])
    cases.train("no such file to evaluate", "nothing.jsonl", replace=[("held-out.jsonl", "nothing.jsonl")], alone=False)


def with_weights(change):
    def apply(folder):
        path = folder / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))
    return apply


def with_header(change):
    def apply(data):
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + size:]
    return with_weights(apply)


def with_config(**fields):
    def apply(folder):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return apply


def models(cases):
    cases.model("truncated weights", with_weights(lambda data: data[:-100]), "truncated")
    cases.model("weights of five bytes", with_weights(lambda data: data[:5]), "5 bytes")
    cases.model("a header that lies", with_weights(lambda data: struct.pack("<Q", 1 << 60) + data[8:]), "header")
    name = "shared.weight"
    cases.model("a size that lies", with_header(lambda h: h[name].update(data_offsets=[0, 1 << 40])), name)
    cases.model("a negative size", with_header(lambda h: h[name].update(shape=[-320, -32])), name, "-320")
    cases.model("a wrong shape", with_header(lambda h: h[name].update(shape=[32, 320])), name, "[32, 320]", "[320, 32]")
    cases.model("a missing tensor", with_header(lambda h: h.update(other=h.pop(name))), name)
    cases.model("no config.json", lambda folder: (folder / "config.json").unlink(), "config.json")
    cases.model("broken config.json", lambda folder: (folder / "config.json").write_text("{"), "config.json")
    cases.model("no weights", lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors")
    cases.model("another end of sequence", with_config(eos_token_id=7), "id 1", "with 7", "tokenizer")
    cases.model("no model", shutil.rmtree)


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def copy_of_run(run, name):
    shutil.rmtree(run.folder / name, ignore_errors=True)
    shutil.copytree(run.folder / "run", run.folder / name)
    return run.write_config(name, [("steps: 40", f"steps: {LAST_STEP}")])


def damaged_checkpoints(run):
    for file in ("model.safetensors", "config.json", "train_state/state.json", "train_state/optimizer.safetensors"):
        config = copy_of_run(run, "flipped")
        damaged = run.checkpoint("flipped", LAST_STEP) / file
        flip_bit(damaged)
        done = run.run("train", "--config", config)
        name = f"one flipped bit in {file}"
        warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
        check(name, done.returncode == 0, f"exit code {done.returncode}:\n{done.stderr[-2000:]}")
        check(name, len(warnings) == 1 and str(damaged) in warnings[0], f"warnings {warnings}")
        check(name, f"resumed at {LAST_STEP - 7}" in done.stderr, "the checkpoint before was not used")
        check(name, run.metrics("flipped") == run.metrics("run"), "another metrics.jsonl")
        check(name, damaged.read_bytes() == (run.checkpoint("run", LAST_STEP) / file).read_bytes(), "another checkpoint")
    config = copy_of_run(run, "flipped")
    for step in (LAST_STEP - 7, LAST_STEP):
        flip_bit(run.checkpoint("flipped", step) / "model.safetensors")
    expect("no whole checkpoint", run.run("train", "--config", config), "2 damaged", "flipped/checkpoints", alone=False)
    check("no whole checkpoint", run.metrics("flipped") == run.metrics("run"), "metrics.jsonl was touched")


def changed_runs(run):
    config = copy_of_run(run, "changed")
    for name, change, word in (("another seed", "seed=1", "seed"), ("another model", "model.shape.d_model=64", "[320, 64]"),
                               ("another optimizer", "optimizer.adamw.beta1=0.8", "optimizer"),
                               ("no resuming", "checkpoint.resume=false", "checkpoint.resume is false")):
        expect(name, run.run("train", "--config", config, "--set", change), word, "another work_dir", alone=False)
    run.write("other.jsonl", (run.folder / "held-out.jsonl").read_bytes())
    expect("another mixture", run.run("train", "--config", config, "--set", f"data.source[0].path={run.folder}/other.jsonl"),
           "another mixture", "another work_dir", alone=False)
    check("changed runs", run.metrics("changed") == run.metrics("run"), "metrics.jsonl was touched")
    kept = [(run.folder / name / "config.textproto").read_bytes() for name in ("run", "changed")]
    check("changed runs", kept[0] == kept[1], "config.textproto was touched")


def step_offsets(run):
    config = copy_of_run(run, "offset")
    longer = ("--set", f"steps={LAST_STEP + 2}", "--set")
    expect("a step offset to come", run.run("train", "--config", config, *longer, f"optimizer.adafactor.step_offset={LAST_STEP + 1}"),
           "step_offset", f"reached, {LAST_STEP}", alone=False)
    done = run.run("train", "--config", config, *longer, f"optimizer.adafactor.step_offset={LAST_STEP}")
    check("a step offset reached", done.returncode == 0, f"exit code {done.returncode}:\n{done.stderr[-2000:]}")


def start_until_saved(run, config, **keywords):
    process = subprocess.Popen(run.command("train", "--config", config), stderr=subprocess.PIPE, text=True,
                               env=run.environment(), **keywords)
    for line in process.stderr:
        if line.startswith("saved "):
            return process
    raise RuntimeError("the run ended before its first checkpoint")


def full_disk(run):
    """No file may grow beyond a limit that is set after the first checkpoint. (On a disk that is
    really full, the error is ENOSPC instead of EFBIG.)"""
    for limit, file in ((100000, "model.safetensors"), (10, "metrics.jsonl")):
        name = f"a full disk while writing {file}"
        shutil.rmtree(run.folder / "full", ignore_errors=True)
        # Where training waits for the disk, the limit comes between the first save and the second.
        config = run.write_config("full", [("steps: 40", f"steps: {LAST_STEP}"),
                                           ("keep_last: 2", "keep_last: 2 asynchronous: false")])
        process = start_until_saved(run, config, preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        text = process.stderr.read()
        done = subprocess.CompletedProcess([], process.wait(), "", text)
        expect(name, done, file, "File too large", alone=False)
        left = sorted(os.listdir(run.folder / "full" / "checkpoints"))
        check(name, left == ["step_00000007"], f"checkpoints are {left}")
        done = run.run("train", "--config", config)
        check(name, done.returncode == 0 and "resumed at 7" in done.stderr, f"no resuming:\n{done.stderr[-2000:]}")
        check(name, run.metrics("full") == run.metrics("run"), "another metrics.jsonl")


def full_disk_beside(run):
    """A disk that is full before the second checkpoint is written, which the writing thread finds out."""
    name = "a full disk beside the training"
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("mount")):
        print(f"SKIPPED {name}: no rights or programs to mount a small disk")
        return
    disk = run.folder / "small"
    disk.mkdir()
    config = run.write_config("small/run", [("steps: 40", f"steps: {LAST_STEP}")])
    one = sum(path.stat().st_size for path in run.checkpoint("run", LAST_STEP).rglob("*") if path.is_file())
    train = " ".join(map(str, run.command("train", "--config", config)))
    # In namespaces of its own, so that the disk is gone with the shell.
    script = (f"mount -t tmpfs -o size={one * 3 // 2} small {disk} || exit 99\n{train}\necho first $?\n"
              f"ls {disk}/run/checkpoints\nmount -o remount,size={one * 9} {disk} && {train}\necho second $?\n"
              f"cp {disk}/run/metrics.jsonl {run.folder}/small.jsonl\n")
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], text=True, env=run.environment(), timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode == 99 or "unshare" in done.stderr:
        print(f"SKIPPED {name}: {done.stderr.strip()}")
        return
    check(name, done.stdout.split() == ["first", "2", "step_00000007", "second", "0"], f"{done.stdout}\n{done.stderr}")
    check(name, f"{disk}/run/checkpoints/.tmp_step_{LAST_STEP:08d}/" in done.stderr and
          "No space left on device" in done.stderr, f"another message:\n{done.stderr}")
    check(name, (run.folder / "small.jsonl").read_bytes() == run.metrics("run"), "another metrics.jsonl")


def second_process(run):
    config = run.write_config("shared", [("steps: 40", "steps: 1000000")])
    first = start_until_saved(run, config)
    try:
        expect("a second process", run.run("train", "--config", config), "shared", f"process {first.pid}")
    finally:
        first.terminate()
        first.stderr.read()
    check("a second process", first.wait() == 0, "it disturbed the first")


def diverging(run, name, **launch):
    """Not the input's fault alone: exit code 1. One line says where, and nothing is saved after it."""
    config = run.write_config(name, [("learning_rate: 0.02", "learning_rate: 1e30")])
    done = run.run("train", "--config", config, **launch)
    ours = [line for line in done.stderr.splitlines() if line.startswith("frond: ")]
    check(name, done.returncode == 1 and len(ours) == 1, f"exit code {done.returncode}, {ours}")
    check(name, all(word in "".join(ours) for word in ("not finite", "step", "the batch of rank", "eng:")), f"{ours}")
    check(name, not (run.folder / name / "checkpoints").exists(), "a checkpoint was saved")


def under_mpirun(run, mpirun):
    """mpirun adds lines of its own; ours is one all the same, and no rank hangs."""
    config = run.write_config("mpi", append="mesh { data: 3 }\n")
    expect("mesh under mpirun", run.run("train", "--config", config, ranks=2, mpirun=mpirun), "needs 3 ranks", alone=False)
    config = run.write_config("heads", append="mesh { tensor: 3 }\n")
    expect("heads that do not divide", run.run("train", "--config", config, ranks=3, mpirun=mpirun), "mesh.tensor is 3",
           "num_heads", alone=False)
    # Ranks with their own programs and configs.
    ours = [run.frond, "train", "--config", run.write_config("ours")]
    program = run.folder / "other_frond"
    program.write_bytes(pathlib.Path(run.frond).read_bytes() + b"\0")
    program.chmod(0o755)
    expect("another config", run.run_each(mpirun, ours, [*ours, "--set", "steps=41"]), "rank 1 on",
           "another config", "`steps: 41` where rank 0 has `steps: 40`", alone=False)
    expect("another program", run.run_each(mpirun, ours, [program, *ours[1:]]), "rank 1 on",
           "another frond program", alone=False)
    path = run.write("mpi.jsonl", '{"inputs": "a"\n')
    config = run.write_config("mpi", [("rows.jsonl", "mpi.jsonl")])
    expect("malformed JSON under mpirun", run.run("train", "--config", config, ranks=2, mpirun=mpirun), f"{path}:1: ", alone=False)
    diverging(run, "diverging-mpi", ranks=2, mpirun=mpirun)


def main():
    frond, folder, mpirun = arguments()
    run = TinyRun(frond, folder)
    command_line(run)
    cases = Cases(run)
    configs(cases)
    rows(cases)
    config = run.write_config("run", [("steps: 40", f"steps: {LAST_STEP}")])
    done = run.run("train", "--config", config)
    if done.returncode != 0:
        sys.exit(f"the good run fails:\n{done.stderr}")
    models(cases)
    damaged_checkpoints(run)
    changed_runs(run)
    step_offsets(run)
    full_disk(run)
    full_disk_beside(run)
    second_process(run)
    diverging(run, "diverging")
    if mpirun:
        under_mpirun(run, mpirun)
    else:
        print("SKIPPED what needs mpirun: there is none")
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
