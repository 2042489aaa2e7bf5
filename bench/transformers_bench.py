"""The rival of `frond train --benchmark`: the same steps with Transformers on PyTorch, CPU or GPU.

    transformers_bench.py --preset mt5-small --lengths 512/128 --batch 8 --threads 2 --steps 5
    transformers_bench.py --preset mt5-small --batches batches.jsonl --micro-batch 8 --dtype bf16

The data are either full-length random examples (--lengths) or real ones (--batches): JSON lines,
one a step, {"sources": [[ids], ...], "targets": [[ids], ...]}. Batches are padded to their longest
example as DataCollatorForSeq2Seq does it. Prints one JSON object; tokens are real ones (source and
target), without padding. --model FOLDER starts from a checkpoint, so that losses can be compared.
"""

import argparse
import json
import resource
import statistics
import sys
import time

import numpy as np
import torch
import transformers

# vocabulary, d_model, d_kv, d_ff, heads, layers
PRESETS = {
    "tiny": (512, 64, 16, 128, 4, 2),
    "mt5-small": (250112, 512, 64, 1024, 6, 8),
    "mt5-base": (250112, 768, 64, 2048, 12, 12),
    "mt5-large": (250112, 1024, 64, 2816, 16, 24),
    "mt5-xl": (250112, 2048, 64, 5120, 32, 24),
    "mt5-xxl": (250112, 4096, 64, 10240, 64, 24),
}
DTYPES = ["f32", "bf16-autocast", "bf16-model", "bf16"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="mt5-small")
    parser.add_argument("--vocab", type=int, help="vocabulary, where it is not the preset's")
    parser.add_argument("--layers", type=int, help="layers of encoder and decoder, where not the preset's")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--model", help="Hugging Face folder to start from instead of a preset")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--lengths", help="source/target tokens of every example, e.g. 512/128")
    data.add_argument("--batches", help="JSON lines, one a step")
    parser.add_argument("--batch", type=int, default=8, help="examples a step (with --lengths)")
    parser.add_argument("--micro-batch", type=int, default=0,
                        help="examples of one forward and backward pass; 0: the whole step")
    parser.add_argument("--group-by-length", action="store_true",
                        help="sort a step's examples before they are cut into micro-batches")
    parser.add_argument("--dtype", choices=DTYPES, default="f32",
                        help="bf16: the faster of autocast and a bf16 model, tried first")
    parser.add_argument("--optimizer", default="adafactor",
                        choices=["adafactor", "torch-adafactor", "adamw"])
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--warmup", type=int, default=1, help="steps that are not timed")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def make_model(args, dtype):
    """The model with its own head: Transformers 5 ties every new T5, mT5's weights are not tied."""
    if args.model:
        return transformers.AutoModelForSeq2SeqLM.from_pretrained(
            args.model, dtype=dtype, attn_implementation=args.attention,
            dropout_rate=args.dropout).train()
    vocab, d_model, d_kv, d_ff, heads, layers = PRESETS[args.preset]
    layers = args.layers or layers
    config = transformers.MT5Config(
        vocab_size=args.vocab or vocab, d_model=d_model, d_kv=d_kv, d_ff=d_ff, num_heads=heads,
        num_layers=layers, feed_forward_proj="gated-gelu", dropout_rate=args.dropout,
        decoder_start_token_id=0, attn_implementation=args.attention)
    torch.manual_seed(args.seed)
    with torch.device(args.device):
        model = transformers.MT5ForConditionalGeneration(config)
    head = torch.empty_like(model.shared.weight).normal_(std=d_model**-0.5)
    model.lm_head.weight = torch.nn.Parameter(head)
    return model.to(dtype).train()


def make_optimizer(args, model):
    if args.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.0)
    if args.optimizer == "torch-adafactor":
        return torch.optim.Adafactor(model.parameters(), lr=args.learning_rate)
    return transformers.Adafactor(model.parameters(), lr=args.learning_rate, scale_parameter=True,
                                  relative_step=False, warmup_init=False)


def read_steps(args, vocab_size):
    """A step's examples as (source, target) lists; goes around where the file has too few steps."""
    if args.batches:
        with open(args.batches, encoding="utf-8") as lines:
            steps = [json.loads(line) for line in lines if line.strip()]
        return [list(zip(step["sources"], step["targets"], strict=True)) for step in steps]
    source, target = map(int, args.lengths.split("/"))
    rng = np.random.default_rng(args.seed)

    def sequence(length):
        return rng.integers(2, vocab_size, length - 1).tolist() + [1]

    return [[(sequence(source), sequence(target)) for _ in range(args.batch)]
            for _ in range(args.warmup + args.steps)]


def pad(sequences, value):
    out = torch.full((len(sequences), max(map(len, sequences))), value, dtype=torch.int64)
    for row, sequence in zip(out, sequences):
        row[:len(sequence)] = torch.tensor(sequence)
    return out


def micro_batches(args, examples):
    if args.group_by_length:
        examples = sorted(examples, key=lambda pair: (len(pair[0]), len(pair[1])))
    size = args.micro_batch or len(examples)
    return [examples[at:at + size] for at in range(0, len(examples), size)]


def train_step(args, model, optimizer, examples, autocast):
    """One optimizer step; the loss is the mean over its target tokens."""
    target_tokens = sum(len(target) for _, target in examples)
    total, padded = 0.0, 0
    for part in micro_batches(args, examples):
        sources, targets = zip(*part)
        batch = dict(input_ids=pad(sources, 0), labels=pad(targets, -100),
                     attention_mask=pad([[1] * len(s) for s in sources], 0))
        batch = {name: tensor.to(args.device) for name, tensor in batch.items()}
        padded += batch["input_ids"].numel() + batch["labels"].numel()
        with torch.autocast(args.device, torch.bfloat16, enabled=autocast):
            loss = model(**batch).loss
        loss = loss * (sum(map(len, targets)) / target_tokens)
        loss.backward()
        total += loss.item()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total, padded


def wait(args):
    if args.device == "cuda":
        torch.cuda.synchronize()


class Trainer:
    """A model with its optimizer in one of the dtype modes."""

    def __init__(self, args, mode):
        self.args, self.mode = args, mode
        self.model = make_model(args, torch.bfloat16 if mode == "bf16-model" else torch.float32)
        self.optimizer = make_optimizer(args, self.model)
        self.config = self.model.config
        if args.compile:
            self.model = torch.compile(self.model)

    def step(self, examples):
        return train_step(self.args, self.model, self.optimizer, examples,
                          self.mode == "bf16-autocast")


def faster_bf16(args):
    """The bf16 mode whose second step on the same data is faster."""
    seconds = {}
    for mode in ("bf16-autocast", "bf16-model"):
        trainer = Trainer(args, mode)
        examples = read_steps(args, trainer.config.vocab_size)[0]
        trainer.step(examples)
        wait(args)
        begin = time.perf_counter()
        trainer.step(examples)
        wait(args)
        seconds[mode] = time.perf_counter() - begin
        del trainer
    print("seconds of a bf16 step:", seconds, file=sys.stderr)
    return min(seconds, key=seconds.get)


def main():
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    mode = faster_bf16(args) if args.dtype == "bf16" else args.dtype
    trainer = Trainer(args, mode)
    steps = read_steps(args, trainer.config.vocab_size)
    seconds, losses, tokens, padded, examples = [], [], 0, 0, 0
    for index in range(args.warmup + args.steps):
        step = steps[index % len(steps)]
        wait(args)
        begin = time.perf_counter()
        loss, step_padded = trainer.step(step)
        wait(args)
        elapsed = time.perf_counter() - begin
        losses.append(loss)
        if index >= args.warmup:
            seconds.append(elapsed)
            tokens += sum(len(s) + len(t) for s, t in step)
            padded += step_padded
            examples += len(step)
    print(json.dumps(dict(
        framework="transformers", transformers=transformers.__version__, torch=torch.__version__,
        model=args.model or args.preset,
        parameters=sum(p.numel() for p in trainer.model.parameters()),
        dtype=mode, device=args.device, compiled=args.compile, optimizer=args.optimizer, threads=args.threads, attention=args.attention,
        steps=args.steps, examples=examples, tokens=tokens, real_token_share=tokens / padded,
        seconds_per_step=sum(seconds) / len(seconds), seconds_median=statistics.median(seconds),
        tokens_per_second=tokens / sum(seconds), examples_per_second=examples / sum(seconds),
        losses=losses,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)))


if __name__ == "__main__":
    main()
