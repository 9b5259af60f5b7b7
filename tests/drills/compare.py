"""All drills through lb, and some through its peers, on one system; docs/zero-drop.md from what came of it."""
import json
import os
import platform
import subprocess
import time

from stack.programs import ROOT, built

from . import INSTANCES, drill, peers, report

# What every proxy has to bear at times. The others are lb's alone: they need somebody who waits.
SHARED = ("kill-app", "hang-app", "rolling-restart")


def machine():
    with open("/proc/meminfo") as meminfo:
        gib = int(meminfo.readline().split()[1]) / (1 << 20)
    return (f"{os.cpu_count()} cores, {gib:.0f} GiB, Linux {'.'.join(platform.release().split('.')[:2])}, "
            f"{platform.freedesktop_os_release()['PRETTY_NAME'].split(' (')[0]}")


def revision():
    told = subprocess.run([built("lb"), "--version"], capture_output=True, text=True, check=True).stdout
    return told.split("(")[1].strip(" )\n")


def run(stack, options, runs, peer_runs, out, say):
    """Runs everything, round by round, so that a machine whose speed drifts drifts for all. Each run's figures are a line
    of `out`, after one that says where they were taken. True where lb held in every run."""
    def write(line):
        out.write(json.dumps(line) + "\n")
        out.flush()

    write({"machine": machine(), "revision": revision(), "day": time.strftime("%Y-%m-%d", time.gmtime()),
           "load": round(os.getloadavg()[0], 1), "rate": options.rate, "burst": options.burst, "posts_share": options.posts,
           "versions": {name: peers.version(name) for name in peers.PROGRAMS}})
    held = True
    for number in range(max(runs, peer_runs)):
        for name, one in INSTANCES.items():
            if number < runs:
                figures = attempt(one, stack, options, None, write, say)
                held = held and figures["held"]
            if number < peer_runs and name in SHARED:
                for peer in peers.PROGRAMS:
                    for variant in peers.VARIANTS:
                        through_peer(one, stack, options, peer, variant, write, say)
    return held


def attempt(one, stack, options, front, write, say):
    figures = drill.run(one, stack, options, say=lambda text: None, front=front)
    figures.setdefault("variant", None)
    write(figures)
    say(f"{one.NAME:<22} {figures['front']:<8} " + ("held" if figures["held"] else "; ".join(figures["wrong"])))
    return figures


def through_peer(one, stack, options, name, variant, write, say):
    peer = peers.Peer(name, variant, stack.apps, stack.data, stack.user).start()
    try:
        def noted(figures):
            write({**figures, "variant": variant})
        attempt(one, stack, options, drill.Front(name, peer.port), noted, say)
    finally:
        peer.stop()


DOCUMENT = os.path.join(ROOT, "docs/zero-drop.md")
BEGIN, END = "<!-- from here: ops/drill compare --write -->\n", "<!-- to here -->\n"


def write_document(results):
    with open(results) as lines:
        where, *figures = [json.loads(line) for line in lines]
    with open(DOCUMENT) as document:
        text = document.read()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    with open(DOCUMENT, "w") as document:
        document.write(before + BEGIN + report.text(where, figures, SHARED) + END + after)
