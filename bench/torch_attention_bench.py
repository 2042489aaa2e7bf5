#!/usr/bin/env python3
"""The rivals of Frond's GPU attention: T5 attention with its trainable bias in PyTorch, forward and backward.

    torch_attention_bench.py [--tokens 8192] [--heads 64] [--lengths 512 1024 2048] [--device cuda]

Segments of one length, bf16, no scaling of the scores, a bias [heads, length, length] from a bucket table
whose gradient is computed. `eager` is Transformers' form (matmul, add, softmax in f32, matmul); `compiled` the
same under torch.compile; `cudnn` PyTorch's fused attention on cuDNN with the bias as a mask, with the bias'
gradient where it can, else without. One JSON object a line; milliseconds are medians.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def bucket_index(length):
    """T5's bidirectional buckets (32, maximum distance 128) of key - query, [length, length]."""
    position = torch.arange(length)
    relative = position[None, :] - position[:, None]
    buckets = (relative > 0).long() * 16
    distance = relative.abs()
    large = 8 + (torch.log(distance.clamp(min=1).float() / 8) / torch.log(torch.tensor(16.0)) * 8).long()
    return buckets + torch.where(distance < 8, distance, large.clamp(max=15))


def eager(q, k, v, bias):
    scores = torch.matmul(q, k.transpose(-1, -2)) + bias
    weights = torch.softmax(scores.float(), dim=-1).to(q.dtype)
    return torch.matmul(weights, v)


def cudnn(q, k, v, bias):
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)


def timed(run, repeats, device):
    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        run()
    wait()
    milliseconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        wait()
        milliseconds.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(milliseconds)


def measure(name, attention, args, length, with_bias_gradient=True):
    batch = max(1, args.tokens // length)
    shape = (batch, args.heads, length, args.head_dim)
    q, k, v = (torch.randn(shape, device=args.device, dtype=torch.bfloat16).mul_(0.3).requires_grad_()
               for _ in range(3))
    table = torch.randn(32, args.heads, device=args.device, requires_grad=with_bias_gradient)
    index = bucket_index(length).to(args.device)
    dout = torch.randn(shape, device=args.device, dtype=torch.bfloat16)

    def forward():
        bias = table[index].permute(2, 0, 1).unsqueeze(0).to(torch.bfloat16)
        return attention(q, k, v, bias)

    def both():
        for tensor in (q, k, v, table):
            tensor.grad = None
        forward().backward(dout)

    line = dict(name=f"{name} {length}", bias_gradient=with_bias_gradient)
    with torch.no_grad():
        line["forward_milliseconds"] = timed(forward, args.repeats, args.device)
    line["milliseconds"] = timed(both, args.repeats, args.device)
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--heads", type=int, default=64)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    rivals = [("eager", eager, True), ("compiled", torch.compile(eager), True),
              ("cudnn", cudnn, True), ("cudnn", cudnn, False)]
    done = set()
    for length in args.lengths:
        for name, attention, with_bias_gradient in rivals:
            if (name, length) in done:
                continue
            try:
                measure(name, attention, args, length, with_bias_gradient)
                done.add((name, length))
            except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:
                print(f"{name} {length}, bias gradient {with_bias_gradient}: "
                      f"{str(error).strip().splitlines()[0]}", file=sys.stderr)


if __name__ == "__main__":
    main()
