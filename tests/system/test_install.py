"""`cmake --install` into a clean root, and the README's way from there to lb in front of a service."""
import filecmp
import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, show_logs
from stack.ports import free_port
from stack.process import Process
from stack.programs import built
from system.upstream import ask, response

EXAMPLES = "share/doc/holdfast/examples/"
FILES = {"lb": {"bin/lb", EXAMPLES + "lb.yaml", EXAMPLES + "lb-routes.yaml"},
         "shortener": {"bin/shortener", EXAMPLES + "shortener.yaml"}}
CHECKS = [("lb", ["check", "lb.yaml"]), ("lb", ["check", "lb-routes.yaml"]),
          ("shortener", ["check", "--offline", "shortener.yaml"])]


def build_folder():
    """The build folder of the tested programs."""
    folder = os.path.dirname(os.path.dirname(os.path.realpath(built("lb"))))
    if not os.path.exists(os.path.join(folder, "cmake_install.cmake")):
        pytest.skip(f"{folder} is no build folder, so there is nothing to install from")
    return folder


def install(root, *options, folder=None):
    """Installs without building; `root` stands for /."""
    done = subprocess.run(["cmake", "--install", folder or build_folder(), *options], capture_output=True, text=True,
                          timeout=120, env={**os.environ, "DESTDIR": str(root)})
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def files_below(root):
    return {os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names}


def below(prefix, *components):
    return {prefix + file for component in components for file in FILES[component]}


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    return done.returncode, done.stdout + done.stderr


def test_programs_and_examples_are_all_that_is_installed(tmp_path):
    before = os.stat(built("lb")).st_mtime_ns
    assert files_below(install(tmp_path / "all")) == below("usr/local/", "lb", "shortener")
    assert files_below(install(tmp_path / "usr", "--prefix", "/usr")) == below("usr/", "lb", "shortener")
    for component in FILES:
        assert files_below(install(tmp_path / component, "--component", component)) == below("usr/local/", component)
    assert os.stat(built("lb")).st_mtime_ns == before, "an install builds nothing"


def test_one_program_is_installed_without_the_other_being_built(tmp_path):
    folder = build_folder()
    only = tmp_path / "build"
    only.mkdir()
    with open(os.path.join(folder, "cmake_install.cmake")) as script:
        text = script.read()
    assert f"{folder}/bin/shortener" in text
    (only / "cmake_install.cmake").write_text(text.replace(f"{folder}/bin/shortener", f"{folder}/bin/not-built"))
    assert files_below(install(tmp_path / "root", "--component", "lb", folder=str(only))) == below("usr/local/", "lb")


def test_a_stripped_program_runs(tmp_path):
    root = install(tmp_path, "--strip")
    for name in FILES:
        program = root / "usr/local/bin" / name
        code, version = run(program, "--version")
        assert code == 0 and version.startswith(name)
        assert program.stat().st_size < os.stat(built(name)).st_size


def test_every_example_passes_the_check_of_its_installed_program(tmp_path):
    prefix = install(tmp_path) / "usr/local"
    for program, check in CHECKS:
        code, output = run(prefix / "bin" / program, *check, cwd=prefix / EXAMPLES)
        assert code == 0, output
    examples = {check[-1] for _, check in CHECKS}
    assert examples == set(os.listdir(prefix / EXAMPLES))
    assert all(filecmp.cmp(prefix / EXAMPLES / name, os.path.join(ROOT, "config", name), shallow=False) for name in examples)


@pytest.fixture
def start(request):
    """start(command) runs an installed lb until the test ends; returns its process once lb is ready."""
    started = []

    def begin(log, command, **options):
        process = Process("lb", command, str(log), **options)
        started.append(process)
        process.start().wait_for_log(r"info ready\b")
        return process

    yield begin
    show_logs(request, started)
    for process in started:
        process.stop()


def readme_blocks():
    """The indented blocks of the README's section about lb in front of one's own service."""
    with open(os.path.join(ROOT, "README.md")) as readme:
        section = re.search(r"^## `?lb`? in front of your own service\n(.*?)^## ", readme.read(), re.S | re.M).group(1)
    return [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", section, re.M)]


def test_the_readme_puts_lb_in_front_of_a_service(tmp_path, upstream, start):
    config, build_and_run, look = readme_blocks()
    _, build, install_lb, check, run_lb = (re.sub(r"\s+#.*", "", line) for line in build_and_run.splitlines())
    folder = build_folder()

    presets, target = re.findall(r"--preset (\S+)", build), re.search(r"--target (\S+)$", build).group(1)
    with open(os.path.join(ROOT, "CMakePresets.json")) as file:
        known = json.load(file)
    assert len(presets) == 2 and all(any(one["name"] == preset for one in known[kind])
                                     for preset, kind in zip(presets, ("configurePresets", "buildPresets")))
    code, output = run("cmake", "--build", folder, "--target", target, "--", "-n")  # names it, builds nothing
    assert code == 0, output

    root = tmp_path / "root"
    assert install_lb.startswith("sudo cmake --install build/release ")
    code, output = run("sh", "-c", install_lb.removeprefix("sudo ").replace("build/release", f"'{folder}'"),
                       env={**os.environ, "DESTDIR": str(root)})
    assert code == 0 and files_below(root) == below("usr/local/", "lb"), output

    # What the page says of ports is true; the test has ports of its own, since these may be in use.
    env = {**os.environ, "PATH": f"{root}/usr/local/bin:{os.environ['PATH']}"}
    (tmp_path / "lb.yaml").write_text(config)
    code, output = run("sh", "-c", check, cwd=tmp_path, env=env)
    assert code == 0, output
    assert re.search(r"^listen: \S*127\.0\.0\.1:8080", output, re.M) and "127.0.0.1:9900" in output, output

    servers = [upstream(lambda request: response(body=b"hello")) for _ in range(2)]
    ports = {"8080": free_port(), "9900": free_port(), "3001": servers[0].port, "3002": servers[1].port}

    def moved(text):
        return re.sub(r"127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{ports[found.group(1)]}", text)
    (tmp_path / "lb.yaml").write_text(moved(config + "admin: {listen: 127.0.0.1:9900}\n"))
    process = start(tmp_path / "lb.log", ["env", "-C", str(tmp_path), "sh", "-c", f"exec {run_lb}"], env={"PATH": env["PATH"]})
    assert os.readlink(f"/proc/{process.pid}/exe") == f"{root}/usr/local/bin/lb"
    first, second = (run("sh", "-c", moved(line).replace("curl ", "curl -sS ")) for line in look.splitlines())
    assert first == (0, "hello")
    pools = json.loads(second[1])["pools"]
    assert [server["address"] for pool in pools for server in pool["upstreams"]] == [f"127.0.0.1:{one.port}" for one in servers]
    assert process.stop() == 0


def shared_libraries(program):
    """The libraries of a program and the loader, as ldd names them."""
    code, output = run("ldd", program)
    assert code == 0 and "not found" not in output, output
    return re.findall(r"(?:=> |^\s+)(/\S+) \(", output, re.M)


@pytest.fixture
def clean_root(tmp_path):
    """A root with the installed files, the libraries and nothing else; the command that enters it."""
    if os.getuid() != 0:
        pytest.skip("chroot needs root")
    if run("unshare", "--mount", "chroot", "/", "true")[0] != 0:
        pytest.skip("unshare and chroot are not permitted here")
    root = install(tmp_path / "root")
    libraries = {library for name in FILES for library in shared_libraries(root / "usr/local/bin" / name)}
    for library in libraries:
        copy = root / library.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copy)
    enter = 'exec chroot "$0" "$@"'
    if any(re.search(r"/lib[at]san", library) for library in libraries):  # the sanitizers read /proc, the programs need not
        (root / "proc").mkdir()
        enter = 'mount --rbind /proc "$0/proc" && ' + enter
    return root, ["unshare", "--mount", "sh", "-c", enter, str(root)]


def test_the_installed_programs_need_only_their_libraries(clean_root, tmp_path, upstream, start):
    root, enter = clean_root
    for program, (*check, example) in CHECKS:
        code, output = run(*enter, f"/usr/local/bin/{program}", *check, f"/usr/local/{EXAMPLES}{example}")
        assert code == 0, output

    server = upstream(lambda request: response(body=b"hello"))
    (root / "lb.yaml").write_text(f"listen: 127.0.0.1:0\nupstreams: [127.0.0.1:{server.port}]\nadmin: {{listen: 127.0.0.1:0}}\n")
    process = start(tmp_path / "lb.log", [*enter, "/usr/local/bin/lb", "run", "--config", "/lb.yaml"])
    public = int(re.search(r"listening name=public address=\S*:(\d+)", process.log_text()).group(1))
    status, _, body = ask(public, "/")
    assert (status, body) == (200, b"hello")
    assert os.path.samefile(f"/proc/{process.pid}/root", root)
    assert process.stop() == 0
