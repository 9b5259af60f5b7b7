"""The API of links against the real stack: what is created is followed as it says, changed, listed and deleted."""
import concurrent.futures
import json
import time
import uuid

import pytest
from system.test_stack import whole  # noqa: F401
from system.upstream import Client, eventually

JSON = "application/json"


def call(port, method, path, body=None, **headers):
    """Status, fields and the body, read as JSON where it is JSON."""
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    fields = {"Host": "a", "Content-Type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    client = Client(port)
    client.send(f"{method} {path} HTTP/1.1\r\n{head}Content-Length: {len(text.encode())}\r\n\r\n{text}")
    status, fields, answer = client.response(to_head=method == "HEAD")
    client.close()
    is_json = "json" in fields.get("content-type", "") and answer
    return status, fields, json.loads(answer) if is_json else answer


def create(stack, **link):
    status, _, made = call(stack.lb.public, "POST", "/api/v1/links", {"longUrl": "https://example.com/", **link})
    assert status == 201, made
    return made


def follow(stack, path, method="GET"):
    """From each instance, which must agree: status and Location."""
    answers = {call(app.port, method, path)[0:1] + (call(app.port, "HEAD", path)[1].get("location"),)
               for app in stack.apps}
    assert len(answers) == 1, answers
    return answers.pop()


def when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def test_a_link_is_shown_as_it_was_made(whole):
    made = create(whole, title="Größe", tags=["a", "b"], maxVisits=7, redirectStatus=307, forwardQuery=False,
                  crawlable=True, validUntil=when(3600))
    status, fields, read = call(whole.lb.public, "GET", f"/api/v1/links/{made['shortCode']}")
    assert status == 200 and read == made and fields["etag"] == '"v1"'
    assert made["meta"]["maxVisits"] == 7 and made["title"] == "Größe" and made["tags"] == ["a", "b"]
    assert call(whole.lb.public, "GET", f"/api/v1/links/{made['shortCode']}", If_None_Match='"v1"')[0] == 304


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_has_the_status_of_its_link(whole, status):
    code = create(whole, redirectStatus=status)["shortCode"]
    assert follow(whole, f"/{code}") == (status, "https://example.com/")
    caching = call(whole.apps[0].port, "GET", f"/{code}")[1]["cache-control"]
    assert caching == ("private, max-age=30" if status in (301, 308) else "private, max-age=0")


def test_dates_are_judged_when_a_link_is_followed_in_every_tier(whole):
    code = create(whole, validUntil=when(3))["shortCode"]
    later = create(whole, validSince=when(3600))["shortCode"]
    assert follow(whole, f"/{later}")[0] == 410
    assert follow(whole, f"/{code}")[0] == 302, "it is in the memory of both instances now, and in Redis"
    eventually(lambda: all(call(app.port, "GET", f"/{code}")[0] == 410 for app in whole.apps), 10)
    whole.redis.command("FLUSHALL")
    assert follow(whole, f"/{code}")[0] == 410


def test_a_link_is_followed_no_more_than_it_may_be(whole):
    code = create(whole, maxVisits=10)["shortCode"]
    assert call(whole.lb.public, "HEAD", f"/{code}")[0] == 302, "a look costs nothing"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ports = [whole.apps[i % 2].port for i in range(30)]
        answers = list(pool.map(lambda port: call(port, "GET", f"/{code}")[0], ports))
    assert sorted(answers) == [302] * 10 + [410] * 20


def test_a_switched_off_link_is_not_followed_anywhere(whole):
    made = create(whole, enabled=False)
    code = made["shortCode"]
    assert follow(whole, f"/{code}")[0] == 410
    status, fields, changed = call(whole.lb.public, "PATCH", f"/api/v1/links/{code}",
                                   {"enabled": True, "longUrl": "https://example.org/new"})
    assert status == 200 and changed["enabled"] and fields["etag"] == '"v2"'
    assert changed["dateUpdated"] >= made["dateUpdated"]
    eventually(lambda: {call(app.port, "GET", f"/{code}")[1].get("location") for app in whole.apps}
               == {"https://example.org/new"}, 40, "the instance that did not change it follows within its cache's time")


def test_the_visitors_query_goes_on_and_the_links_own_wins(whole):
    code = create(whole, longUrl="https://example.com/?a=1#f")["shortCode"]
    assert follow(whole, f"/{code}?a=2&b=3")[1] == "https://example.com/?a=1&b=3#f"
    still = create(whole, longUrl="https://example.com/?a=1", forwardQuery=False)["shortCode"]
    assert follow(whole, f"/{still}?b=3")[1] == "https://example.com/?a=1"
    assert follow(whole, f"/{code}?x=%0d%0aSet-Cookie:%20a")[1].count("\n") == 0


def test_a_change_is_made_only_to_the_version_that_it_is_for(whole):
    code = create(whole)["shortCode"]
    path = f"/api/v1/links/{code}"
    assert call(whole.lb.public, "PATCH", path, {"title": "x"}, If_Match='"v1"')[0] == 200
    status, _, problem = call(whole.lb.public, "PATCH", path, {"title": "y"}, If_Match='"v1"')
    assert status == 412 and "precondition-failed" in problem["type"]
    assert call(whole.lb.public, "PATCH", path, {"title": "y"}, If_Match='W/"x"')[0] == 412
    status, fields, changed = call(whole.lb.public, "PATCH", path, {"title": None, "tags": ["z"]}, If_Match="*",
                                   Content_Type="application/merge-patch+json")
    assert status == 200 and changed["title"] is None and changed["tags"] == ["z"] and fields["etag"] == '"v3"'
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: call(whole.lb.public, "PATCH", path, {"title": str(i)}, If_Match='"v3"')[0],
                                range(8)))
    assert sorted(answers) == [200] + [412] * 7


def test_a_change_that_is_wrong_changes_nothing(whole):
    made = create(whole, validUntil=when(3600))
    path = f"/api/v1/links/{made['shortCode']}"
    status, _, problem = call(whole.lb.public, "PATCH", path, {"longUrl": "ftp://a", "title": 5, "customSlug": "x"})
    assert status == 400
    assert {error["pointer"] for error in problem["errors"]} == {"#/longUrl", "#/title", "#/customSlug"}
    assert call(whole.lb.public, "PATCH", path, {"validSince": when(7200)})[0] == 400, "later than its end"
    assert call(whole.lb.public, "PATCH", path, "{}", Content_Type="text/plain")[0] == 415
    assert call(whole.lb.public, "PATCH", "/api/v1/links/no-such-link", {"title": "x"})[0] == 404
    assert call(whole.lb.public, "GET", path)[2] == made


def test_a_deleted_link_stays_deleted(whole):
    slug = f"gone-{uuid.uuid4()}"
    create(whole, customSlug=slug)
    path = f"/api/v1/links/{slug}"
    assert [call(whole.lb.public, "DELETE", path)[0] for _ in range(3)] == [204] * 3
    assert call(whole.lb.public, "GET", path)[0] == 410
    assert call(whole.lb.public, "PATCH", path, {"title": "x"})[0] == 410
    assert call(whole.lb.public, "POST", "/api/v1/links", {"longUrl": "https://a.example/", "customSlug": slug})[0] == 409
    assert call(whole.lb.public, "DELETE", "/api/v1/links/no-such-link")[0] == 404


def test_links_are_listed_a_page_at_a_time(whole):
    tag = str(uuid.uuid4())
    codes = [create(whole, tags=[tag, "t"], title=f"No. {i} 100%")["shortCode"] for i in range(7)]

    def pages(extra=""):
        cursor, found = None, []
        while True:
            path = f"/api/v1/links?limit=3&tags[]={tag}{extra}" + (f"&cursor={cursor}" if cursor else "")
            status, _, page = call(whole.lb.public, "GET", path)
            assert status == 200 and len(page["data"]) <= 3, page
            found += [link["shortCode"] for link in page["data"]]
            cursor = page["nextCursor"]
            if cursor is None:
                return found
    assert sorted(pages()) == sorted(codes)
    assert pages("&orderBy=dateCreated-ASC") == pages()[::-1]
    assert pages("&orderBy=shortCode-ASC") == sorted(codes)
    assert pages("&orderBy=shortCode-DESC") == sorted(codes, reverse=True)
    assert pages("&searchTerm=no.%203%20100%25") == [codes[3]]
    assert pages("&searchTerm=_") == []
    call(whole.lb.public, "DELETE", f"/api/v1/links/{codes[0]}")
    assert sorted(pages()) == sorted(codes[1:])
    for bad in ("limit=0", "limit=x", "orderBy=title", "cursor=x", "page=2"):
        assert call(whole.lb.public, "GET", f"/api/v1/links?{bad}")[0] == 400, bad


def test_many_links_are_created_each_with_its_own_result(whole):
    slug = f"bulk-{uuid.uuid4()}"
    create(whole, customSlug=slug)
    body = {"links": [{"longUrl": f"https://example.com/{i}"} for i in range(997)]
            + [{"longUrl": "ftp://x"}, {"longUrl": "https://a.example/", "customSlug": slug}, 5]}
    key = str(uuid.uuid4())
    status, _, answer = call(whole.lb.public, "POST", "/api/v1/links/bulk", body, Idempotency_Key=key)
    assert status == 200, answer
    results = answer["results"]
    assert [result["status"] for result in results] == [201] * 997 + [400, 409, 400]
    assert results[500]["link"]["longUrl"] == "https://example.com/500"
    assert len({result["link"]["shortCode"] for result in results[:997]}) == 997
    assert follow(whole, "/" + results[996]["link"]["shortCode"]) == (302, "https://example.com/996")
    again = call(whole.lb.public, "POST", "/api/v1/links/bulk", body, Idempotency_Key=key)
    # The first may be a repetition too, where lb had to ask twice.
    assert again[2] == answer and again[1]["idempotency-replayed"] == "true"
    body["links"].pop()
    assert call(whole.lb.public, "POST", "/api/v1/links/bulk", body, Idempotency_Key=key)[0] == 422


def test_a_thousand_links_are_answered_for_in_their_order_and_others_are_served_meanwhile(whole):  # noqa: F811
    """They are judged and answered for in pieces, a turn of the loop each."""
    tag = uuid.uuid4()
    wanted = [{"longUrl": "ftp://no" if i % 19 == 7 else f"https://example.com/{tag}/{i}",
               **({"customSlug": f"thousand-{tag}-{i}"} if i % 50 == 3 else {})} for i in range(1000)]
    wanted[901]["customSlug"] = wanted[3]["customSlug"]
    app = whole.apps[0]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(call, app.port, "POST", "/api/v1/links/bulk", {"links": wanted}) for _ in range(2)]
        while not all(one.done() for one in asked):
            assert call(app.port, "GET", "/health")[0] == 200
    for one in asked:
        status, _, answer = one.result()
        assert status == 200 and len(answer["results"]) == len(wanted)
        for i, (link, result) in enumerate(zip(wanted, answer["results"])):
            if link["longUrl"] == "ftp://no":
                assert result["status"] == 400 and result["problem"]["errors"][0]["pointer"] == "#/longUrl", (i, result)
            elif result["status"] == 409:
                assert "customSlug" in link, (i, result)
            else:
                assert result["status"] == 201 and result["link"]["longUrl"] == link["longUrl"], (i, result)
                assert result["link"]["shortCode"] == link.get("customSlug", result["link"]["shortCode"]), (i, result)
    for group in ([3, 901], [53], [953]):
        statuses = sorted(one.result()[2]["results"][i]["status"] for one in asked for i in group)
        assert statuses == [201] + [409] * (2 * len(group) - 1), f"the slug of {group} is given once: {statuses}"
    for i in (0, 999):
        code = asked[0].result()[2]["results"][i]["link"]["shortCode"]
        assert follow(whole, f"/{code}") == (302, wanted[i]["longUrl"])


def test_concurrent_duplicates_at_two_instances_make_one_link(whole):
    key = str(uuid.uuid4())
    target = f"https://example.com/{key}"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: call(whole.apps[i % 2].port, "POST", "/api/v1/links", {"longUrl": target},
                                               Idempotency_Key=f'"{key}"'), range(20)))
    assert {answer[0] for answer in answers} == {201}
    assert len({answer[2]["shortCode"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer[1] for answer in answers) == 1
    assert whole.primary.sql(f"SELECT count(*) FROM links WHERE target = '{target}'") == "1"
    assert call(whole.lb.public, "POST", "/api/v1/links", {"longUrl": "https://b.example/"},
                Idempotency_Key=key)[0] == 422


def test_a_link_that_leads_there_already_is_found(whole):
    target = f"https://example.com/{uuid.uuid4()}"
    first = call(whole.lb.public, "POST", "/api/v1/links", {"longUrl": target, "findIfExists": True})
    second = call(whole.lb.public, "POST", "/api/v1/links", {"longUrl": target, "findIfExists": True})
    assert (first[0], second[0]) == (201, 200) and first[2] == second[2]
    other = call(whole.lb.public, "POST", "/api/v1/links", {"longUrl": target, "findIfExists": True, "redirectStatus": 301})
    assert other[0] == 201 and other[2]["shortCode"] != first[2]["shortCode"]


def test_a_code_is_as_long_as_asked(whole):
    assert len(create(whole)["shortCode"]) == 7
    assert len(create(whole, shortCodeLength=12)["shortCode"]) == 12


def test_a_body_that_is_too_large_is_told_so(whole):
    status, fields, problem = call(whole.lb.public, "POST", "/api/v1/links", '{"longUrl":"' + "x" * 1_100_000 + '"}')
    assert status == 413 and fields["content-type"] == "application/problem+json", problem


def test_every_path_answers_options_and_head_and_names_its_methods(whole):
    code = create(whole)["shortCode"]
    for path in ("/", "/health", f"/{code}", f"/stats/{code}", "/api/v1/links", f"/api/v1/links/{code}"):
        status, fields, _ = call(whole.lb.public, "OPTIONS", path)
        assert status == 204 and "HEAD" in fields["allow"], path
        assert call(whole.lb.public, "HEAD", path)[0] in (200, 302), path
        status, fields, _ = call(whole.lb.public, "PUT", path)
        assert status == 405 and "GET" in fields["allow"], path
