"""The page in a real browser, the OpenAPI document before a real validator, and what else a browser asks for."""
import json
import os
import subprocess

import pytest
from system.node import WEB, modules, node
from system.instances import instances, shortener
from system.test_api import call, create
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


def test_the_page_works_in_a_browser_on_small_and_large_screens(whole, tmp_path):
    folder = os.environ.get("HOLDFAST_SCREENSHOTS", str(tmp_path))
    judge(drive(whole.url(), folder), whole.url(), folder)


def test_the_page_asks_for_a_key_where_one_is_wanted(whole, tmp_path):
    folder = os.environ.get("HOLDFAST_SCREENSHOTS", str(tmp_path))
    with instances(whole, tmp_path, API_AUTH="keys", PUBLIC_URL="") as (app,):
        key = shortener(whole, "keys", "create", "--name", "page")[0].strip()
        eventually(lambda: call(app.port, "GET", "/api/v1/links", X_Api_Key=key)[0] == 200, 5)
        url = f"http://127.0.0.1:{app.port}"
        judge(drive(url, folder, key), url, folder)


def drive(url, folder, *key):
    where = modules("playwright-core")
    if not os.path.exists(os.environ.get("CHROMIUM", "/usr/bin/chromium")):
        pytest.skip("chromium is missing: install the package chromium")
    done = subprocess.run([node(), os.path.join(WEB, "page.mjs"), url, folder, where, *key], capture_output=True,
                          text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def judge(seen, url, folder):
    assert seen["errors"] == [] and seen["foreign"] == [], "no script fails, and nothing is asked for elsewhere"
    for width, found in seen["widths"].items():
        assert found["link"] == f"{url}/{found['slug']}"
        assert found["summary"].startswith("3 visits, 1 of them by robots"), found
        assert ": 3 visits, about 1 visitor (" in found["range"] and "Counted up to" in found["range"], found
        assert len(found["bars"]) == 30 and found["bars"][-1].endswith(": 3"), "30 days, all of it today"
        assert found["letters"] >= 9, "what is written in the plot can be read"
        assert found["referrers"] == ["t.co", "2", "(direct)", "1"], found
        assert found["devices"] == ["mobile", "2", "bot", "1"], found
        assert found["overflow"] <= 0, f"at {width} px the page is wider than the screen"
        assert found["qr"] > 0 and found["unlabelled"] == 0 and found["calls"] > 10, found
        assert os.path.getsize(os.path.join(folder, f"page-{width}.png")) > 5000


def test_the_openapi_document_is_valid(whole, tmp_path):
    where = modules("@seriousme/openapi-schema-validator")
    document = call(whole.lb.public, "GET", "/openapi.json")[2]
    file = tmp_path / "openapi.json"
    script = tmp_path / "validate.mjs"
    script.write_text(f"""
import {{readFileSync}} from 'node:fs';
import {{pathToFileURL}} from 'node:url';
const {{Validator}} = await import(pathToFileURL('{where}/@seriousme/openapi-schema-validator/index.js'));
const result = await new Validator().validate(JSON.parse(readFileSync('{file}')));
console.log(JSON.stringify(result.errors ?? ''));
process.exit(result.valid ? 0 : 1);
""")

    def is_valid(text):
        file.write_text(json.dumps(text))
        return subprocess.run([node(), str(script)], capture_output=True, text=True, timeout=60)
    done = is_valid(document)
    assert done.returncode == 0, done.stdout + done.stderr
    del document["info"]["title"]
    assert is_valid(document).returncode == 1, "and a document that is not is told"


def test_a_qr_code_is_given_for_links_that_there_are(whole):
    code = create(whole)["shortCode"]
    status, fields, image = call(whole.lb.public, "GET", f"/{code}/qr?size=200&format=svg")
    assert status == 200 and fields["content-type"] == "image/svg+xml" and b"<svg" in bytes(image)
    client_status, fields, _ = call(whole.lb.public, "HEAD", f"/{code}/qr")
    assert client_status == 200 and fields["content-type"] == "image/png"
    assert call(whole.lb.public, "GET", "/no-such-link/qr")[0] == 404
    assert call(whole.lb.public, "GET", f"/{code}/qr?size=9&level=Z")[2]["errors"].__len__() == 2


def test_robots_icon_and_readiness(whole):
    assert b"Disallow: /api/" in bytes(call(whole.lb.public, "GET", "/robots.txt")[2])
    assert call(whole.lb.public, "GET", "/favicon.ico")[1]["content-type"] == "image/svg+xml"
    assert call(whole.lb.public, "GET", "/ready")[0] == 200
    page = call(whole.lb.public, "GET", "/")[1]
    assert "default-src 'none'" in page["content-security-policy"] and page["x-content-type-options"] == "nosniff"
