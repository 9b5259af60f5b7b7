"""The images that docker-compose.yml names: ours from the Dockerfile, stand-ins for the others, all on a Debian 13 made here."""
import os
import re
import time

from stack.programs import ROOT

from .engine import run

BASE = "debian:trixie-slim"
STAND_INS = os.path.join(ROOT, "tests/containers/stand-ins")


def make_base(engine, say):
    """Under the name of the official image, which cannot be pulled here; like that one without documentation."""
    system = os.path.join(engine.folder, "debian13")
    say("a Debian 13")
    run(os.path.join(ROOT, "ops/make-debian13"), system)
    run("bash", "-c", f"rm -rf {system}/usr/share/{{doc,man,info,locale}}/* && tar -C {system} -c . | docker import - {BASE}"
        f" && rm -rf --one-file-system {system}", env=engine.env)


def named(compose):
    """The names of the images, by service, of a file as Compose has understood it."""
    return {name: service["image"] for name, service in compose["services"].items()}


def build(engine, names, say):
    """All of them, `names` being by service; returns how long ours took, in seconds."""
    revision = run("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=10").strip()
    begun = time.monotonic()
    say("our image")
    # As the repository has it, whatever lies about here.
    run("bash", "-c", f"cd {ROOT} && git ls-files -z | tar --null -T - -c | docker build --network host -q"
        f" --build-arg REVISION={revision} -t {names['lb']} -", env=engine.env, seconds=1800)
    took = time.monotonic() - begun
    with open(os.path.join(STAND_INS, "Dockerfile")) as file:
        targets = set(re.findall(r"^FROM \S+ AS (\w+)", file.read(), re.M)) - {"common"}
    for target in sorted(targets):
        name = names["db" if target == "postgres" else target]
        say(f"a stand-in for {name}")
        engine.docker("build", "--network", "host", "-q", "--target", target, "-t", name, STAND_INS)
    return took
