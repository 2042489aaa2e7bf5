#!/usr/bin/env bash
# All GPU tests, then the benchmarks, on one GPU; one Markdown table and one JSON file come out.
#   tests/gpu/run.sh [--out FOLDER] [--tests-only | --benchmarks-only] [--python PYTHON]
# Runs from a bundle (make_bundle.sh) or from a source tree whose build/release is built. Exit code: 0 all passed,
# 1 something failed, 3 no GPU (nothing was tested).
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
python=python3
arguments=("$@")
for ((i = 0; i < ${#arguments[@]}; ++i)); do
  [[ ${arguments[i]} == --python ]] && python=${arguments[i + 1]}
done

# NVIDIA's libraries where the system's linker does not know them: beside Python's packages, or the toolkit's.
nvidia=$("$python" - <<'PYTHON' 2>/dev/null || true
import glob, os, site, sys
folders = site.getsitepackages() + [site.getusersitepackages()]
print(":".join(sorted(p for f in folders for p in glob.glob(os.path.join(f, "nvidia", "*", "lib")))))
PYTHON
)
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:$nvidia:/usr/local/cuda/lib64
if [[ -d $here/openmpi ]]; then
  mpi=$here/openmpi
  export PATH=$mpi/bin:$PATH OPAL_PREFIX=$mpi OPAL_BINDIR=$mpi/bin OPAL_LIBDIR=$mpi/lib OPAL_PKGLIBDIR=$mpi/lib/openmpi
  export OPAL_DATADIR=$mpi/share OPAL_PKGDATADIR=$mpi/share/openmpi OPAL_SYSCONFDIR=$mpi/etc
fi
if [[ -f $here/glibc ]]; then
  export FROND_BUNDLE_LIB=$here/lib
  needed=$(<"$here/glibc") present=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
  if [[ $(printf '%s\n' "$needed" "$present" | sort -V | head -n 1) != "$needed" ]]; then
    echo "run.sh: this bundle needs glibc $needed or newer, this machine has $present; make it on an older system" >&2
    exit 1
  fi
fi
exec "$python" "$here/tests/gpu/gpu_report.py" --root "$here" "$@"
