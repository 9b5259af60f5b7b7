"""What the clients of the soak ask for: everything at once.

Redirects of old links, of links made a moment ago, of links that change, of codes that nobody made; new links, the same
request again, changes, deletions; links and statistics read through the API. Each answer is judged as it comes, and what is
needed to judge the books afterwards is kept: small, since a soak is long.
"""
import collections
import json
import time

from . import load
from .history import ABSENT, DELETED, OK, UNKNOWN, Code, possible
from .mix import TARGET, Create, Mix, wrong_status

CHANGING = 60  # links that are changed and deleted at any time
RETIRED = 60  # and so many of the former ones are still asked for
SHARES = {"old": 0.52, "fresh": 0.12, "changing": 0.13, "absent": 0.02, "create": 0.10, "again": 0.02, "change": 0.03,
          "delete": 0.01, "read": 0.03, "stats": 0.02}


def request(method, path, body=None, *fields):
    text = "" if body is None else json.dumps(body)
    if text:
        fields = (*fields, "Content-Type: application/json", f"Content-Length: {len(text)}")
    return "".join((f"{method} {path} HTTP/1.1\r\nHost: drill.example\r\n", *(field + "\r\n" for field in fields), "\r\n",
                    text)).encode()


class Wanted:
    """A request: what its answer must be. After judge() `is_stale` says that it was the word of an earlier time."""
    kind = ""
    code = None  # where it is a redirect: whose click it is
    needs_primary = False  # may be answered 503 with Retry-After while that is away
    is_post = False
    is_stale = False
    made = None  # when its link was, if that was under the load
    may_be_click = False  # whatever was answered: an instance that died over it may have been about to redirect

    def ended(self, entry):
        """Judged or not."""

    def note(self):
        """What else is known, for people."""
        return ""


class Redirect(Wanted):
    def __init__(self, kind, code, target, made=None):
        self.kind, self.code, self.target, self.made = kind, code, target, made

    def judge(self, response):
        if response.status != 302:
            return wrong_status("GET", response)
        return None if response.fields.get("location") == self.target else "GET: another one's target"


class Absent(Wanted):
    kind = "absent"
    needs_primary = True  # "not found" is its word

    def judge(self, response):
        return None if response.status == 404 else wrong_status("GET of nothing", response)


class Look(Wanted):
    """A redirect of a link that changes."""
    kind = "changing"

    def __init__(self, of, faults, ages):
        self.of, self.faults, self.ages = of, faults, ages
        self.code = of.name
        self.sent = time.monotonic()
        self.made = max((write.answered for write in of.writes if write.state == OK), default=self.sent)

    def judge(self, response):
        values = possible(self.of.writes, self.sent, time.monotonic(), self.faults.bound_of(self.sent))
        self.may_be_click = bool(values.keys() - {ABSENT, DELETED})
        if response.status not in (302, 404, 410):
            self.needs_primary = ABSENT in values  # perhaps nobody made it, and that is the primary's word
            return wrong_status("GET", response)
        said = response.fields.get("location") if response.status == 302 else str(response.status)
        if said in values:
            if values[said] > 0 and not self.faults.excuse(values[said], self.sent):
                self.ages.append(values[said])
            return None
        made = [write for write in self.of.writes if write.state == OK]
        if said in {write.value for write in self.of.writes} or (said == ABSENT and made):
            self.is_stale = True
            age = self.sent - made[-1].answered
            return f"stale: {said if said in (ABSENT, DELETED) else 'a former target'}, {age:.2f} s after the last change"
        return f"GET: {said}, which was never asked for"

    def note(self):
        return "; its writes: " + ", ".join(
            f"{write.value if write.value == DELETED else 'target'} {write.state}, sent {write.sent - self.sent:+.2f} s, "
            f"told {write.answered - self.sent:+.2f} s" for write in self.of.writes[-5:])


class New(Create):
    """A new link that stays as it is."""
    kind = "create"
    needs_primary = True

    def __init__(self, mix, target, slug, bytes_, has_key):
        super().__init__(mix, target, slug)
        self.bytes, self.has_key = bytes_, has_key

    def ended(self, entry):
        if entry.error is None and self.has_key:
            self.mix.repeatable.append((self.bytes, self.code))
        self.bytes = None


class Again(Wanted):
    """The same request, some time later: the same answer, and nothing new."""
    kind = "again"
    needs_primary = is_post = True

    def __init__(self, made):
        self.made = made

    def judge(self, response):
        if response.status != 201:
            return wrong_status("POST again", response)
        try:
            return None if json.loads(response.body)["shortCode"] == self.made else "POST again: another link than before"
        except (ValueError, KeyError):
            return "POST again: no link in the answer"


class Change(Wanted):
    """A write to a link of one's own: POST, PATCH or DELETE."""
    needs_primary = is_post = True
    STATUS = {"make": 201, "change": 200, "delete": 204}

    def __init__(self, kind, of, value, busy):
        self.kind, self.of, self.value, self.busy = kind, of, value, busy
        busy.add(of.name)
        self.write = of.begin(value)

    def judge(self, response):
        if response.status != self.STATUS[self.kind]:
            return wrong_status(self.kind, response)
        try:
            if self.kind == "delete" or json.loads(response.body)["longUrl"] == self.value:
                return None
        except (ValueError, KeyError):
            pass
        return f"{self.kind}: another target in the answer"

    def ended(self, entry):
        self.of.end(self.write, OK if entry.error is None else UNKNOWN)
        self.busy.discard(self.of.name)


class Read(Wanted):
    """A link, or its statistics, by the API."""
    needs_primary = True

    def __init__(self, kind, code, target=None):
        self.kind, self.of, self.target = kind, code, target

    def judge(self, response):
        if response.status != 200:
            return wrong_status(self.kind, response)
        try:
            told = json.loads(response.body)
            is_right = told["shortCode"] == self.of and self.target in (None, told.get("longUrl"))
        except (ValueError, KeyError):
            is_right = False
        return None if is_right else f"{self.kind}: another one's"


class Everything(Mix):
    """`faults`: what is broken, for the judgement of what changes."""

    def __init__(self, dice, faults):
        super().__init__(0, dice)
        self.faults = faults
        self.repeatable = collections.deque(maxlen=500)
        self.changing = []  # codes
        self.retired = collections.deque(maxlen=RETIRED)
        self.all_changing = []  # every one there ever was: to be compared with the primary's rows
        self.busy = set()  # codes with a write under way
        self.ages = []  # seconds by which answers within their bound were out of date

    def make(self, number):
        """Bytes, and what is wanted."""
        kind = self.dice.choices(tuple(SHARES), tuple(SHARES.values()))[0]
        return getattr(self, "_" + kind)(number)

    # --- Redirects ---

    def _get(self, wanted, number):
        agent = "Googlebot/2.1" if number % 10 == 0 else f"Mozilla/5.0 (X11; Linux x86_64) visitor/{number % 40}"
        return request("GET", "/" + wanted.code, None, "User-Agent: " + agent,
                       *([f"Referer: https://site{number % 7}.example/"] if number % 2 else [])), wanted

    def _old(self, number):
        code, target = self.links[min(int(self.dice.expovariate(0.05)), len(self.links) - 1)]
        return self._get(Redirect("old", code, target), number)

    def _fresh(self, number):
        if not self.made:
            return self._old(number)
        return self._get(Redirect("fresh", *self.dice.choice(self.made[-20:])), number)

    def _changing(self, number):
        codes = self.retired if self.retired and self.dice.random() < 0.2 else self.changing
        if not codes:
            return self._old(number)
        return self._get(Look(self.dice.choice(codes), self.faults, self.ages), number)

    def _absent(self, number):
        return request("GET", f"/never-{self.run}-{number}"), Absent()

    # --- Writes ---

    def _create(self, number):
        slug = f"d{self.run}-{number}" if number % 2 else None
        target = f"{TARGET}/{self.run}/{number}"
        has_key = self.dice.random() < 0.5
        bytes_ = request("POST", "/api/v1/links", {"longUrl": target, **({"customSlug": slug} if slug else {})},
                         *([f'Idempotency-Key: "{self.run}-{number}"'] if has_key else []))
        return bytes_, New(self, target, slug, bytes_, has_key)

    def _again(self, number):
        if not self.repeatable:
            return self._create(number)
        bytes_, code = self.dice.choice(self.repeatable)
        return bytes_, Again(code)

    def _change(self, number):
        """Of a link, or its making where there are too few."""
        if len(self.changing) < CHANGING and (not self.changing or self.dice.random() < 0.5):
            code = Code(f"soak-{self.run}-{number}")
            self.changing.append(code)
            self.all_changing.append(code)
            target = self._target(code, number)
            return request("POST", "/api/v1/links", {"longUrl": target, "customSlug": code.name}), \
                Change("make", code, target, self.busy)
        code = self._idle()
        if code is None:
            return self._create(number)
        target = self._target(code, number)
        return request("PATCH", f"/api/v1/links/{code.name}", {"longUrl": target}), Change("change", code, target, self.busy)

    def _delete(self, number):
        code = self._idle()
        if code is None:
            return self._change(number)
        self._retire(code)
        return request("DELETE", f"/api/v1/links/{code.name}"), Change("delete", code, DELETED, self.busy)

    def _target(self, code, number):
        return f"https://example.com/soak/{code.name}/{number}"

    def _idle(self):
        """A link that may be written; those whose state is not known go."""
        for code in [one for one in self.changing if one.is_frozen]:
            self._retire(code)
        codes = [code for code in self.changing if code.name not in self.busy]
        return self.dice.choice(codes) if codes else None

    def _retire(self, code):
        self.changing.remove(code)
        self.retired.append(code)

    # --- Reads through the API ---

    def _read(self, number):
        code, target = self.dice.choice(self.links)
        return request("GET", f"/api/v1/links/{code}"), Read("read", code, target)

    def _stats(self, number):
        code, _ = self.dice.choice(self.links)
        return request("GET", f"/stats/{code}?by=hour"), Read("stats", code)


class Clicks:
    """Redirects answered, and those that failed and may have been counted, by code."""

    def __init__(self):
        self.answered = collections.Counter()
        self.failed = collections.Counter()

    def add(self, entry):
        code = entry.wanted.code if isinstance(entry.wanted, (Redirect, Look)) else None
        if code is None:
            return
        if entry.status == 302 and entry.outcome == load.ANSWERED:
            self.answered[code] += 1
        elif entry.status not in (404, 410) or entry.wanted.may_be_click:
            self.failed[code] += 1
