#!/usr/bin/env python3
"""A run on three hosts, which are network namespaces of this machine: the bytes of three ranks on one
host, also when a host loses its link and the same command is given again, and when a host dies and
launch/mpirun.sh starts the run again.

    namespaces_test.py FROND FOLDER [MPIRUN]
"""

import pathlib
import re
import subprocess
import threading

from namespace_hosts import SUBNET, NamespaceHosts, Unavailable
from run_checks import check, check_same_metrics
from tiny_run import TinyRun, arguments

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "launch" / "mpirun.sh"
HOSTS = 3
VICTIM = 2  # rank 2's host; mpirun and rank 0 are on the first one
TIMEOUT = 6  # seconds of a collective
PATIENT_TIMEOUT = 60  # where nothing is to end the run, on a machine that may be busy
# From the fault to mpirun's end: the time-out, frond's and mpirun's patience, a busy machine.
END_WITHIN = 45
FAULT_AFTER = "step_00000014"  # of 40 steps, with checkpoints at 7, 14, 21, ...

# The ranks that are left say who waits for whom, where and in what.
REPORT = (r"frond: rank [01] of 3 on leaf[01], step \d+: \w+( \(sum\))? of \d+ \w+ \(number \d+ of its group\) "
          r"has not ended after [\d.]+ s; waiting for .*rank 2 on leaf2; ending the job")
# What mpirun says where it notices first: that its connection to the host's daemon is gone, or that the
# ssh which started the daemon has ended.
LOST_DAEMON = "ORTE has lost communication with a remote daemon"
LOST_SSH = "ORTE was unable to reliably start one or more daemons"


class Cluster:
    """Runs `frond train` through launch/mpirun.sh, a rank on each host, from the first host."""

    def __init__(self, hosts, run):
        self.hosts, self.run = hosts, run
        lines = "".join(f"{hosts.address(host)} slots=1\n" for host in range(HOSTS))
        self.hostfile = run.write("hosts", lines)

    def environment(self):
        settings = {
            "plm_rsh_agent": self.hosts.ssh(),
            "pml": "ob1", "btl": "tcp,self",
            "btl_tcp_if_include": f"{SUBNET}.0/24", "oob_tcp_if_include": f"{SUBNET}.0/24",
            # The script's own are too slow for a test.
            "oob_tcp_keepalive_time": "2", "oob_tcp_keepalive_intvl": "1", "oob_tcp_keepalive_probes": "3",
        }
        return self.run.environment() | {f"OMPI_MCA_{name}": value for name, value in settings.items()}

    def start(self, config, restarts, timeout):
        command = [SCRIPT, "--hosts", self.hostfile, "--ranks", HOSTS, "--max-restarts", restarts, "--restart-wait", 0, "--",
                   self.run.frond, "train", "--config", config, "--set",
                   f"mesh.collective_timeout_seconds={timeout}"]
        return subprocess.Popen(self.hosts.command(0, *command), env=self.environment(), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def train(self, config):
        """A run to its end; returns the exit code, None past the time-out, and stderr."""
        return self.train_with_fault(config, None, 120, timeout=PATIENT_TIMEOUT)

    def train_with_fault(self, config, fault, seconds, restarts=0, timeout=TIMEOUT):
        """Calls `fault`, if any, once a checkpoint in mid-run is saved; `seconds` count from then on."""
        process = self.start(config, restarts, timeout)
        lines, reached = [], threading.Event()

        def read():
            for line in process.stderr:
                lines.append(line)
                if fault is not None and not reached.is_set() and line.startswith("saved ") and FAULT_AFTER in line:
                    reached.set()
                    fault()
            reached.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            reached.wait(timeout=120)
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
            self.hosts.kill_host(0)  # sshd too; the test ends
        reader.join(timeout=20)
        return code, "".join(lines)


def train_on_one_host(run, mpirun):
    done = run.run("train", "--config", run.write_config("one_host"), ranks=HOSTS, mpirun=mpirun)
    check(done.returncode == 0, f"{HOSTS} ranks on one host: exit code {done.returncode}:\n{done.stderr}")


def check_three_hosts(cluster):
    code, text = cluster.train(cluster.run.write_config("three_hosts"))
    check(code == 0, f"{HOSTS} hosts: exit code {code}:\n{text}")
    check_same_metrics(cluster.run, "three_hosts", "one_host", "three_hosts")
    print(f"{HOSTS} hosts: the metrics of {HOSTS} ranks on one host, byte for byte", flush=True)


def check_report(name, text, expected):
    check(FAULT_AFTER in text, f"{name}: ended before the fault:\n{text}")
    said = [match[0] for match in (re.search(pattern, text) for pattern in expected) if match]
    check(said, f"{name}: no line matches any of\n  " + "\n  ".join(expected) + f"\nin\n{text}")
    print(f"{name}: {' | '.join(said)}", flush=True)


def check_resumed(run, name, text):
    check(re.search(rf"Resuming from .*{FAULT_AFTER}", text), f"{name}: does not resume:\n{text}")
    check_same_metrics(run, name, "one_host", name)
    print(f"{name}: continued after {FAULT_AFTER}, the same metrics", flush=True)


def check_link_cut(cluster):
    """The job ends in time and says why; the same command continues it once the link is back."""
    name, hosts = "link_cut", cluster.hosts
    config = cluster.run.write_config(name)
    code, text = cluster.train_with_fault(config, lambda: hosts.set_link(VICTIM, "down"), END_WITHIN)
    check("done after step" not in text, f"{name}: the run was over before the fault:\n{text}")
    check(code is not None, f"{name}: the job still runs {END_WITHIN} s after the fault:\n{text}")
    check(code not in (0, 2), f"{name}: exit code {code}:\n{text}")
    check_report(name, text, [REPORT])
    hosts.set_link(VICTIM, "up")
    code, text = cluster.train(config)
    check(code == 0, f"{name}: the next start exits with {code}:\n{text}")
    check_resumed(cluster.run, name, text)


def check_host_killed(cluster):
    """The job ends and starts again by itself on the host, which has come back meanwhile."""
    name, hosts = "host_killed", cluster.hosts

    def reboot():
        hosts.kill_host(VICTIM)
        hosts.start_sshd(VICTIM)

    code, text = cluster.train_with_fault(cluster.run.write_config(name), reboot, 2 * END_WITHIN, restarts=1)
    check(code == 0, f"{name}: exit code {code}:\n{text}")
    # The connections of a dead process are closed, so mpirun may notice before frond's time-out.
    check_report(name, text, [REPORT, LOST_DAEMON, LOST_SSH])
    check_report(name, text, [r"mpirun.sh: attempt 1 ended with exit code \d+ after \d+ s; restart 1 of 1"])
    check_resumed(cluster.run, name, text)


def check_hosts(hosts, run):
    cluster = Cluster(hosts, run)
    check_three_hosts(cluster)
    check_link_cut(cluster)
    check_host_killed(cluster)


def main():
    frond, folder, mpirun = arguments()
    if not mpirun:
        print("SKIPPED: there is no mpirun, nothing was checked")
        return
    hosts = NamespaceHosts(HOSTS, pathlib.Path(folder) / "ssh")
    try:
        hosts.start()
    except Unavailable as lack:
        print(f"SKIPPED: no hosts could be made, nothing was checked: {lack}")
        return
    try:
        run = TinyRun(frond, pathlib.Path(folder) / "run")
        train_on_one_host(run, mpirun)
        check_hosts(hosts, run)
    finally:
        hosts.remove()


if __name__ == "__main__":
    main()
