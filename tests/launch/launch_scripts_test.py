#!/usr/bin/env python3
"""launch/mpirun.sh and launch/slurm.sbatch: what they start, when they start it again, and that a run
whose rank was killed leaves the bytes of one that never was.

    launch_scripts_test.py FROND FOLDER [MPIRUN]
"""

import os
import pathlib
import shlex
import signal
import subprocess
import time

from run_checks import check, check_same_run, children
from tiny_run import TinyRun, arguments

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT, BATCH = str(ROOT / "launch/mpirun.sh"), str(ROOT / "launch/slurm.sbatch")
STEPS = 40
KILL_TRIES = 5  # a run may be over before the signal reaches it


def fake(folder, name, text):
    """A program that stands before the real one on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
    (folder / name).chmod(0o755)


def environment(run, fakes=None, **more):
    path = os.environ["PATH"]
    return {**run.environment(), **more, "PATH": f"{fakes}:{path}" if fakes else path}


def start(command, env):
    return subprocess.Popen(list(map(str, command)), env=env, text=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def call(command, env):
    process = start(command, env)
    text = process.communicate(timeout=60)[1]
    return process.returncode, text


def ranks_below(pid):
    """Processes at the leaves below `pid` that run frond."""
    below = children(pid)
    frond = [child for child in below if is_frond(child)]
    return frond or [rank for child in below for rank in ranks_below(child)]


def is_frond(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "frond"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_line(process, begin):
    """Reads stderr up to a line that begins so; returns what was read."""
    text = ""
    while line := process.stderr.readline():
        text += line
        if line.startswith(begin):
            break
    return text


def check_equal(run, work_name):
    check_same_run(run, work_name, "reference", work_name, STEPS)


def killed_run(run, name, launcher):
    """Starts a run and kills its last rank once a checkpoint is there. Returns exit code and text."""
    for attempt in range(KILL_TRIES):
        work_name = f"{name}_{attempt}"
        config = run.write_config(work_name)
        process = start([*launcher, "--", run.frond, "train", "--config", config], environment(run))
        text = wait_for_line(process, "saved ")
        killed = False
        for rank in ranks_below(process.pid)[-1:]:
            try:
                os.kill(rank, signal.SIGKILL)
                killed = True
            except ProcessLookupError:
                pass
        text += process.communicate(timeout=60)[1]
        # A kill while a run that is done leaves brings no restart either.
        if killed and "done after" not in text.split("mpirun.sh:")[0]:
            return work_name, process.returncode, text
    check(False, f"{name}: {KILL_TRIES} runs ended before a rank was killed; the last said\n{text}")


def check_restart(run, hosts):
    work_name, code, text = killed_run(run, "restarted",
                                       [SCRIPT, "--hosts", hosts, "--ranks", 2, "--max-restarts", 2,
                                        "--restart-wait", 0])
    check(code == 0, f"a killed run with restarts ends with {code}:\n{text}")
    lines = [line for line in text.splitlines() if line.startswith("mpirun.sh: ")]
    check(len(lines) == 1 and lines[0].startswith("mpirun.sh: attempt 1 ended with exit code ")
          and lines[0].endswith("restart 1 of 2"), f"not one line about one restart: {lines}")
    check_equal(run, work_name)
    for line in text.splitlines():
        if "has ended without leaving" in line or line.startswith("mpirun.sh: "):
            print(f"  {line}")
    print("a rank of two killed, one restart: the same bytes")


def check_no_restart(run):
    _, code, text = killed_run(run, "once", [SCRIPT, "--ranks", 2])
    check(code not in (0, 2), f"a killed run without restarts ends with {code}:\n{text}")
    check("mpirun.sh:" not in text, f"restarted without --max-restarts:\n{text}")
    print(f"without --max-restarts a killed rank ends the run with exit code {code}")


def check_signals(run):
    def begin(work_name, **changes):
        config = run.write_config(work_name, **changes)
        command = [SCRIPT, "--ranks", 2, "--max-restarts", 3, "--", run.frond, "train", "--config", config]
        return command, start(command, environment(run))

    def send(process, number):
        text = wait_for_line(process, "step ")
        process.send_signal(number)
        return text

    def finish(process, number, text):
        text += process.communicate(timeout=60)[1]
        check("mpirun.sh:" not in text and "done after" not in text, f"{number.name} did not end the run:\n{text}")
        check((process.returncode == 0) == (number == signal.SIGUSR1),
              f"{number.name}: exit code {process.returncode}:\n{text}")
        print(f"{number.name}: exit code {process.returncode}")
        return text

    # Open MPI acts on SIGTERM and SIGINT after a second, so these runs must have no near end.
    endless = [("steps: 40", "steps: 1000000"), ("  every_steps: 15", "  every_steps: 0")]
    ends = [(begin(f"endless_{number.name}", replace=endless)[1], number) for number in (signal.SIGTERM, signal.SIGINT)]
    for process, number, text in [(process, number, send(process, number)) for process, number in ends]:
        finish(process, number, text)
    command, process = begin("signalled")
    text = finish(process, signal.SIGUSR1, send(process, signal.SIGUSR1))
    check("stopped on a signal" in text, f"SIGUSR1 did not save:\n{text}")
    code, text = call(command, environment(run))
    check(code == 0, f"the last start ends with {code}:\n{text}")
    check_equal(run, "signalled")
    print("SIGTERM and SIGINT end a run, SIGUSR1 lets it save, none restarts; continued: the same bytes")


def check_wrong_use_of_frond(run):
    config = run.write_config("wrong", append="no_such_field: 1\n")
    code, text = call([SCRIPT, "--ranks", 2, "--max-restarts", 3, "--", run.frond, "train", "--config", config],
                      environment(run))
    check(code == 2 and "mpirun.sh:" not in text, f"a wrong config: exit code {code}:\n{text}")
    print("exit code 2 is not tried again")


def check_command_line(run, hosts):
    """What mpirun gets, and how often."""
    fakes = run.folder / "fake_mpirun"
    record = run.folder / "mpirun.txt"
    fake(fakes, "mpirun", f'printf "%s\\n" "$*" >> {shlex.quote(str(record))}\nexit 7')
    env = environment(run, fakes, FROND_SOME="a b", NCCL_DEBUG="WARN", LD_LIBRARY_PATH="/nowhere", OTHER="1")
    code, text = call([SCRIPT, "--hosts", hosts, "--ranks", 2, "--max-restarts", 2, "--restart-wait", 0,
                       "--", "true", "x"], env)
    lines = record.read_text().splitlines()
    check(code == 7 and len(lines) == 3, f"exit code {code} after {len(lines)} attempts instead of 7 after 3")
    check(text.count("mpirun.sh: attempt") == 2 and "attempt 2 ended with exit code 7 after 0 s" in text, text)
    for wanted in ("--bind-to none", "-n 2", f"--hostfile {hosts}", "-x FROND_SOME", "-x OMP_NUM_THREADS",
                   "-x NCCL_DEBUG", "-x LD_LIBRARY_PATH", "-x PATH"):
        check(f"{wanted} " in lines[0], f"'{wanted}' is missing: {lines[0]}")
    check("OTHER" not in lines[0] and "--oversubscribe" not in lines[0], f"too much: {lines[0]}")
    check(("--allow-run-as-root" in lines[0]) == (os.getuid() == 0), f"the flag for root: {lines[0]}")
    check(lines[0].endswith(" true x"), lines[0])
    env.pop("SLURM_JOB_ID", None)
    call([SCRIPT, "--ranks", 4096, "--", "true"], env)
    check("--oversubscribe" in record.read_text().splitlines()[3], "4096 ranks without --oversubscribe")
    print("mpirun gets the flags and variables it needs, K + 1 times")


def check_wait(run):
    """Restarts wait, each twice as long as the one before; a signal ends the wait and the run."""
    fakes = run.folder / "failing_mpirun"
    fake(fakes, "mpirun", "exit 7")
    env = environment(run, fakes)
    began = time.monotonic()
    code, text = call([SCRIPT, "--ranks", 2, "--max-restarts", 2, "--restart-wait", 1, "--", "true"], env)
    took = time.monotonic() - began
    check(code == 7 and "restart 1 of 2 in 1 s" in text and "restart 2 of 2 in 2 s" in text and took >= 3,
          f"exit code {code} after {took:.1f} s:\n{text}")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        process = start([SCRIPT, "--ranks", 2, "--max-restarts", 2, "--restart-wait", 500, "--", "true"], env)
        text = wait_for_line(process, "mpirun.sh: attempt")
        process.send_signal(number)
        text += process.communicate(timeout=60)[1]
        check(process.returncode == 7 and text.count("mpirun.sh:") == 1, f"{number.name} while waiting:\n{text}")
    print("restarts wait, and a signal ends the wait")


def check_bad_flags(run, hosts):
    empty = run.write("empty.txt", "# nobody\n\n")
    for args, word in (
            (["--nodes", "2", "--", "true"], "'--nodes'"),
            (["true"], "'true'"),
            (["--ranks", "0", "--", "true"], "--ranks"),
            (["--ranks", "--", "true"], "needs a value"),
            (["--ranks", "two", "--", "true"], "'two'"),
            (["--max-restarts", "-1", "--", "true"], "--max-restarts"),
            (["--restart-wait", "soon", "--", "true"], "'soon'"),
            (["--ranks", "2"], "no command"),
            (["--ranks", "2", "--"], "no command"),
            (["--", "/no/such/program"], "/no/such/program"),
            (["--hosts", run.folder / "none.txt", "--", "true"], "none.txt"),
            (["--hosts", empty, "--", "true"], "names no host"),
            (["--hosts", hosts, "--ranks", "3", "--", "true"], "2 slots")):
        code, text = call([SCRIPT, *args], environment(run))
        check(code == 2 and len(text.splitlines()) == 1 and word in text, f"{args}: exit code {code}:\n{text}")
    done = subprocess.run([SCRIPT, "--help"], stdout=subprocess.PIPE, text=True)
    check(done.returncode == 0 and "example: launch/mpirun.sh" in done.stdout, "--help shows no example")
    print("wrong flags and host files: one line, exit code 2")


def check_batch(run, mpirun):
    """The batch script with an srun that records its arguments and runs the command on two ranks."""
    for script in (SCRIPT, BATCH):
        code, text = call(["bash", "-n", script], environment(run))
        check(code == 0, f"bash -n {script}:\n{text}")
    fakes, record = run.folder / "fake_slurm", run.folder / "slurm.txt"
    launch = shlex.join(run.command(ranks=2, mpirun=mpirun)[:-1])
    log = shlex.quote(str(record))
    fake(fakes, "srun", f'echo "srun $*" >> {log}\nwhile [[ $1 == --* ]]; do shift; done\n'
                        f'[[ -z ${{FAKE_CODE:-}} ]] || exit "$FAKE_CODE"\nexec {launch} "$@"')
    fake(fakes, "scontrol", f'echo "scontrol $*" >> {log}')
    config = run.write_config("batch")

    def batch(code, lines, number=None, **more):
        record.write_text("")
        process = start(["bash", BATCH], environment(run, fakes, SLURM_JOB_ID="17", FROND_BINARY=run.frond,
                                                     FROND_CONFIG=str(config), **more))
        text = ""
        if number is not None:
            text = wait_for_line(process, "step ")
            process.send_signal(number)
        text += process.communicate(timeout=60)[1]
        seen = record.read_text().splitlines()
        check(process.returncode == code and [line.split()[0] for line in seen] == lines,
              f"{more}, signal {number}: exit code {process.returncode}, {seen}:\n{text}")
        return seen, text

    seen, text = batch(0, ["srun", "scontrol"], signal.SIGUSR1)
    check("--mpi=pmix" in seen[0] and seen[0].endswith(f"{run.frond} train --config {config}"), seen[0])
    check(seen[1] == "scontrol requeue 17" and "stopped on a signal" in text, f"{seen}:\n{text}")
    batch(0, ["srun"], SLURM_RESTART_COUNT="1")
    check_equal(run, "batch")
    batch(9, ["srun", "scontrol"], FAKE_CODE="9")
    batch(2, ["srun"], FAKE_CODE="2")
    batch(9, ["srun"], FAKE_CODE="9", SLURM_RESTART_COUNT="3", FROND_MAX_RESTARTS="3")
    print("slurm.sbatch saves on USR1, requeues, resumes to the same bytes, and knows when not to")


def check_guide(run):
    """The steps of docs/multi_node.md's guide: a plan, a run on a mesh after a test of the links, and on on another."""
    plan = run.run("plan", "--config", ROOT / "configs/mt5_xxl.textproto", "--cluster", "16xH100")
    check(plan.returncode == 0 and "16xH100: 16 GPUs, 12.9B parameters" in plan.stdout, plan.stdout + plan.stderr)
    hosts = run.write("guide_hosts.txt", "localhost slots=4\n")
    config = run.write_config("guide", append="mesh { self_test: true }\n")
    frond = [run.frond, "train", "--config", config, "--set", "eval.every_steps=0"]
    for ranks, steps, mesh in ((4, 6, ["mesh.tensor=2", "mesh.zero_stage=2", "mesh.sequence_parallel=true"]), (2, 9, [])):
        sets = [word for field in [f"steps={steps}", "report.every_steps=1", *mesh] for word in ("--set", field)]
        code, text = call([SCRIPT, "--hosts", hosts, "--ranks", ranks, "--max-restarts", 1, "--", *frond, *sets],
                          environment(run))
        check(code == 0 and f"{ranks} ranks on 1 host, all-reduce" in text, f"{ranks} ranks: exit code {code}:\n{text}")
        tensor = 2 if mesh else 1
        check(f"data {ranks // tensor} x tensor {tensor}" in text, f"another mesh:\n{text}")
    lines = run.metrics("guide").splitlines()
    check(len(lines) == 9, f"{len(lines)} lines of metrics")
    print("guide: planned, trained on 2 x 2 and went on on 2 x 1")


def main():
    frond, folder, mpirun = arguments()
    if not mpirun:
        print("SKIPPED: there is no mpirun, nothing was checked")
        return
    run = TinyRun(frond, folder)
    hosts = run.write("hosts.txt", "# this machine alone\nlocalhost slots=2\n")
    config = run.write_config("reference")
    code, text = call([SCRIPT, "--ranks", 2, "--", frond, "train", "--config", config], environment(run))
    check(code == 0, f"the reference ends with {code}:\n{text}")
    check_bad_flags(run, hosts)
    check_command_line(run, hosts)
    check_wait(run)
    check_wrong_use_of_frond(run)
    check_restart(run, hosts)
    check_no_restart(run)
    check_signals(run)
    check_batch(run, mpirun)
    check_guide(run)


if __name__ == "__main__":
    main()
