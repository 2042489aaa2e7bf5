#!/usr/bin/env python3
"""Who may include whom: reads every #include "..." line and refuses arrows that turn back."""

import pathlib
import re
import sys

# Folder -> folders it may include, beside itself and what those may include.
ALLOWED = {
    "core/base": [],
    "core/tensor": ["core/base"],
    "core/ops": ["core/tensor"],
    "core/nn": ["core/ops"],
    "checkpoint": ["core/nn"],
    "dist": ["core/nn"],
    "optim": ["dist"],
    "data": ["core/base"],
    "mixtures": ["data"],
    "models": ["dist", "checkpoint", "data"],  # of data/ only batch.h, see below
    "eval": ["models", "mixtures"],
    "configs": ["core/base"],
    "launch": ["eval", "optim", "configs"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
# Wrapped libraries: no header outside the folder that wraps them may name their types.
WRAPPED = {
    "oneapi/dnnl": ["core/ops"],
    "mpi.h": ["dist"],
    "nccl.h": ["dist"],
    "cuda_runtime": ["core/tensor/cuda", "core/ops/cuda", "dist"],
    "cublas": ["core/ops/cuda"],
    "cudnn": ["core/ops/cuda"],
    "sentencepiece": ["data"],
    "unicode/": ["data", "mixtures/pruning"],
    "zlib.h": ["data"],
    "arrow/": ["data"],
    "parquet/": ["data"],
    "zstd.h": ["data"],
    "xxhash.h": ["core/base"],
    "yaml-cpp": ["data/templates"],
}


def folder_of(path):
    parts = pathlib.PurePosixPath(path).parts
    for length in (2, 1):
        name = "/".join(parts[:length])
        if name in ALLOWED:
            return name
    return None


def reachable(folder):
    seen, todo = {folder}, [folder]
    while todo:
        for child in ALLOWED[todo.pop()]:
            if child not in seen:
                seen.add(child)
                todo.append(child)
    return seen


def check_file(root, path, errors):
    relative = path.relative_to(root).as_posix()
    folder = folder_of(relative)
    if folder is None:
        return
    allowed = reachable(folder)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for library, owners in WRAPPED.items():
            named = re.match(r"\s*#\s*include\s+<" + re.escape(library), line)
            if named and not any(relative.startswith(owner + "/") for owner in owners):
                errors.append(f"{relative}:{number}: only {owners} may include <{library}...>")
        match = INCLUDE.match(line)
        if not match:
            continue
        target = folder_of(match.group(1))
        if target is not None and target not in allowed:
            errors.append(f"{relative}:{number}: {folder} may not include {match.group(1)}")
        if folder == "models" and target == "data" and match.group(1) != "data/batch.h":
            errors.append(f"{relative}:{number}: models sees of data/ only data/batch.h")


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    errors, count = [], 0
    for folder in sorted({name.split("/")[0] for name in ALLOWED}):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".cu", ".cuh"):
                check_file(root, path, errors)
                count += 1
    if count == 0:
        errors.append("no source files found")
    print("\n".join(errors) if errors else f"{count} files keep the layering")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
