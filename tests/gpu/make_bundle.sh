#!/usr/bin/env bash
# Makes a folder that runs on a GPU machine without package access: programs, their Debian libraries, Open MPI,
# scripts, configs and a vocabulary. Only NVIDIA's own libraries are expected there.
#   tests/gpu/make_bundle.sh FOLDER [BUILD_FOLDER]      (default build: build/release)
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ $# -ge 1 ]] || { echo "usage: tests/gpu/make_bundle.sh FOLDER [BUILD_FOLDER]" >&2; exit 2; }
bundle=$1 build=${2:-build/release}
[[ -f $build/CMakeCache.txt ]] || { echo "$build is not a build folder: run cmake --preset release first" >&2; exit 2; }
[[ ! -e $bundle ]] || { echo "$bundle exists: give a new folder" >&2; exit 2; }

cmake --build "$build" --target frond gpu_test gpu_bench
cmake --install "$build" --prefix "$bundle" --strip --component gpu >/dev/null
mkdir -p "$bundle/lib"

# The libraries of every program, but for the C library's own and NVIDIA's.
skip='^(ld-linux.*|libc|libm|libdl|librt|libpthread|libcuda|libcudart|libcublas.*|libcudnn.*|libnccl.*|libnvrtc.*|linux-vdso)\.so'
copy_libraries_of() {
  ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | while read -r library; do
    name=$(basename "$library")
    [[ $name =~ $skip || -e $bundle/lib/$name ]] || cp -L "$library" "$bundle/lib/$name"
  done
}
copy_libraries_of "$bundle"/bin/*
getconf GNU_LIBC_VERSION | cut -d' ' -f2 >"$bundle/glibc" # which these libraries may need

# Open MPI finds its plugins and helpers through OPAL_* (tests/gpu/run.sh sets them).
if orterun=$(command -v orterun); then
  mpi=$bundle/openmpi
  mkdir -p "$mpi/bin" "$mpi/lib/openmpi" "$mpi/share/openmpi" "$mpi/etc"
  cp -L "$orterun" "$mpi/bin/mpirun"
  cp -L "$(command -v orted)" "$mpi/bin/orted"
  plugins=$(ompi_info --path pkglibdir --parsable 2>/dev/null | cut -d: -f3)
  cp -L "$plugins"/mca_*.so "$mpi/lib/openmpi/"
  cp -rL "$(ompi_info --path pkgdatadir --parsable | cut -d: -f3)"/*.txt "$mpi/share/openmpi/"
  # What the plugins need beyond what is there is for networks and schedulers: without it they are left out.
  copy_libraries_of "$mpi"/bin/*
  for plugin in "$mpi"/lib/openmpi/mca_*.so; do
    case $(basename "$plugin") in
      mca_btl_self.so | mca_btl_tcp.so | mca_btl_vader.so | mca_pml_ob1.so | mca_coll_* | mca_bml_* | mca_ess_* | \
        mca_plm_isolated.so | mca_plm_rsh.so | mca_odls_* | mca_iof_* | mca_rmaps_* | mca_ras_* | mca_state_* | mca_errmgr_* | mca_grpcomm_* | \
        mca_oob_* | mca_routed_* | mca_schizo_* | mca_filem_* | mca_rtc_* | mca_rml_* | mca_dfs_* | mca_regx_* | mca_pmix_* | mca_allocator_* | \
        mca_mpool_* | mca_rcache_* | mca_shmem_* | mca_reachable_* | mca_timer_* | mca_topo_basic.so | mca_osc_* | mca_op_* | mca_io_* | mca_fbtl_* | \
        mca_fcoll_* | mca_fs_* | mca_sharedfp_* | mca_sec_* | mca_pstat_* | mca_if_* | mca_installdirs_* | mca_event_* | mca_hwloc_* | mca_crs_* | mca_dl_*) ;;
      *) rm "$plugin" ;;
    esac
  done
  for plugin in "$mpi"/lib/openmpi/mca_*.so; do copy_libraries_of "$plugin"; done
fi
strip --strip-unneeded "$bundle"/lib/*.so* "$bundle"/openmpi/lib/openmpi/*.so 2>/dev/null || true

# The vocabulary takes a minute to learn; the corpus is made on the spot.
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
"$build/launch/frond" corpus --out "$corpus" >/dev/null
"$build/launch/frond" vocabulary --input "$corpus/train.jsonl" --size 8000 --out "$bundle/spiece.model" >/dev/null
archive=$bundle.tar.xz
tar -C "$(dirname "$bundle")" -cf - "$(basename "$bundle")" | xz -T0 -3 >"$archive"
echo "$bundle: $(du -sm "$bundle" | cut -f1) MiB; $archive: $(du -sm "$archive" | cut -f1) MiB"
echo "on the GPU machine: tar -xf $(basename "$archive") && bash $(basename "$bundle")/tests/gpu/run.sh --out RESULTS"
