"""What a server may answer, and what the client must see. Rows: name, RFC section, level, the server's bytes, outcomes."""
from system.http.battery import MUST, OURS, SHOULD, Broken, Case, Relayed

CASES = []
OK = b"HTTP/1.1 200 OK\r\n"


def add(name, rfc, level, send, *outcomes, method="POST", split=False):
    CASES.append(Case("response: " + name, rfc, level, send, outcomes, is_response=True, method=method, split=split))


add("with Content-Length", "9112 6.3", MUST, OK + b"Content-Length: 2\r\n\r\nhi", Relayed(200, b"hi"), split=True)
add("with chunks", "9112 7.1", MUST, OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;a=b\r\nabc\r\n0\r\n\r\n", Relayed(200, b"hiabc"), split=True)
add("ended by the connection", "9112 6.3", MUST, OK + b"\r\nhi", Relayed(200, b"hi"), split=True)
add("HTTP/1.0", "9112 6.3", MUST, b"HTTP/1.0 200 OK\r\n\r\nhi", Relayed(200, b"hi"))
add("without a reason, blank kept", "9112 4", MUST, b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", Relayed(200, b"hi"), split=True)
add("without a reason nor its blank", "9112 4", OURS, b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", Relayed(200, b"hi"), Broken())
add("with Latin-1 in the reason", "9112 4", OURS, b"HTTP/1.1 200 \xe9\r\nContent-Length: 2\r\n\r\nhi", Relayed(200, b"hi"), Broken())
for status in (201, 202, 206, 301, 302, 307, 308, 400, 401, 403, 404, 409, 418, 429, 500, 501, 599):
    add(f"status {status}", "9110 15", MUST, b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nhi" % status, Relayed(status, b"hi"))
for status in (204, 304):
    add(f"{status} ends with its head", "9112 6.3", MUST, b"HTTP/1.1 %d X\r\n\r\n" % status, Relayed(status), split=True)
    add(f"bytes behind a {status} reach nobody", "9112 6.3", MUST, b"HTTP/1.1 %d X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad" % status, Relayed(status))
add("304 with Content-Length", "9110 8.6", MUST, b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", Relayed(304))
add("204 with Content-Length loses it", "9110 8.6", OURS, b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", Relayed(204, hasnt=("content-length",)), Broken())
add("204 with chunks", "9112 6.1", OURS, b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Relayed(204, hasnt=("transfer-encoding",)), Broken())
add("to HEAD with Content-Length", "9110 9.3.2", MUST, OK + b"Content-Length: 5\r\n\r\n", Relayed(200), method="HEAD", split=True)
add("to HEAD with chunks said", "9110 9.3.2", MUST, OK + b"Transfer-Encoding: chunked\r\n\r\n", Relayed(200), method="HEAD")
add("to HEAD with neither", "9110 9.3.2", MUST, OK + b"\r\n", Relayed(200), method="HEAD")
add("bytes behind it reach nobody", "9112 9.2", MUST, OK + b"Content-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n", Relayed(200, b"hi"))
for status in (100, 102, 103):
    add(f"{status} before it", "9110 15.2", MUST, b"HTTP/1.1 %d X\r\n\r\n" % status + OK + b"Content-Length: 2\r\n\r\nhi", Relayed(200, b"hi"), split=True)
add("three interim ones", "9110 15.2", MUST, b"HTTP/1.1 103 X\r\nLink: a\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nhi", Relayed(200, b"hi"))
add("an endless row of interim ones", "9110 15.2", OURS, b"HTTP/1.1 103 X\r\n\r\n" * 200 + OK + b"Content-Length: 2\r\n\r\nhi", Broken(can_cut=True))
add("101 that nobody asked for", "9110 7.8", OURS, b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi", Broken(can_cut=True))

for name, send in (("cut within Content-Length", OK + b"Content-Length: 5\r\n\r\nhi"), ("cut within a chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhi"),
                   ("cut before the last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"), ("cut behind the last chunk's size", OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"),
                   ("cut in its head", OK + b"Content-Len"), ("cut behind an interim one", b"HTTP/1.1 103 X\r\n\r\n"), ("of nothing", b"")):
    add(name, "9112 8", MUST, send, Broken(can_cut=True), split=True)

for name, fields in (("Content-Length 2 and 3", b"Content-Length: 2\r\nContent-Length: 3\r\n"), ("Content-Length: 2, 3", b"Content-Length: 2, 3\r\n"),
                     ("Content-Length: +2", b"Content-Length: +2\r\n"), ("Content-Length: -2", b"Content-Length: -2\r\n"), ("Content-Length: 0x2", b"Content-Length: 0x2\r\n"),
                     ("Content-Length: 2a", b"Content-Length: 2a\r\n"), ("Content-Length: empty", b"Content-Length:\r\n"),
                     ("Content-Length of 70 bits", b"Content-Length: 999999999999999999999\r\n"), ("Content-Length: 2 2", b"Content-Length: 2 2\r\n")):
    add(name, "9112 6.3", MUST, OK + fields + b"\r\nhi", Broken(can_cut="70 bits" in name), split="and" in name)
for name, fields in (("both Content-Length and chunked", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), ("gzip, chunked", b"Transfer-Encoding: gzip, chunked\r\n"),
                     ("chunked twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), ("chunked, chunked", b"Transfer-Encoding: chunked, chunked\r\n"),
                     ("xchunked", b"Transfer-Encoding: xchunked\r\n"), ("identity", b"Transfer-Encoding: identity\r\n"), (",chunked", b"Transfer-Encoding: ,chunked\r\n"),
                     ("an empty Transfer-Encoding", b"Transfer-Encoding:\r\n")):
    add(name, "9112 6.3", OURS, OK + fields + b"\r\n0\r\n\r\n", Broken(can_cut=True))
add("chunked in HTTP/1.0", "9112 6.1", OURS, b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Broken())
for name, body in (("size of letters", b"Z\r\nhi\r\n0\r\n\r\n"), ("negative size", b"-1\r\nhi\r\n0\r\n\r\n"), ("size too large", b"10000000000000002\r\nhi\r\n0\r\n\r\n"),
                   ("other bytes behind the data", b"2\r\nhiXX0\r\n\r\n"), ("empty size", b"\r\nhi\r\n0\r\n\r\n"), ("bare CR behind the size", b"2\rhi\r\n0\r\n\r\n"),
                   ("size with 0x", b"0x2\r\nhi\r\n0\r\n\r\n"), ("data longer than its size", b"2\r\nhix\r\n0\r\n\r\n")):
    add(f"chunk: {name}", "9112 7.1", MUST, OK + b"Transfer-Encoding: chunked\r\n\r\n" + body, Broken(can_cut=True), split=True)
add("chunk: endless extension", "9112 7.1.1", OURS, OK + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"a" * 200_000, Broken(can_cut=True))

for name, line in (("a status of two digits", b"HTTP/1.1 20 OK"), ("a status of four digits", b"HTTP/1.1 2000 OK"), ("a status of letters", b"HTTP/1.1 abc OK"),
                   ("no status", b"HTTP/1.1 "), ("no version", b"200 OK"), ("another protocol", b"ICY 200 OK"), ("a negative status", b"HTTP/1.1 -20 OK"),
                   ("SSH", b"SSH-2.0-x")):
    add(f"status line with {name}", "9110 2.2", MUST, line + b"\r\nContent-Length: 2\r\n\r\nhi", Broken())
for name, line in (("status 099", b"HTTP/1.1 099 OK"), ("status 000", b"HTTP/1.1 000 OK"), ("a bare CR in the reason", b"HTTP/1.1 200 O\rK"),
                   ("a NUL in the reason", b"HTTP/1.1 200 O\0K"), ("status 600", b"HTTP/1.1 600 OK"), ("version 2.0", b"HTTP/2.0 200 OK"), ("version 1.2", b"HTTP/1.2 200 OK"), ("two blanks", b"HTTP/1.1  200 OK"),
                   ("http in small letters", b"http/1.1 200 OK"), ("a tab", b"HTTP/1.1\t200 OK"), ("a blank before it", b" HTTP/1.1 200 OK")):
    add(f"status line with {name}", "9112 4", OURS, line + b"\r\nContent-Length: 2\r\n\r\nhi", Broken())
add("an empty line before it", "9112 4", OURS, b"\r\n" + OK + b"Content-Length: 2\r\n\r\nhi", Broken())
add("status line ended by LF", "9112 2.2", OURS, b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi", Broken())
END = b"\r\nContent-Length: 2\r\n\r\nhi"
for name, line, value in (("a NUL in a value", b"X: a\0b", "a b"), ("a bare CR in a value", b"X: a\rb", "a b")):
    add(f"field with {name}", "9110 5.5", MUST, OK + line + END, Broken(), Relayed(200, b"hi", has=(("x", value),)))
    add(f"field with {name} is refused", "9110 5.5", OURS, OK + line + END, Broken(), split=True)
# It may be left out; it must not be forwarded as it is.
for name, line, field in (("a NUL in a name", b"X\0: a", "x\0"), ("no name", b": a", ""), ("no colon", b"X", "x (no colon)")):
    add(f"field with {name}", "9110 2.2", MUST, OK + line + END, Broken(), Relayed(200, b"hi", hasnt=(field,)))
    add(f"field with {name} is refused", "9112 5", OURS, OK + line + END, Broken(), split=True)
add("field with a blank before the colon", "9112 5.1", MUST, OK + b"X : a" + END, Broken(), Relayed(200, b"hi", has=(("x", "a"),)), Relayed(200, b"hi", hasnt=("x", "x ")))
add("folded line", "9112 5.2", MUST, OK + b"X: a\r\n b" + END, Broken(), *(Relayed(200, b"hi", has=(("x", "a" + " " * count + "b"),)) for count in range(1, 5)))
for name, line in (("a control byte in a value", b"X: a\x01b"), ("DEL in a value", b"X: a\x7f"), ("a bracket in a name", b"[X]: a")):
    add(f"field with {name}", "9110 5.5", OURS, OK + line + b"\r\nContent-Length: 2\r\n\r\nhi", Broken())
add("too large a head", "9110 5.4", OURS, OK + b"X: " + b"a" * 300_000 + b"\r\nContent-Length: 2\r\n\r\nhi", Broken())
for line, name in ((b"Connection: X-A\r\nX-A: 1\r\n", "x-a"), (b"Connection: b, x-a\r\nX-A: 1\r\n", "x-a"), (b"Keep-Alive: timeout=9\r\nConnection: keep-alive\r\n", "x-a")):
    add(f"{line[:40]!r} is taken away", "9110 7.6.1", MUST, OK + line + b"Content-Length: 2\r\n\r\nhi", Relayed(200, b"hi", hasnt=(name,)))
add("fields pass", "9110 5.3", MUST, OK + b"X: a\r\nX: b\r\nSet-Cookie: c=1\r\nSet-Cookie: d=2\r\nContent-Length: 2\r\n\r\nhi",
    Relayed(200, b"hi", has=(("x", "a"), ("x", "b"), ("set-cookie", "c=1"), ("set-cookie", "d=2"))))
for field in (b"Content-Length: 9", b"Set-Cookie: a=b", b"Transfer-Encoding: chunked"):
    add(f"trailer {field.decode()} is not merged", "9110 6.5.1", MUST, OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + field + b"\r\n\r\n",
        Relayed(200, b"hi", hasnt=("set-cookie",)), Broken(can_cut=True))
