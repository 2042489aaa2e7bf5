#!/usr/bin/env python3
"""How few rows any packing of some examples could need: what `frond mix` reports can be held against it.

    bench/packing_bound.py --rows FILE.jsonl --tokenizer spiece.model --source-length 512 --target-length 128

A row is a set of examples whose tokens fit on both sides. The linear program over all such sets (each may be
taken in part) needs at most as many rows as any packing. Its columns are made as they are asked for, by a
two-dimensional knapsack over the dual prices (Gilmore and Gomory, 1961); a price vector scaled by the best
set's worth is feasible, so its value is a bound at any time (Farley, 1990). Needs numpy, scipy, sentencepiece.
"""

import argparse
import collections
import json
import math
import time

import numpy
import scipy.optimize
import scipy.sparse
import sentencepiece


def read_lengths(path, tokenizer, limits):
    """Tokens of both sides with the end token, cut to the limits: {(source, target): examples}."""
    processor = sentencepiece.SentencePieceProcessor(model_file=tokenizer)
    counts = collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            sides = (row["inputs"], row["targets"])
            counts[tuple(min(len(processor.encode(text)) + 1, most) for text, most in zip(sides, limits))] += 1
    return counts


class Rows:
    """Sets of examples that fit into a row, as vectors: how many of each kind."""

    def __init__(self, kinds, counts, limits):
        self.kinds, self.counts, self.limits = kinds, counts, limits

    def greedy(self, order):
        """A packing that fills row after row with the first kinds in `order` that fit."""
        left, rows = self.counts.copy(), []
        while left.any():
            room, row = list(self.limits), numpy.zeros(len(self.kinds))
            for kind in order:
                source, target = self.kinds[kind]
                taken = min(left[kind], room[0] // source, room[1] // target)
                if taken > 0:
                    row[kind] = taken
                    left[kind] -= taken
                    room = [room[0] - taken * source, room[1] - taken * target]
            rows.append(row)
        return rows

    def batches(self, kind):
        """Splits what a row can hold of a kind into 1, 2, 4, ... so that few choices make any number."""
        source, target = self.kinds[kind]
        left = min(self.counts[kind], self.limits[0] // source, self.limits[1] // target)
        size = 1
        while left > 0:
            yield min(size, left)
            left -= min(size, left)
            size *= 2

    def most_worth(self, prices):
        """The set of the largest sum of prices, and that sum."""
        best = numpy.zeros((self.limits[0] + 1, self.limits[1] + 1))
        choices = []
        for kind in numpy.flatnonzero(prices > 1e-12):
            for size in self.batches(kind):
                source, target = (size * side for side in self.kinds[kind])
                with_it = best[: best.shape[0] - source, : best.shape[1] - target] + size * prices[kind]
                better = with_it > best[source:, target:] + 1e-12
                best[source:, target:] = numpy.where(better, with_it, best[source:, target:])
                choices.append((kind, size, source, target, better))
        row, room = numpy.zeros(len(self.kinds)), list(self.limits)
        for kind, size, source, target, better in reversed(choices):
            if room[0] >= source and room[1] >= target and better[room[0] - source, room[1] - target]:
                row[kind] += size
                room = [room[0] - source, room[1] - target]
        return row, best[-1, -1]


def start(rows, rng):
    """The distinct rows of many greedy packings, and the fewest rows that one of them needed."""
    share = numpy.array(rows.kinds) / numpy.array(rows.limits)
    columns, fewest = {}, math.inf
    for weight in numpy.repeat(numpy.linspace(0, 1, 20), 4):
        size = (weight * share[:, 0] + (1 - weight) * share[:, 1]) * numpy.exp(rng.normal(0, 0.1, len(share)))
        packing = rows.greedy(numpy.argsort(-size))
        fewest = min(fewest, len(packing))
        columns.update((row.tobytes(), row) for row in packing)
    return list(columns.values()), fewest


def bound(rows, seconds):
    """(lower bound of the rows, fewest rows of a greedy packing)."""
    columns, fewest = start(rows, numpy.random.default_rng(1))
    kept, lower, give_up = None, 0.0, time.monotonic() + seconds
    while time.monotonic() < give_up:
        matrix = scipy.sparse.csc_matrix(numpy.array(columns).T)
        program = scipy.optimize.linprog(numpy.ones(len(columns)), A_ub=-matrix, b_ub=-rows.counts, method="highs")
        prices = -program.ineqlin.marginals
        # Between the best prices so far and the program's, which jump about.
        for share in (0.6, 0.0) if kept is not None else (0.0,):
            tried = prices if kept is None else share * kept + (1 - share) * prices
            row, worth = rows.most_worth(tried)
            if tried @ rows.counts / worth > lower:
                lower, kept = tried @ rows.counts / worth, tried / worth
            columns.append(row)
            if prices @ row > 1 + 1e-6:
                break
        if math.ceil(lower - 1e-6) >= math.ceil(program.fun - 1e-6):
            break
    return lower, fewest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--source-length", type=int, required=True)
    parser.add_argument("--target-length", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=300, help="give up improving the bound after so many")
    args = parser.parse_args()
    limits = (args.source_length, args.target_length)
    counts = read_lengths(args.rows, args.tokenizer, limits)
    rows = Rows(list(counts), numpy.array(list(counts.values())), limits)
    tokens = [sum(kind[side] * count for kind, count in counts.items()) for side in (0, 1)]
    lower, greedy = bound(rows, args.seconds)
    needed = math.ceil(lower - 1e-6)
    fills = [sum_ / (needed * limit) for sum_, limit in zip(tokens, limits)]
    print(f"{sum(counts.values())} examples: no packing needs fewer than {needed} rows ({lower:.2f}), "
          f"that is {100 * max(fills):.2f} % of the binding side filled; the best of 80 greedy ones needs {greedy}")


if __name__ == "__main__":
    main()
