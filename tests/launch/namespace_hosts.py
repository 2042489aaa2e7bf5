"""Hosts of a small cluster on one machine: each a network namespace with an address, a host name and an
sshd of its own, joined by a bridge in one more namespace. The file system and the process ids are shared.

Needs root, `ip` and OpenSSH; Unavailable says what is missing or not permitted.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

PREFIX = "frondtest"
SUBNET = "10.213.77"
PORT = 22022
SSHD_FOLDER = pathlib.Path("/run/sshd")  # sshd wants it for its privilege separation


class Unavailable(Exception):
    """What this machine lacks or forbids."""


def checked(*command):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Unavailable(f"`{' '.join(map(str, command))}` says: {done.stdout.strip()}")
    return done.stdout


def find_sshd():
    """sshd wants to be called by its whole path, which an ordinary PATH does not have."""
    return shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def check_tools():
    missing = [tool for tool in ("ip", "ssh", "ssh-keygen", "unshare") if not shutil.which(tool)]
    missing += [] if find_sshd() else ["sshd"]
    if os.geteuid() != 0:
        missing.append("root's rights")
    if missing:
        raise Unavailable("there is no " + ", no ".join(missing))


def processes_of(namespace):
    done = subprocess.run(["ip", "netns", "pids", namespace], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return [int(pid) for pid in done.stdout.split()]


def kill_all(namespace):
    """SIGKILL to every process of a namespace until there is none; returns how many there were."""
    killed = set()
    for _ in range(100):
        left = processes_of(namespace)
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        killed.update(left)
        time.sleep(0.05)
    return len(killed)


def remove_namespace(namespace):
    kill_all(namespace)
    subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)


def remove_leftovers():
    """Namespaces of a test that was killed before it could remove them."""
    for line in checked("ip", "netns", "list").splitlines():
        match = re.match(PREFIX + r"-(\d+)-\w+", line)
        if match and not pathlib.Path("/proc", match[1]).exists():
            remove_namespace(match[0])


class NamespaceHosts:
    """`count` hosts named leaf0, leaf1, ... with sshd running, from start() to remove(). Keys and
    settings of ssh are in `folder`."""

    def __init__(self, count, folder):
        self.count = count
        self.folder = pathlib.Path(folder)
        self.switch = f"{PREFIX}-{os.getpid()}-switch"
        self.servers = []

    def start(self):
        """Raises Unavailable, with nothing left behind, where the hosts cannot be made."""
        check_tools()
        remove_leftovers()
        try:
            self._create()
        except BaseException:
            self.remove()
            raise

    def remove(self):
        for host in range(self.count):
            remove_namespace(self.namespace(host))
        remove_namespace(self.switch)
        for server in self.servers:
            server.wait(timeout=20)

    def namespace(self, host):
        return f"{PREFIX}-{os.getpid()}-leaf{host}"

    def address(self, host):
        return f"{SUBNET}.{host + 1}"

    def command(self, host, *command):
        """A command line that runs `command` on a host."""
        rename = f'hostname leaf{host} && exec "$@"'
        return ["ip", "netns", "exec", self.namespace(host), "unshare", "--uts", "sh", "-c", rename, "sh",
                *map(str, command)]

    def ssh(self):
        """The ssh command that reaches every host from every host."""
        return f"ssh -F {self.folder / 'ssh_config'}"

    def set_link(self, host, state):
        """Takes the host's cable out ("down") or puts it back ("up"): the switch's end of it."""
        checked("ip", "-n", self.switch, "link", "set", f"port{host}", state)

    def kill_host(self, host):
        return kill_all(self.namespace(host))

    def start_sshd(self, host):
        """Returns once the first host can log in."""
        log = self.folder / f"sshd{host}.log"
        self.servers.append(subprocess.Popen(
            self.command(host, find_sshd(), "-D", "-E", log, "-f", self.folder / "sshd_config"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        login = self.command(0, *self.ssh().split(), self.address(host), "hostname")
        give_up = time.monotonic() + 20
        while True:
            done = subprocess.run(login, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode == 0 and done.stdout.strip() == f"leaf{host}":
                return
            if time.monotonic() > give_up:
                said = log.read_text() if log.exists() else ""
                raise Unavailable(f"ssh to leaf{host} does not get in: {done.stdout}{done.stderr}{said}".strip())
            time.sleep(0.1)

    def _create(self):
        checked("ip", "netns", "add", self.switch)
        checked("ip", "-n", self.switch, "link", "add", "name", "bridge0", "type", "bridge")
        checked("ip", "-n", self.switch, "link", "set", "bridge0", "up")
        for host in range(self.count):
            self._create_host(host)
        self._write_ssh_files()
        for host in range(self.count):
            self.start_sshd(host)

    def _create_host(self, host):
        name, port = self.namespace(host), f"port{host}"
        checked("ip", "netns", "add", name)
        checked("ip", "link", "add", "name", "leaf", "netns", name, "type", "veth", "peer", "name", port, "netns",
                self.switch)
        checked("ip", "-n", self.switch, "link", "set", port, "master", "bridge0", "up")
        checked("ip", "-n", name, "address", "add", f"{self.address(host)}/24", "dev", "leaf")
        for device in ("lo", "leaf"):
            checked("ip", "-n", name, "link", "set", device, "up")
        told = checked(*self.command(host, "hostname")).strip()
        if told != f"leaf{host}":
            raise Unavailable(f"the name of a host is {told} instead of leaf{host}")

    def _write_ssh_files(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for key in ("host_key", "user_key"):
            (self.folder / key).unlink(missing_ok=True)
            checked("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key)
        (self.folder / "known_hosts").write_text(
            f"[{SUBNET}.*]:{PORT} {(self.folder / 'host_key.pub').read_text()}")
        (self.folder / "sshd_config").write_text(
            f"Port {PORT}\nHostKey {self.folder}/host_key\nAuthorizedKeysFile {self.folder}/user_key.pub\n"
            "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\nUseDNS no\n")
        (self.folder / "ssh_config").write_text(
            f"Host *\nPort {PORT}\nUser root\nIdentityFile {self.folder}/user_key\nIdentitiesOnly yes\n"
            f"UserKnownHostsFile {self.folder}/known_hosts\nStrictHostKeyChecking yes\nBatchMode yes\n"
            "ConnectTimeout 5\nLogLevel ERROR\n")
        # Empty, and another sshd may have come to need it: it stays.
        SSHD_FOLDER.mkdir(mode=0o755, exist_ok=True)
