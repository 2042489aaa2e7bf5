#!/usr/bin/env python3
"""The frond binary on a GPU: trains as on the CPU, alone and on ranks that share the card, and with cuDNN as without,
evaluates and answers alike. Without a GPU: the error is one line, and the rest is skipped aloud.

    frond_gpu_test.py FROND FOLDER [MPIRUN]
"""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "launch"))
from tiny_run import TinyRun, arguments  # noqa: E402

STEPS = 3
LOSS_TOLERANCE = 1e-5  # relative: f32 sums in another order, divided by themselves in the optimizer
BF16_LOSS_TOLERANCE = 1e-2  # relative: other roundings to bf16


def succeed(done, what):
    if done.returncode != 0:
        sys.exit(f"FAILED: {what}: exit code {done.returncode}:\n{done.stderr}")
    return done


def write_config(run, name, device):
    return run.write_config(name, [("steps: 40", f"steps: {STEPS}"), ("every_steps: 3 }", "every_steps: 1 }"),
                                   ("  every_steps: 15", "  every_steps: 0"), ("d_kv: 8", "d_kv: 32"),
                                   ("num_heads: 4 num_layers: 2", "num_heads: 2 num_layers: 1"),
                                   ("device: CPU", f"device: {device}")])


def metrics(run, name):
    return [json.loads(line) for line in run.metrics(name).splitlines()]


def train(run, device, ranks=0, mpirun=None):
    """One run's lines of metrics and the folder of its checkpoint."""
    name = f"{device.lower()}{ranks}"
    config = write_config(run, name, device)
    done = succeed(run.run("train", "--config", config, ranks=ranks, mpirun=mpirun, timeout=600), f"train on {device}")
    table = [line.split(None, 1)[1] for line in done.stderr.splitlines() if line.strip().startswith("device ")]
    assert len(table) == 1 and table[0].startswith("GPU 0 of " if device != "CPU" else "CPU"), done.stderr
    assert ("shared by 2 ranks" in table[0]) == (ranks == 2), table
    assert re.search("peak memory .*after step 1: ", done.stderr), done.stderr
    return metrics(run, name), run.checkpoint(name, STEPS), config


def cross_attention(run):
    """In bf16 by our kernels and by cuDNN, where this build and GPU have it; else the error is one line."""
    def run_with(name, engine):
        return run.run("train", "--config", write_config(run, name, "CUDA"), "--set", "model.compute=BF16",
                       "--set", f"model.cross_attention={engine}", timeout=600)

    succeed(run_with("bf16", "FROND"), "train in bf16")
    done = run_with("cudnn", "CUDNN")
    if done.returncode == 2:
        errors = [line for line in done.stderr.splitlines() if line.startswith("frond: ")]
        assert len(errors) == 1 and errors[0].startswith("frond: model.cross_attention is CUDNN, but "), done.stderr
        print(f"SKIPPED: NO CUDNN: not tested: {errors[0]}")
        return
    succeed(done, "train with cuDNN")
    assert "cross-attention by cuDNN" in done.stderr, done.stderr
    compare("cross-attention by cuDNN", metrics(run, "cudnn"), metrics(run, "bf16"), BF16_LOSS_TOLERANCE)


def compare(what, lines, reference, tolerance=LOSS_TOLERANCE):
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1)), lines
    error = max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(lines, reference))
    print(f"{what}: losses differ by {error:.1e}")
    assert error <= tolerance, what


def scores(run, config, device):
    out = run.folder / f"eval-{device}.json"
    succeed(run.run("eval", "--config", config, "--device", device, "--out", out, "--brief", timeout=600),
            f"eval on {device}")
    return json.loads(out.read_text(encoding="utf-8"))


def answers(run, model, device):
    prompts = run.write("prompts.txt", "reverse: leaf stone\nreverse: blau vert rot\n")
    done = run.run("generate", "--model", model, "--input", prompts, "--max-new-tokens", 4, "--device", device, timeout=600)
    return succeed(done, f"generate on {device}").stdout


def main():
    frond, folder, mpirun = arguments()
    run = TinyRun(frond, folder)
    probe = run.run("generate", "--model", "none", "--prompt", "x", "--device", "CUDA")
    assert probe.returncode == 2 and probe.stderr.count("\n") == 1, probe.stderr
    if "no GPU can be used" in probe.stderr:
        assert probe.stderr.startswith("frond: device is CUDA, but no GPU can be used: "), probe.stderr
        print(f"SKIPPED: NO GPU: not tested: {probe.stderr.strip()}")
        return
    reference, model, config = train(run, "CPU")
    compare("one rank", train(run, "CUDA")[0], reference)
    if mpirun:
        compare("two ranks of mpirun", train(run, "CUDA", 2, mpirun)[0], reference)
    else:
        print("SKIPPED: there is no mpirun, ranks that share the card were not checked")
    cross_attention(run)
    on_cpu, on_gpu = scores(run, config, "CPU"), scores(run, config, "CUDA")
    assert abs(on_gpu["loss"] / on_cpu["loss"] - 1) <= LOSS_TOLERANCE, (on_gpu["loss"], on_cpu["loss"])
    for field in ("exact_match", "chrf", "examples"):
        assert on_gpu[field] == on_cpu[field], (field, on_gpu[field], on_cpu[field])
    assert answers(run, model, "CUDA") == answers(run, model, "CPU")
    print("evaluation and answers are the CPU's")


if __name__ == "__main__":
    main()
