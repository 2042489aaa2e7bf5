"""What the tests that drive the `frond` binary share: a tiny data set, its config, and running it."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import json

LANGUAGES = ["eng", "deu", "fra", "tur", "zho"]
WORDS = ["leaf", "stone", "river", "house", "bird", "rot", "blau", "vert", "noir", "kirmizi", "yesil",
         "\u6c34", "\u5c71", "\u6708"]

CONFIG = """\
work_dir: "{work_dir}"
steps: 40
model {{
  shape {{ d_model: 32 d_kv: 8 d_ff: 64 num_heads: 4 num_layers: 2 }}
  dropout: 0.1
}}
data {{
  tokenizer: "{folder}/spiece.model"
  source {{ name: "rows" path: "{folder}/rows.jsonl" }}
  cache_dir: "{folder}/cache"
  source_length: 32
  target_length: 16
  window: 48
}}
batch {{ rows: 6 }}
optimizer {{ adafactor {{ min_dim_size_to_factor: 16 }} }}
schedule {{ learning_rate: 0.02 }}
checkpoint {{ every_steps: 7 keep_last: 2 }}
eval {{
  every_steps: 15
  source {{ path: "{folder}/held-out.jsonl" }}
  max_new_tokens: 4
}}
report {{ every_steps: 3 }}
threads: 1
device: CPU
"""


def arguments():
    """FROND, FOLDER and MPIRUN of a test's command line; MPIRUN is empty where there is no such program."""
    mpirun = (sys.argv[3:] or [""])[0]
    return sys.argv[1], sys.argv[2], mpirun if mpirun and pathlib.Path(mpirun).exists() else ""


def rows(count, seed):
    """JSON lines: repeat the words of a phrase backwards. English has most rows."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        phrase = [draw.choice(WORDS) for _ in range(draw.randint(1, 6))]
        language = draw.choice(LANGUAGES + ["eng"] * 3)
        lines.append(json.dumps({"inputs": "reverse: " + " ".join(phrase),
                                 "targets": " ".join(reversed(phrase[:3])), "language": language},
                                ensure_ascii=False))
    return "\n".join(lines) + "\n"


class TinyRun:
    """A folder with rows, a tokenizer and a config; `frond` is the binary."""

    def __init__(self, frond, folder):
        self.frond = str(frond)
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.write("rows.jsonl", rows(300, 1))
        self.write("held-out.jsonl", rows(12, 2))
        done = self.run("vocabulary", "--input", self.folder / "rows.jsonl", "--size", 330, "--out",
                        self.folder / "spiece.model")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        self.config = self.write_config("run")

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def write_config(self, work_name, replace=(), append=""):
        """A config for the work folder `work_name`, with texts replaced and lines added."""
        text = CONFIG.format(work_dir=self.folder / work_name, folder=self.folder)
        for old, new in replace:
            if old not in text:
                raise ValueError(f"the config has no {old!r}")
            text = text.replace(old, new)
        return self.write(work_name.replace("/", "_") + ".textproto", text + append)

    def environment(self):
        return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

    def command(self, *args, ranks=0, mpirun=None):
        launcher = [] if ranks == 0 else [
            mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
        return launcher + [self.frond, *map(str, args)]

    def run(self, *args, ranks=0, mpirun=None, timeout=120, **keywords):
        return subprocess.run(self.command(*args, ranks=ranks, mpirun=mpirun), text=True,
                              env=self.environment(), timeout=timeout, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **keywords)

    def run_each(self, mpirun, *commands, timeout=120):
        """Ranks with a command line each."""
        line = [mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
        for number, command in enumerate(commands):
            line += [":"] if number > 0 else []
            line += ["-n", "1", *map(str, command)]
        return subprocess.run(line, text=True, env=self.environment(), timeout=timeout, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)

    def metrics(self, work_name):
        return (self.folder / work_name / "metrics.jsonl").read_bytes()

    def checkpoint(self, work_name, step):
        return self.folder / work_name / "checkpoints" / f"step_{step:08d}"
