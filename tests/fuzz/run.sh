#!/usr/bin/env bash
# Builds every fuzzer with clang and runs each for some seconds: tests/fuzz/run.sh [seconds] [name ...]
# Fails at the first finding; the input that shows it is kept in build/fuzz/findings/.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
build=build/fuzz

cc=$(command -v clang-14 || command -v clang) || { echo "fuzzing needs clang" >&2; exit 1; }
cxx=$(command -v clang++-14 || command -v clang++)
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DFROND_FUZZ=ON -DFROND_CUDA=OFF \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" > $build.log 2>&1 || { cat $build.log; exit 1; }
cmake --build $build --target fuzzers -j "$(nproc)"

targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=($(basename -s .cc -a tests/fuzz/*_fuzz.cc))
fuzz() {
  local target=$1
  # New inputs go to a copy, so that the seeds in the tree stay as they are.
  local grown=$build/corpus/$target
  mkdir -p "$grown" $build/findings
  if ! $build/tests/fuzz/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=16384 -print_final_stats=1 -verbosity=0 -artifact_prefix=$build/findings/"$target"- \
    "$grown" tests/fuzz/corpus/"$target" > $build/"$target".log 2>&1; then
    tail -n 60 $build/"$target".log
    echo "FINDING by $target: see $build/findings/" >&2
    return 1
  fi
  echo "== $target, $seconds seconds"
  grep -E "number_of_executed_units|average_exec_per_sec" $build/"$target".log || true
}

running=0
for target in "${targets[@]}"; do
  [[ $running -lt $(nproc) ]] || { wait -n; running=$((running - 1)); }
  fuzz "$target" &
  running=$((running + 1))
done
while [[ $running -gt 0 ]]; do
  wait -n
  running=$((running - 1))
done
echo "No findings in ${#targets[@]} fuzzers"
