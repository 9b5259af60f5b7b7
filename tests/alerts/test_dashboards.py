"""config/grafana: the dashboards are whole, and each of their questions is one that Prometheus takes, about metrics and labels
that the programs show. Grafana itself is in no package of Debian's: that it draws them is not tested.
"""
import glob
import itertools
import json
import os
import re
import subprocess
import urllib.request

import pytest
import yaml
from stack.patience import patient
from stack.programs import ROOT

from .test_alerts import rules, selectors, shown

GRAFANA = os.path.join(ROOT, "config/grafana")
BOARDS = sorted(glob.glob(f"{GRAFANA}/dashboards/*.json"))
# What Grafana puts in the place of its variables; each must be found, or a label is compared with a text like "$pool".
VARIABLES = {"$__rate_interval": "1m", "$pool": ".*", "$instance": ".*"}
OF_PROMETHEUS = {"up", "ALERTS"}
FROM_THE_FIRST_ON = {"code", "route"}  # labels whose values come with the first such answer


def board(path):
    with open(path) as file:
        return json.load(file)


def questions(path):
    """(where, PromQL) of all panels, annotations and variables."""
    whole = board(path)
    asked = [(panel["title"], target["expr"]) for panel in whole["panels"] for target in panel.get("targets", [])]
    asked += [(each["name"], each["expr"]) for each in whole["annotations"]["list"]]
    asked += [(each["name"], re.fullmatch(r"label_values\((.*), \w+\)", each["definition"]).group(1))
              for each in whole["templating"]["list"] if each["type"] == "query"]
    for variable, value in VARIABLES.items():
        asked = [(where, expression.replace(variable, value)) for where, expression in asked]
    return asked


@pytest.mark.parametrize("path", BOARDS, ids=os.path.basename)
def test_a_dashboard_is_whole(path):
    whole = board(path)
    assert whole["uid"] == "holdfast-" + os.path.basename(path).removesuffix(".json")
    assert whole["schemaVersion"] >= 39 and whole["title"].startswith("Holdfast: ")
    assert {"name": "datasource", "type": "datasource", "query": "prometheus"}.items() <= whole["templating"]["list"][0].items()
    numbers = [panel["id"] for panel in whole["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in whole["panels"]:
        assert panel["title"] and (panel["type"] == "row" or panel["targets"]), panel["id"]
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(letters) == len(set(letters)), panel["title"]
        if panel["type"] != "row":  # its targets have the panel's
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
    for one, other in itertools.combinations(whole["panels"], 2):
        assert not overlap(one["gridPos"], other["gridPos"]), f"{one['title']} lies on {other['title']}"
    assert all(0 <= panel["gridPos"]["x"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in whole["panels"])


def overlap(one, other):
    return (one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
            and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"])


def test_they_are_provisioned_each_by_a_name_of_its_own():
    with open(f"{GRAFANA}/provisioning/datasources/prometheus.yml") as file:
        (source,) = yaml.safe_load(file)["datasources"]
    assert source["type"] == "prometheus" and source["isDefault"]
    with open(f"{GRAFANA}/provisioning/dashboards/holdfast.yml") as file:
        (provider,) = yaml.safe_load(file)["providers"]
    with open(os.path.join(ROOT, "docker-compose.yml")) as file:
        mounts = yaml.safe_load(file)["services"]["grafana"]["volumes"]
    assert f"./config/grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert {"lb", "shortener", "clicks", "slo"} == {board(path)["uid"].removeprefix("holdfast-") for path in BOARDS}


@pytest.mark.parametrize("path", BOARDS, ids=os.path.basename)
def test_prometheus_takes_every_question(tmp_path, path):
    asked = questions(path)
    assert len(asked) > 10
    for where, expression in asked:
        assert "$" not in expression, f"{where}: a variable that is not known here: {expression}"
    recorded = [{"record": f"question{number}", "expr": expression} for number, (_, expression) in enumerate(asked)]
    file = tmp_path / "questions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": recorded}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", BOARDS, ids=os.path.basename)
def test_every_metric_and_label_that_is_asked_for_is_shown_by_a_program(stack, path):
    urllib.request.urlopen(f"{stack.url()}/", timeout=patient(5)).close()
    there = shown(stack)
    labels_of = {}
    for name, labels in there:
        labels_of.setdefault(name, []).append(labels)
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for where, expression in questions(path):
        found = selectors(expression)
        assert found or expression.startswith("vector("), f"{where}: no metric in {expression}"
        for name, matchers in found.items():
            if name in recorded | OF_PROMETHEUS:
                continue
            assert name in labels_of, f"{where} asks for {name}, which no program shows"
            for label, operator, value in matchers:
                if label in ("job", "instance"):
                    continue  # Prometheus's own
                values = {labels[label] for labels in labels_of[name] if label in labels}
                assert values, f"{where} asks for the label {label} of {name}, which has none"
                if label not in FROM_THE_FIRST_ON and operator in ("=", "=~"):
                    wanted = value.split("|") if operator == "=~" else [value]
                    for one in wanted:
                        assert any(re.fullmatch(one, has) for has in values), f"{where}: no {name} with {label}={one}: {sorted(values)}"
        for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
            for label in grouped.split(", "):
                has = label in ("instance", "job") or any(label in labels for name in found for labels in labels_of.get(name, []))
                assert has, f"{where} sums by {label}, which {sorted(found)} do not have"
