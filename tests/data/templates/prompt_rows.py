"""Rows for PromptSource's data sets: real ones where the data lies beside the templates, and drawn ones."""

import csv
import gzip
import json
import re

# Text that tries the edges: separators, braces, quotes, scripts, odd white space.
PIECES = ["the cat", "Où est-ce ?", "他们去了哪里", "كيف حالك", "नमस्ते दुनिया", "ßtraße İI ıi", "ǆungla Ωmega ΣΑΣ", "a|b || c",
          "{{ not a tag }}", "{% if %}", "it's \"so\"", "tab\there", "\u00a0nbsp\u3000", "x\u2028y", "\r\nline", "50 % - 3.5",
          "\\n <b>&amp;</b>", "emoji \U0001F60A", "e\u0301", "_"]


def text(rng, pieces=PIECES):
    return " ".join(rng.choice(pieces) for _ in range(rng.randint(1, 5)))


def text_with_separator(rng):
    """For fields that are no answer choices: PromptSource itself cuts those wrongly."""
    return text(rng, PIECES + ["c ||| d"])


def read_gz(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read()


def some(rng, rows, count):
    return rng.sample(rows, min(count, len(rows)))


def xcopa_rows(data, rng):
    rows = []
    for path in sorted((data / "xcopa").glob("*/val.*.jsonl")):
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return some(rng, rows, 20)


def xnli_rows(data, rng):
    rows = []
    labels = {"entailment": 0, "neutral": 1, "contradiction": 2}
    for path in sorted((data / "americasnli/dev").glob("*.tsv")):
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                rows.append({**row, "label": labels[row["label"]]})
    return some(rng, rows, 20)


def squad_rows(data, rng):
    rows = []
    for path in sorted((data / "xquad").glob("*.json.gz")):
        for article in json.loads(read_gz(path))["data"]:
            for paragraph in article["paragraphs"][:2]:
                for qa in paragraph["qas"]:
                    answers = {key: [answer[key] for answer in qa["answers"]] for key in ("text", "answer_start")}
                    rows.append({"id": qa["id"], "title": article.get("title", "a title"), "context": paragraph["context"],
                                 "question": qa["question"], "answers": answers})
    return some(rng, rows, 20)


def translation_rows(data, rng):
    lines = {}
    for language, code in (("fr", "fra"), ("hi", "hin"), ("en", "spa")):
        found = sorted((data / "ntrex/first500").glob(f"*{code}.txt.gz"))
        if not found:
            return []
        lines[language] = read_gz(found[0]).splitlines()
    return [{"translation": {key: value[i] for key, value in lines.items()}} for i in rng.sample(range(400), 20)]


def drawn(dataset, folder, rng):
    if dataset.startswith("xcopa"):
        return {"premise": text(rng), "choice1": text(rng), "choice2": text(rng), "question": rng.choice(["cause", "effect"]),
                "label": rng.choice([-1, 0, 1])}
    if dataset.startswith("xnli"):
        return {"premise": text(rng), "hypothesis": text(rng), "label": rng.randrange(3)}
    if dataset.startswith(("xquad", "tydiqa/secondary")):
        return {"id": rng.choice(["arabic", "japanese", "indonesian", "english"]) + "-1-2", "title": text(rng), "context": text(rng),
                "question": text(rng), "answers": {"text": [text(rng) for _ in range(rng.randint(1, 3))], "answer_start": [1]}}
    if dataset.startswith("tydiqa"):
        return {"language": rng.choice(["arabic", "japanese", "indonesian", "english"]), "question_text": text(rng),
                "document_plaintext": text(rng), "document_title": text(rng),
                "annotations": {"yes_no_answer": [rng.choice(["YES", "NO", "NONE"])], "passage_answer_candidate_index": [-1]}}
    if dataset.startswith("wmt14"):
        return {"translation": {key: text(rng) for key in ("en", "fr", "hi")}}
    if dataset.startswith("paws-x"):
        return {"sentence1": text(rng), "sentence2": text(rng), "label": rng.choice([0, 1])}
    if dataset.startswith("GEM/wiki_lingua"):
        return {"source": text_with_separator(rng), "target": text_with_separator(rng)}
    if dataset.startswith("GEM/xsum"):
        return {"document": text_with_separator(rng), "target": text_with_separator(rng)}
    if dataset.startswith("winogrande"):
        return {"sentence": text(rng), "option1": text(rng), "option2": text(rng), "answer": rng.choice(["1", "2"])}
    if dataset.startswith("amazon"):
        return {"review_title": text(rng), "review_body": text(rng), "product_category": text(rng), "stars": rng.randint(1, 5)}
    if dataset.startswith("stsb"):
        return {"sentence1": text(rng), "sentence2": text(rng), "similarity_score": round(5 * rng.random(), rng.randint(0, 3))}
    if dataset.startswith("BigScienceBiasEval"):
        return {"sent_more": text(rng), "sent_less": text(rng)}
    if dataset.startswith("story_cloze"):
        return {**{f"input_sentence_{i}": text(rng) for i in range(1, 5)}, "sentence_quiz1": text(rng), "sentence_quiz2": text(rng),
                "answer_right_ending": rng.choice([1, 2])}
    if dataset.startswith("gsarti/flores"):
        fields = set(re.findall(r"sentence_[a-z_]*[a-z]", (folder / "templates.yaml").read_text(encoding="utf-8")))
        return {field: text_with_separator(rng) for field in sorted(fields)}
    raise SystemExit(f"FAILED: nobody knows the fields of {dataset}")


def rows_for(dataset, data, rng, count):
    """Real rows and `count` drawn ones. `data` is the folder that the templates' one lies in."""
    rows = []
    if dataset.startswith("xcopa"):
        rows = xcopa_rows(data, rng)
    elif dataset.startswith("xnli"):
        rows = xnli_rows(data, rng)
    elif dataset.startswith("xquad"):
        rows = squad_rows(data, rng)
    elif dataset.startswith("wmt14"):
        rows = translation_rows(data, rng)
    # Few rows for very many templates; many where a template speaks for one of a dozen kinds of row.
    count = {"gsarti": 3, "tydiqa": 80}.get(dataset.split("/")[0], count)
    return rows + [drawn(dataset, data / "prompts" / dataset, rng) for _ in range(count)]
