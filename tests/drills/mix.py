"""What the clients of a drill ask for: redirects of old links and of links just made, and new links.

Each POST bears an address of its own, every second one a slug of its own as well, and no Idempotency-Key: that is lb's
affair. So the database can be asked afterwards what was made once, twice, or never.
"""
import json
import secrets

from stack.stack import create_link

TARGET = "https://example.com/drill"


def wrong_status(method, response):
    """Whose words these are, too: a problem's title, where there is one."""
    try:
        title = json.loads(response.body)["title"]
    except (ValueError, KeyError, TypeError):
        title = "no problem+json"
    return f"{method}: status {response.status}, {title}" + (", by the proxy" if response.is_local else "")


class Follow:
    """A redirect, and where it must lead."""
    is_post = False

    def __init__(self, target):
        self.target = target

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
        self.mix.made.append((self.code, self.target))
        return None


class Mix:
    """`posts` is the share of POSTs. All that it makes is found again by `run`, a word of its own."""

    def __init__(self, posts, dice):
        self.posts = posts
        self.dice = dice
        self.run = secrets.token_hex(5)
        self.links = []  # (code, target) made before the load
        self.made = []  # likewise, made by it

    def prepare(self, url, count=50):
        for number in range(count):
            target = f"{TARGET}/before/{self.run}/{number}"
            status, link = create_link(url, target)
            assert status == 201, (status, link)
            self.links.append((link["shortCode"], target))
        return self

    def make(self, number):
        if self.dice.random() < self.posts:
            slug = f"d{self.run}-{number}" if number % 2 else None
            target = f"{TARGET}/{self.run}/{number}"
            body = json.dumps({"longUrl": target, **({"customSlug": slug} if slug else {})})
            return (f"POST /api/v1/links HTTP/1.1\r\nHost: drill.example\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode(), Create(self, target, slug))
        # One that was made a moment ago is on no replica yet, and must be found all the same.
        fresh = self.made[-20:] if self.dice.random() < 0.5 else []
        code, target = self.dice.choice(fresh or self.links)
        return f"GET /{code} HTTP/1.1\r\nHost: drill.example\r\n\r\n".encode(), Follow(target)
