"""Requests that want to be read in two ways, so that what one reader takes for a body is a request to the next.

Learned from public suites (see `source`); rows as in requests.py. SECRET is what an attacker would have the server do.
"""
from system.http.battery import FUNKY, GARDEN, HAPROXY, LLHTTP, MUST, NGINX, OURS, PORTSWIGGER, PROBE, SHOULD, Case, Refused, Seen
from system.http.requests import CHUNKED, H, get, post

BAD = Refused((400, 501))
BAD_BODY = Refused((400, 413, 500, 502, None))
CUT = Refused(())
SECRET = get(b"/secret")
NEXT = get(b"/2")
CASES = []


def add(name, rfc, level, send, *outcomes, **more):
    CASES.append(Case("smuggling: " + name, rfc, level, send, outcomes, **more))


def one(body, method="POST", target="/p", **more):
    return Seen(((method, target, body),), **more)


def then(body, target="/2", **more):
    """The POST, with this body, and then the other request as one of its own."""
    return Seen((("POST", "/p", body), ("GET", target, b"")), **more)


# --- A name that only some take for Transfer-Encoding, beside a Content-Length that is right: it must not go on as it is ---
for name, line, source in (
        ("a blank for the hyphen", b"Transfer Encoding: chunked", PORTSWIGGER), ("a word before the colon", b"Transfer-Encoding x: chunked", PORTSWIGGER),
        ("a backslash for the hyphen", b"Transfer\\Encoding: chunked", PORTSWIGGER), ("a code page's e", b"Transf\x82r-Encoding: chunked", PORTSWIGGER),
        ("a soft hyphen for the hyphen", b"Transfer\xadEncoding: chunked", PORTSWIGGER), ("a colon before it", b":transfer-encoding: chunked", PORTSWIGGER),
        ("a soft hyphen behind it", b"Transfer-Encoding\xad: chunked", PORTSWIGGER), ("NEL behind it", b"Transfer-Encoding\x85: chunked", GARDEN),
        ("a hard blank behind it", b"Transfer-Encoding\xa0: chunked", GARDEN), ("a NUL behind it", b"Transfer-Encoding\0: chunked", PORTSWIGGER),
        ("a vertical tab behind it", b"Transfer-Encoding\x0b: chunked", PORTSWIGGER), ("a form feed behind it", b"Transfer-Encoding\x0c: chunked", PORTSWIGGER),
        ("DEL behind it", b"Transfer-Encoding\x7f: chunked", PORTSWIGGER), ("no colon", b"Transfer-Encoding chunked", GARDEN)):
    field = line.rpartition(b":")[0].decode("latin-1").lower() or line.decode("latin-1").lower() + " (no colon)"
    add(f"Transfer-Encoding with {name}", "9110 2.2", MUST, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT,
        BAD, then(b"0\r\n\r\n", hasnt=(field, "transfer-encoding", "transfer")), source=source)
for name, line, source in (
        ("a blank before the colon", b"Transfer-Encoding : chunked", PROBE), ("a tab before the colon", b"Transfer-Encoding\t: chunked", PORTSWIGGER)):
    add(f"Transfer-Encoding with {name}", "9112 5.1", MUST, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT, BAD, source=source)
for name, line, source in (
        ("a CR in it", b"Tra\rnsfer-Encoding: chunked", PORTSWIGGER), ("a CR behind it", b"Transfer-Encoding\r: chunked", PORTSWIGGER),
        ("a CR before it", b"\rTransfer-Encoding: chunked", PORTSWIGGER), ("a line break in it", b"Transfer-\r\nEncoding: chunked", GARDEN),
        ("an LF in it", b"Transfer-\nEncoding: chunked", GARDEN), ("an LF before the colon", b"Transfer-Encoding\n : chunked", PORTSWIGGER),
        ("a line break before the colon", b"Transfer-Encoding\r\n : chunked", LLHTTP)):
    add(f"Transfer-Encoding with {name}", "9112 5", MUST, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT,
        BAD, then(b"0\r\n\r\n", hasnt=("transfer-encoding", "transfer- (no colon)", "transfer-encoding (no colon)", "")), source=source)
for name, line, source in (("an escape", b"Transfer-%45ncoding: chunked", PORTSWIGGER), ("Content for Transfer", b"Content-Encoding: chunked", PORTSWIGGER),
                           ("more behind it", b"Transfer-Encoding-X: chunked", LLHTTP), ("a dot before it", b".Transfer-Encoding: chunked", NGINX)):
    add(f"Transfer-Encoding with {name} is another field", "9110 5.1", MUST, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT,
        BAD, then(b"0\r\n\r\n", hasnt=("transfer-encoding",)), source=source)

# --- A line that some end early, and so find Transfer-Encoding in it ---
for name, line, source in (("a bare CR", b"X: x\rTransfer-Encoding: chunked", PORTSWIGGER), ("two bare CRs", b"X: x\r\rTransfer-Encoding: chunked", GARDEN),
                           ("a bare CR behind no value", b"X:\rTransfer-Encoding: chunked", LLHTTP)):
    values = [before + " " * count + "Transfer-Encoding: chunked" for before in ("x", "") for count in range(4)]
    add(f"Transfer-Encoding behind {name}", "9112 2.2", MUST, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT,
        BAD, *(then(b"0\r\n\r\n", has=(("x", value),), hasnt=("transfer-encoding",)) for value in values), source=source)
for name, line, source in (("an LF", b"X: x\nTransfer-Encoding: chunked", LLHTTP), ("an LF behind no value", b"X:\nTransfer-Encoding: chunked", LLHTTP),
                           ("two LFs", b"X: x\n\nTransfer-Encoding: chunked", PORTSWIGGER), ("LF, blank, LF", b"X: x\n \nTransfer-Encoding: chunked", PORTSWIGGER),
                           ("a NUL and an LF", b"X: x\0\nTransfer-Encoding: chunked", GARDEN)):
    add(f"Transfer-Encoding behind {name}", "9112 2.2", OURS, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT, BAD, source=source)
for name, line, source in (("a blank", b"X: x\r\n Transfer-Encoding: chunked", PORTSWIGGER), ("a tab", b"X: x\r\n\tTransfer-Encoding: chunked", PORTSWIGGER),
                           ("a line of a blank", b"X: x\r\n \r\n Transfer-Encoding: chunked", PORTSWIGGER)):
    add(f"Transfer-Encoding on a line that begins with {name}", "9112 5.2", MUST, post(b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n") + NEXT,
        BAD, then(b"0\r\n\r\n", hasnt=("transfer-encoding", " transfer-encoding", "\ttransfer-encoding")), source=source)
add("Content-Length on a line that begins with a blank", "9112 5.2", MUST, b"POST /p HTTP/1.1\r\n" + H + b"X: x\r\n Content-Length: %d\r\n\r\n" % len(SECRET) + SECRET,
    BAD, then(b"", "/secret", hasnt=(" content-length",)), source=LLHTTP)
add("a line of a blank between request line and fields", "9112 2.2", MUST, b"POST /p HTTP/1.1\r\n \r\n" + H + b"Content-Length: 0\r\n\r\n",
    BAD, one(b""), source=PROBE)
add("Content-Length in the first line behind a blank", "9112 2.2", MUST, b"POST /p HTTP/1.1\r\n Content-Length: %d\r\n" % len(SECRET) + H + b"\r\n" + SECRET,
    BAD, then(b"", "/secret", hasnt=(" content-length",)), source=GARDEN)
add("a line of only a colon", "9110 2.2", MUST, get(fields=b":\r\nX: a\r\n"), BAD, Seen((("GET", "/", b""),), has=(("x", "a"),), hasnt=("",)), source=GARDEN)
add("a head that a line of only a colon would end", "9110 2.2", MUST, post(b":\r\nContent-Length: %d\r\n" % len(SECRET), SECRET), BAD, one(SECRET, hasnt=("",)), source=GARDEN)

# --- A value that only some take for chunked: its end is not known, whatever Content-Length says ---
for value, source in ((b"\x0cchunked", PROBE), (b"chunked\x0b", PORTSWIGGER), (b"chunked\x0c", PORTSWIGGER), (b"chunked\x7f", PORTSWIGGER), (b"\0chunked", PORTSWIGGER),
                      (b"\xa0chunked", PORTSWIGGER), (b"\xffchunked", GARDEN), (b"\xffchunked\xff", GARDEN), (b"chunked\xa0", GARDEN), (b"chunked\x85", GARDEN),
                      (b"'chunked'", PORTSWIGGER), (b"=?iso-8859-1?B?Y2h1bmtlZA==?=", PORTSWIGGER), (b"ch\x96nked", PORTSWIGGER), (b"chunkedchunked", LLHTTP),
                      (b"identity, chunked, identity", PORTSWIGGER), (b"blegh", GARDEN), (b"pigeons", LLHTTP), (b"chunked gzip", LLHTTP), (b"chunked\r\nTransfer-Encoding: deflate", LLHTTP)):
    add(f"Transfer-Encoding: {value!r}, and Content-Length", "9112 6.3", MUST,
        post(b"Content-Length: 5\r\nTransfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n") + NEXT, BAD, source=source)
for value, source in ((b"chunked, gzip, chunked", HAPROXY), (b"identity, chunked", PORTSWIGGER), (b",chunked", GARDEN), (b", chunked", PROBE), (b"chunked,", PROBE),
                      (b"chunked;a=b", PROBE), (b"", PROBE), (b"deflate\r\nTransfer-Encoding: chunked", LLHTTP), (b"chunked\r\nTransfer-Encoding: chunked", GARDEN)):
    add(f"Transfer-Encoding: {value!r}, and Content-Length", "9112 6.1", OURS,
        post(b"Content-Length: 5\r\nTransfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n") + NEXT, BAD, source=source)
for name, value in (("a CR behind it", b"chunked\r"), ("a line break before it", b"\r\n chunked"), ("a line of a blank before it", b"\r\n \r\n chunked"),
                    ("a tab on the next line behind it", b"chunked\r\n\t"), ("a word on the next line", b"chunked\r\n abc")):
    add(f"chunked with {name}, and Content-Length", "9112 5.2", MUST, post(b"Content-Length: 5\r\nTransfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n") + NEXT,
        BAD, one(b"", closed=True), source=LLHTTP if name.startswith("a word") else PORTSWIGGER)

# --- Both, in earnest: refuse it, or go by the chunks and close behind the answer ---
CHUNKED_SECRET = b"0\r\n\r\n" + SECRET
for name, fields, source in (
        ("Content-Length first", b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", PROBE), ("chunked first", b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", PROBE),
        ("Chunked in capitals", b"Content-Length: %d\r\nTransfer-Encoding: CHUNKED\r\n", PROBE), ("a name in capitals", b"Content-Length: %d\r\nTRANSFER-ENCODING: chunked\r\n", PROBE),
        ("mixed case", b"Content-Length: %d\r\ntRANSFER-ENCODING: chunked\r\n", PORTSWIGGER), ("no blank behind the colon", b"Content-Length:%d\r\nTransfer-Encoding:chunked\r\n", PORTSWIGGER),
        ("a tab before chunked", b"Content-Length: %d\r\nTransfer-Encoding:\tchunked\r\n", PROBE), ("a tab behind chunked", b"Content-Length: %d\r\nTransfer-Encoding: chunked\t\r\n", PORTSWIGGER),
        ("a blank behind chunked", b"Content-Length: %d\r\nTransfer-Encoding: chunked \r\n", PROBE), ("Connection naming Transfer-Encoding", b"Content-Length: %d\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", PORTSWIGGER),
        ("Connection naming Content-Length", b"Content-Length: %d\r\nConnection: Content-Length\r\nTransfer-Encoding: chunked\r\n", PORTSWIGGER),
        ("keep-alive asked for", b"Connection: keep-alive\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n", HAPROXY)):
    add(f"CL.TE, {name}", "9112 6.1", MUST, post(fields % len(CHUNKED_SECRET), CHUNKED_SECRET), BAD, one(b"", closed=True), source=source)
IN_CHUNK = b"%x\r\n" % len(SECRET) + SECRET + b"\r\n0\r\n\r\n"
for name, fields in (("Content-Length first", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), ("chunked first", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")):
    add(f"TE.CL, {name}", "9112 6.1", MUST, post(fields, IN_CHUNK) + NEXT, BAD, one(SECRET, closed=True), source=PROBE)
for value, source in ((b"+45", PROBE), (b"45x", PROBE), (b"", GARDEN), (b"4, 5", NGINX)):
    add(f"chunked and Content-Length: {value!r}", "9112 6.3", MUST, post(b"Content-Length: " + value + b"\r\nTransfer-Encoding: chunked\r\n", CHUNKED_SECRET),
        BAD, one(b"", closed=True), source=source)
OLD = b"POST /p HTTP/1.0\r\n" + H + b"Connection: keep-alive\r\n"
add("chunked in HTTP/1.0 with keep-alive", "9112 6.1", MUST, OLD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED_SECRET,
    BAD, one(b"", closed=True), one(CHUNKED_SECRET, closed=True), source=HAPROXY)
add("chunked and Content-Length in HTTP/1.0 with keep-alive", "9112 6.1", MUST, OLD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_SECRET,
    BAD, one(b"", closed=True), one(b"0\r\n\r\n", closed=True, hasnt=("transfer-encoding",)), source=PROBE)

# --- Content-Length that is read in two ways ---
for name, line, source in (
        ("a blank for the hyphen", b"Content Length: %d", PORTSWIGGER), ("a word before the colon", b"Content-Length x: %d", PORTSWIGGER), ("a CR for the hyphen", b"Content\rLength: %d", LLHTTP),
        ("NEL behind it", b"Content-Length\x85: %d", GARDEN), ("a hard blank behind it", b"Content-Length\xa0: %d", GARDEN), ("a tab for the hyphen", b"Content\tLength: %d", PROBE),
        ("a NUL behind it", b"Content-Length\0: %d", PORTSWIGGER), ("no colon", b"Content-Length %d", GARDEN), ("a CR before it", b"\rContent-Length: %d", PORTSWIGGER)):
    field = line.rpartition(b":")[0].decode("latin-1").lower() or "content-length %d (no colon)" % len(SECRET)
    add(f"Content-Length with {name}", "9110 2.2", MUST, post(line % len(SECRET) + b"\r\n", SECRET), BAD, then(b"", "/secret", hasnt=(field, "")), source=source)
for name, line in (("a blank before the colon", b"Content-Length : %d"), ("a tab before the colon", b"Content-Length\t: %d")):
    add(f"Content-Length with {name}", "9112 5.1", MUST, post(line % len(SECRET) + b"\r\n", SECRET), BAD, source=GARDEN)
add("Content_Length is another field", "9110 5.1", MUST, post(b"Content_Length: 99\r\nContent-Length: 3\r\n", b"abc") + NEXT, then(b"abc", has=(("content-length", "3"),)), BAD, source=PROBE)
for value, source in ((b"0o3", PROBE), (b"3\xa0", GARDEN), (b"3\x85", GARDEN), (b"\xa03", GARDEN), (b"3\x0c", PORTSWIGGER), (b"3\0", PORTSWIGGER), (b"\0003", PORTSWIGGER), (b"3#", GARDEN),
                      (b"Z", PORTSWIGGER), (b"1_0", PROBE), (b"+1_0", GARDEN), (b"3e0", PORTSWIGGER), (b"0 3", PORTSWIGGER), (b"0, 3", PORTSWIGGER), (b"3, 0", PORTSWIGGER),
                      (b"\xef\xbc\x93", GARDEN), (b"3\x7f", PORTSWIGGER), (b"-48", GARDEN), (b"3/1", GARDEN)):
    add(f"Content-Length: {value!r}", "9112 6.3", MUST, post(b"Content-Length: " + value + b"\r\n", b"abc") + NEXT, BAD, source=source)
for value, source in ((b"3, 3, 3", PROBE), (b"3,", PROBE), (b",3", PROBE), (b"3\r\nContent-Length: 3\r\nContent-Length: 3", NGINX)):
    add(f"Content-Length: {value!r}", "9112 6.3", MUST, post(b"Content-Length: " + value + b"\r\n", b"abc") + NEXT, BAD, then(b"abc"), source=source)
for first, second, source in ((b"", b"%d", GARDEN), (b"%d", b"", GARDEN), (b"4", b"%d", PROBE), (b"%d", b"0", GARDEN), (b"0%d", b"%d", PORTSWIGGER)):
    lines = b"Content-Length: " + first + b"\r\nContent-Length: " + second + b"\r\n"
    add(f"Content-Length {first!r} and {second!r}, over a request", "9112 6.3", MUST, post(lines.replace(b"%d", b"%d" % len(SECRET)), SECRET),
        BAD, *((one(SECRET),) if first == b"0%d" else ()), source=source)
for value, body, source in ((b"010", b"0123456789", GARDEN), (b"00", b"", PROBE), (b"00000000000000000000003", b"abc", PORTSWIGGER), (b"\t3 \t", b"abc", LLHTTP), (b"  3", b"abc", PROBE)):
    add(f"Content-Length: {value!r} is decimal", "9110 8.6", MUST, post(b"Content-Length: " + value + b"\r\n", body) + NEXT, then(body), *(() if b"3" in value and len(value) < 5 else (BAD,)), source=source)
for value, source in ((b"4294967299", LLHTTP), (b"9223372036854775807", LLHTTP), (b"9223372036854775808", LLHTTP), (b"18446744073709551615", LLHTTP)):
    add(f"Content-Length: {value.decode()} is not small", "9112 6.3", MUST, post(b"Content-Length: " + value + b"\r\n", b"abc"), CUT, source=source, ends=True)

# --- A body where some look for none ---
for method in ("GET", "HEAD", "OPTIONS", "DELETE", "PUT"):
    refused = Refused((400, 405, 411, 413, 501))
    both = Seen(((method, "/", SECRET), ("GET", "/2", b"")))
    add(f"CL.0: {method} with a request as its body", "9112 6.3", MUST, get(method=method.encode(), fields=b"Content-Length: %d\r\n" % len(SECRET)) + SECRET + NEXT,
        refused, both, source=PROBE)
    add(f"TE.0: {method} with a request in a chunk", "9112 6.3", MUST, get(method=method.encode(), fields=b"Transfer-Encoding: chunked\r\n") + IN_CHUNK + NEXT,
        refused, both, source=PORTSWIGGER)
add("GET with a cut request as its body", "9112 6.3", MUST, get(fields=b"Content-Length: 23\r\n") + get(b"/", host=b"Host: b\r\n")[:23] + NEXT,
    Refused((400, 405, 413, 501)), Seen((("GET", "/", get(b"/", host=b"Host: b\r\n")[:23]), ("GET", "/2", b""))), source=PROBE)
add("POST without framing has no body", "9112 6.3", MUST, post(b"") + NEXT, then(b""), Refused((400, 411)), source=PROBE)
add("POST without framing, a request behind it", "9112 6.3", MUST, post(b"") + SECRET, then(b"", "/secret"), Refused((400, 411)), source=GARDEN)
add("0.CL: Content-Length 0 and a bad request line behind it", "9112 6.3", MUST, post(b"Content-Length: 0\r\n") + b"XGET  /\r\n\r\n", Refused((400, 501, 405, None), before=1), source=PROBE)
for method in (b"GET", b"HEAD"):
    add(f"{method.decode()} with Content-Length that does not end in the request", "9112 6.3", MUST, get(method=method, fields=b"Content-Length: 50\r\n") + SECRET[:20],
        CUT, source=NGINX, ends=True)

# --- Expect ---
EXPECTS = post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc")
add("Expect: 100-continue, body and next request at once", "9110 10.1.1", MUST, EXPECTS + NEXT, then(b"abc"), source=PROBE)
add("Expect: 100-continue with chunks and a next request at once", "9110 10.1.1", MUST, post(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n") + NEXT,
    then(b"abc"), source=PORTSWIGGER)
add("Expect: 100-continue on a GET with a body", "9110 10.1.1", MUST, get(fields=b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(SECRET)) + SECRET + NEXT,
    Seen((("GET", "/", SECRET), ("GET", "/2", b""))), Refused((400, 413)), source=PORTSWIGGER)
for value in (b"x 100-continue", b"100-continue, x", b"100-continue=1", b"y\r\nExpect: 100-continue", b"100-continue\r\nExpect: 100-continue", b"", b"100-continue;q=1"):
    add(f"Expect: {value!r}, a body, and a next request", "9110 10.1.1", MUST, post(b"Expect: " + value + b"\r\nContent-Length: 3\r\n", b"abc") + NEXT,
        Refused((417, 400)), then(b"abc"), source=PORTSWIGGER)
add("Expect with a line break before it", "9112 5.2", MUST, post(b"Expect:\r\n 100-continue\r\nContent-Length: 3\r\n", b"abc") + NEXT, BAD, then(b"abc"), source=PORTSWIGGER)
add("Expect with a blank before the colon", "9112 5.1", MUST, post(b"Expect : 100-continue\r\nContent-Length: 3\r\n", b"abc") + NEXT, BAD, source=PORTSWIGGER)
add("Expect: 100-continue with both framings", "9112 6.1", MUST, post(b"Expect: 100-continue\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(CHUNKED_SECRET), CHUNKED_SECRET),
    BAD, one(b"", closed=True), source=PORTSWIGGER)

# --- Funky chunks: a size line that some end at a lone LF or CR, and what comes behind it is data to them, a size to others ---
TERMINATORS = (("LF", b"\n"), ("CR", b"\r"), ("CR and any byte", b"\rX"), ("two CRs", b"\r\r"))
PLACES = (("before the semicolon", b"2", b";a"), ("behind the semicolon", b"2;", b"aa"), ("in an extension's name", b"2;x", b"aa"), ("behind the equals sign", b"2;x=", b"aa"),
          ("in a quoted value", b'2;x="', b'a"'), ("before the line's end", b"2;x=y", b""), ("behind the size", b"2", b""))
for name, terminator in TERMINATORS:
    for place, before, behind in PLACES:
        is_new = (name, place) not in (("LF", "behind the size"), ("CR", "behind the size"))
        body = before + terminator + behind + b"\r\nAB\r\n0\r\n\r\n"
        if is_new and name == "LF":
            add(f"chunk: {name} {place}", "9112 7.1", OURS, CHUNKED + body + NEXT, Refused((400, None)), source=FUNKY, split=place == "in a quoted value")
        elif is_new:
            # To put a blank for the CR is allowed, where the line is then one that ends in CR LF.
            add(f"chunk: {name} {place}", "9112 2.2", MUST, CHUNKED + body + NEXT, BAD_BODY, Seen((("POST", "/c", b"AB"), ("GET", "/2", b""))), source=FUNKY, split=place == "in a quoted value")
for name, between in (("CR behind the data", b"\r"), ("CR and any byte behind the data", b"\rX"), ("two CRs behind the data", b"\r\r"), ("LF CR behind the data", b"\n\r"), ("two LFs behind the data", b"\n\n"),
                      ("an empty line behind the data", b"\r\n\r\n"), ("blanks behind the data", b"  ")):
    add(f"chunk: {name}", "9112 7.1", MUST, CHUNKED + b"2\r\nAB" + between + b"0\r\n\r\n" + NEXT, BAD_BODY, source=FUNKY)
for name, data in (("spills, and looks like a chunk", b"5\r\nAAAAAXXc\r\n17\r\nAAAABBBB\r\n0\r\n\r\n"), ("spills by its next size", b"5\r\nAAAAA1a\r\n8\r\nAAAABBBB\r\n0\r\n\r\n"),
                   ("ends with one byte of two", b"2\r\nXX\r12\r\nXX\r\n0\r\n\r\n"), ("ends with none of two bytes", b"2\r\nXX12\r\nXX\r\n0\r\n\r\n")):
    add(f"chunk: its data {name}", "9112 7.1", MUST, CHUNKED + data + SECRET, BAD_BODY, source=FUNKY)
for name, data in (("one byte of two, by LF", b"2\r\nXX\n10\r\n\r\nAAAABBBBCCCCDD\r\n0\r\n\r\n"), ("spill, by LF", b"5\r\nAAAAA\nc\r\n9\r\nAAAABBBBC\r\n0\r\n\r\n")):
    add(f"chunk: its data ends with {name}", "9112 7.1", OURS, CHUNKED + data + SECRET, Refused((400, None)), source=FUNKY)
for name, size, source in (
        ("0_2e", b"0_2e", GARDEN), ("-0x0", b"-0x0", GARDEN), ("+0", b"+0", PROBE), ("-0", b"-0", GARDEN), ("digits, then letters", b"1these", GARDEN), ("0x0", b"0x0", GARDEN), ("0X0", b"0X0", GARDEN),
        ("blanks and 0", b"           0", GARDEN), ("a tab and 0", b"\t0", GARDEN), ("a NUL and 0", b"\0000", GARDEN), ("0 and a NUL", b"0\0", GARDEN), ("0 and NEL", b"0\x85", GARDEN), ("0h", b"0h", GARDEN),
        ("0.0", b"0.0", GARDEN), ("0,0", b"0,0", GARDEN), ("a word behind a blank", b"0 abc", LLHTTP), ("quotes", b'"0"', GARDEN), ("a letter beyond f", b"g", GARDEN), ("an equals sign", b"=0", GARDEN),
        ("0 and a colon", b"0:", GARDEN), ("a bad word", b"INVALID!!!", GARDEN)):
    add(f"chunk: size {name}", "9112 7.1", MUST, CHUNKED + size + b"\r\n\r\n" + SECRET, BAD_BODY, source=source)
for size, source in ((b"100000002", LLHTTP), (b"7fffffffffffffff", LLHTTP), (b"8000000000000002", LLHTTP), (b"ffffffffffffffff", PROBE), (b"fffffffffffffffe", LLHTTP), (b"FFFFFFFFFFFFFFFF0", PROBE),
                     (b"100000000000000000000000000000002", GARDEN)):
    add(f"chunk: size {size.decode()} is not small", "9112 7.1", MUST, CHUNKED + size + b"\r\nAB\r\n0\r\n\r\n", CUT, source=source, ends=True)
for name, line in (("a bracket in its name", b"2;a[=x"), ("a name of nothing", b"2;=x"), ("a value of nothing", b"2;a="), ("two semicolons", b"2;;a"), ("an open quote", b'2;a="x; y'), ("a control byte", b"2;a\x01"),
                   ("a comma", b"2;a,b"), ("bytes behind the quotes", b'2;a="x"y')):
    # The RFC has them ignored where they are well formed; what is to become of others it does not say.
    add(f"chunk: extension with {name}", "9112 7.1.1", SHOULD, CHUNKED + line + b"\r\nAB\r\n0\r\n\r\n" + NEXT, Refused((400, None)), Seen((("POST", "/c", b"AB"), ("GET", "/2", b""))),
        source=PROBE if "bracket" in name else LLHTTP)
for name, line in (("quoted quotes", b'2;a="I \\"love\\"; \\\\x\\\\";b="c";d'), ("several", b"2;a;b=c;d"), ("a semicolon in quotes", b'2;a="b;c"'), ("a tab in quotes", b'2;a="b\tc"'), ("obs-text in quotes", b'2;a="\xe9"')):
    add(f"chunk: extension with {name} is passed over", "9112 7.1.1", MUST, CHUNKED + line + b"\r\nAB\r\n0;e=f\r\n\r\n" + NEXT, Seen((("POST", "/c", b"AB"), ("GET", "/2", b""))),
        source=LLHTTP)
for name, line in (("a blank before the semicolon", b"2 ;a=b"), ("a blank behind the semicolon", b"2; a=b"), ("blanks about the equals sign", b"2;a = b")):
    add(f"chunk: extension with {name}", "9110 5.6.3", MUST, CHUNKED + line + b"\r\nAB\r\n0\r\n\r\n" + NEXT, Seen((("POST", "/c", b"AB"), ("GET", "/2", b""))), source=FUNKY)

# --- The end of the chunks: a bad line there may be passed over with the trailers, but it is no end ---
for name, end in (("any two bytes", b"XX"), ("CR and any byte", b"\rX"), ("CR CR LF", b"\r\r\n"), ("nothing, but a request", b""), ("a blank and CR LF", b" \r\n")):
    add(f"the last chunk's empty line: {name}", "9112 7.1", MUST, CHUNKED + b"3\r\nabc\r\n0\r\n" + end + SECRET, BAD_BODY, one(b"abc", target="/c"), source=GARDEN)
add("a request in a trailer's value", "9112 7.1.2", MUST, CHUNKED + b"0\r\nX:POST /secret HTTP/1.1\r\n\r\n" + NEXT, Seen((("POST", "/c", b""), ("GET", "/2", b"")), hasnt=("x",)), source=GARDEN)
add("a Content-Length among the trailers, over a request", "9110 6.5.1", MUST, CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: %d\r\n\r\n" % len(SECRET) + SECRET,
    Refused((400, None)), Seen((("POST", "/c", b"abc"), ("GET", "/secret", b""))), source=PROBE)
add("a Transfer-Encoding among the trailers, over chunks", "9110 6.5.1", MUST, CHUNKED + b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + SECRET,
    Refused((400, None)), Seen((("POST", "/c", b"abc"), ("GET", "/secret", b""))), source=PROBE)
for name in ("X-Forwarded-For", "Cookie", "Content-Type", "Expect", "Range", "If-Match", "Cache-Control", "Max-Forwards", "TE", "Set-Cookie", "Age", "Trailer", "Upgrade", "Proxy-Authorization"):
    add(f"trailer {name} is not merged", "9110 6.5.1", MUST, CHUNKED + b"3\r\nabc\r\n0\r\n" + name.encode() + b": smuggled\r\n\r\n" + NEXT,
        *(Seen((("POST", "/c", b"abc"), ("GET", "/2", b"")), **more) for more in (({"has": (("x-forwarded-for", "127.0.0.1"),)}, {"hasnt": ("x-forwarded-for",)}) if name == "X-Forwarded-For" else ({"hasnt": (name.lower(),)},))),
        Refused((400, None)), source=PROBE)
for name, line in (("LF", b"X: a\n"), ("CR", b"X: a\r"), ("two CRs", b"X: a\r\r\n")):
    add(f"a trailer ended by {name}", "9112 2.2", OURS, CHUNKED + b"0\r\n" + line + b"\r\n" + NEXT, Refused((400, None)), source=FUNKY)
add("too many trailers", "6585 5", OURS, CHUNKED + b"0\r\n" + b"X: a\r\n" * 3000 + b"\r\n", Refused((400, 413, 431, None)), source=NGINX)
add("a trailer too large", "6585 5", OURS, CHUNKED + b"0\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", Refused((400, 413, 431, None)), source=NGINX)
add("a byte behind the chunks", "9112 7.1", MUST, CHUNKED + b"0\r\n\r\n\0", Refused((400, None), before=1), one(b"", target="/c"), source=GARDEN)
add("many small chunks", "9112 7.1", MUST, CHUNKED + b"1\r\na\r\n" * 500 + b"0\r\n\r\n" + NEXT, Seen((("POST", "/c", b"a" * 500), ("GET", "/2", b""))), source=NGINX, split=True)
add("chunks of growing sizes", "9112 7.1", MUST, CHUNKED + b"".join(b"%x\r\n" % size + b"a" * size + b"\r\n" for size in (10, 1280, 5120)) + b"0\r\n\r\n" + NEXT,
    Seen((("POST", "/c", b"a" * 6410), ("GET", "/2", b""))), source=NGINX)

# --- Cut requests: they are not whole, and nobody may take them for whole ---
for name, send, source in (("in its body", post(b"Content-Length: 10\r\n", b"hello"), PROBE), ("behind its head", post(b"Content-Length: 10\r\n"), PROBE),
                           ("in a chunk", CHUNKED + b"5\r\nhe", NGINX), ("behind a chunk's data", CHUNKED + b"5\r\nhello", NGINX), ("before the last chunk", CHUNKED + b"5\r\nhello\r\n", PROBE),
                           ("in the last chunk's line", CHUNKED + b"5\r\nhello\r\n0", LLHTTP), ("behind the last chunk's line", CHUNKED + b"5\r\nhello\r\n0\r\n", LLHTTP),
                           ("in a CR of its end", CHUNKED + b"5\r\nhello\r\n0\r\n\r", LLHTTP), ("in a trailer", CHUNKED + b"0\r\nX: a", LLHTTP), ("behind a trailer", CHUNKED + b"0\r\nX: a\r\n", LLHTTP)):
    add(f"a request cut {name}", "9112 6.3", MUST, send, CUT, source=source, ends=True)
for name, send in (("nothing at all", b""), ("half a method", b"GE"), ("a request line", b"GET / HTTP/1.1\r\n"), ("half a field", b"GET / HTTP/1.1\r\nHost: a\r\nX: val"),
                   ("all but the last LF", b"GET / HTTP/1.1\r\nHost: a\r\n\r"), ("only line breaks", b"\r\n\r\n")):
    add(f"a client that ends behind {name}", "9112 8", MUST, send, CUT, source=PROBE, ends=True)
