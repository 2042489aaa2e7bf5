#!/usr/bin/env bash
# Frond's training step beside Transformers + PyTorch on the CPU, at mT5-small's shape, in one run:
#   bench/compare_transformers.sh DATA TOKENIZER [PYTHON]
# DATA: folder written by bench/make_real_data.py; TOKENIZER: a SentencePiece model of up to 250,112 pieces.
# RUN_PREFIX may hold a command to run both under, e.g. "chrt -f 10"; DTYPES what is compared (f32 bf16); SETTINGS what
# Frond's config sets besides, e.g. "model.f32_activations=true".
set -euo pipefail
cd "$(dirname "$0")/.."
data=$1 tokenizer=$2 python=${3:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
frond=build/release/launch/frond
read -ra prefix <<<"${RUN_PREFIX:-}"
threads=$(nproc)

# compare NAME DTYPE MICRO_BATCH_OF_THE_RIVAL SETTINGS...
compare() {
  local name=$1 dtype=$2 micro=$3
  shift 3
  local settings=()
  for setting in ${SETTINGS:-} "$@"; do settings+=(--set "$setting"); done
  "${prefix[@]}" "$frond" train --config configs/mt5_small_real.textproto \
    --set "work_dir=$work/run" --set "data.tokenizer=$tokenizer" --set "model.compute=${dtype^^}" \
    --set loss.normalizer=PER_TOKEN --set loss.z_loss=0 --set model.dropout=0 \
    --set "threads=$threads" "${settings[@]}" \
    --benchmark 3 --dump-batches "$work/batches.jsonl" >"$work/ours.txt" 2>"$work/ours.log" ||
    { cat "$work/ours.log"; exit 1; }
  sed -n '/^op (rank/,$p' "$work/ours.txt" | head -n -1 >"$work/profile.txt"
  "${prefix[@]}" "$python" bench/transformers_bench.py --preset mt5-small --batches "$work/batches.jsonl" \
    --micro-batch "$micro" --threads "$threads" --dtype "$dtype" --dropout 0 --warmup 1 --steps 1 \
    >"$work/theirs.txt" 2>"$work/theirs.log" || { tail -n 5 "$work/theirs.log"; exit 1; }
  jq -n -r --arg name "$name $dtype" --slurpfile ours <(tail -n 1 "$work/ours.txt") \
    --slurpfile theirs <(tail -n 1 "$work/theirs.txt") '
    def tenth: . * 10 | round / 10;
    def hundredth: . * 100 | round / 100;
    $ours[0] as $o | $theirs[0] as $t |
    "| \($name) | \($o.tokens_per_second | round) | \($t.tokens_per_second | round) | \($o.tokens_per_second / $t.tokens_per_second | hundredth) | \($o.examples_per_second | tenth) | \($t.examples_per_second | tenth) | \($o.examples_per_second / $t.examples_per_second | hundredth) | \($o.mfu * 100 | tenth) % |"'
  cat "$work/profile.txt" >&2
}

echo "| case | Frond tokens/s | Transformers tokens/s | ratio | Frond examples/s | Transformers examples/s | ratio | Frond MFU |"
echo "|---|---|---|---|---|---|---|---|"
for dtype in ${DTYPES:-f32 bf16}; do
  compare "512/128 full" $dtype 8 "data.source[0].path=$data/long.jsonl" \
    "data.source[1].path=$data/dolly.jsonl" "data.source[1].weight=0" data.source_length=512 data.target_length=128 data.packing=false batch.rows=16
  compare "real, mixed lengths" $dtype 8 "data.source[0].path=$data/tatoeba.jsonl" \
    "data.source[1].path=$data/dolly.jsonl" batch.rows=16
done
