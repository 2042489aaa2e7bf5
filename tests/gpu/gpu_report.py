#!/usr/bin/env python3
"""What tests/gpu/run.sh runs: GPU tests, then benchmarks; writes report.md and report.json."""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

DENSE_BF16_PEAK = {"H100": 989.4, "H200": 989.4, "A100": 312.0}  # TFLOP/s
RIVALS = ("transformers_bench.py", "torch_attention_bench.py")
SANITIZED = "*rms_norm*:*Keep*:*gated_gelu*:*dropout*:*embedding*:*self*:*causal*:*cross*:*head_loss*:*cast*:-*Cudnn*"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/gpu/run.sh", description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu_results"))
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--tests-only", action="store_true")
    parser.add_argument("--benchmarks-only", action="store_true")
    parser.add_argument("--small", action="store_true", help="tiny models, no rivals: to see that everything starts")
    parser.add_argument("--build", default="build/release", help="the build folder of a source tree")
    return parser.parse_args()


class Runner:
    """Runs programs with a time limit and keeps what they say in the output folder."""

    def __init__(self, args):
        self.args, self.root, self.out = args, args.root, args.out.resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        in_bundle = (self.root / "bin" / "gpu_test").exists()
        build = self.root / args.build
        self.programs = {
            "frond": self.root / "bin/frond" if in_bundle else build / "launch/frond",
            "gpu_test": self.root / "bin/gpu_test" if in_bundle else build / "tests/gpu/gpu_test",
            "gpu_bench": self.root / "bin/gpu_bench" if in_bundle else build / "bench/gpu_bench"}
        missing = [str(p) for p in self.programs.values() if not p.exists()]
        if missing:
            raise SystemExit("not built: " + ", ".join(missing) + " (cmake --preset release; cmake --build --preset release)")
        self.corpus = self.out / "corpus"
        self.vocabulary = self.root / "spiece.model" if in_bundle else self.corpus / "spiece.model"

    def environment(self, command, more):
        """A bundle's libraries are for its own programs: PyTorch brings others of the same names."""
        env = {**os.environ, **(more or {})}
        rival = any(pathlib.Path(part).name in RIVALS for part in command[:2])
        if "FROND_BUNDLE_LIB" in env and not rival:
            env["LD_LIBRARY_PATH"] = env["FROND_BUNDLE_LIB"] + ":" + env.get("LD_LIBRARY_PATH", "")
        return env

    def run(self, name, command, limit, env=None):
        """(exit code, standard output); None for the code where it ran past the limit."""
        begin = time.monotonic()
        command = [str(part) for part in command]
        print(f"-- {name}: {' '.join(command)[:200]}", flush=True)
        with open(self.out / f"{name}.err", "w", encoding="utf-8") as errors:
            # A session of its own: what mpirun or the sanitizer has started must not outlive the limit.
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
                                       env=self.environment(command, env))
            try:
                text, code = process.communicate(timeout=limit)[0], process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                text, code = process.communicate()[0], None
        (self.out / f"{name}.out").write_text(text, encoding="utf-8")
        print(f"   exit code {code}, {time.monotonic() - begin:.0f} s", flush=True)
        return code, text

    def make_corpus(self):
        if not (self.corpus / "train.jsonl").exists():
            self.run("corpus", [self.programs["frond"], "corpus", "--out", self.corpus], 120)
        if not self.vocabulary.exists():
            self.run("vocabulary", [self.programs["frond"], "vocabulary", "--input", self.corpus / "train.jsonl", "--size",
                                    8000, "--out", self.vocabulary], 300)


# A shape that an emulator can train.
TINY = {"steps": 4, "report.every_steps": 1, "schedule.warmup_steps": 1, "batch.rows": 4, "model.shape.d_model": 64,
        "model.shape.d_kv": 32, "model.shape.num_heads": 2, "model.shape.d_ff": 64, "model.shape.num_layers": 1,
        "model.shape.num_decoder_layers": 1}


def json_lines(text):
    rows = []
    for line in text.splitlines():
        if line.startswith("{"):
            rows.append(json.loads(line))
    return rows


def without_cudnn(text):
    """Why cuDNN's cross-attention was not tested, once for each test: not every GPU and machine has it."""
    return re.findall(r"NO CUDNN: not tested: (.*)", text)


def unit_tests(runner):
    code, text = runner.run("gpu_test", [runner.programs["gpu_test"]], 240)
    counts = {word: len(re.findall(rf"^\[\s+{word}\s+\] .*\(\d+ ms", text, re.M)) for word in ("OK", "FAILED", "SKIPPED")}
    no_cudnn = without_cudnn(text)
    skipped = counts["SKIPPED"] - len(no_cudnn)
    return [dict(test="op cases, layers, model: CUDA against CPU", passed=code == 0 and skipped == 0,
                 detail=f"{counts['OK']} passed, {counts['FAILED']} failed, {skipped} skipped"),
            dict(test="cross-attention by cuDNN: among the above", passed=None if no_cudnn else code == 0,
                 detail=f"NOT RUN: {no_cudnn[0]}" if no_cudnn else "")]


def command_tests(runner):
    code, text = runner.run("frond_gpu", [sys.executable, runner.root / "tests/gpu/frond_gpu_test.py", runner.programs["frond"],
                                          runner.out / "frond_gpu", shutil.which("mpirun") or ""], 120)
    lines = text.strip().splitlines()
    all_ran = text.count("SKIPPED") == len(without_cudnn(text))
    return [dict(test="frond train, eval and generate: CUDA against CPU", passed=code == 0 and all_ran,
                 detail=lines[-1] if lines else f"exit code {code}")]


def sanitizer_tests(runner):
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not pathlib.Path(tool).exists():
        return [dict(test="compute-sanitizer", passed=None, detail="not installed on this machine: NOT RUN")]
    results = []
    for check, chosen in (("memcheck", SANITIZED), ("racecheck", SANITIZED)):
        code, text = runner.run(check, [tool, "--tool", check, "--error-exitcode", 9, runner.programs["gpu_test"],
                                        f"--gtest_filter={chosen}"], 150)
        summary = [line for line in text.splitlines() if "SUMMARY" in line]
        results.append(dict(test=f"compute-sanitizer {check}", passed=code == 0,
                            detail=summary[-1].strip("= ") if summary else f"exit code {code}"))
    return results


def train_command(runner, folder, device, settings):
    base = {"work_dir": folder, "data.tokenizer": runner.vocabulary,
            "data.source[0].path": runner.corpus / "train.jsonl", "eval.source[0].path": runner.corpus / "test.jsonl",
            "device": device, "checkpoint.resume": "false", **settings}
    command = [runner.programs["frond"], "train", "--config", runner.root / "configs/quickstart.textproto"]
    for name, value in base.items():
        command += ["--set", f"{name}={value}"]
    return command


def losses_of(folder):
    with open(folder / "metrics.jsonl", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["loss"] for row in rows if row.get("loss") is not None]


def mpirun(ranks):
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return ["mpirun", "-n", str(ranks), "--bind-to", "none", "--oversubscribe", *root]


def training_tests(runner):
    """A short run on the built-in corpus: GPU against CPU, and 1, 2 and 4 ranks that share the card."""
    runner.make_corpus()
    settings = {"steps": 30, "report.every_steps": 5, "schedule.warmup_steps": 10, "checkpoint.every_steps": 1000,
                "model.compute": "F32", **(TINY if runner.args.small else {})}
    runs, results = {}, []
    for name, device, ranks in (("cpu", "CPU", 1), ("gpu", "CUDA", 1), ("gpu 2 ranks", "CUDA", 2), ("gpu 4 ranks", "CUDA", 4)):
        folder = runner.out / ("run_" + name.replace(" ", "_"))
        shutil.rmtree(folder, ignore_errors=True)
        prefix = mpirun(ranks) if ranks > 1 else []
        code, _ = runner.run("train_" + name.replace(" ", "_"), prefix + train_command(runner, folder, device, settings), 120)
        runs[name] = losses_of(folder) if code == 0 else None
    for name, losses in runs.items():
        if name == "cpu":
            continue
        if losses is None or runs["cpu"] is None:
            results.append(dict(test=f"training, {name}", passed=False, detail="a run failed: see train_*.err"))
            continue
        worst = max(abs(a - b) / abs(b) for a, b in zip(losses, runs["cpu"], strict=True))
        results.append(dict(test=f"training on the corpus, {name} against 1 CPU rank, f32, {settings['steps']} steps", passed=worst <= 1e-4,
                            detail=f"largest relative difference of the loss {worst:.1e} (limit 1e-4)"))
    return results


def op_benchmarks(runner):
    if runner.args.small:
        return json_lines(runner.run("gpu_bench", [runner.programs["gpu_bench"], "--small"], 120)[1]), []
    _, text = runner.run("gpu_bench", [runner.programs["gpu_bench"]], 120)
    _, rivals = runner.run("torch_attention", [runner.args.python, runner.root / "bench/torch_attention_bench.py"], 150)
    return json_lines(text), json_lines(rivals)


# Name, preset, layers, lengths, rows, settings of ours, compare with Transformers.
STEP_CASES = [
    ("mT5-XL 512/128", "mt5-xl", 24, (512, 128), 32, {}, True),
    ("mT5-XL 1024/1024 packed", "mt5-xl", 24, (1024, 1024), 8, {}, False),
    ("mT5-XXL width, 4 + 4 layers, 512/128", "mt5-xxl", 4, (512, 128), 32, {}, True),
    ("mT5-XXL width, 4 + 4 layers, 1024/1024 packed", "mt5-xxl", 4, (1024, 1024), 8, {}, False),
    ("mT5-XL, mixed lengths", "mt5-xl", 24, (512, 128), 32, {"mixed": True}, True),
    ("mT5-XXL, all 24 + 24 layers, exact split masters", "mt5-xxl", 24, (512, 128), 64,
     {"model.masters": "SPLIT", "model.recompute": "BLOCK", "model.chunk_tokens": 8192,
      "optimizer.update_in_backward": "true"}, False),
]


SMALL_STEP_CASES = [("tiny, all memory modes", "", 1, (64, 32), 4,
                     {**{key: value for key, value in TINY.items() if key.startswith("model.")}, "model.masters": "SPLIT",
                      "model.recompute": "BLOCK", "model.chunk_tokens": 128, "optimizer.update_in_backward": "true",
                      "model.shape.vocab_size": 8000}, False)]


def step_benchmark(runner, case):
    name, preset, layers, (source, target), rows, settings, compared = case
    mixed = settings.get("mixed", False) or "packed" in name
    data = runner.corpus / "train.jsonl" if mixed else runner.out / "long.jsonl"
    folder = runner.out / "bench_run"
    shutil.rmtree(folder, ignore_errors=True)
    values = {"work_dir": folder, "device": "CUDA", "data.tokenizer": runner.vocabulary,
              "data.source[0].path": data, "model.preset": preset, "model.shape.vocab_size": 250112,
              "model.shape.num_layers": layers, "model.shape.num_decoder_layers": layers, "model.compute": "BF16",
              "model.dropout": 0, "data.source_length": source, "data.target_length": target,
              "data.packing": "true" if mixed else "false", "batch.rows": rows, "loss.normalizer": "PER_TOKEN",
              "loss.z_loss": 0, "schedule.kind": "CONSTANT", "schedule.learning_rate": 1e-3, "steps": 1000,
              **{key: value for key, value in settings.items() if key != "mixed"}}
    if not preset:
        del values["model.preset"]
    config = runner.out / "bench.textproto"
    config.write_text('optimizer { adafactor {} }\ndata { source { } }\nmodel { shape { } }\n', encoding="utf-8")
    batches = runner.out / "batches.jsonl"
    command = [runner.programs["frond"], "train", "--config", config, "--benchmark", 10 if layers == 24 and not compared else 5,
               "--dump-batches", batches]
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    code, text = runner.run(f"step_{slug}", command, 180)
    ours = (json_lines(text) or [None])[-1] if code == 0 else None
    result = dict(name=name, frond=ours, rivals=[])
    if not compared or ours is None:
        return result
    for compiled in (False, True):
        rival = [runner.args.python, runner.root / "bench/transformers_bench.py", "--preset", preset, "--layers", layers,
                 "--batches", batches, "--micro-batch", 32, "--dtype", "bf16-model", "--device", "cuda", "--steps", 2]
        _, text = runner.run(f"rival_{slug}_{'compiled' if compiled else 'eager'}", rival + (["--compile"] if compiled else []), 120)
        result["rivals"] += json_lines(text)
    return result


def device_peak(device):
    return next((peak for key, peak in DENSE_BF16_PEAK.items() if key in (device or "")), None)


def step_rows(steps, device):
    peak = device_peak(device)
    lines = ["| step | tokens/s | examples/s | TFLOP/s | MFU (dense peak) | peak memory | loss | best rival tokens/s | ratio | ratio examples/s |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for step in steps:
        ours = step["frond"]
        if ours is None:
            lines.append(f"| {step['name']} | failed | | | | | | | | |")
            continue
        tflops = ours["gflops_per_second"] / 1e3
        mfu = f"{100 * tflops / peak:.1f} %" if peak else "?"
        best = max(step["rivals"], key=lambda r: r["tokens_per_second"], default=None)
        rival = [f"{best['tokens_per_second']:.0f} ({'compiled' if best['compiled'] else 'eager'})",
                 f"{ours['tokens_per_second'] / best['tokens_per_second']:.2f}",
                 f"{ours['examples_per_second'] / best['examples_per_second']:.2f}"] if best else ["", "", ""]
        memory = f"{ours.get('peak_memory_bytes', 0) / 1e9:.1f} GB"
        lines.append(f"| {step['name']} | {ours['tokens_per_second']:.0f} | {ours['examples_per_second']:.1f} | {tflops:.0f} | {mfu} | "
                     f"{memory} | {ours['loss']:.3f} | " + " | ".join(rival) + " |")
    return lines


def attention_rows(ops, rivals):
    time_of = {op["name"]: op["milliseconds"] for op in ops if "milliseconds" in op}
    lines = ["| attention with trainable bias, forward + backward | Frond ms | rival | rival ms | ratio |", "|---|---|---|---|---|"]
    for rival in rivals:
        length = rival["name"].split()[-1]
        ours = time_of.get(f"attention encoder {length} forward", 0) + time_of.get(f"attention encoder {length} gradient", 0)
        note = "" if rival["bias_gradient"] else " (without the bias' gradient)"
        ratio = f"{rival['milliseconds'] / ours:.2f}" if ours > 0 else "?"
        lines.append(f"| {length} | {ours:.3f} | {rival['name']}{note} | {rival['milliseconds']:.3f} | {ratio} |")
    return lines


def cross_attention_rows(ops):
    """Ours beside cuDNN's, where both ran."""
    time_of = {op["name"]: op["milliseconds"] for op in ops if "milliseconds" in op}
    lines = ["| cross-attention, forward + backward | Frond ms | cuDNN ms | ratio |", "|---|---|---|---|"]
    for name in time_of:
        what = name.removesuffix(" forward")
        passes = [f"{what} {each}" for each in ("forward", "gradient")]
        if what == name or not name.startswith("attention cross") or f"cudnn {passes[1]}" not in time_of:
            continue
        ours, theirs = sum(time_of[each] for each in passes), sum(time_of[f"cudnn {each}"] for each in passes)
        lines.append(f"| {what.removeprefix('attention ')} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.2f} |")
    return lines if len(lines) > 2 else []


def write_report(runner, tests, ops, rivals, steps):
    device = next((op["device"] for op in ops if "device" in op), None)
    report = dict(device=device, tests=tests, ops=ops, attention_rivals=rivals, steps=steps)
    (runner.out / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    words = {True: "passed", False: "FAILED", None: "not run"}
    lines = [f"# GPU report: {device or 'tests only'}", "", "| test | result | detail |", "|---|---|---|"]
    lines += [f"| {t['test']} | {words[t['passed']]} | {t['detail']} |" for t in tests]
    if steps:
        lines += ["", *step_rows(steps, device)]
    if rivals:
        lines += ["", *attention_rows(ops, rivals)]
    if cross := cross_attention_rows(ops):
        lines += ["", *cross]
    if ops:
        lines += ["", "| op | ms | TFLOP/s | of peak | GB/s | of copy |", "|---|---|---|---|---|---|"]
        for op in ops:
            if "milliseconds" not in op:
                continue
            cells = [f"{op[key]:.0f}" if key in op else "" for key in ("tflops", "gbytes_per_second")]
            shares = [f"{100 * op[key]:.0f} %" if key in op else "" for key in ("share_of_peak", "share_of_copy")]
            lines.append(f"| {op['name']} | {op['milliseconds']:.3f} | {cells[0]} | {shares[0]} | {cells[1]} | {shares[1]} |")
    (runner.out / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main():
    args = parse_arguments()
    runner = Runner(args)
    probe = subprocess.run([str(runner.programs["gpu_bench"]), "--small", "--filter", "none"], capture_output=True, text=True,
                           check=False)
    if probe.returncode == 2:
        print("NO GPU: nothing was tested. " + probe.stderr.strip())
        return 3
    if probe.returncode != 0:
        print(f"gpu_bench does not start (exit code {probe.returncode}): {probe.stderr.strip()[-500:]}")
        return 1
    begin = time.monotonic()
    tests, ops, rivals, steps = [], [], [], []
    if not args.benchmarks_only:
        tests = unit_tests(runner) + command_tests(runner) + training_tests(runner) + sanitizer_tests(runner)
        write_report(runner, tests, ops, rivals, steps)
    if not args.tests_only:
        runner.make_corpus()
        runner.run("long_rows", [args.python, runner.root / "bench/make_long_rows.py", "--rows", runner.corpus / "train.jsonl",
                                 "--out", runner.out / "long.jsonl"], 60)
        ops, rivals = op_benchmarks(runner)
        for case in SMALL_STEP_CASES if args.small else STEP_CASES:
            steps.append(step_benchmark(runner, case))
            write_report(runner, tests, ops, rivals, steps)
    write_report(runner, tests, ops, rivals, steps)
    print(f"\n{time.monotonic() - begin:.0f} s; {runner.out}/report.md, {runner.out}/report.json")
    return 1 if any(test["passed"] is False for test in tests) else 0


if __name__ == "__main__":
    sys.exit(main())
