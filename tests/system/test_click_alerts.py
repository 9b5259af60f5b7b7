"""The alarms of clicks fire in time, say what is wrong with figures, are silent when they must be, and can be acted on."""
import os
import re
import shutil
import subprocess
import urllib.request

import pytest
import yaml
from alerts.clicks_cases import CASES
from conftest import ROOT

FILE = os.path.join(ROOT, "config", "alerts-clicks.yml")


def rules():
    with open(FILE) as file:
        return {rule["alert"]: rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("name", CASES)
def test_it_fires_in_time_and_is_silent_where_nothing_is_wrong(tmp_path, name):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: install the package prometheus")
    case, rule = CASES[name], rules()[name]
    wanted = {"exp_labels": {**rule["labels"], **case.labels},
              "exp_annotations": {**rule["annotations"], "summary": case.summary}}

    def test(series, times, expected):
        return {"interval": case.step, "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": expected} for at in times]}
    tests = [test(case.fires, [case.at], [wanted])]
    tests += [test(series, ["30s", "110s", case.silent_at], []) for series in case.silent]
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [FILE], "evaluation_interval": case.step, "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alarm_is_tested_and_has_a_page():
    assert rules().keys() == CASES.keys()
    for name, rule in rules().items():
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert rule["annotations"].keys() == {"summary", "impact", "runbook"}, name
        assert os.path.isfile(os.path.join(ROOT, rule["annotations"]["runbook"])), name


def test_what_the_alarms_read_is_shown(stack):
    shown = ""
    for port in (stack.apps[0].port, stack.worker.port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            shown += answer.read().decode()
    for name, rule in rules().items():
        for metric in re.findall(r"shortener_\w+", rule["expr"]):
            assert re.search(rf"^{metric}[{{ ]", shown, re.M), f"{name} reads {metric}, which no program shows"
