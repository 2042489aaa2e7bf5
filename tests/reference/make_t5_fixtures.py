"""Writes tests/models/t5/fixtures: what Hugging Face Transformers computes for tiny T5 models.

For each of three models (mT5, T5 v1.1, T5 v1.1 with a tied head) a folder as it lies on the Hugging
Face hub, token ids, and in float64 the logits, the losses with z-loss, every gradient of the
PER_EXAMPLE loss and greedy generations. tests/models/t5/fixtures/README.md lists the tensors.

    /opt/frond-venv/bin/python tests/reference/make_t5_fixtures.py [--out FOLDER] [--seed N]
"""

import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import shutil

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
import transformers

Z_LOSS = 1e-4
MAX_NEW_TOKENS = 20
# Greedy prompts whose best and second-best logit come closer than this in any step are not kept:
# float32 may decide them otherwise.
MIN_MARGIN = 1e-2
# The bucket edges of the 32-bucket bidirectional table lie at distances 8, 9-11, 12-15, 16-22, ...,
# 91 and 128; these lengths reach over all of them, on the decoder's side as well (143).
SOURCE_LENGTHS = [1, 7, 9, 17, 33, 70, 130, 150, 12, 26]
TARGET_LENGTHS = [3, 9, 1, 20, 12, 5, 143, 2, 17, 35]


@dataclasses.dataclass
class Fixture:
    name: str
    kind: str  # "mt5" or "t5"
    tied: bool
    seed: int
    vocab_size: int
    d_kv: int


FIXTURES = [
    Fixture("mt5", "mt5", tied=False, seed=101, vocab_size=160, d_kv=12),
    Fixture("t5_v1_1", "t5", tied=False, seed=102, vocab_size=128, d_kv=8),
    Fixture("t5_v1_1_tied", "t5", tied=True, seed=103, vocab_size=144, d_kv=8),
]


def exact_norm(self, x):
    """RMS norm as Transformers has it, without its cast of the variance to float32."""
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def weight_value(name, shape, cfg, rng):
    """Weights at the scale of a trained model: norm scales away from 1, heads that differ."""
    inner = cfg.num_heads * cfg.d_kv
    if "layer_norm" in name:
        return rng.uniform(0.4, 1.8, shape)
    if "relative_attention_bias" in name:
        slope, offset = np.linspace(0.2, 2, shape[1]), np.linspace(-2, 2, shape[1])
        return rng.standard_normal(shape) * slope + offset
    std = {
        "q": (cfg.d_model * cfg.d_kv) ** -0.5, "k": cfg.d_model**-0.5, "v": cfg.d_model**-0.5,
        "o": inner**-0.5, "wi_0": cfg.d_model**-0.5, "wi_1": cfg.d_model**-0.5,
        "wo": cfg.d_ff**-0.5, "lm_head": 0.25, "shared": 1.0,
    }[name.split(".")[-2]]
    value = rng.standard_normal(shape) * std
    if shape[0] == cfg.vocab_size:
        value[1] *= 2.5  # end-of-sequence often wins or loses clearly: generations of many lengths
    return value


def build_model(fixture, folder):
    """Saves the model as Transformers does, then gives config.json the form it has on the hub."""
    config_class, model_class = {
        "mt5": (transformers.MT5Config, transformers.MT5ForConditionalGeneration),
        "t5": (transformers.T5Config, transformers.T5ForConditionalGeneration),
    }[fixture.kind]
    cfg = config_class(
        vocab_size=fixture.vocab_size, d_model=32, d_kv=fixture.d_kv, d_ff=64, num_layers=2,
        num_decoder_layers=3, num_heads=4, feed_forward_proj="gated-gelu",
        decoder_start_token_id=0, tie_word_embeddings=fixture.tied)
    model = model_class(cfg)
    if not fixture.tied:
        # Transformers 5 ties the head of every new T5; only a checkpoint with both unties it.
        model.lm_head.weight = torch.nn.Parameter(torch.empty(cfg.vocab_size, cfg.d_model))
        model.all_tied_weights_keys.pop("lm_head.weight")
    rng = np.random.default_rng(fixture.seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            value = weight_value(name, tuple(parameter.shape), cfg, rng)
            parameter.copy_(torch.from_numpy(np.asarray(value, np.float32)))
    model.save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    (folder / "config.transformers5.json").write_text(json.dumps(saved, indent=2) + "\n")
    saved["tie_word_embeddings"] = fixture.tied
    saved.pop("scale_decoder_outputs", None)
    (folder / "config.json").write_text(json.dumps(saved, indent=2) + "\n")
    generation = folder / "generation_config.json"
    if generation.exists():
        generation.unlink()
    return model_class


def load_model(model_class, folder, dtype, bf16_weights=False):
    model = model_class.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    if bf16_weights:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(parameter.bfloat16())
    if dtype == torch.float64:
        for module in model.modules():
            if type(module).__name__.endswith("LayerNorm"):
                module.forward = exact_norm.__get__(module)
    return model


def make_examples(fixture):
    rng = np.random.default_rng(fixture.seed + 1000)
    def sequence(length):
        return np.append(rng.integers(2, fixture.vocab_size, length - 1), 1).astype(np.int64)
    return [sequence(n) for n in SOURCE_LENGTHS], [sequence(n) for n in TARGET_LENGTHS]


def pad(sequences, value):
    out = np.full((len(sequences), max(map(len, sequences))), value, np.int64)
    for row, sequence in zip(out, sequences):
        row[: len(sequence)] = sequence
    return torch.from_numpy(out)


def forward(model, sources, targets):
    """Logits of the real target tokens [T, V] from one padded batch."""
    labels = pad(targets, -100)
    mask = pad([np.ones_like(s) for s in sources], 0)
    out = model(input_ids=pad(sources, 0), attention_mask=mask, labels=labels)
    return out.logits[labels != -100]


def losses(logits, targets):
    """Mean of nll + z_loss logZ^2 over an example's tokens then examples; and over all tokens."""
    wanted = torch.from_numpy(np.concatenate(targets))
    log_z = torch.logsumexp(logits, -1)
    nll = log_z - logits.gather(-1, wanted[:, None])[:, 0]
    token = nll + Z_LOSS * log_z**2
    per_example = torch.stack([t.mean() for t in token.split([len(t) for t in targets])])
    return dict(nll=nll, log_z=log_z, token=token, example=per_example,
                per_example=per_example.mean(), per_token=token.mean())


def gradients(model, sources, targets):
    model.zero_grad()
    logits = forward(model, sources, targets)
    result = losses(logits if logits.dtype == torch.float64 else logits.float(), targets)
    result["per_example"].backward()
    grads = {name: p.grad.detach().clone() for name, p in model.named_parameters()}
    return logits.detach(), {k: v.detach() for k, v in result.items()}, grads


def relative_error(value, reference):
    value, reference = value.double(), reference.double()
    return (value - reference).norm().item() / reference.norm().item()


def errors_against(run, reference):
    logits, result, grads = run
    ref_logits, ref_result, ref_grads = reference
    errors = {n: relative_error(g, ref_grads[n]) for n, g in grads.items()}
    return dict(
        logits=relative_error(logits, ref_logits),
        loss=relative_error(result["per_example"], ref_result["per_example"]),
        all_gradients=relative_error(torch.cat([g.double().flatten() for g in grads.values()]),
                                     torch.cat([ref_grads[n].flatten() for n in grads])),
        worst_gradient=max(errors.values()), worst_gradient_name=max(errors, key=errors.get),
        gradients=errors)


def orientation(model_class, folder, examples, reference, reference_bf16_weights):
    """The errors of Transformers' own float32 and bfloat16 runs against its float64 run."""
    def run(dtype):
        return gradients(load_model(model_class, folder, dtype), *examples)
    bf16 = run(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        autocast = run(torch.float32)
    return {
        "float32": errors_against(run(torch.float32), reference),
        "bfloat16": errors_against(bf16, reference),
        "bfloat16 against bf16_weights": errors_against(bf16, reference_bf16_weights),
        "autocast bfloat16": errors_against(autocast, reference),
        "autocast bfloat16 against bf16_weights": errors_against(autocast, reference_bf16_weights),
    }


def greedy(model, fixture):
    """Prompts and what greedy decoding answers, end-of-sequence included where it came."""
    rng = np.random.default_rng(fixture.seed + 2000)
    early, full = [], []
    for _ in range(80):
        length = int(rng.choice([1, 3, 8, 17, 40, 100, 140]))
        source = np.append(rng.integers(2, fixture.vocab_size, length - 1), 1)
        # Transformers 5.24 sizes the decoder's cache by the encoder's layers: it runs without.
        out = model.generate(
            input_ids=torch.from_numpy(source)[None], max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False, num_beams=1, use_cache=False, output_logits=True,
            return_dict_in_generate=True)
        margin = min((top[0, 0] - top[0, 1]).item()
                     for top in (step.topk(2).values for step in out.logits))
        answer = out.sequences[0].numpy()[1:]
        if margin >= MIN_MARGIN:
            (early if answer[-1] == 1 else full).append((source, answer))
        if len(early) >= 4 and len(full) >= 4:
            break
    assert early and full
    # Alternating, so that a batch has rows that end at different times.
    return [p for pair in itertools.zip_longest(early[:4], full[:4]) for p in pair if p is not None]


def offsets(sequences):
    return np.cumsum([0] + [len(s) for s in sequences]).astype(np.int32)


def packed(sequences):
    return np.concatenate(sequences).astype(np.int32)


def result_tensors(run, dtype):
    logits, result, grads = run
    tensors = {
        "logits": logits, "nll": result["nll"], "log_z": result["log_z"],
        "loss.example": result["example"], "loss.per_example": result["per_example"].reshape(1),
        "loss.per_token": result["per_token"].reshape(1),
    } | {"grad." + name: g for name, g in grads.items()}
    return {name: np.ascontiguousarray(t.numpy().astype(dtype)) for name, t in tensors.items()}


def save(tensors, path):
    # One metadata entry only: safetensors writes several in a random order.
    safetensors.numpy.save_file(dict(sorted(tensors.items())), path, metadata={
        "settings": f"z_loss {Z_LOSS}, max_new_tokens {MAX_NEW_TOKENS}"})


def write_expected(folder, model_class, fixture):
    sources, targets = make_examples(fixture)
    model = load_model(model_class, folder, torch.float64)
    exact = gradients(model, sources, targets)
    rounded = gradients(load_model(model_class, folder, torch.float64, bf16_weights=True),
                        sources, targets)
    # A single example padded to nothing must give what the padded batch gave it.
    alone = forward(model, sources[4:5], targets[4:5])
    start = offsets(targets)[4]
    assert relative_error(alone.detach(), exact[0][start:start + len(targets[4])]) < 1e-12
    prompts = greedy(model, fixture)
    save(result_tensors(exact, np.float64) | {
        "source_ids": packed(sources), "source_offsets": offsets(sources),
        "target_ids": packed(targets), "target_offsets": offsets(targets),
        "generate.source_ids": packed([p for p, _ in prompts]),
        "generate.source_offsets": offsets([p for p, _ in prompts]),
        "generate.ids": packed([a for _, a in prompts]),
        "generate.offsets": offsets([a for _, a in prompts]),
    }, folder / "expected.safetensors")
    save(result_tensors(rounded, np.float32), folder / "expected_bf16_weights.safetensors")
    report = orientation(model_class, folder, (sources, targets), exact, rounded)
    report["versions"] = {"transformers": transformers.__version__, "torch": torch.__version__}
    (folder / "transformers_errors.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{fixture.name}: loss {exact[1]['per_example'].item():.6f}, generated lengths",
          [len(a) for _, a in prompts])
    for label, r in report.items():
        if label != "versions":
            print(f"  {label}: logits {r['logits']:.1e} loss {r['loss']:.1e} "
                  f"gradients {r['all_gradients']:.1e} worst {r['worst_gradient']:.1e}")


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "models/t5/fixtures"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=default)
    parser.add_argument("--seed", type=int, default=0, help="added to each model's seed: other weights and examples")
    args = parser.parse_args()
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for fixture in FIXTURES:
        fixture = dataclasses.replace(fixture, seed=fixture.seed + args.seed)
        folder = args.out / fixture.name
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        write_expected(folder, build_model(fixture, folder), fixture)


if __name__ == "__main__":
    main()
