#!/usr/bin/env bash
# Aya's three weightings on the built-in corpus (configs/ablation_aya.textproto), from nothing to the report:
#   launch/ablation_aya.sh            a second call goes on, or says that all is done
#   launch/ablation_aya.sh --ranks N  N cells at a time under mpirun
set -euo pipefail
cd "$(dirname "$0")/.."

ranks=1
if [[ "${1:-}" == "--ranks" && "${2:-}" =~ ^[1-9][0-9]*$ && $# -eq 2 ]]; then
  ranks=$2
elif [[ $# -gt 0 ]]; then
  echo "usage: launch/ablation_aya.sh [--ranks N]" >&2
  exit 2
fi

folder=runs/ablation_aya
frond=${FROND_BINARY:-build/release/launch/frond}
[[ -x $frond ]] || { echo "ablation_aya.sh: no $frond; build it as launch/quickstart.sh does" >&2; exit 2; }
command -v jq >/dev/null || { echo "ablation_aya.sh: jq is missing; see launch/install_packages.sh" >&2; exit 2; }

# Eight languages of each resource class, with eleven scripts between them.
languages=(ar de en fi hi ja ru tr  bn el he id ka lt th uk  am cy hy is sw te yo zu)
human='territory_name|language_name|script_name|currency_name|alphabet|quotation_marks'
translated='date_words|duration|month_order|weekday_order|relative_time|unit_phrase'

if [[ ! -f $folder/corpus/README.md ]]; then
  mkdir -p "$folder"
  "$frond" corpus --out "$folder/corpus" "${languages[@]/#/--language=}"
fi
if [[ ! -f $folder/spiece.model ]]; then
  "$frond" vocabulary --input "$folder/corpus/train.jsonl" --size 4000 --out "$folder/spiece.model"
fi
# Kinds of data by task; each row is in one file.
split() {
  [[ -f $folder/$1.jsonl ]] && return
  jq -c "select(.task_type | $2)" "$folder/corpus/train.jsonl" >"$folder/$1.jsonl.tmp"
  mv "$folder/$1.jsonl.tmp" "$folder/$1.jsonl"
}
split human "test(\"^($human)\$\")"
split translated "test(\"^($translated)\$\")"
split templated "test(\"^($human|$translated)\$\") | not"

launch=()
[[ $ranks -eq 1 ]] || launch=(launch/mpirun.sh --ranks "$ranks" --)
"${launch[@]}" "$frond" ablate --config configs/ablation_aya.textproto
