"""Says which tests a change touches: unit tests by room, system tests by file. `ops/test --changed` runs them.

Standard output is for that script: a pattern for ctest, then files for pytest, a line each; nothing if nothing is touched.
What was chosen, and why, goes to standard error.
"""
import ast
import dataclasses
import fnmatch
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUITES = ("tests/system", "tests/drills", "tests/alerts", "tests/cost")
LAYERS = "tests/unit/layers_test.cpp"
EVERY_UNIT = "."
ROOMLESS = "[^:]*$"  # unit tests without a folder before their name: the layers, allocations, close_race

# System tests by what they run. Those of the first list run both programs together.
TOGETHER = ("tests/system/test_stack.py", "tests/system/test_start.py", "tests/system/test_install.py",
            "tests/system/test_metrics_docs.py", "tests/system/test_compose.py", "tests/system/test_kubernetes.py",
            "tests/drills/test_drills.py", "tests/alerts/test_*.py")
OF_PROGRAM = {"lb": ("tests/system/test_lb_*.py", *TOGETHER),
              "app": ("tests/system/test_*.py", "!tests/system/test_lb_*.py", *TOGETHER),
              "common": ("tests/system/test_*.py", *TOGETHER)}

# Rooms that the program's top room alone uses, so that few tests can tell whether they work.
SMOKE = ("tests/system/test_stack.py", "tests/system/test_install.py", "tests/system/test_metrics_docs.py")
LB_SMOKE = (*SMOKE, "tests/system/test_lb_proxy.py", "tests/system/test_lb_config.py")
OF_ROOM = {
    "lb/dns": (*LB_SMOKE, "tests/system/test_lb_dns.py", "tests/system/test_lb_health.py", "tests/system/test_lb_reload.py"),
    "lb/handover": (*LB_SMOKE, "tests/system/test_lb_upgrade.py", "tests/system/test_lb_reload.py"),
    "lb/descriptors": (*LB_SMOKE, "tests/system/test_lb_limits.py"),
    "app/check": (*SMOKE, "tests/system/test_app_operation.py", "tests/system/test_kubernetes.py"),
}

# Files that no test of ops/test reads, unless the Python sources of the tests say otherwise; what to run instead, if anything.
ELSEWHERE = {"*.md": "", "docs/*": "", "config/*": "", ".clang-*": ".ci/run", ".ci/*": ".ci/run", ".editorconfig": "", ".git*": "",
             ".dockerignore": "tests/containers/run", "Dockerfile": "tests/containers/run",
             "tests/containers/*": "tests/containers/run", "tests/fuzz/*": "tests/fuzz/run",
             "tests/conformance/*": "tests/conformance/compare", "tests/bench/*": "", "tests/cost/*": "tests/cost/run"}


@dataclasses.dataclass
class Plan:
    unit: set = dataclasses.field(default_factory=set)    # patterns of names
    system: set = dataclasses.field(default_factory=set)  # files, or all of SUITES
    why: list = dataclasses.field(default_factory=list)   # (path, reason)

    def unit_pattern(self):
        """One pattern for ctest -R; empty if no unit test is touched."""
        return EVERY_UNIT if EVERY_UNIT in self.unit else "|".join("^" + one for one in sorted(self.unit))

    def system_arguments(self):
        """Files or folders for pytest."""
        return sorted(one for one in self.system if one in SUITES or os.path.dirname(one) not in self.system)


class Tree:
    """What the sources say of each other. `texts` are those of tests and of ops/stack, by path from the repository's root."""

    def __init__(self, texts):
        self.rooms = dict(self._rooms(texts.get(LAYERS, "")))
        self.unit_tests = {path: re.findall(r'^#include "([^"]+)"', text, re.M) for path, text in texts.items()
                           if fnmatch.fnmatch(path, "tests/unit/*/*.cpp")}
        self.modules = {path for path in texts if path.endswith(".py")}
        self.tests = {path for path in self.modules
                      if os.path.dirname(path) in SUITES and os.path.basename(path).startswith("test_")}
        self.imported_by = {path: set() for path in self.modules}
        self.read_by = []  # (path or beginning of one, module)
        for path in self.modules:
            parsed = ast.parse(texts[path])
            for imported in self._imports(path, parsed):
                self.imported_by[imported].add(path)
            self.read_by += [(read, path) for read in self._reads(path, parsed)]

    @staticmethod
    def _rooms(layers):
        """The table of tests/unit/layers_test.cpp: each room and the rooms right below it."""
        table = re.search(r"kRooms\{(.*?)^\};", layers, re.S | re.M)
        for path, below in re.findall(r'\{"([\w/]+)",\s*\{([^}]*)\}\}', table.group(1) if table else ""):
            yield path, re.findall(r'"([\w/]+)"', below)

    def _imports(self, path, parsed):
        for node in ast.walk(parsed):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""] + [f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names]
            else:
                continue
            level = getattr(node, "level", 0)
            above = path
            for _ in range(level):
                above = os.path.dirname(above)
            for name in names:
                for top in [above] if level else ["tests", "ops"]:
                    place = os.path.join(top, name.replace(".", "/")).rstrip("/")
                    yield from {place + ".py", place + "/__init__.py"} & self.modules

    @staticmethod
    def _reads(path, parsed):
        """Paths that a test names as os.path.join(ROOT, ...) or f"{ROOT}/...". A drill's are of reports that it writes."""
        if path.startswith("tests/drills/") or not path.startswith("tests/"):
            return
        search_path = {id(inner) for node in ast.walk(parsed) if isinstance(node, ast.Assign)
                       and ast.unparse(node.targets[0]).startswith("sys.path") for inner in ast.walk(node)}
        for node in ast.walk(parsed):
            if id(node) in search_path:
                continue
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.path.join":
                parts = node.args
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
            else:
                continue
            if not parts or ast.unparse(parts[0]) != "ROOT":
                continue
            known = []
            for part in parts[1:]:
                if not isinstance(part, ast.Constant):
                    break
                known.append(part.value.strip("/"))
            if known:
                yield "/".join(known).split("*")[0].rstrip("/")

    def room_of(self, path):
        """The room with the longest path that fits, as in layers_test.cpp; None if there is none."""
        fits = [room for room in self.rooms if is_in(path, room)]
        return max(fits, key=len, default=None)

    def users_of(self, room):
        """The room and all rooms that may include it, directly or not."""
        found = {room}
        while True:
            more = {user for user, below in self.rooms.items()
                    if any(used in found or (used == "common" and is_in(one, "common")) for used in below for one in found)}
            if more <= found:
                return found
            found |= more

    def unit_folders(self, rooms):
        """Folders of the unit tests that stand in these rooms or include them."""
        folders = set()
        for path, includes in self.unit_tests.items():
            own = re.sub(r"_test\.cpp$", "", path.removeprefix("tests/unit/"))
            touched = {self.room_of(own), *(self.room_of(one) for one in includes)}
            if touched & rooms:
                folders.add(os.path.dirname(own))
        return folders

    def dependents(self, modules):
        """The modules and all that import them. A conftest.py is imported by every module below its folder."""
        found, left = set(), set(modules)
        while left:
            one = left.pop()
            found.add(one)
            users = self.imported_by.get(one, set())
            if os.path.basename(one) == "conftest.py":
                users = users | {path for path in self.modules if path.startswith(os.path.dirname(one) + "/")}
            left |= users - found
        return found

    def readers(self, path):
        """The tests that read the file, themselves or through a helper. What conftest.py imports reads nothing for them."""
        helpers = {module for read, module in self.read_by if is_in(path, read) and module in self.modules}
        return self.dependents(helpers - {"tests/conftest.py"}) & self.tests


def is_in(path, beginning):
    return path.startswith(beginning) and (len(path) == len(beginning) or path[len(beginning)] in "/.")


def plan(paths, tree):
    """What must run after a change of `paths`, which are from the repository's root. Pure: it reads nothing."""
    chosen = Plan()
    for path in sorted(paths):
        unit, system, reasons = set(), set(), []
        for rule in (of_source, of_unit_test, of_build, of_python, of_readers):
            found = rule(path, tree)
            if found is not None:
                unit |= found[0]
                system |= found[1]
                reasons.append(found[2])
        if not reasons:
            unit, system, reason = of_nothing(path)
            reasons.append(reason)
        chosen.unit |= unit
        chosen.system |= system
        chosen.why.append((path, "; ".join(reasons)))
    return chosen


def matching(tree, patterns):
    """The tests that one of the patterns fits; a pattern after "!" takes away."""
    found = set()
    for pattern in patterns:
        fits = {test for test in tree.tests if fnmatch.fnmatch(test, pattern.lstrip("!"))}
        found = found - fits if pattern.startswith("!") else found | fits
    return found


def of_source(path, tree):
    top = path.split("/")[0]
    if top not in OF_PROGRAM:
        return None
    room = tree.room_of(path)
    if room is None and path.endswith((".h", ".cpp")):
        return {EVERY_UNIT}, matching(tree, OF_PROGRAM[top]), f"{top}, in no room of {LAYERS}: all unit tests"
    # Files that are built into a program, such as migrations, stand in no room.
    folders = tree.unit_folders(tree.users_of(room)) if room else {
        os.path.dirname(test.removeprefix("tests/unit/")) for test in tree.unit_tests if test.startswith(f"tests/unit/{top}/")}
    reason = f"room {room or top} and the rooms that use it; "
    reason += f"its own system tests and a few of {top}" if room in OF_ROOM else f"system tests of {top}"
    return {ROOMLESS, *(folder + ":" for folder in folders)}, matching(tree, OF_ROOM.get(room, OF_PROGRAM[top])), reason


def of_unit_test(path, tree):
    if path.startswith("tests/unit/"):
        folder = os.path.dirname(path).removeprefix("tests/unit").strip("/")
        if path == "tests/unit/main.cpp" or not path.endswith(".cpp"):
            return {EVERY_UNIT}, set(), "all unit tests"
        return {folder + ":" if folder else ROOMLESS}, set(), "unit tests of its folder"
    if path == "tests/bench/close_race.cpp":
        return {ROOMLESS}, set(), "it is a unit test too"
    return None


def of_build(path, tree):
    if path == "cmake/install.cmake":
        return set(), matching(tree, ("tests/system/test_install.py",)), "what is installed"
    if path in ("CMakeLists.txt", "CMakePresets.json") or path.startswith("cmake/"):
        return {EVERY_UNIT}, set(SUITES), "how all of it is built: everything"
    return None


def of_python(path, tree):
    if path not in tree.modules:
        return None
    tests = tree.dependents({path}) & tree.tests
    if path in tree.tests:
        return set(), tests, "itself" + (f" and {len(tests) - 1} test files that import it" if len(tests) > 1 else "")
    return (set(), tests, f"test files that import it, directly or not: {len(tests)}") if tests else None


def of_readers(path, tree):
    tests = tree.readers(path)
    return (set(), tests, "read by " + ", ".join(sorted(map(os.path.basename, tests)))) if tests else None


def of_nothing(path):
    for pattern, instead in ELSEWHERE.items():
        if fnmatch.fnmatch(path, pattern):
            return set(), set(), f"no test of ops/test reads it{f'; run {instead}' if instead else ''}"
    return {EVERY_UNIT}, set(SUITES), "no rule for it: everything"


# --- The repository ---------------------------------------------------------------------------------------------------


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout


def changed_since(revision):
    """The base that was taken, and the paths that differ from it: committed, uncommitted and untracked."""
    if revision is None:
        has_main = subprocess.run(["git", "-C", ROOT, "rev-parse", "-q", "--verify", "origin/main"], capture_output=True)
        revision = git("merge-base", "HEAD", "origin/main").strip() if has_main.returncode == 0 else "HEAD"
    listed = git("diff", "--name-only", "--no-renames", "-z", revision, "--")
    listed += git("ls-files", "--others", "--exclude-standard", "-z")
    return git("rev-parse", "--short", revision).strip(), sorted(set(filter(None, listed.split("\0"))))


def read_tree():
    texts = {}
    for path in git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "tests", "ops/stack").split("\0"):
        if path.endswith((".py", ".cpp")) and os.path.exists(os.path.join(ROOT, path)):
            with open(os.path.join(ROOT, path)) as file:
                texts[path] = file.read()
    return Tree(texts)


def explain(base, chosen, most=20):
    yield f"{len(chosen.why)} files differ from {base}"
    yield from (f"  {path}: {reason}" for path, reason in chosen.why[:most])
    if len(chosen.why) > most:
        yield f"  and {len(chosen.why) - most} more"
    if not chosen.unit and not chosen.system:
        yield "no test is touched"
        return
    yield "unit tests: " + (chosen.unit_pattern() or "none")
    yield "system tests: " + (" ".join(chosen.system_arguments()) or "none")


def main():
    base, paths = changed_since(sys.argv[1] if len(sys.argv) > 1 else None)
    chosen = plan(paths, read_tree())
    print("\n".join(explain(base, chosen)), file=sys.stderr)
    if chosen.unit or chosen.system:
        print("\n".join([chosen.unit_pattern(), *chosen.system_arguments()]))


if __name__ == "__main__":
    main()
