#!/usr/bin/env python3
"""The documents name only what exists: links, paths, commands and flags, config fields."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A path in a document is one of ours where it begins with one of these.
FOLDERS = {path.name for path in ROOT.iterdir()
           if path.is_dir() and not path.name.startswith((".", "build", "runs"))}
# What the textproto blocks of a document are, where it is not a TrainConfig.
ROOTS = {"ablations.md": "AblationConfig"}
SCRIPT = re.compile(r"[\w./-]+\.(?:sh|py)")


def documents():
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if not parts[0].startswith((".", "build", "runs")):
            yield path


def split_fences(text):
    """The prose, and the fenced blocks as (language, first line's number, text)."""
    prose, blocks, block = [], [], None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"\s*```(\w*)", line)
        if fence and block is None:
            block = (fence.group(1), number + 1, [])
        elif fence:
            blocks.append((block[0], block[1], "\n".join(block[2])))
            block = None
        elif block is not None:
            block[2].append(line)
            line = ""
        prose.append("" if fence else line)
    return "\n".join(prose), blocks


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def exists(pattern):
    return any(ROOT.glob(pattern)) if "*" in pattern else (ROOT / pattern).exists()


# ---- Commands


def read_commands():
    """Command -> its flags, from the tables in launch/*_command.cc."""
    names = re.compile(r'\.name = "([\w-]+)"')
    shared = set(names.findall((ROOT / "launch/config_flags.cc").read_text(encoding="utf-8")))
    commands = {}
    for path in sorted((ROOT / "launch").glob("*_command.cc")):
        text = path.read_text(encoding="utf-8")
        command = re.search(r'return \{\s*\.name = "(\w+)"', text).group(1)
        flags = set(names.findall(text)) - {command} | {"help"}
        commands[command] = flags | shared if "ConfigFlags()" in text else flags
    return commands


def check_commands(text, commands, schema, say):
    for match in re.finditer(r"(?:^|[\s/])frond (\w+)((?:\\\n|[^\n|;#])*)", text):
        command, rest = match.groups()
        line = line_of(text, match.start(1))
        if command not in commands:
            say(line, f"there is no command 'frond {command}'")
            continue
        for flag in re.findall(r"(?<![\w-])--([a-z][a-z-]*)", rest):
            if flag not in commands[command]:
                say(line, f"frond {command} has no flag --{flag}")
        for path in re.findall(r"--set[ =]['\"]?([\w.\[\]]+)=", rest):
            message = "TrainConfig"
            for name in re.sub(r"\[\d+\]", "", path).split("."):
                message = schema.get(message, {}).get(name)
                if message is None:
                    say(line, f"--set {path}: no such field")
                    break


# ---- Config fields


RUNS = ("train.proto", "mixture.proto")  # what a run's config is made of, but for the rules that prune


def read_schema(names):
    """Message -> {field: type}; an enum is a dict of its values."""
    files = [ROOT / "configs" / name for name in names]
    text = re.sub(r"//[^\n]*", "", "\n".join(file.read_text(encoding="utf-8") for file in files))
    schema = {}
    for name, body in re.findall(r"^message (\w+) \{(.*?)^\}", text, re.M | re.S):
        schema[name] = {field: kind for kind, field in
                        re.findall(r"(\w+) (\w+) = \d+(?: \[[^\]]*\])?;", body)}
    for name, body in re.findall(r"enum (\w+) \{(.*?)\}", text, re.S):
        schema[name] = {value: "value" for value in re.findall(r"(\w+) = \d+", body)}
    return schema


def check_fields(text, root, schema, say):
    token = re.compile(r'#[^\n]*|"(?:[^"\\]|\\.)*"|[\w.+-]+|[{}:]')
    open_messages, field = [root], None
    for match in token.finditer(text):
        word, line = match.group(), line_of(text, match.start())
        if word == "{":
            open_messages.append(field)
            field = None
        elif word == "}":
            open_messages.pop()
        elif word[0] in ":#":
            continue
        elif field is not None:
            if field in schema and word not in schema[field]:
                say(line, f"{word} is no value of {field}")
            field = None
        else:
            kind = schema.get(open_messages[-1], {}).get(word)
            if kind is None:
                say(line, f"'{word}' is no field of {open_messages[-1]}")
                return
            field = kind
    if len(open_messages) != 1:
        say(line_of(text, len(text)), "a brace is not closed")


def check_all_fields_described(schema, errors):
    guide = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    data = (ROOT / "docs/data_format.md").read_text(encoding="utf-8")
    mixtures = (ROOT / "docs/mixtures.md").read_text(encoding="utf-8")
    ablations = (ROOT / "docs/ablations.md").read_text(encoding="utf-8")
    templates = (ROOT / "docs/templates.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", guide + data + mixtures + ablations + templates))
    for message, fields in schema.items():
        for field in sorted(set(fields) - words):
            errors.append(f"docs/training.md: {message}.{field} is not described")


# ---- Links and paths


def check_prose(path, prose, say):
    for match in re.finditer(r"\]\(([^)\s]+)\)", prose):
        target = match.group(1).split("#")[0]
        if target and not re.match(r"\w+:", target) and not (path.parent / target).exists():
            say(line_of(prose, match.start()), f"the link {target} leads nowhere")
    for match in re.finditer(r"`([^`\n]+)`", prose):
        word = match.group(1).split()[0] if match.group(1).strip() else ""
        if re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*/?", word) and "/" in word:
            if word.split("/")[0] in FOLDERS and not exists(word.rstrip("/")):
                say(line_of(prose, match.start()), f"{word} does not exist")


def check_scripts(text, say):
    for match in SCRIPT.finditer(text):
        if match.group().split("/")[0] in FOLDERS and not exists(match.group()):
            say(line_of(text, match.start()), f"{match.group()} does not exist")


def main():
    commands, schema, errors = read_commands(), read_schema((*RUNS, "prune.proto", "ablation.proto")), []
    paths = list(documents())
    for path in paths:
        prose, blocks = split_fences(path.read_text(encoding="utf-8"))

        def say(line, what, first=1):
            errors.append(f"{path.relative_to(ROOT)}:{first + line - 1}: {what}")

        check_prose(path, prose, say)
        for match in re.finditer(r"`([^`\n]+)`", prose):
            first = line_of(prose, match.start())
            check_commands(match.group(1), commands, schema,
                           lambda line, what: say(line, what, first))
        for language, first, text in blocks:
            say_in_block = lambda line, what: say(line, what, first)
            if language == "sh":
                check_commands(text, commands, schema, say_in_block)
                check_scripts(text, say_in_block)
            elif language == "textproto":
                check_fields(text, ROOTS.get(path.name, "TrainConfig"), schema, say_in_block)
    check_all_fields_described(read_schema((*RUNS, "ablation.proto")), errors)
    if not (paths and commands and len(schema) > 10):
        errors.append("no documents, commands or config fields found")
    print("\n".join(errors) if errors else f"{len(paths)} documents name what exists")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
