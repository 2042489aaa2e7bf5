#!/usr/bin/env python3
"""Sizes and format of our sources: files, functions, clang-format, pragma once."""

import pathlib
import re
import shutil
import subprocess
import sys

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
FOLDERS = ["core", "dist", "models", "checkpoint", "optim", "data", "mixtures", "eval", "launch",
           "configs", "bench", "tests"]
FORBIDDEN_NAMES = {"utils.h", "common.h", "misc.h", "util.h"}


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".cu", ".cuh") and "build" not in path.parts:
                yield path


def function_lengths(lines):
    """Yields (first line, length) of function bodies: a line that starts in column 0 or in a class at
    two spaces and ends in '{', up to the brace in the same column."""
    for number, line in enumerate(lines):
        match = re.match(r"^( {0,2})\S.*\)[^;=]*\{$", line)
        if not match or re.match(r"^\s*(namespace|struct|class|enum|TEST|INSTANTIATE)", line):
            continue
        closing = match.group(1) + "}"
        for end in range(number + 1, len(lines)):
            if lines[end].startswith(closing) and not lines[end].startswith(closing + " "):
                yield number + 1, end - number + 1
                break


def types_of(path):
    """Full names of the types that a header defines, e.g. frond::cpu::Tile."""
    spaces, before = [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        space = re.match(r"^(?:inline )?namespace ?([\w:]*) \{", line)
        if space:
            spaces.append(space.group(1))
        elif line.startswith("}  // namespace") and spaces:
            spaces.pop()
        kind = re.match(r"^(?:struct|class|enum class|enum) (?:alignas\(\d+\) )?(\w+)[^;]*\{", line)
        if kind and "" not in spaces and before != "template <>":
            yield "::".join(spaces + [kind.group(1)])
        before = line


def twice_defined(files, root):
    """A type with two definitions ends in a program that uses both with the code of one."""
    first = {}
    for path in files:
        if path.suffix not in (".h", ".cuh"):
            continue
        for name in types_of(path):
            other = first.setdefault(name, path)
            if other != path:
                yield f"{path.relative_to(root)}: {name} is defined in {other.relative_to(root)} as well"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    files = list(sources(root))
    errors = list(twice_defined(files, root))
    for path in files:
        name = path.relative_to(root)
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MAX_FILE_LINES:
            errors.append(f"{name}: {len(lines)} lines, at most {MAX_FILE_LINES}")
        if path.name in FORBIDDEN_NAMES:
            errors.append(f"{name}: a file's name says what is in it")
        if path.suffix == ".h" and "#pragma once" not in lines:
            errors.append(f"{name}: no #pragma once")
        for number, length in function_lengths(lines):
            if length > MAX_FUNCTION_LINES:
                errors.append(f"{name}:{number}: function of {length} lines, at most {MAX_FUNCTION_LINES}")
        for number, line in enumerate(lines, 1):
            if "TODO" in line or "FIXME" in line:
                errors.append(f"{name}:{number}: unfinished business belongs into an issue")
    formatter = shutil.which("clang-format-14") or shutil.which("clang-format")
    if formatter is None:
        print("SKIPPED the format check: clang-format is not installed")
    else:
        result = subprocess.run([formatter, "--dry-run", "--Werror", *map(str, files)],
                                capture_output=True, text=True)
        if result.returncode != 0:
            bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", result.stderr, re.M)))
            errors += [f"{pathlib.Path(p).relative_to(root)}: not clang-formatted" for p in bad]
    print("\n".join(errors) if errors else f"{len(files)} files keep the style")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
