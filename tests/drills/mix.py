"""What the clients of a drill ask for: redirects of old links and of links just made, and new links.

Each POST bears an address of its own, every second one a slug of its own as well, and no Idempotency-Key: that is lb's
affair. So the database can be asked afterwards what was made once, twice, or never.
"""
import json
import secrets
import time
import urllib.request

TARGET = "https://example.com/drill"
BULK = 200  # links made with one request, before the load
RETRY_AFTER = ", Retry-After"  # in the words for an answer that has one


def wrong_status(method, response):
    """Whose words these are, too: a problem's title, where there is one."""
    try:
        title = json.loads(response.body)["title"]
    except (ValueError, KeyError, TypeError):
        title = "no problem+json"
    later = RETRY_AFTER if "retry-after" in response.fields else ""
    return f"{method}: status {response.status}, {title}" + later + (", by the proxy" if response.is_local else "")


def create_links(url, targets):
    """Many at once: their codes."""
    body = json.dumps({"links": [{"longUrl": target} for target in targets]}).encode()
    request = urllib.request.Request(f"{url}/api/v1/links/bulk", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [one["link"]["shortCode"] for one in json.loads(answer.read())["results"] if one["status"] == 201]


class Follow:
    """A redirect, and where it must lead; `made`: when its link's POST was answered, if that was under the load."""
    is_post = False

    def __init__(self, target, made=None, code=None):
        self.target = target
        self.made = made
        self.code = code

    def judge(self, response):
        if response.status != 302:
            return wrong_status("GET", response)
        return None if response.fields.get("location") == self.target else "GET: another one's target"


class Create:
    """A new link. Made: its code, once it was answered."""
    is_post = True

    def __init__(self, mix, target, slug):
        self.mix = mix
        self.target = target
        self.slug = slug
        self.code = None

    def judge(self, response):
        if response.status != 201:
            return wrong_status("POST", response)
        try:
            link = json.loads(response.body)
            self.code, target = link["shortCode"], link["longUrl"]
        except (ValueError, KeyError):
            return "POST: no link in the answer"
        if target != self.target or self.slug not in (None, self.code):
            return "POST: another one's link"
        self.mix.made.append((self.code, self.target, time.monotonic()))
        return None


class Mix:
    """`posts` is the share of POSTs, `fresh` of those GETs that ask for a link of a moment ago. All that it makes is found
    again by `run`, a word of its own."""

    def __init__(self, posts, dice, fresh=0.5):
        self.posts = posts
        self.fresh = fresh
        self.dice = dice
        self.run = secrets.token_hex(5)
        self.links = []  # (code, target) made before the load
        self.made = []  # likewise, made by it, and when they were

    def prepare(self, url, count=50):
        targets = [f"{TARGET}/before/{self.run}/{number}" for number in range(count)]
        for first in range(0, count, BULK):
            some = targets[first:first + BULK]
            made = create_links(url, some)
            assert len(made) == len(some), "links could not be made"
            self.links += zip(made, some)
        return self

    def make(self, number):
        if self.dice.random() < self.posts:
            slug = f"d{self.run}-{number}" if number % 2 else None
            target = f"{TARGET}/{self.run}/{number}"
            body = json.dumps({"longUrl": target, **({"customSlug": slug} if slug else {})})
            return (f"POST /api/v1/links HTTP/1.1\r\nHost: drill.example\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode(), Create(self, target, slug))
        # One that was made a moment ago is on no replica yet, and must be found all the same.
        fresh = self.made[-20:] if self.dice.random() < self.fresh else []
        code, *link = self.dice.choice(fresh or self.links)
        return f"GET /{code} HTTP/1.1\r\nHost: drill.example\r\n\r\n".encode(), Follow(*link, code=code)
