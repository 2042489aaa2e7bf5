"""Opens checkpoint folders with Transformers and compares their logits with ours.

    check_hf_checkpoint.py [--dtype float32] [--tolerance 1e-5] FOLDER LOGITS.safetensors ...

LOGITS holds, for n examples with S source and T target tokens laid end to end,
    source_ids I32 [S], source_offsets I32 [n+1], target_ids I32 [T], target_offsets I32 [n+1]
    logits F32 or F64 [T, V]
where row t of the logits is what the decoder says about target token t. Prints a line for each
pair, "equal" or "DIFFERENT" by the largest of the tokens' ||ours - theirs|| / ||theirs||. Exits
with 1 where one is above the tolerance, with 2 where a file cannot be opened or has the wrong
shapes, with 3 without the packages it needs.
"""

import argparse
import sys

try:
    import numpy as np
    import safetensors.numpy
    import torch
    import transformers
except ImportError as missing:
    print(missing)
    sys.exit(3)


def exact_norm(self, x):
    """RMS norm as Transformers has it, without its cast of the variance to float32."""
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def load_model(folder, dtype):
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager").eval()
    if dtype == torch.float64:
        for module in model.modules():
            if type(module).__name__.endswith("LayerNorm"):
                module.forward = exact_norm.__get__(module)
    return model


def split(ids, offsets):
    return [torch.from_numpy(ids[a:b].astype(np.int64)) for a, b in zip(offsets, offsets[1:])]


def worst_error(model, dump):
    """The largest relative error of a token's logits, and which example and token it is."""
    sources = split(dump["source_ids"], dump["source_offsets"])
    targets = split(dump["target_ids"], dump["target_offsets"])
    worst, where = 0.0, "no token"
    for i, (source, target) in enumerate(zip(sources, targets)):
        with torch.no_grad():
            theirs = model(input_ids=source[None], labels=target[None]).logits[0].double()
        start = dump["target_offsets"][i]
        ours = torch.from_numpy(dump["logits"][start:start + len(target)]).double()
        if ours.shape != theirs.shape:
            raise ValueError(f"{tuple(ours.shape)} instead of {tuple(theirs.shape)}")
        errors = (ours - theirs).norm(dim=-1) / theirs.norm(dim=-1)
        # A NaN must not pass for a small error.
        errors = torch.nan_to_num(errors, nan=torch.inf)
        if errors.max().item() > worst:
            worst, where = errors.max().item(), f"example {i}, token {errors.argmax().item()}"
    return worst, where


def is_equal(folder, logits, dtype, tolerance):
    """Compares one pair and prints what was found."""
    try:
        model = load_model(folder, dtype)
        dump = safetensors.numpy.load_file(logits)
        worst, where = worst_error(model, dump)
    except Exception as error:  # whatever damaged files raise is the same to the caller
        print(f"cannot compare {folder} with {logits}: {type(error).__name__}: {error}")
        sys.exit(2)
    verdict = "equal" if worst <= tolerance else "DIFFERENT"
    print(f"{verdict} {folder}: largest relative error of {len(dump['target_ids'])} tokens' logits "
          f"{worst:.3e} ({where})")
    return worst <= tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="FOLDER LOGITS")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    args = parser.parse_args()
    if len(args.pairs) % 2:
        parser.error("folders and logits come in pairs")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    pairs = zip(args.pairs[::2], args.pairs[1::2])
    dtype = getattr(torch, args.dtype)
    equal = [is_equal(*pair, dtype, args.tolerance) for pair in pairs]
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
