"""docs/metrics.md has every metric of every program, as they tell of it themselves.

HOLDFAST_WRITE_DOCS=1 writes the page's tables anew instead of comparing.
"""
import os
import re
import urllib.request

from conftest import ROOT
from stack.patience import patient
from stack.stack import create_link, follow_once

PAGE = os.path.join(ROOT, "docs", "metrics.md")
SECTION = re.compile(r"(?m)^## `(.*?)`\n\n((?:\|.*\n)+)")
ALIKE = ("le", "quantile")  # labels that a kind of metric brings along


def families(text):
    """{name: (type, labels, help)}"""
    found, labels = {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, told = line.split(" ", 3)
            found[name] = told
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = (kind, found[name])
            labels[name] = set()
        else:
            name, _, rest = re.fullmatch(r"(\w+)(\{(.*)\})? .*", line).groups()
            family = name if name in found else re.sub(r"_(bucket|sum|count)$", "", name)
            labels[family] |= set(re.findall(r'(\w+)="', rest or "")) - set(ALIKE)
    return {name: (kind, sorted(labels[name]), told) for name, (kind, told) in found.items()}


def table(found):
    rows = ["| metric | kind | labels | what it is |\n|---|---|---|---|\n"]
    for name, (kind, labels, told) in sorted(found.items()):
        rows.append(f"| `{name}` | {kind} | {', '.join(labels)} | {told} |\n".replace("|  |", "| – |"))
    return "".join(rows)


def test_the_page_has_every_metric(stack):
    status, link = create_link(stack.url(), "https://example.com/")
    assert status == 201 and follow_once(f"{stack.url()}/{link['shortCode']}")[0] == 302
    programs = {"lb": stack.lb.admin, "shortener serve": stack.apps[0].port, "shortener worker": stack.worker.port}
    told = {}
    for name, port in programs.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=patient(5)) as answer:
            told[name] = table(families(answer.read().decode()))
    with open(PAGE) as page:
        text = page.read()
    assert [section.group(1) for section in SECTION.finditer(text)] == list(programs)
    if os.environ.get("HOLDFAST_WRITE_DOCS"):
        with open(PAGE, "w") as page:
            page.write(SECTION.sub(lambda section: section.group(0).replace(section.group(2), told[section.group(1)]), text))
        return
    for section in SECTION.finditer(text):
        assert section.group(2) == told[section.group(1)], f"docs/metrics.md is not what {section.group(1)} tells"
