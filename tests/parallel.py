"""Deals the tests to pytest-xdist's workers: ops/test --jobs. docs/development/testing.md explains the rules.

A worker makes the plan, since only workers know the tests' fixtures and marks. The controller reads it and deals.
"""
import json

import pytest


class Unit:
    """Tests that one worker runs in their order, because they share a fixture."""

    def __init__(self, tests, needs_stack=False):
        self.tests = tests  # node ids
        self.needs_stack = needs_stack


# --- The plan, in the workers ---------------------------------------------------------------------------------------


def shares_a_fixture(item):
    """Whether it uses a fixture that its module shares."""
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return any(definition[-1].scope in ("module", "package", "class") for definition in definitions)


def plan(items):
    """The units that take longest come first: tests that share a fixture, since such a fixture is expensive, and long ones."""
    shared, long, short, alone = {}, [], [], []
    for item in items:
        needs_stack = "shared_stack" in item.fixturenames
        if item.get_closest_marker("alone"):
            alone.append(item.nodeid)
        elif shares_a_fixture(item):
            shared.setdefault(item.path, Unit([])).tests.append(item.nodeid)
            shared[item.path].needs_stack |= needs_stack
        else:
            (long if item.get_closest_marker("long") else short).append(Unit([item.nodeid], needs_stack))
    return {"units": [vars(unit) for unit in [*shared.values(), *long, *short]], "alone": alone}


@pytest.hookimpl(tryfirst=True)  # before xdist tells the controller that the collection is finished
def pytest_collection_finish(session):
    workerinput = getattr(session.config, "workerinput", {})
    if workerinput.get("workerid") == "gw0":
        with open(workerinput["plan"], "w") as out:
            json.dump(plan(session.items), out)


# --- The dealer, in the controller ----------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["plan"] = plan_file(node.config)


def plan_file(config):
    return str(config._tmp_path_factory.getbasetemp() / "plan.json")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Dealer(config)


class Dealer:
    """xdist's scheduler interface. Deals units as workers run out of tests, and the tests that run alone at the end.

    A worker runs a test only when it knows the next one, or that there is none: so it always holds one back.
    """

    def __init__(self, config):
        self.config = config
        self.expected = len(config.option.tx)
        self.stacks_max = max(1, self.expected // 2)
        self.collections = {}  # worker: node ids, in the order of its indices
        self.pending = {}  # worker: node ids that it was sent and has not completed
        self.with_stack = set()  # workers that have started the shared stack
        self.units = self.alone = None  # until schedule()
        self.last = None  # the worker that runs the tests that run alone

    # What xdist asks:

    @property
    def nodes(self):
        return list(self.pending)

    @property
    def collection_is_completed(self):
        return len(self.collections) >= self.expected

    @property
    def tests_finished(self):
        return self.units is not None and all(node.shutting_down for node in self.nodes)

    @property
    def has_pending(self):
        return bool(self.units or self.alone or any(self.pending.values()))

    # What xdist tells:

    def add_node(self, node):
        self.pending[node] = []

    def add_node_collection(self, node, collection):
        self.collections[node] = list(collection)

    def schedule(self):
        if self.units is None:
            with open(plan_file(self.config)) as file:
                made = json.load(file)
            self.units = [Unit(**unit) for unit in made["units"]]
            self.alone = made["alone"]
        for node in self.nodes:
            self._deal(node)

    def mark_test_complete(self, node, item_index, duration=0):
        self.pending[node].remove(self.collections[node][item_index])
        self._deal(node)

    def mark_test_pending(self, item):
        raise NotImplementedError

    def remove_node(self, node):
        """Returns the test that it crashed in, if it did; its other tests are dealt again."""
        left = self.pending.pop(node)
        crashed = left.pop(0) if left else None
        self.with_stack.discard(node)
        if node is self.last:
            self.last = None
            self.alone = left + self.alone
        elif left:
            self.units.insert(0, Unit(left))
        for other in self.nodes:
            self._deal(other)
        return crashed

    # Dealing:

    def _deal(self, node):
        if node.shutting_down or node not in self.collections:
            return
        while len(self.pending[node]) < 2 and (unit := self._take_unit(node)):
            self._send(node, unit.tests)
        if len(self.pending[node]) >= 2:
            return
        if self.last is None and self.alone:
            self.last = node
            if self.pending[node]:
                self._send(node, [self.alone.pop(0)])  # which it will hold back instead
        if node is not self.last:
            node.shutdown()
        elif len(self.pending) == 1:
            self._send(node, self.alone)
            self.alone = []
            node.shutdown()

    def _take_unit(self, node):
        """The next one for this worker. Only some start the shared stack, and these run what needs it first."""
        may_start = node in self.with_stack or len(self.with_stack) < self.stacks_max
        chosen = next((unit for unit in self.units if unit.needs_stack), None) if may_start else None
        chosen = chosen or next((unit for unit in self.units if not unit.needs_stack), None)
        if chosen is not None:
            self.units.remove(chosen)
            if chosen.needs_stack:
                self.with_stack.add(node)
        return chosen

    def _send(self, node, tests):
        self.pending[node] += tests
        collection = self.collections[node]
        node.send_runtest_some([collection.index(test) for test in tests])
