#!/usr/bin/env python3
"""A run that is killed or stopped again and again leaves the bytes of one that never was.

    stop_and_go_test.py FROND FOLDER [MPIRUN]

Prints the seed of the moments; FROND_TEST_SEED repeats them.
"""

import json
import os
import random
import signal
import subprocess
import time

from run_checks import check, check_same_run, children
from tiny_run import TinyRun, arguments

STEPS = 40
KILLS = 20
MPI_KILLS = 4
SIGNALS = 3  # of each kind
LOSS_TOLERANCE = 1e-4  # relative, between numbers of ranks: f32 sums in another order, over 40 steps


def is_event(line):
    return line.startswith(("step ", "saved ", "evaluation "))


def start(run, config, ranks=0, mpirun=None):
    return subprocess.Popen(run.command("train", "--config", config, ranks=ranks, mpirun=mpirun),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env=run.environment())


def wait_for_events(process, events):
    """Reads stderr up to so many lines about progress; False where the run ends before."""
    while events > 0:
        line = process.stderr.readline()
        if not line:
            return False
        events -= is_event(line)
    return True


def wait_for_step(process, step):
    """Reads stderr up to the line of a step; False where the run ends before."""
    for line in process.stderr:
        if line.startswith("step ") and line[5:].split("/")[0].strip() == str(step):
            return True
    return False


def end(process):
    """Reads what is left and returns the exit code and the text."""
    text = process.stderr.read()
    return process.wait(timeout=120), text


def check_equal(run, work_name, reference, how):
    check_same_run(run, work_name, reference, how, STEPS)


def train(run, work_name, ranks=0, mpirun=None, **changes):
    config = run.write_config(work_name, **changes)
    done = run.run("train", "--config", config, ranks=ranks, mpirun=mpirun)
    check(done.returncode == 0, f"the run '{work_name}' exits with {done.returncode}:\n{done.stderr}")


def wait_for_writing(run, work_name):
    """Waits until a save is being written, but not for ever: a run may be between its last save and its end."""
    for _ in range(2000):
        if list((run.folder / work_name / "checkpoints").glob(".tmp_step_*")):
            return
        time.sleep(0.0005)


def kill_at_random(run, draw, kills, name, ranks=0, mpirun=None):
    """Kills runs of one config until `kills` have been; a run that is done makes place for a new one.
    Returns the work folders, all of them trained to the end."""
    folders, config = [], None
    while kills > 0:
        if config is None:
            folders.append(f"{name}_{len(folders)}")
            config = run.write_config(folders[-1])
        process = start(run, config, ranks, mpirun)
        # Some moments are anywhere from the start on, most are near the events of a run.
        events = draw.choice([0, 1, 2, 3, 5, 8])
        reached = wait_for_events(process, events)
        if events > 0 and draw.random() < 0.5:
            wait_for_writing(run, folders[-1])
        time.sleep(draw.uniform(0, 0.5 if events == 0 else 0.03))
        # A rank is killed, not mpirun: that must bring the whole job down.
        victims = children(process.pid) if mpirun else [process.pid]
        if reached and victims and process.poll() is None:
            try:
                os.kill(draw.choice(victims), signal.SIGKILL)
                kills -= 1
            except ProcessLookupError:  # it has just ended
                pass
        code, text = end(process)
        if code == 0:
            config = None
        elif not mpirun:
            check(code == -signal.SIGKILL, f"{name}: a run exits with {code} by itself:\n{text}")
    if config is not None:
        done = run.run("train", "--config", config, ranks=ranks, mpirun=mpirun)
        check(done.returncode == 0, f"{name}: the last start exits with {done.returncode}:\n{done.stderr}")
    return folders


def check_kills(run, draw):
    folders = kill_at_random(run, draw, KILLS, "killed")
    for folder in folders:
        check_equal(run, folder, "reference", f"killed {KILLS} times over {len(folders)} runs")
    print(f"kill -9 at {KILLS} moments over {len(folders)} runs: the same bytes")


def check_mpi_kills(run, draw, mpirun):
    train(run, "mpi_reference", 2, mpirun)
    folders = kill_at_random(run, draw, MPI_KILLS, "mpi_killed", 2, mpirun)
    for folder in folders:
        check_equal(run, folder, "mpi_reference", f"a rank of two killed {MPI_KILLS} times")
    print(f"kill -9 of one rank of two at {MPI_KILLS} moments over {len(folders)} runs: the same bytes")


def check_signal(run, draw, number, reference="reference", ranks=0, mpirun=None):
    """The signal ends a run in good order, wherever it comes, also during an evaluation."""
    name = signal.Signals(number).name + (f"_{ranks}_ranks" if ranks else "")
    config = run.write_config(name)
    for i in range(SIGNALS):
        process = start(run, config, ranks, mpirun)
        # After the line of step 15 the evaluation comes.
        reached = wait_for_step(process, 15) if i == 0 else wait_for_events(process, draw.randint(1, 4))
        check(reached, f"{name}: the run ended before the signal")
        if i > 0:
            time.sleep(draw.uniform(0, 0.02))
        process.send_signal(number)
        code, text = end(process)
        check(code == 0, f"{name}: exit code {code}:\n{text}")
        check("stopped on a signal" in text or "done after" in text, f"{name}: no last line:\n{text}")
        saved = [json.loads(line)["step"] for line in run.metrics(name).splitlines()][-1]
        steps = [int(path.name[5:]) for path in (run.folder / name / "checkpoints").glob("step_*")]
        check(max(steps) >= saved, f"{name}: steps to {saved} were reported, {max(steps)} is saved")
        if max(steps) == STEPS:
            break
    done = run.run("train", "--config", config, ranks=ranks, mpirun=mpirun)
    check(done.returncode == 0, f"{name}: the last start exits with {done.returncode}:\n{done.stderr}")
    check_equal(run, name, reference, f"stopped by {name}")
    print(f"{name}: exit code 0, a checkpoint, the same bytes")


def check_close(ours, theirs, where):
    """Integers are equal, numbers close; the examples behind both are then the same."""
    check(type(ours) is type(theirs), f"{where}: {ours} instead of {theirs}")
    if isinstance(ours, dict):
        check(ours.keys() == theirs.keys(), f"{where}: fields {sorted(ours)} instead of {sorted(theirs)}")
        for key in ours:
            check_close(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, float):
        check(abs(ours - theirs) <= LOSS_TOLERANCE * max(abs(theirs), 1e-3), f"{where}: {ours} instead of {theirs}")
    else:
        check(ours == theirs, f"{where}: {ours} instead of {theirs}")


def check_other_ranks(run, draw, mpirun):
    """One run, begun on one rank and continued on two, four and one: the same examples in each step.
    What a step consumed shows in its tokens by language and in every language's loss."""
    # Evaluations compare answers, which a rounding may turn.
    changes = {"replace": [("every_steps: 3 }", "every_steps: 1 }"), ("  every_steps: 15", "  every_steps: 0")]}
    train(run, "every_step", **changes)
    config = run.write_config("other_ranks", **changes)
    used = []
    for ranks in (0, 2, 4):
        process = start(run, config, ranks, mpirun)
        wait_for_events(process, draw.randint(9, 11))
        victims = children(process.pid) if ranks else [process.pid]
        if process.poll() is None and victims:
            os.kill(victims[0], signal.SIGKILL)
        code, text = end(process)
        check(code != 0, f"{ranks} ranks: the run was not killed:\n{text}")
        used.append(max(1, ranks))
    done = run.run("train", "--config", config)
    check(done.returncode == 0, f"1 rank at last: exit code {done.returncode}:\n{done.stderr}")
    ours, theirs = ([json.loads(line) for line in run.metrics(name).splitlines()]
                    for name in ("other_ranks", "every_step"))
    for line in ours:
        line.pop("sent_bytes", None)  # a run of one rank sends nothing
    check(len(ours) == len(theirs) == STEPS, f"{len(ours)} and {len(theirs)} lines instead of {STEPS}")
    for a, b in zip(ours, theirs):
        check_close(a, b, f"step {b['step']}")
    print(f"begun on {', '.join(map(str, used))} ranks, killed each time, ended on 1: the same examples in each "
          f"of {STEPS} steps, losses within {LOSS_TOLERANCE:g}")


def main():
    frond, folder, mpirun = arguments()
    seed = int(os.environ.get("FROND_TEST_SEED", random.randrange(1 << 30)))
    print(f"FROND_TEST_SEED={seed}", flush=True)
    draw = random.Random(seed)
    run = TinyRun(frond, folder)
    train(run, "reference")
    train(run, "again")
    check_equal(run, "again", "reference", "the same run twice")
    check_kills(run, draw)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        check_signal(run, draw, number)
    if mpirun:
        check_mpi_kills(run, draw, mpirun)
        # mpirun hands SIGUSR1 on to the ranks; SIGTERM it takes for itself and ends with 1.
        check_signal(run, draw, signal.SIGUSR1, "mpi_reference", 2, mpirun)
        check_other_ranks(run, draw, mpirun)
    else:
        print("SKIPPED what needs mpirun: there is none")


if __name__ == "__main__":
    main()
