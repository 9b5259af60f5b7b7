"""docs/api.md is true: each of its requests is made, and its answer is what follows it there.

HOLDFAST_WRITE_DOCS=1 writes the answers into the page instead of comparing.
"""
import datetime
import json
import os
import re

from conftest import ROOT
from system.instances import instances, shortener
from system.test_stats import UTC, click, stats, store
from system.test_stack import whole  # noqa: F401
from system.upstream import Client, eventually

PAGE = os.path.join(ROOT, "docs", "api.md")
EXAMPLE = re.compile(r"```http\n([A-Z]+ /.*?)```\n```http\n(.*?)```\n", re.S)
SHOWN = ("content-type", "location", "etag", "cache-control", "allow", "retry-after", "www-authenticate",
         "idempotency-replayed", "content-disposition",
         "ratelimit-limit")
NAMES = {"etag": "ETag", "www-authenticate": "WWW-Authenticate", "ratelimit-limit": "RateLimit-Limit"}
REASONS = {200: "OK", 201: "Created", 204: "No Content", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized",
           409: "Conflict", 410: "Gone", 412: "Precondition Failed"}


def ask(port, request, key):
    head, _, body = request.replace("$KEY", key).partition("\n\n")
    body = body.strip()
    lines = head.strip().split("\n") + ["Host: s.example", f"Content-Length: {len(body)}"]
    client = Client(port)
    client.send("\r\n".join(lines) + "\r\n\r\n" + body)
    answer = client.response(to_head=False)
    client.close()
    return answer


def shown(status, fields, body):
    """An answer as the page has it, with times and random codes made the same."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}"]
    lines += [f"{NAMES.get(name, name.title())}: {fields[name]}" for name in SHOWN if name in fields]
    if "json" in fields.get("content-type", "") and body:
        lines += ["", json.dumps(json.loads(body), indent=2, ensure_ascii=False)]
    elif fields.get("content-type", "").startswith("text/csv"):
        lines += ["", bytes(body).decode().replace("\r\n", "\n").strip()]
    text = "\n".join(lines) + "\n"
    text = re.sub(r"\b20[23]\d-(?!01-01T00:00:00|06-01T00:00:00)\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "2026-01-31T12:00:00.000Z", text)
    text = re.sub(r'"version": "[^"]*"', '"version": "0.1.0"', text)
    text = re.sub(r'"nextCursor": "[^"]*"', '"nextCursor": "MTc2"', text)
    for code in re.findall(r'"shortCode": "([0-9A-Za-z]{7})"', text):
        text = text.replace(code, "aB3xY9z")
    return text


def visit(stack, code):
    """The visits that the page tells of."""
    late = datetime.datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
    clicks = [click(late, "t.co", "mobile", visitor=65), click(late, visitor=130), click(late, "", "bot", True),
              click(late + datetime.timedelta(hours=9), "t.co", visitor=65)]
    store(stack, code, clicks)
    stack.primary.sql("SELECT report_journal_v1('00000000-0000-0000-0000-000000000001', 'a', 1, 4, 0, 1, 2, 0, NULL, "
                      "'stream', '{}', '{}')")
    eventually(lambda: stats(stack, code, "", 4)["freshAsOf"], 10)


def test_the_page_says_what_is_answered(whole, tmp_path):
    with open(PAGE) as page:
        text = page.read()
    with instances(whole, tmp_path, API_AUTH="keys", PUBLIC_URL="https://s.example") as (app,):
        key = shortener(whole, "keys", "create", "--name", "docs")[0].strip()
        eventually(lambda: ask(app.port, "GET /api/v1/links HTTP/1.1\nX-Api-Key: $KEY", key)[0] == 200, 5)
        eventually(lambda: app.health()[1]["status"] == "pass", 10)
        examples = EXAMPLE.findall(text)
        assert len(examples) > 12
        answers = []
        for request, _ in examples:
            if request.startswith("GET /stats/") and not any("visitorsByDay" in answer for answer in answers):
                visit(whole, "docs-one")
            answers.append(shown(*ask(app.port, request, key)))
        whole.primary.sql("DELETE FROM click_journals WHERE instance = '00000000-0000-0000-0000-000000000001'")
    if os.environ.get("HOLDFAST_WRITE_DOCS"):
        left = iter(answers)
        text = EXAMPLE.sub(lambda found: f"```http\n{found.group(1)}```\n```http\n{next(left)}```\n", text)
        with open(PAGE, "w") as page:
            page.write(text)
        return
    for (request, written), answer in zip(examples, answers):
        assert written == answer, request


def test_the_page_of_the_schema_has_the_columns_that_there_are(whole):
    with open(os.path.join(ROOT, "docs", "schema.md")) as page:
        sections = re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", page.read(), re.S | re.M)
    assert len(sections) >= 8
    for table, section in sections:
        columns = whole.primary.sql("SELECT column_name FROM information_schema.columns "
                                    f"WHERE table_name = '{table}' ORDER BY 1").split()
        assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.M)) == columns, table
