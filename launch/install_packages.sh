#!/usr/bin/env bash
# Installs what building and testing Frond needs on Debian 12 or Ubuntu; asks for root only where something
# is missing.
set -euo pipefail

packages=(g++ cmake ninja-build ccache pkg-config git
  libabsl-dev libprotobuf-dev protobuf-compiler libdnnl-dev
  libsentencepiece-dev sentencepiece libicu-dev nlohmann-json3-dev libyaml-cpp-dev
  zlib1g-dev libzstd-dev libxxhash-dev jq libopenmpi-dev openmpi-bin)
if [[ "${1:-}" == "--tests" ]]; then
  packages+=(libgtest-dev libgmock-dev libboost-context-dev python3 clang-format-14
    clang-14 libclang-rt-14-dev libomp-14-dev
    iproute2 openssh-client openssh-server)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

echo "Installing: ${missing[*]}"
as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
