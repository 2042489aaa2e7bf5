#!/usr/bin/env bash
# Installs packages, builds, runs every test: tests/run.sh [--quick]
#   --quick  release build and its tests only; without it also sanitizers, GPU kernels on the CPU, and fuzzers
set -euo pipefail
cd "$(dirname "$0")/.."
quick=no
[[ "${1:-}" == "--quick" ]] && quick=yes

launch/install_packages.sh --tests
jobs=$(nproc)
# Objects of the release build that the emulated build has too come from the compiler cache, also from an empty one.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD}

echo "== Release build"
cmake --preset release
cmake --build --preset release -j "$jobs"

echo "== Tests"
ctest --test-dir build/release --output-on-failure -j "$jobs"

if [[ $quick == no ]]; then
  echo "== Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer"
  cmake --preset asan
  cmake --build --preset asan --target unit_tests -j "$jobs"
  # Open MPI and libgomp keep memory until the process ends.
  ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} UBSAN_OPTIONS=print_stacktrace=1 \
    ctest --test-dir build/asan --output-on-failure -L unit -j "$jobs"

  echo "== GPU kernels, run on the CPU by the emulator"
  cmake --preset emulated
  cmake --build --preset emulated --target gpu_test frond -j "$jobs"
  ctest --test-dir build/emulated --output-on-failure -L gpu -j "$jobs"

  echo "== Fuzzers"
  tests/fuzz/run.sh 60

  # The last lines are the verdict of the release tests, where a reader of the log looks for it.
  echo "== Summary (release tests)"
  ctest --test-dir build/release --output-on-failure -L style
fi
