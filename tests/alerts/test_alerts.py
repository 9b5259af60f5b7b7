"""config/alerts*.yml: each alarm fires when it must, with figures in its words, is silent when it must, and can be acted on."""
import functools
import glob
import os
import re
import subprocess
import urllib.request

import pytest
import yaml
from stack.patience import patient
from stack.programs import ROOT

from . import cases, clicks_cases

CONFIG = os.path.join(ROOT, "config")
FILES = sorted(glob.glob(os.path.join(CONFIG, "alerts*.yml")))


def all_cases():
    return {**cases.CASES, **clicks_cases.CASES}


@functools.cache
def rules():
    found = []
    for path in FILES:
        with open(path) as file:
            found += [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    return found


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(tmp_path, name, case, wanted):
    """Its word on whether the alarm fires with these labels and annotations, and is silent where it must be."""
    def test(series, times, expected):
        return {"interval": case.step, "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": expected} for at in times]}
    tests = [test(case.fires, [case.at], [wanted])]
    tests += [test(series, ["30s", "110s", case.silent_at], []) for series in case.silent]
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": FILES, "evaluation_interval": case.step, "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", all_cases())
def test_it_fires_in_time_says_what_is_wrong_and_is_silent_before(tmp_path, name):
    case, rule = all_cases()[name], alerts()[name]
    assert case.silent
    promtool(tmp_path, name, case, {"exp_labels": {**rule["labels"], **case.labels},
                                    "exp_annotations": {**rule["annotations"], "summary": case.summary}})


def test_every_alarm_is_tested_and_can_be_acted_on():
    assert alerts().keys() == all_cases().keys()
    names = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(names) == len(set(names))
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert rule["annotations"].keys() == {"summary", "impact", "runbook"}, name
        runbook = os.path.join(ROOT, rule["annotations"]["runbook"])
        assert os.path.isfile(runbook), f"{name}: there is no {runbook}"
        with open(runbook) as page:
            assert name in page.read(), f"{name} is not spoken of in {runbook}"


def test_what_inhibits_or_is_inhibited_is_an_alarm():
    with open(os.path.join(CONFIG, "alertmanager.yml")) as file:
        text = file.read()
    for matcher in re.findall(r'alertname=~?"([^"]+)"', text):
        assert set(matcher.split("|")) <= alerts().keys(), matcher


def selectors(expression):
    """The metrics of an expression: {name: [(label, operator, value), ...]}; PromQL's own words are followed by ( or by."""
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", " ", expression)
    bare = re.sub(r"\[[^\]]*\]|\boffset \w+", " ", bare)
    found = {}
    for name, labels in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?(?!\w*\s*\()", bare):
        if not re.search(rf"\b{re.escape(name)}\s*\(", bare) and name not in ("and", "or", "unless", "absent", "by", "on"):
            found.setdefault(name, []).extend(re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', labels))
    return found


def samples(text):
    found = []
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        found.append((name, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))))
    return found


def read(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=patient(5)) as answer:
        return answer.read().decode()


def shown(stack):
    """All that the programs show."""
    ports = [stack.lb.admin, *(app.port for app in stack.apps)]
    if getattr(stack, "worker", None) is not None:
        ports.append(stack.worker.port)
    return [sample for port in ports for sample in samples(read(port))]


def test_every_metric_and_every_label_that_an_alarm_reads_is_shown_by_a_program(stack):
    urllib.request.urlopen(f"{stack.url()}/", timeout=patient(5)).close()
    there = shown(stack)
    names = {name for name, _ in there}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    of_prometheus = {"up"}
    of_others = ("prometheus_", "alertmanager_", "node_")  # test_runbooks.py looks for these
    for rule in rules():
        who = rule.get("alert") or rule["record"]
        for name, matchers in selectors(rule["expr"]).items():
            if name in recorded | of_prometheus or name.startswith(of_others):
                continue
            assert name in names, f"{who} reads {name}, which no program shows"
            for label, operator, value in matchers:
                if label in ("job", "instance"):
                    continue  # Prometheus's own
                values = {labels[label] for metric, labels in there if metric == name and label in labels}
                assert values, f"{who} reads the label {label} of {name}, which has none"
                if label in ("route", "code"):
                    continue  # shown from the first such answer on
                wanted = value.split("|") if operator == "=~" else [value]
                for one in wanted:
                    assert any(re.fullmatch(one, has) for has in values), f"{who}: {name} has no {label}={one}: {sorted(values)}"


def test_prometheus_and_alertmanager_take_their_files():
    for command in (["promtool", "check", "config", "prometheus.yml"], ["amtool", "check-config", "alertmanager.yml"]):
        done = subprocess.run(command, cwd=CONFIG, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
