#!/usr/bin/env bash
# Runs a frond command on many ranks with mpirun, on one machine or on the hosts of a file, and starts
# a failed run again: frond train goes on from the last checkpoint of its work folder by itself.
# Exit codes: 2 for wrong use, else what the last mpirun ended with.
set -euo pipefail

usage() {
  cat <<'END'
usage: launch/mpirun.sh [--hosts HOSTFILE] [--ranks N] [--max-restarts K]
                        [--restart-wait SECONDS] -- COMMAND [ARGUMENT...]

  --hosts HOSTFILE    Open MPI's hostfile: a line for each host, "node1 slots=8"; default: this machine
  --ranks N           processes in all; default: mpirun's, one for each slot or core
  --max-restarts K    start again after a failure at most K times; default 0. Exit codes 0 and 2 end it
  --restart-wait S    seconds before a restart; default 10. While attempts end within a minute, as they do where
                      a host is still down, the wait doubles from one to the next, up to 10 minutes
  --help              this text

FROND_*, OMP_*, NCCL_*, LD_LIBRARY_PATH and PATH are passed on to all hosts where they are set.
SIGTERM and SIGINT go to mpirun and end the run; SIGUSR1 lets frond train save and leave. None restarts.

example: launch/mpirun.sh --hosts hosts.txt --max-restarts 3 -- \
           build/release/launch/frond train --config my.textproto
END
}

wrong_use() {
  echo "mpirun.sh: $1 (see --help)" >&2
  exit 2
}

# Sets hosts, ranks, max_restarts and command.
read_flags() {
  hosts='' ranks='' max_restarts=0 restart_wait=10 command=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --help) usage; exit 0 ;;
      --) shift; command=("$@"); break ;;
      --hosts | --ranks | --max-restarts | --restart-wait)
        [[ $# -gt 1 && $2 != -- ]] || wrong_use "$1 needs a value"
        case $1 in
          --hosts) hosts=$2 ;;
          --ranks) ranks=$2 ;;
          --max-restarts) max_restarts=$2 ;;
          --restart-wait) restart_wait=$2 ;;
        esac
        shift 2 ;;
      *) wrong_use "unknown argument '$1'; the command stands after --" ;;
    esac
  done
  [[ -z $ranks || $ranks =~ ^[1-9][0-9]{0,5}$ ]] || wrong_use "--ranks is '$ranks', expected a number from 1 on"
  [[ $max_restarts =~ ^(0|[1-9][0-9]{0,5})$ ]] ||
    wrong_use "--max-restarts is '$max_restarts', expected a number from 0 on"
  [[ $restart_wait =~ ^(0|[1-9][0-9]{0,4})$ ]] ||
    wrong_use "--restart-wait is '$restart_wait', expected seconds from 0 to 99999"
  [[ ${#command[@]} -gt 0 ]] || wrong_use "no command after --"
  command -v "${command[0]}" >/dev/null || wrong_use "the command '${command[0]}' is no program"
  command -v mpirun >/dev/null || wrong_use "mpirun is not on PATH"
}

# Prints how many ranks the host file has place for; nothing where a host does not say its slots.
slots_of_hosts() {
  awk '{ sub(/#.*/, "") } NF == 0 { next }
       { gsub(/max[-_]slots *= *[0-9]+/, "")
         if (match($0, /slots *= *[0-9]+/)) { n = substr($0, RSTART, RLENGTH); sub(/.*= */, "", n); sum += n }
         else unknown = 1 }
       END { if (!unknown) print sum + 0 }' "$hosts"
}

check_hosts() {
  [[ -f $hosts && -r $hosts ]] || wrong_use "there is no host file '$hosts' to read"
  grep -qv '^[[:space:]]*\(#.*\)\?$' "$hosts" || wrong_use "the host file '$hosts' names no host"
  local slots
  slots=$(slots_of_hosts)
  [[ -z $ranks || -z $slots || $ranks -le $slots ]] ||
    wrong_use "--ranks is $ranks, but the hosts of '$hosts' have $slots slots"
}

cores() {
  local count
  count=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l) || count=0
  [[ $count -gt 0 ]] || count=$(nproc)
  echo "$count"
}

# Sets mpi, the command line of mpirun. Frond shares out a host's cores among its ranks by itself, so
# nothing is bound; Open MPI would tie all threads of a rank to one core.
build_mpirun() {
  mpi=(mpirun --bind-to none)
  [[ $(id -u) -ne 0 ]] || mpi+=(--allow-run-as-root)
  [[ -z $ranks ]] || mpi+=(-n "$ranks")
  if [[ -n $hosts ]]; then
    mpi+=(--hostfile "$hosts")
    # A host out of reach is given up after a minute. By its defaults mpirun would wait for that host's daemon for
    # many minutes after frond's ranks have ended.
    export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-30}
    export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-10}
    export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}
  elif [[ -n $ranks && -z ${SLURM_JOB_ID:-} && $ranks -gt $(cores) ]]; then
    mpi+=(--oversubscribe)
  fi
  local name
  while read -r name; do
    case $name in
      FROND_* | OMP_* | NCCL_* | LD_LIBRARY_PATH | PATH) mpi+=(-x "$name") ;;
    esac
  done < <(compgen -e)
}

# Sets pause: seconds to wait after an attempt that took $1 seconds; short ones in a row wait longer and longer.
choose_pause() {
  if [[ $1 -ge 60 || -z $pause ]]; then
    pause=$restart_wait
  elif [[ $pause -lt 600 ]]; then
    pause=$((2 * pause > 600 ? 600 : 2 * pause))
  fi
}

# The job may be between two attempts, starting, running or waiting when a signal comes.
stop() {
  stopping=$1 interrupted=1
  [[ -z $job ]] || kill -s "$1" "$job" 2>/dev/null || true
}

# Runs a command; sets code: 1 where a signal has come before. A signal interrupts `wait`, which is then
# called again.
run_once() {
  code=1
  [[ -z $stopping ]] || return 0
  "$@" </dev/null &
  job=$!
  [[ -z $stopping ]] || kill -s "$stopping" "$job" 2>/dev/null || true
  while true; do
    interrupted=''
    code=0
    wait "$job" || code=$?
    [[ -n $interrupted ]] || break
  done
  job=''
}

read_flags "$@"
[[ -z $hosts ]] || check_hosts
build_mpirun
job='' stopping='' interrupted='' code=0 pause=''
trap 'stop TERM' TERM
trap 'stop INT' INT
trap 'stop USR1' USR1
# A process group of its own: a terminal's Ctrl-C reaches this script alone, which passes it on once.
set -m
for ((attempt = 1; ; attempt++)); do
  started=$SECONDS
  run_once "${mpi[@]}" "${command[@]}"
  [[ $code -ne 0 && $code -ne 2 && -z $stopping && $attempt -le $max_restarts ]] || break
  took=$((SECONDS - started)) failed=$code
  choose_pause "$took"
  echo "mpirun.sh: attempt $attempt ended with exit code $failed after $took s;" \
    "restart $attempt of $max_restarts$([[ $pause -eq 0 ]] || echo " in $pause s")" >&2
  run_once sleep "$pause"
  code=$failed
  [[ -z $stopping ]] || break
done
exit "$code"
