#!/usr/bin/env bash
# From a fresh Debian 12 or Ubuntu machine to a trained multilingual model, on CPU alone:
# packages, build, corpus, vocabulary, training under mpirun, evaluation.
#   launch/quickstart.sh            a second call resumes, or says that all is done
#   launch/quickstart.sh --steps N  trains N steps instead of the config's
set -euo pipefail
cd "$(dirname "$0")/.."

overrides=()
if [[ "${1:-}" == "--steps" && "${2:-}" =~ ^[0-9]+$ ]]; then
  overrides+=(--set "steps=$2" --set "schedule.warmup_steps=$(($2 / 15))")
elif [[ $# -gt 0 ]]; then
  echo "usage: launch/quickstart.sh [--steps N]" >&2
  exit 2
fi

folder=runs/quickstart
run=$folder/run
report=$folder/report.json
frond=build/release/launch/frond
config=(--config configs/quickstart.textproto "${overrides[@]}")
tensorboard_line="TensorBoard: tensorboard --logdir $run/tensorboard"
say() { printf '\n== %s\n' "$*"; }

if [[ -f $report ]]; then
  say "The quickstart is done: $report. Remove $folder to run it again."
  echo "$tensorboard_line"
  exit 0
fi
started=$SECONDS

say "Packages"
launch/install_packages.sh

say "Build"
cmake --preset release >build-quickstart.log 2>&1 || { cat build-quickstart.log; exit 1; }
sed -n 's/^-- \([+|].*\)/\1/p' build-quickstart.log
rm -f build-quickstart.log
cmake --build --preset release --target frond -j "$(nproc)" | tail -n 1

mkdir -p "$folder"
if [[ ! -f $folder/corpus/README.md ]]; then
  say "Corpus: short instructions in more than ninety languages"
  "$frond" corpus --out "$folder/corpus"
fi
if [[ ! -f $folder/spiece.model ]]; then
  say "Vocabulary: SentencePiece, 8000 pieces, byte fallback"
  "$frond" vocabulary --input "$folder/corpus/train.jsonl" --size 8000 --out "$folder/spiece.model"
fi

ranks=2
mpi=(mpirun -n "$ranks" --bind-to none)
[[ $(id -u) -eq 0 ]] && mpi+=(--allow-run-as-root)
[[ $(nproc) -lt $ranks ]] && mpi+=(--oversubscribe)

say "The untrained model, for comparison"
[[ -f $folder/eval_untrained.json ]] ||
  "${mpi[@]}" "$frond" eval "${config[@]}" --untrained --brief --out "$folder/eval_untrained.json"

say "Training on $ranks ranks"
"${mpi[@]}" "$frond" train "${config[@]}"

say "Evaluation on rows of the test split, by script"
"${mpi[@]}" "$frond" eval "${config[@]}" --brief --samples 5 --out "$folder/eval.json"

jq -n --slurpfile trained "$folder/eval.json" --slurpfile untrained "$folder/eval_untrained.json" \
  --slurpfile summary "$run/summary.json" --slurpfile metrics "$run/metrics.jsonl" '
  ($metrics | map(select(.loss != null))) as $steps
  | $trained[0] as $t | {
      loss_first: $steps[0].loss, loss_last: $steps[-1].loss,
      exact_match: $t.exact_match, chrf: $t.chrf,
      exact_match_untrained: $untrained[0].exact_match, chrf_untrained: $untrained[0].chrf,
      exact_match_baseline: $t.exact_match_baseline, chrf_baseline: $t.chrf_baseline,
      languages: $t.languages,
      languages_above_baseline: ([$t.by_language[]
        | select(.exact_match > .exact_match_baseline and .chrf > .chrf_baseline)] | length),
      examples_per_second: $summary[0].examples_per_second,
      steps: $summary[0].step, examples: $summary[0].examples }' >"$report.tmp"
mv "$report.tmp" "$report"

say "Result after $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s"
jq -r '
  def percent: . * 1000 | round / 10 | tostring + " %";
  def tenth: . * 10 | round / 10 | tostring;
  "loss                 \(.loss_first * 100 | round / 100) -> \(.loss_last * 100 | round / 100)",
  "exact match          \(.exact_match | percent)   untrained \(.exact_match_untrained | percent), most frequent answer \(.exact_match_baseline | percent)",
  "chrF                 \(.chrf | tenth)   untrained \(.chrf_untrained | tenth), most frequent answer \(.chrf_baseline | tenth)",
  "languages            \(.languages), \(.languages_above_baseline) of them above the most frequent answer in both",
  "examples per second  \(.examples_per_second | round)"' "$report"
echo "report               $report"
echo "ask it               $frond generate --model \$(ls -d $run/checkpoints/step_* | tail -n 1) --prompt 'Write in German: 70 wk'"
echo "$tensorboard_line"
