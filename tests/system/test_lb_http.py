"""The battery of tests/system/http against lb: every case, and many of them byte by byte as well."""
import pytest
from stack.patience import patient
from stack.programs import Lb
from system.http import battery, requests, responses, smuggling

CASES = requests.CASES + smuggling.CASES + responses.CASES
RUNS = [(case, False) for case in CASES] + [(case, True) for case in CASES if case.split]

CONFIG = """listen: 127.0.0.1:0
admin: {{listen: 127.0.0.1:0}}
workers: 1
upstreams: ['127.0.0.1:{port}']
health: {{uri: /health}}
passive: {{max_fails: 0}}
retry: {{deadline: 50ms}}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    origin = battery.Origin()
    lb = Lb(CONFIG.format(port=origin.port), str(tmp_path_factory.mktemp("lb"))).start()
    yield lb.public, origin
    assert lb.stop() == 0
    origin.close()


def test_the_battery_is_as_large_as_it_should_be():
    assert len(CASES) >= 1050
    assert len({case.name for case in CASES}) == len(CASES), "a name twice"


@pytest.mark.parametrize("case, split", RUNS, ids=[case.name + (", byte by byte" if split else "") for case, split in RUNS])
def test_case(proxy, case, split):
    port, origin = proxy
    happened = battery.run(case, port, origin, split, patience=patient(10))
    assert happened is None, f"RFC {case.rfc}, {case.level}: {happened}; wanted {case.outcomes}"
