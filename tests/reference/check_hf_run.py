"""Opens a run's checkpoint with Transformers' Auto classes and tells what they make of some rows.

    check_hf_run.py FOLDER ROWS.jsonl MAX_NEW_TOKENS

Prints one JSON object: "ids", the token ids of every row's inputs (with end-of-sequence); "loss", the
mean over rows of the mean negative log-likelihood of their target tokens, in f64; "answers", the
greedy answers. Exits with 3 without the packages it needs.
"""

import json
import sys

try:
    import torch
    import transformers
    import sentencepiece  # noqa: F401, AutoTokenizer needs it
except ImportError as missing:
    print(missing)
    sys.exit(3)


def main():
    folder, rows_file, max_new_tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float64).eval()
    with open(rows_file, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    ids, losses, answers = [], [], []
    for row in rows:
        source = tokenizer(row["inputs"], return_tensors="pt").input_ids
        target = tokenizer(row["targets"], return_tensors="pt").input_ids
        ids.append(source[0].tolist())
        with torch.no_grad():
            losses.append(model(input_ids=source, labels=target).loss.item())
            answer = model.generate(input_ids=source, max_new_tokens=max_new_tokens, do_sample=False)
        answers.append(tokenizer.decode(answer[0], skip_special_tokens=True))
    print(json.dumps({"ids": ids, "loss": sum(losses) / len(losses), "answers": answers}))


if __name__ == "__main__":
    main()
