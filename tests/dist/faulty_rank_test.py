"""Jobs with a rank that dies, hangs or calls something else: each must end by itself, in time, with
an exit code that is not 0 and one line that says who, where and in what.

usage: faulty_rank_test.py FAULTY_RANK MPIRUN [ARGUMENT...]
"""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time

TIMEOUT = 2.0  # of a collective
# mpirun's start and end, on a busy machine.
SLACK = 25.0

ALL_REDUCE = r"AllReduce \(sum\) of 10 f32"
ON = r" on [\w.-]+"
PROCESS = r", process \d+ "


def waits(call, group, last, where):
    """The line of a rank that waited in vain."""
    return (rf"frond: rank \d of {group}{ON}, step 12: {call} \(number \d+ of its group\) has not ended "
            rf"after 2(\.\d)? s; waiting for .*rank {last}{ON}: {where}.*; ending the job")


def died(rank):
    return (rf"rank {rank}{ON} has ended without leaving the job: outside of collectives since Barrier "
            rf"in step 11, [\d.]+ s{PROCESS}(gone|dead); this rank is in {ALL_REDUCE}; ending the job")


def differ(first, second):
    return rf"step 12: the ranks call different collectives \(number 1 of their group\): {first}, {second}; "


# fault, ranks, what the output must match
CASES = [
    ("killed", 3, died(2)),
    ("exits", 2, died(1)),
    ("stopped", 3, waits(ALL_REDUCE, 3, 2, rf"outside of collectives since Barrier in step 11, [\d.]+ s"
                                           rf"{PROCESS}stopped by a signal")),
    ("loops", 2, waits(r"AllReduce \(sum\) of 1048576 f32", 2, 1,
                       rf"outside of collectives since Barrier in step 11, [\d.]+ s{PROCESS}running")),
    ("stops_inside", 2, waits(r"AllReduce \(sum\) of 262144 f32", 2, 1, rf".*{PROCESS}stopped by a signal")),
    ("calls_another", 3, differ(rf"ranks 0, 1 call {ALL_REDUCE} in step 12", "rank 2 calls AllGather of 10 f32 in step 12")),
    ("other_count", 2, differ(rf"rank 0 calls {ALL_REDUCE} in step 12",
                              r"rank 1 calls AllReduce \(sum\) of 1048576 f32 in step 12")),
    ("other_dtype", 2, differ(r"rank 0 calls AllReduce \(sum\) of 100000 f32 in step 12",
                              r"rank 1 calls AllReduce \(sum\) of 100000 i32 in step 12")),
    ("other_group", 2, rf"rank 0 of 2{ON}.*waiting for rank 1{ON}: in Barrier in step 12|"
                       rf"rank 1 of 2{ON}.*waiting for rank 0{ON}: in {ALL_REDUCE} in step 12"),
]


def start(mpirun, ranks, program, fault):
    # A file system without room to spare would be mpirun's fault, not ours; threads would fight for cores.
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    return subprocess.Popen(mpirun + ["-n", str(ranks), program, fault, str(TIMEOUT)], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(job, seconds):
    try:
        out, err = job.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        job.terminate()
        out, err = job.communicate()
        return None, out, err
    return job.returncode, out, err


def check_fault(mpirun, program, fault, ranks, pattern):
    begin = time.monotonic()
    code, _, err = finish(start(mpirun, ranks, program, fault), TIMEOUT + SLACK)
    took = time.monotonic() - begin
    lines = [line for line in err.splitlines() if line.startswith("frond: ")]
    for line in lines:
        print(f"{fault} ({took:.1f} s, exit code {code}): {line}")
    problems = []
    if code in (None, 0):
        problems.append(f"exit code {code}")
    if len(lines) != 1 or not re.search(pattern, lines[0]):
        problems.append(f"stderr has no single line that matches\n    {pattern}\n{err}")
    return [f"{fault}: {problem}" for problem in problems]


def check_slow(mpirun, program):
    code, _, err = finish(start(mpirun, 2, program, "slow"), 60)
    return [] if code == 0 and "frond:" not in err else [f"slow: exit code {code}\n{err}"]


def check_pause(mpirun, program):
    """A job that is stopped as a whole for longer than the time-out has not waited."""
    job = start(mpirun, 2, program, "pauses")
    processes = [int(job.stdout.readline().split()[1]) for _ in range(2)]
    time.sleep(0.5)
    for number, pause in ((signal.SIGSTOP, 1.5 * TIMEOUT), (signal.SIGCONT, 0)):
        for process in processes:
            os.kill(process, number)
        time.sleep(pause)
    code, _, err = finish(job, 60)
    return [] if code == 0 and "frond:" not in err else [f"pauses: exit code {code}\n{err}"]


def main():
    program, mpirun = sys.argv[1], sys.argv[2:]
    # Jobs mostly wait: a few at a time.
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        checks = [pool.submit(check_fault, mpirun, program, *case) for case in CASES]
        checks += [pool.submit(check, mpirun, program) for check in (check_slow, check_pause)]
        problems = [problem for check in checks for problem in check.result()]
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
