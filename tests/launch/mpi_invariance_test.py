#!/usr/bin/env python3
"""The same run alone and under mpirun on 1, 2 and 4 ranks, on several meshes: losses of every step and final weights.

    mpi_invariance_test.py FROND FOLDER [MPIRUN]
"""

import array
import json
import math
import struct
import sys

from tiny_run import TinyRun, arguments

STEPS = 20
# Relative: f32 sums in another order. Weights: ||ours - theirs|| / ||theirs|| of each tensor.
LOSS_TOLERANCE = 1e-6
WEIGHT_TOLERANCE = 1e-4


def tensors(path):
    """Names and values of an f32 safetensors file."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        yield name, array.array("f", data[begin:end])


def train(run, ranks, mesh, mpirun):
    """One run's lines of metrics and weights. `mesh`: further fields of the config's mesh."""
    name = "ranks" + "_".join([str(ranks), *mesh.replace(":", "").split()])
    config = run.write_config(name, [("steps: 40", f"steps: {STEPS}"), ("every_steps: 3 }", "every_steps: 1 }"),
                                     ("  every_steps: 15", "  every_steps: 0")],
                              append=f"mesh {{ self_test: {str(ranks == 4).lower()} {mesh} }}\n")
    done = run.run("train", "--config", config, ranks=ranks, mpirun=mpirun)
    if done.returncode != 0:
        sys.exit(f"FAILED: {ranks} ranks: exit code {done.returncode}:\n{done.stderr}")
    # The test of the links adds a line to the table, and changes nothing else.
    assert ("4 ranks on 1 host, all-reduce " in done.stdout + done.stderr) == (ranks == 4), done.stdout + done.stderr
    lines = [json.loads(line) for line in run.metrics(name).splitlines()]
    return lines, dict(tensors(run.checkpoint(name, STEPS) / "model.safetensors"))


def scores(run, ranks, sets, mpirun):
    """What `frond eval` says of the reference's checkpoint."""
    out = run.folder / f"eval{ranks}.json"
    flags = [word for field in sets for word in ("--set", field)]
    done = run.run("eval", "--config", run.folder / "ranks0.textproto", *flags, "--out", out, ranks=ranks, mpirun=mpirun)
    if done.returncode != 0:
        sys.exit(f"FAILED: eval on {ranks} ranks: exit code {done.returncode}:\n{done.stderr}")
    return json.loads(out.read_text())


def check_eval(run, mpirun):
    alone, shared = scores(run, 0, [], mpirun), scores(run, 4, ["mesh.tensor=2"], mpirun)
    assert abs(shared.pop("loss") / alone.pop("loss") - 1) <= LOSS_TOLERANCE
    for name in ("examples", "languages", "exact_match", "chrf"):
        assert abs(shared[name] - alone[name]) < 1e-9, f"eval: {name} {shared[name]}, not {alone[name]}"
    print("eval: 2 data ranks x 2 tensor ranks give the scores of one")


def main():
    frond, folder, mpirun = arguments()
    if not mpirun:
        print("SKIPPED: there is no mpirun, nothing was checked")
        return
    run = TinyRun(frond, folder)
    reference, reference_weights = train(run, 0, "", mpirun)
    check_eval(run, mpirun)
    sharded = "zero_stage: 2"
    for ranks, mesh in ((1, ""), (2, ""), (4, ""), (2, "tensor: 2"), (2, sharded), (4, f"tensor: 2 {sharded}"),
                        (4, f"tensor: 2 sequence_parallel: true {sharded}"), (4, "tensor: 4 sequence_parallel: true")):
        lines, weights = train(run, ranks, mesh, mpirun)
        assert [line["step"] for line in lines] == list(range(1, STEPS + 1)), lines
        assert weights.keys() == reference_weights.keys(), sorted(weights)
        loss_error = max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(lines, reference))
        weight_error = max(math.dist(values, reference_weights[name]) / math.hypot(*reference_weights[name])
                           for name, values in weights.items())
        print(f"{ranks} ranks {mesh}: losses differ by {loss_error:.1e}, weights by {weight_error:.1e}")
        for a, b in zip(lines, reference):
            for field in ("examples", "source_tokens", "target_tokens"):
                assert a[field] == b[field], f"{ranks} ranks {mesh}, step {a['step']}: {field} {a[field]}, not {b[field]}"
        assert loss_error <= LOSS_TOLERANCE and weight_error <= WEIGHT_TOLERANCE, f"{ranks} ranks {mesh} differ"


if __name__ == "__main__":
    main()
