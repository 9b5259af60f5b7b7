"""What a server may answer, and what the client must see. Rows: name, RFC section, level, the server's bytes, outcomes."""
from system.http.battery import CISPA, GARDEN, HAPROXY, LLHTTP, MUST, NGINX, OURS, PORTSWIGGER, PROBE, SHOULD, Broken, Case, Relayed

CASES = []
OK = b"HTTP/1.1 200 OK\r\n"


def add(name, rfc, level, send, *outcomes, **more):
    CASES.append(Case("response: " + name, rfc, level, send, outcomes, is_response=True, **more))


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

# --- Smuggling back: what stands behind an answer is nobody's answer, also where the server keeps the connection ---
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
END_OF_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
HELD = b"Content-Length: 2\r\n\r\nhi"
for name, send, body, source in (("Content-Length", OK + HELD, b"hi", LLHTTP), ("chunks", OK + END_OF_CHUNKS, b"hi", NGINX), ("Content-Length: 0", OK + b"Content-Length: 0\r\n\r\n", b"", GARDEN)):
    add(f"a second answer behind {name}, the connection kept", "9112 9.2", MUST, send + EVIL, Relayed(200, body), Broken(can_cut=True), source=source, keeps=True)
for name, rest in (("rubbish", b"\x01\x02\x03\r\n\r\n"), ("a line break", b"\r\n"), ("an interim answer", b"HTTP/1.1 103 X\r\n\r\n"), ("half an answer", b"HTTP/1.1 200 OK\r\nContent-Le"), ("one byte", b"H")):
    add(f"{name} behind Content-Length, the connection kept", "9112 9.2", MUST, OK + HELD + rest, Relayed(200, b"hi"), Broken(can_cut=True), source=GARDEN, keeps=True)
for status in (204, 304):
    add(f"an answer behind a {status}, the connection kept", "9112 6.3", MUST, b"HTTP/1.1 %d X\r\n\r\n" % status + EVIL, Relayed(status), Broken(), source=LLHTTP, keeps=True)
add("a body behind a 304 with Content-Length, the connection kept", "9112 6.3", MUST, b"HTTP/1.1 304 X\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL, Relayed(304), Broken(), source=LLHTTP, keeps=True)
add("chunks behind a 304 that says chunked, the connection kept", "9112 6.3", MUST, b"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n" + EVIL, Relayed(304), Broken(), source=LLHTTP, keeps=True)
for name, fields, rest in (("Content-Length", b"Content-Length: %d\r\n" % len(EVIL), EVIL), ("chunks", b"Transfer-Encoding: chunked\r\n", b"%x\r\n" % len(EVIL) + EVIL + b"\r\n0\r\n\r\n"), ("no framing", b"", EVIL)):
    add(f"a body to HEAD with {name}, the connection kept", "9112 6.3", MUST, OK + fields + b"\r\n" + rest, Relayed(200), Broken(), source=HAPROXY, method="HEAD", keeps=True)
add("more bytes than Content-Length says", "9112 6.3", MUST, OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello, and more", Relayed(200, b"hello"), Broken(can_cut=True), source=LLHTTP)
add("chunks behind the last chunk", "9112 7.1", MUST, OK + END_OF_CHUNKS + b"3\r\nbad\r\n0\r\n\r\n", Relayed(200, b"hi"), Broken(can_cut=True), source=NGINX, keeps=True)
add("an answer within the body", "9112 6.3", MUST, OK + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL, Relayed(200, EVIL), source=LLHTTP, split=True)
add("an answer that ends by the connection, and looks like two", "9112 6.3", MUST, OK + b"\r\n" + EVIL, Relayed(200, EVIL), source=LLHTTP)
add("HTTP/1.0 with keep-alive and no length ends by the connection", "9112 6.3", MUST, b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n" + EVIL, Relayed(200, EVIL), source=LLHTTP)

# --- Interim answers ---
FINAL = OK + HELD
for status in (102, 103, 199):
    add(f"{status} goes on to the client", "9110 15.2", MUST, b"HTTP/1.1 %d X\r\nLink: a\r\n\r\n" % status + FINAL, Relayed(200, b"hi", interim=(status,)), source=NGINX, split=status == 103)
add("100 and then 404", "9110 15.2", MUST, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nhi", Relayed(404, b"hi"), source=LLHTTP)
for name, fields in (("Content-Length", b"Content-Length: 9\r\n"), ("Transfer-Encoding", b"Transfer-Encoding: chunked\r\n")):
    add(f"103 with {name} has no body all the same", "9112 6.3", MUST, b"HTTP/1.1 103 X\r\n" + fields + b"\r\n" + FINAL, Relayed(200, b"hi"), Broken(can_cut=True), source=CISPA)
for name, fields in (("both framings", b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n"), ("a folded line", b"X: a\r\n b\r\n"), ("a bare CR", b"X: a\rb\r\n"), ("a large head", b"X: " + b"a" * 300_000 + b"\r\n")):
    add(f"103 with {name}", "9110 15.2", OURS, b"HTTP/1.1 103 X\r\n" + fields + b"\r\n" + FINAL, Broken(can_cut=True), source=GARDEN)
add("an endless row of 100s", "9110 15.2", OURS, b"HTTP/1.1 100 Continue\r\n\r\n" * 200 + FINAL, Broken(can_cut=True), source=GARDEN)
add("HTTP/1.0 clients get no 103", "9110 15.2", MUST, b"HTTP/1.1 103 X\r\n\r\n" + FINAL, Relayed(200, b"hi", hasnt=("link",)), source=CISPA, request=b"GET /case HTTP/1.0\r\nHost: a\r\n\r\n")
for name, fields in (("with no Upgrade", b"Connection: upgrade\r\n"), ("with nothing", b""), ("with Content-Length", b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n"), ("in HTTP/1.0", b"Connection: upgrade\r\nUpgrade: x\r\n")):
    version = b"HTTP/1.0" if "1.0" in name else b"HTTP/1.1"
    add(f"101 that nobody asked for, {name}", "9110 7.8", OURS, version + b" 101 X\r\n" + fields + b"\r\nhi", Broken(can_cut=True), source=CISPA)
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
for name, request in (("in HTTP/1.0", b"GET /case HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + KEY + b"\r\n"),
                      ("without Connection", b"GET /case HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" + KEY + b"\r\n")):
    add(f"101 to an Upgrade {name}", "9110 7.8", OURS, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", Broken(can_cut=True), source=PROBE, request=request)
add("426 keeps its Upgrade", "9110 15.5.22", MUST, b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi",
    Relayed(426, b"hi", has=(("upgrade", "websocket"),)), source=NGINX)
add("200 with Upgrade is a plain 200", "9110 7.8", MUST, OK + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + HELD, Relayed(200, b"hi"), source=LLHTTP)
add("Proxy-Connection is taken away", "9112 C.2.2", SHOULD, OK + b"Proxy-Connection: close\r\n" + HELD, Relayed(200, b"hi", hasnt=("proxy-connection",)), source=LLHTTP)

# --- Status lines ---
for name, line, source in (("a status of one digit", b"HTTP/1.1 2 OK", LLHTTP), ("a letter too few", b"HTP/1.1 200 OK", LLHTTP), ("letters too many", b"HTTPER/1.1 200 OK", LLHTTP), ("RTSP", b"RTSP/1.1 200 OK", LLHTTP),
                           ("ICE", b"ICE/1.1 200 OK", LLHTTP), ("a status glued to its reason", b"HTTP/1.1 200OK", LLHTTP), ("a status with a sign", b"HTTP/1.1 +200 OK", GARDEN), ("a status in hex", b"HTTP/1.1 0xc8 OK", GARDEN),
                           ("a status of two digits and a blank", b"HTTP/1.1 20  OK", GARDEN), ("NUL in the status", b"HTTP/1.1 2\x0000 OK", GARDEN)):
    add(f"status line with {name}", "9110 2.2", MUST, line + b"\r\nContent-Length: 2\r\n\r\nhi", Broken(), source=source)
for name, line, source in (("version 01.1", b"HTTP/01.1 200 OK", LLHTTP), ("version 11.1", b"HTTP/11.1 200 OK", LLHTTP), ("version 1.01", b"HTTP/1.01 200 OK", LLHTTP), ("version 5.6", b"HTTP/5.6 200 OK", LLHTTP),
                           ("version 0.9", b"HTTP/0.9 200 OK", LLHTTP), ("no minor version", b"HTTP/1 200 OK", PROBE), ("CR and a tab", b"\rHTTP/1.1\t200 OK", LLHTTP), ("a bare CR at its end", b"HTTP/1.1 200 OK\rX: a", LLHTTP),
                           ("two bare CRs at its end", b"HTTP/1.1 200 OK\r\rX: a", LLHTTP), ("DEL in the reason", b"HTTP/1.1 200 O\x7fK", GARDEN)):
    add(f"status line with {name}", "9112 4", OURS, line + b"\r\nContent-Length: 2\r\n\r\nhi", Broken(), source=source)
add("two blanks before the reason", "9112 4", MUST, b"HTTP/1.1 200  OK\r\n" + HELD, Relayed(200, b"hi"), Broken(), source=LLHTTP)
add("a tab in the reason", "9112 4", MUST, b"HTTP/1.1 200 O\tK\r\n" + HELD, Relayed(200, b"hi"), source=GARDEN)
add("a first field line that begins with a blank", "9112 2.2", MUST, OK + b" X: a\r\n" + HELD, Broken(), Relayed(200, b"hi", hasnt=("x", " x")), source=LLHTTP)
for name, send in (("all lines ended by LF", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"), ("head ended by LF", OK + b"Content-Length: 2\r\n\nhi"), ("a field ended by LF", OK + b"X: a\nContent-Length: 2\r\n\r\nhi"),
                   ("head ended by CR CR LF", OK + b"Content-Length: 2\r\n\r\r\nhi")):
    add(name, "9112 2.2", OURS, send, Broken(), source=LLHTTP)

# --- Framing of answers ---
for value, source in ((b"foo", NGINX), (b"chunkedchunked", LLHTTP), (b"chunked, deflate", LLHTTP), (b"chunked, gzip, chunked", HAPROXY), (b"chunked\r\nTransfer-Encoding: identity", LLHTTP), (b"\x0bchunked", PORTSWIGGER),
                      (b"chunked\x0c", PORTSWIGGER), (b"\xffchunked", GARDEN), (b"chunked\r\n  abc", LLHTTP), (b'"chunked"', PORTSWIGGER), (b"chunked;a=b", PROBE)):
    add(f"Transfer-Encoding: {value!r}", "9112 6.3", OURS, OK + b"Transfer-Encoding: " + value + b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Broken(can_cut=True), source=source)
SPLIT = b"0\r\n\r\nResponse splitting, as many bytes as said."
for name, fields in (("Content-Length first", b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n"), ("chunked first", b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n")):
    add(f"both framings, {name}, the connection kept", "9112 6.3", MUST, OK + fields % len(SPLIT) + b"\r\n" + SPLIT, Broken(can_cut=True), Relayed(200, b"", hasnt=("content-length",)), source=HAPROXY, keeps=True)
for value, source in ((b"0x2", GARDEN), (b"2\xa0", GARDEN), (b"2_0", GARDEN), (b"foo", NGINX), (b"2e0", PORTSWIGGER), (b"2.0", PORTSWIGGER), (b"0 2", PORTSWIGGER), (b"2\x0b", PORTSWIGGER), (b"2\r\n 3", PORTSWIGGER), (b"2;3", GARDEN)):
    if value != b"0x2":
        add(f"Content-Length: {value!r}", "9112 6.3", MUST, OK + b"Content-Length: " + value + b"\r\n\r\nhi", Broken(), source=source)
for value in (b"2, 2", b"2\r\nContent-Length: 2"):
    add(f"Content-Length: {value!r}", "9112 6.3", MUST, OK + b"Content-Length: " + value + b"\r\n\r\nhi", Broken(), Relayed(200, b"hi", has=(("content-length", "2"),)), Relayed(200, b"hi", hasnt=("content-length",)), source=NGINX)
for value in (b"\t2", b"2\t", b"002", b"  2  "):
    add(f"Content-Length: {value!r} is 2", "9110 8.6", MUST, OK + b"Content-Length:" + value + b"\r\n\r\nhi", Relayed(200, b"hi"), *((Broken(),) if value == b"002" else ()), source=LLHTTP)
add("Content-Length-X is another field", "9110 5.1", MUST, OK + b"Content-Length-X: 0\r\n" + END_OF_CHUNKS, Relayed(200, b"hi"), source=LLHTTP)
add("Content-Length of 2^32 and 2", "9112 8", MUST, OK + b"Content-Length: 4294967298\r\n\r\nhi", Broken(can_cut=True), source=LLHTTP)
for name, line in (("a blank before the colon", b"Transfer-Encoding : chunked"), ("a blank for the hyphen", b"Transfer Encoding: chunked"), ("a NUL behind it", b"Transfer-Encoding\0: chunked"), ("a bare CR before it", b"X: a\rTransfer-Encoding: chunked"),
                   ("a line break in it", b"Transfer-\r\nEncoding: chunked"), ("a blank line part before it", b"X: a\r\n Transfer-Encoding: chunked")):
    add(f"Transfer-Encoding with {name}", "9112 5.1" if "colon" in name else "9110 2.2", MUST, OK + line + b"\r\nContent-Length: 2\r\n\r\nhi",
        Broken(), Relayed(200, b"hi", hasnt=("transfer-encoding", "transfer-encoding ", "transfer encoding", "transfer-encoding\0", "transfer- (no colon)", " transfer-encoding")), *((Relayed(200, b"", hasnt=("content-length",)),) if "colon" in name else ()), source=PORTSWIGGER)
for status in (b"204", b"304"):
    add(f"{status.decode()} with both framings", "9112 6.1", MUST, b"HTTP/1.1 " + status + b" X\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", Broken(),
        Relayed(int(status), hasnt=("transfer-encoding",)), *((Relayed(304, hasnt=("content-length",)),) if status == b"304" else ()), source=HAPROXY)
add("204 never says Transfer-Encoding", "9112 6.1", MUST, b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Relayed(204, hasnt=("transfer-encoding",)), Broken(), source=CISPA)
add("204 never says Content-Length", "9110 8.6", MUST, b"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", Relayed(204, hasnt=("content-length",)), Broken(), source=CISPA)
add("chunked in HTTP/1.0, the connection kept", "9112 6.1", MUST, b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + END_OF_CHUNKS + EVIL, Broken(can_cut=True), Relayed(200, b"hi"), source=HAPROXY, keeps=True)
OLD = b"GET /case HTTP/1.0\r\nHost: a\r\n\r\n"
add("chunks to an HTTP/1.0 client", "9112 6.1", OURS, OK + END_OF_CHUNKS, Relayed(200, b"hi", hasnt=("transfer-encoding",)), source=NGINX, request=OLD)
add("chunks and trailers to an HTTP/1.0 client", "9112 6.1", OURS, OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: a\r\n\r\n", Relayed(200, b"hi", hasnt=("transfer-encoding", "x-t")), source=NGINX, request=OLD)

# --- Chunks of answers ---
TE = OK + b"Transfer-Encoding: chunked\r\n\r\n"
for name, body in (("CR behind the data", b"2\r\nhi\r0\r\n\r\n"), ("CR and any byte behind the data", b"2\r\nhi\rX0\r\n\r\n"), ("nothing behind the data", b"2\r\nhi0\r\n\r\n"), ("an empty line behind the data", b"2\r\nhi\r\n\r\n0\r\n\r\n"),
                   ("size of blanks and a digit", b"  2\r\nhi\r\n0\r\n\r\n"), ("size with an underscore", b"0_2\r\nhi\r\n0\r\n\r\n"), ("size with a plus", b"+2\r\nhi\r\n0\r\n\r\n"), ("size, then a word", b"2 word\r\nhi\r\n0 x\r\n\r\n"),
                   ("size, CR CR, extension", b"2\r\r;a\r\nhi\r\n0\r\n\r\n"), ("any two bytes for the last line", b"2\r\nhi\r\n0\r\nXX"),
                   ("CR and any byte for the last line", b"2\r\nhi\r\n0\r\n\rX"), ("size of 2^32 and 2", b"100000002\r\nhi\r\n0\r\n\r\n"), ("size of 63 bits", b"7fffffffffffffff\r\nhi\r\n0\r\n\r\n"), ("size of letters in it", b"2these\r\nhi\r\n0\r\n\r\n")):
    add(f"chunk: {name}", "9112 7.1", MUST, TE + body, Broken(can_cut=True), source=GARDEN if "size" in name else PORTSWIGGER)
for name, body in (("LF behind the size", b"2\nhi\r\n0\r\n\r\n"), ("LF behind the data", b"2\r\nhi\n0\r\n\r\n"), ("LF in an extension", b"2;\nx\r\nhi\r\n0\r\n\r\n"), ("CR in an extension", b"2;a\rb\r\nhi\r\n0\r\n\r\n"),
                   ("LF at the end", b"2\r\nhi\r\n0\r\n\n"), ("CR of the data and LF behind it", b"3\r\nhi\r\n0\r\n\r\n"), ("blanks behind the size", b"2  \r\nhi\r\n0  \r\n\r\n"), ("an open quote", b'2;a="b; c\r\nhi\r\n0\r\n\r\n'), ("an empty extension", b"2;\r\nhi\r\n0\r\n\r\n")):
    add(f"chunk: {name}", "9112 7.1", OURS, TE + body, Broken(can_cut=True), source=LLHTTP)
for name, line in (("several extensions", b"2;a;b=c;d"), ("quoted quotes", b'2;a="\\"b\\"; c";d=e'), ("capitals", b"0002;A=B")):
    add(f"chunk: {name} are passed over", "9112 7.1.1", MUST, TE + line + b"\r\nhi\r\n0;x\r\n\r\n", Relayed(200, b"hi"), source=LLHTTP, split=name == "quoted quotes")

# --- Fields of answers ---
for name, line in (("an underscore in a name", b"DCLK_imp: v7;x;1/0"), ("a dollar in a name", b"X-$Y: a"), ("no value but a blank", b"Pragma: "), ("a dot before a name", b".et-Cookie: a=b")):
    add(f"{name} passes", "9110 5.1", MUST, OK + line + b"\r\n" + HELD, Relayed(200, b"hi", has=((line.partition(b":")[0].decode().lower(), line.partition(b":")[2].strip().decode()),)), source=LLHTTP)
add("a blank in a name", "9110 2.2", MUST, OK + b"en-US Content-Type: text/xml\r\n" + HELD, Broken(), Relayed(200, b"hi", hasnt=("en-us content-type",)), source=LLHTTP)
add("a field twice stays twice", "9110 5.3", MUST, OK + b"Expires: foo\r\nExpires: bar\r\n" + HELD, Relayed(200, b"hi", has=(("expires", "foo"), ("expires", "bar"))), Relayed(200, b"hi", has=(("expires", "foo, bar"),)), source=NGINX)
add("too many fields", "9110 5.4", OURS, OK + b"X: a\r\n" * 3000 + HELD, Broken(), source=NGINX)
add("Connection cannot take away Content-Length", "9110 7.6.1", MUST, OK + b"Connection: Content-Length\r\n" + HELD, Relayed(200, b"hi"), Broken(), source=PORTSWIGGER)
add("Connection cannot take away Transfer-Encoding", "9110 7.6.1", MUST, OK + b"Connection: Transfer-Encoding\r\n" + END_OF_CHUNKS, Relayed(200, b"hi"), Broken(), source=PORTSWIGGER)
