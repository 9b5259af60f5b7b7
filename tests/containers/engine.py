"""A Docker engine of our own: in namespaces of its own, with all it has in one folder.

Its processes are a namespace of their own, which ends with whoever started it, and every container with it. Without a network
of its own it can fetch packages and so build images, on the machine's network and with no bridge; with one it runs
containers, whose addresses and ports nobody else meets.
"""
import ctypes
import glob
import os
import shutil
import signal
import subprocess

from stack.process import Failed, Process, descendants, wait_until

CLONE_NEWNET = 0x40000000

# The first process there passes signals on to the engine, and waits for it and for whoever else ends.
FIRST = """
{lo}
dockerd "$@" &
engine=$!
trap 'kill -TERM $engine' TERM
while kill -0 $engine 2>/dev/null; do wait $engine; done
"""


def run(*command, env=None, seconds=600, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
    """What it printed; Failed with all of that where it fails."""
    try:
        done = subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=seconds,
                              env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired as expired:
        raise Failed(f"{' '.join(command)}: not done after {seconds} s") from expired
    if done.returncode != 0:
        said = (done.stdout or "")[-4000:] + done.stderr[-4000:]
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return done.stdout


class Engine:
    def __init__(self, folder):
        self.folder = folder
        self.cgroups = f"holdfast-test-{os.getpid()}"  # what they are below
        self.env = {"DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0",
                    "DOCKER_CONFIG": os.path.join(folder, "client")}
        self.process = None

    def start(self, has_network):
        flags = ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/docker.pid",
                 "--host", self.env["DOCKER_HOST"], "--cgroup-parent", "/" + self.cgroups, "--storage-driver", "overlay2"]
        if not has_network:
            flags += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        first = FIRST.format(lo="ip link set lo up" if has_network else "")
        self.process = Process(
            "engine", ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *(["--net"] if has_network else []),
                       "bash", "-c", first, "engine", *flags], os.path.join(self.folder, "engine.log"))
        self.process.start()
        wait_until(self._answers, 60, f"the engine does not answer; see {self.process.log}")
        return self

    def _answers(self):
        self.process.must_run()
        return subprocess.run(["docker", "version"], capture_output=True, env={**os.environ, **self.env}).returncode == 0

    def docker(self, *arguments, **more):
        return run("docker", *arguments, env=self.env, **more)

    def enter_network(self):
        """From now on this thread, and those that it starts, have the engine's network. Returns how to go back."""
        libc = ctypes.CDLL(None, use_errno=True)
        own = os.open("/proc/self/ns/net", os.O_RDONLY)

        def enter(descriptor):
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            os.close(descriptor)
        (first,) = descendants(self.process.pid)[:1]
        enter(os.open(f"/proc/{first}/ns/net", os.O_RDONLY))
        return lambda: enter(own)

    def stop(self):
        """In order, where it still can; then all that is left of it."""
        if self.process is None:
            return
        first = descendants(self.process.pid)[:1] if self.process.is_running() else []
        for pid in first:
            os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(60)
        except Failed:
            self.process.kill()
        self.process = None
        self._remove_cgroups()

    def _remove_cgroups(self):
        for top in glob.glob(f"/sys/fs/cgroup/*/{self.cgroups}") + glob.glob(f"/sys/fs/cgroup/{self.cgroups}"):
            for folder, _, _ in os.walk(top, topdown=False):
                wait_until(lambda folder=folder: remove_folder(folder), 10, f"{folder} is in use")

    def remove(self):
        """The folder, once nothing runs there."""
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_folder(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
