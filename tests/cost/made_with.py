"""What the figures depend on beside our own code: release, architecture, compiler, libraries, valgrind."""
import os
import re
import subprocess

from stack.programs import built

PACKAGES = ("libc6", "libstdc++6", "libuv1", "node-llhttp", "libxxhash0", "valgrind")


def here():
    with open("/etc/os-release") as lines:
        system = dict(line.strip().replace('"', "").split("=", 1) for line in lines if "=" in line)
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES], capture_output=True, text=True).stdout
    return {"release": f"{system['ID']} {system.get('VERSION_ID', 'testing')} {os.uname().machine}", "compiler": compiler(built("lb")),
            **dict(words for line in listed.splitlines() if len(words := line.split()) == 2)}


def compiler(program):
    """Each compiler leaves its name in what it compiles; GCC compiled the C library's part in any case."""
    with open(program, "rb") as file:
        names = sorted(set(re.findall(rb"GCC: \([^)]+\) [\d.]+|clang version [\d.]+", file.read())))
    return names[-1].decode() if names else "unknown"


def refusal(committed, present):
    """Why figures of the two cannot be compared; "" if they can."""
    if committed["release"] == present["release"]:
        return ""
    return f"the committed figures are of {committed['release']}, and this is {present['release']}: they cannot be compared"


def differences(committed, present):
    """A line for each version that differs."""
    return [f"  {name}: {present.get(name, 'none')} (committed: {committed.get(name, 'none')})"
            for name in {**committed, **present} if committed.get(name) != present.get(name)]
