"""PromptSource's templates as Jinja2 itself renders them: the reference of promptsource_test.py.

Run by a Python that has jinja2 and yaml. Reads a line of JSON per job, {"file", "rows"} or {"cases"},
and answers each with a line that lists for every template and row all (input, target) that its
random choices can lead to.
"""

import collections
import functools
import json
import sys

import jinja2
import yaml

SEPARATOR = "|||"
PROTECTED = "3ed2dface8203c4c9dfb1a5dc58e41e0"
MOST_PATHS = 4096


class Template(yaml.YAMLObject):
    yaml_tag = "!Template"
    yaml_loader = yaml.SafeLoader


class TemplateMetadata(yaml.YAMLObject):
    yaml_tag = "!TemplateMetadata"
    yaml_loader = yaml.SafeLoader


class Draws:
    """Walks through every sequence of choices that a template can make."""

    def __init__(self):
        self.script, self.sizes = [], []

    def start(self):
        self.sizes = []

    def pick(self, values):
        values = list(values)
        if not values:
            return jinja2.Undefined()
        place = len(self.sizes)
        self.sizes.append(len(values))
        return values[self.script[place] if place < len(self.script) else 0]

    def advance(self):
        """False where all sequences were tried."""
        script = self.script + [0] * (len(self.sizes) - len(self.script))
        script = script[: len(self.sizes)]
        while script and script[-1] + 1 == self.sizes[len(script) - 1]:
            script.pop()
        if not script:
            return False
        script[-1] += 1
        self.script = script
        return True


draws = Draws()


def most_frequent(items):
    if not items:
        return None
    counts = collections.Counter(items).most_common()
    return [item for item, count in counts if count == counts[0][1]]


environment = jinja2.Environment(loader=jinja2.BaseLoader(), undefined=jinja2.Undefined)
environment.globals.update(zip=zip)
# A filter that asks for the context is not computed once and for all when a template is compiled.
for drawing in ("choice", "random"):
    environment.filters[drawing] = jinja2.pass_context(lambda context, values: draws.pick(values))
environment.filters["most_frequent"] = most_frequent


def protect(value):
    """PromptSource protects the separator in fields that are texts; ours is only what stands in a template."""
    if isinstance(value, str):
        return value.replace(SEPARATOR, PROTECTED)
    if isinstance(value, list):
        return [protect(v) for v in value]
    return {k: protect(v) for k, v in value.items()} if isinstance(value, dict) else value


def parts_of(text):
    return [part.replace(PROTECTED, SEPARATOR).strip() for part in text.split(SEPARATOR)]


@functools.lru_cache(maxsize=None)
def compiled(jinja):
    return environment.from_string(jinja)


def apply(jinja, answer_choices, row):
    fields = protect(row)
    if answer_choices:
        fields["answer_choices"] = parts_of(compiled(answer_choices).render(**fields))
    parts = parts_of(compiled(jinja).render(**fields))
    return parts if len(parts) == 2 and all(parts) else None


def all_of(jinja, answer_choices, row):
    draws.script = []
    results = []
    for _ in range(MOST_PATHS):
        draws.start()
        try:
            result = apply(jinja, answer_choices, row)
        except Exception as error:  # what it is does not matter: ours must refuse too
            result = {"error": f"{type(error).__name__}: {error}"}
        if result not in results:
            results.append(result)
        if not draws.advance():
            return results
    raise RuntimeError(f"more than {MOST_PATHS} outcomes of {jinja!r}")


def main():
    print(json.dumps({"jinja2": jinja2.__version__, "yaml": yaml.__version__}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        answer = []
        if "file" in job:
            with open(job["file"], encoding="utf-8") as file:
                templates = yaml.safe_load(file)["templates"].values()
            for number, row in enumerate(job["rows"]):
                for t in templates:
                    answer.append({"id": t.id, "name": t.name, "row": number, "draws": "choice" in t.jinja
                                   or "random" in t.jinja, "results": all_of(t.jinja, t.answer_choices, row)})
        for number, case in enumerate(job.get("cases", [])):
            answer.append({"row": number, "results": all_of(case["jinja"], case.get("choices"), case["row"])})
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
