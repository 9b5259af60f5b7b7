"""What a client may send, and what must become of it. Rows: name, RFC section, level, bytes, outcomes."""
from system.http.battery import CISPA, GARDEN, HAPROXY, LLHTTP, MUST, NGINX, OURS, PORTSWIGGER, PROBE, SHOULD, Case, Refused, Seen

H = b"Host: a\r\n"
BAD = Refused((400,))
CHUNKED = b"POST /c HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
CASES = []


def add(name, rfc, level, send, *outcomes, **more):
    CASES.append(Case(name, rfc, level, send, outcomes, **more))


def get(target=b"/", fields=b"", version=b"HTTP/1.1", method=b"GET", host=H):
    return method + b" " + target + b" " + version + b"\r\n" + host + fields + b"\r\n"


def post(fields, body=b""):
    return b"POST /p HTTP/1.1\r\n" + H + fields + b"\r\n" + body


def seen(method="GET", target="/", body=b"", **more):
    return Seen(((method, target, body),), **more)


# --- Request line: methods ---
for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
    add(f"method {method}", "9110 9.1", MUST, get(method=method.encode(), fields=b"Content-Length: 0\r\n"), seen(method), split=True)
add("method HEAD", "9110 9.3.2", MUST, get(method=b"HEAD"), seen("HEAD"), split=True)
for method in ("PROPFIND", "REPORT", "PURGE", "MKCOL", "LOCK"):
    add(f"method {method} of WebDAV or a cache passes", "9110 9.1", OURS, get(method=method.encode()), seen(method))
for method in (b"FOO", b"get", b"GETT", b"X-Y!z", b"Get"):
    add(f"unknown method {method.decode()}", "9110 9.1", SHOULD, get(method=method), Refused((501, 405, 400)), seen(method.decode()), split=True)
for name, method in (("with @", b"G@T"), ("empty", b""), ("with NUL", b"G\0T"), ("with a control byte", b"G\x01T"),
                     ("with a bracket", b"G[T"), ("with a colon", b"GET:"), ("with a slash", b"G/T"), ("beyond ASCII", b"G\xc3\xa9T")):
    add(f"method {name}", "9110 2.2", MUST, get(method=method), Refused((400, 501, 405, None)), split=True)
add("CONNECT to a reverse proxy", "9110 9.3.6", OURS, b"CONNECT a:1 HTTP/1.1\r\n" + H + b"\r\n", Refused((400, 405, 501)))
add("TRACE", "9110 9.3.8", OURS, get(method=b"TRACE"), seen("TRACE"), Refused((405, 501, 400)))

# --- Request line: form ---
for name, line in (("two blanks behind the method", b"GET  / HTTP/1.1"), ("two blanks before the version", b"GET /  HTTP/1.1"),
                   ("a tab", b"GET\t/ HTTP/1.1"), ("a blank at its end", b"GET / HTTP/1.1 "), ("a blank before it", b" GET / HTTP/1.1"),
                   ("a vertical tab", b"GET\x0b/ HTTP/1.1"), ("a bare CR in it", b"GET /\rHTTP/1.1"), ("four words", b"GET / a HTTP/1.1")):
    add(f"request line with {name}", "9112 3", SHOULD, line + b"\r\n" + H + b"\r\n", BAD, split=True)
add("request line ended by LF", "9112 2.2", OURS, b"GET / HTTP/1.1\n" + H + b"\r\n", BAD)
add("empty line before the request", "9112 2.2", SHOULD, b"\r\n" + get(), seen(), split=True)
add("two empty lines before the request", "9112 2.2", SHOULD, b"\r\n\r\n" + get(), seen(), BAD)
add("twenty empty lines before the request", "9112 2.2", OURS, b"\r\n" * 20 + get(), BAD, seen())
add("bare CR before the request", "9112 3", OURS, b"\r" + get(), BAD)

# --- Versions ---
for version in (b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9"):
    add(f"version {version.decode()}", "9110 15.6.6", SHOULD, get(version=version), Refused((505, 400)), split=True)
add("version HTTP/1.2", "9110 2.5", OURS, get(version=b"HTTP/1.2"), Refused((505, 400)), seen())
for version in (b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1", b"HTTP/11", b"HTTP 1.1", b"http/1.1", b"Http/1.1", b"HTTP/1.1x", b"HTTP/a.b",
                b"HTTP/1,1", b"HTTP/-1.1", b"HTTP/", b"RTSP/1.0", b"ICE/1.0", b"SIP/2.0", b"HTTP/1.\0"):
    add(f"version {version!r}"[0:40], "9112 3", SHOULD, get(version=version), Refused((400, 505)), split=True)
add("HTTP/0.9", "9112 2.3", OURS, b"GET /\r\n\r\n", Refused((400, 505)))
add("HTTP/1.0 without Host", "9112 3.2", MUST, b"GET / HTTP/1.0\r\n\r\n", seen())
add("HTTP/1.0 with Host", "9112 3.2", MUST, b"GET /x HTTP/1.0\r\n" + H + b"\r\n", seen(target="/x", has=(("host", "a"),)))
add("HTTP/2 preface", "9113 3.4", OURS, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused((400, 501, 505, None)))
add("TLS hello", "-", OURS, bytes.fromhex("16030102000100fc0303") + b"\1" * 60, Refused((400, None)))
add("SSH banner", "-", OURS, b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Refused((400, None)))
add("SMTP greeting", "-", OURS, b"EHLO a\r\n\r\n", Refused((400, None)))
add("RTSP request", "-", OURS, b"OPTIONS / RTSP/1.0\r\nCSeq: 1\r\n\r\n", Refused((400, 505)))

# --- Targets ---
for target in ("/a?b=c&d", "//a//b", "/a/../b", "/a;b=c", "/?", "/%20", "/%C3%A9", "/a%2Fb", "/~!$&'()*+,;=:@", "/?q=a/b?c"):
    add(f"target {target}", "9112 3.2.1", OURS, get(target.encode()), seen(target=target), split=target == "/a?b=c&d")
for name, target in (("a fragment", b"/a#b"), ("a blank", b"/a b"), ("a NUL", b"/a\0b"), ("a control byte", b"/a\x01b"), ("DEL", b"/a\x7f"),
                     ("a CR", b"/a\rb"), ("a tab", b"/a\tb"), ("UTF-8", b"/\xc3\xa9"), ("Latin-1", b"/\xe9"), ("a broken escape", b"/%zz"),
                     ("half an escape", b"/%4"), ("a bare percent", b"/%"), ("no slash", b"a"), ("only a query", b"?a"),
                     ("an authority, not of CONNECT", b"a:80"), ("an asterisk, not of OPTIONS", b"*")):
    add(f"target with {name}", "9112 3.2", SHOULD, get(target), BAD, split=name in ("a fragment", "UTF-8"))
# Browsers send a query as the page wrote it; no server takes a path from there.
for name, query in (("a bare percent", b"q=100%"), ("half an escape", b"q=%4"), ("an escape of JavaScript's", b"u=%u20AC"), ("UTF-8", b"q=\xc3\xa9"),
                    ("Latin-1", b"q=\xe9"), ("bytes that are no text", b"\xff\x80=\xc0\xaf")):
    add(f"query with {name}", "3986 3.4", OURS, get(b"/?" + query), seen(target="/?" + query.decode("latin-1")), split=True)
for name, query in (("a control byte", b"q=\xc3\xa9\x01"), ("DEL", b"q=\xc3\xa9\x7f"), ("a blank", b"q=\xc3\xa9 b"), ("a tab", b"q=\xc3\xa9\tb"), ("a NUL", b"q=\0"),
                    ("a fragment behind UTF-8", b"q=\xc3\xa9#b")):
    add(f"query with {name}", "9112 3.2", SHOULD, get(b"/?" + query), BAD, split=True)
add("target with an escaped NUL", "3986 7.3", OURS, get(b"/a%00b"), BAD)
add("OPTIONS *", "9112 3.2.4", OURS, get(b"*", method=b"OPTIONS"), seen("OPTIONS", "*"))
add("absolute-form becomes origin-form", "9112 3.2.2", MUST, get(b"http://a/x?y"), seen(target="/x?y", has=(("host", "a"),)), split=True)
add("absolute-form replaces Host", "9112 3.2.2", MUST, get(b"http://b/x?y"), seen(target="/x?y", has=(("host", "b"),)), BAD, split=True)
add("absolute-form replaces Host, never refused", "9112 3.2.2", OURS, get(b"http://b/x?y"), seen(target="/x?y", has=(("host", "b"),)))
add("absolute-form without a path", "9112 3.2.1", MUST, get(b"http://a"), seen(has=(("host", "a"),)))
add("absolute-form with only a query", "9112 3.2.1", MUST, get(b"http://a?x"), seen(target="/?x", has=(("host", "a"),)), BAD)
add("absolute-form with a port", "9112 3.2.2", OURS, get(b"http://a:81/"), seen(has=(("host", "a:81"),)))
add("absolute-form, scheme in capitals", "9112 3.2.2", MUST, get(b"HTTP://a/"), seen(has=(("host", "a"),)))
add("absolute-form without Host", "9112 3.2", MUST, get(b"http://a/", host=b""), BAD)
for name, target in (("userinfo", b"http://u@a/"), ("a password", b"http://u:p@a/"), ("no host", b"http:///a"), ("one slash", b"http:/a"),
                     ("a port of letters", b"http://a:x/"), ("a port too large", b"http://a:99999/"), ("another scheme", b"ftp://a/"),
                     ("an open bracket", b"http://[::1/")):
    add(f"absolute-form with {name}", "9110 4.2", SHOULD, get(target), BAD)
add("target too long", "9112 3", SHOULD, get(b"/" + b"a" * 70_000), Refused((414, 431, 400)))
add("target of 8000 bytes", "9112 3", SHOULD, get(b"/" + b"a" * 7_999), seen(target="/" + "a" * 7_999))

# --- Host ---
add("no Host", "9112 3.2", MUST, get(host=b""), BAD, split=True)
add("two Hosts", "9112 3.2", MUST, get(host=H + b"Host: b\r\n"), BAD, split=True)
add("the same Host twice", "9112 3.2", MUST, get(host=H + H), BAD)
add("two Hosts, spelled differently", "9112 3.2", MUST, get(host=H + b"hOST: b\r\n"), BAD)
for name, host in (("a blank in it", b"a b"), ("an at", b"u@a"), ("a slash", b"a/b"), ("a port of letters", b"a:x"),
                   ("two ports", b"a:1:2"), ("an open bracket", b"[::1"), ("bytes behind a bracket", b"[::1]a"), ("a question mark", b"a?b"),
                   ("a hash", b"a#b"), ("a backslash", b"a\\b"), ("quotes", b'"a"'), ("angle brackets", b"<a>"), ("UTF-8", b"\xc3\xa9"),
                   ("a control byte", b"a\x01"), ("a NUL", b"a\0b"), ("a tab in it", b"a\tb"),
                   ("a scheme", b"http://a")):
    add(f"Host with {name}", "9112 3.2", MUST, get(host=b"Host: " + host + b"\r\n"), BAD)
for name, host in (("a comma", b"a,b"), ("a port too large", b"a:70000")):  # the grammar has them; nobody is called so
    add(f"Host with {name}", "9112 3.2", OURS, get(host=b"Host: " + host + b"\r\n"), BAD)
for host in ("a.example", "A.Example:8080", "[::1]", "[2001:db8::1]:80", "127.0.0.1:1", "a_b", "a:"):
    # Nothing obliges a gateway to keep the port.
    add(f"Host {host}", "9110 7.2", OURS if host.rstrip(":").rpartition(":")[2].isdigit() else MUST, get(host=f"Host: {host}\r\n".encode()), seen(has=(("host", host),)),
        seen(has=(("host", host.lower()),)), seen(has=(("host", host.rstrip(":")),)))
add("Host in capitals, padded", "9110 5.1", MUST, get(host=b"HOST: \t a \t\r\n"), seen(has=(("host", "a"),)), split=True)

# --- Fields ---
for name, line in (("a blank before the colon", b"X : a"), ("a tab before the colon", b"X\t: a")):
    add(f"field with {name}", "9112 5.1", MUST, get(fields=line + b"\r\n"), BAD, split=True)
# It may be left out; it must not be forwarded as it is.
for name, line, field in (("a name of nothing", b": a", ""), ("no colon", b"X", "x (no colon)"), ("a blank in the name", b"X Y: a", "x y"),
                          ("a NUL in the name", b"X\0: a", "x\0")):
    add(f"field with {name}", "9110 2.2", MUST, get(fields=line + b"\r\n"), BAD, seen(hasnt=(field,)))
    add(f"field with {name} is refused", "9112 5", OURS, get(fields=line + b"\r\n"), BAD, split=True)
for name, line, value in (("a NUL in the value", b"X: a\0b", "a b"), ("a bare CR in the value", b"X: a\rb", "a b"),
                          ("a bare CR before a field", b"X: a\rHost: b", "a Host: b"), ("two CR", b"X: a\r", "a")):
    add(f"field with {name}", "9110 5.5", MUST, get(fields=line + b"\r\n"), BAD, seen(has=(("x", value),)))
    add(f"field with {name} is refused", "9110 5.5", OURS, get(fields=line + b"\r\n"), BAD, split=True)
for name, line in (("DEL in the value", b"X: a\x7f"), ("a control byte in the value", b"X: a\x01b"), ("an escape in the value", b"X: \x1b[0m"),
                   ("a vertical tab in the value", b"X: a\x0bb"), ("an at in the name", b"X@: a"), ("a bracket in the name", b"[X]: a"),
                   ("UTF-8 in the name", b"\xc3\xa9: a"), ("a slash in the name", b"a/b: c"), ("quotes in the name", b'"X": a')):
    add(f"field with {name}", "9110 5.5", SHOULD, get(fields=line + b"\r\n"), BAD)
for name, lines in (("a blank", b"X: a\r\n b\r\n"), ("a tab", b"X: a\r\n\tb\r\n"), ("nothing before it", b"X:\r\n b\r\n")):
    unfolded = [first + " " * count + tab + "b" for first in ("a", "") for count in range(5) for tab in ("", "\t") if count + len(tab)] + ["b"]
    add(f"folded line with {name}", "9112 5.2", MUST, get(fields=lines), BAD, *(seen(has=(("x", value),)) for value in unfolded))
    add(f"folded line with {name} is refused", "9112 5.2", OURS, get(fields=lines), BAD, split=True)
add("folded Content-Length", "9112 5.2", MUST, post(b"Content-Length:\r\n 3\r\n", b"abc"), BAD, seen("POST", "/p", b"abc"))
add("folded Transfer-Encoding", "9112 5.2", MUST, post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), BAD, seen("POST", "/p"))
add("first field line begins with a blank", "9112 2.2", MUST, b"GET / HTTP/1.1\r\n X: a\r\n" + H + b"\r\n", BAD,
    seen(hasnt=("x",)))
add("line ended by LF", "9112 2.2", OURS, b"GET / HTTP/1.1\r\nHost: a\n\r\n", BAD)
add("head ended by LF", "9112 2.2", OURS, b"GET / HTTP/1.1\r\n" + H + b"\n", BAD)
add("head ended by CR CR LF", "9112 2.2", MUST, b"GET / HTTP/1.1\r\n" + H + b"\r\r\n", BAD)
add("a request behind CR LF CR X", "9112 3", OURS, b"GET / HTTP/1.1\r\n" + H + b"\r\n\rXGET /b HTTP/1.1\r\n" + H + b"\r\n",
    Refused((400, 501), before=1), BAD)
add("empty value", "9110 5.5", MUST, get(fields=b"X:\r\n"), seen(has=(("x", ""),)), split=True)
add("value padded by blanks and tabs", "9112 5.1", MUST, get(fields=b"X: \t a b\t \r\n"), seen(has=(("x", "a b"),)), split=True)
add("no blank behind the colon", "9112 5.1", MUST, get(fields=b"X:a\r\n"), seen(has=(("x", "a"),)))
add("colons in a value", "9112 5.1", MUST, get(fields=b"X: a:b:c\r\n"), seen(has=(("x", "a:b:c"),)))
add("Latin-1 in a value passes", "9110 5.5", SHOULD, get(fields=b"X: \xe9\r\n"), seen(has=(("x", "\xe9"),)))
add("every token byte in a name", "9110 5.1", MUST, get(fields=b"X!#$%&'*+-.^`|~9: a\r\n"), seen(has=(("x!#$%&'*+-.^`|~9", "a"),)))
add("repeated fields stay", "9110 5.3", MUST, get(fields=b"X: a\r\nX: b\r\n"), seen(has=(("x", "a"), ("x", "b"))), seen(has=(("x", "a, b"),)))
add("one field too large", "6585 5", SHOULD, get(fields=b"X: " + b"a" * 70_000 + b"\r\n"), Refused((431, 400, 413)))
add("too many fields", "6585 5", OURS, get(fields=b"X: a\r\n" * 3000), Refused((431, 400, 413)))
add("a field of 4000 bytes", "9110 5.4", SHOULD, get(fields=b"X: " + b"a" * 4000 + b"\r\n"), seen(has=(("x", "a" * 4000),)))

# --- Hop by hop ---
for line, name in ((b"Connection: X-A\r\nX-A: 1\r\n", "x-a"), (b"Connection: x-a, close\r\nX-A: 1\r\n", "x-a"),
                   (b"Connection: X-B\r\nConnection: X-A\r\nX-A: 1\r\nX-B: 1\r\n", "x-a"), (b"connection:,, x-a ,\r\nX-A: 1\r\n", "x-a"),
                   (b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n", "keep-alive"), (b"TE: deflate\r\nConnection: TE\r\n", "te")):
    add(f"Connection: {line[:44]!r}", "9110 7.6.1", MUST, get(fields=line), seen(hasnt=(name,)))
add("Upgrade that Connection does not name ends here", "9110 7.6.1", SHOULD, get(fields=b"Upgrade: foo\r\nConnection: x\r\n"), seen(hasnt=("upgrade",)))
add("Proxy-Connection ends here", "9112 C.2.2", SHOULD, get(fields=b"Proxy-Connection: keep-alive\r\n"), seen(hasnt=("proxy-connection",)))
for name in ("Host", "Content-Length"):
    add(f"Connection cannot take away {name}", "9110 7.6.1", MUST, post(f"Connection: {name}\r\nContent-Length: 3\r\n".encode(), b"abc"),
        seen("POST", "/p", b"abc", has=(("host", "a"),)), BAD)

# --- Content-Length ---
add("Content-Length", "9110 8.6", MUST, post(b"Content-Length: 3\r\n", b"abc"), seen("POST", "/p", b"abc"), split=True)
add("Content-Length in capitals", "9110 5.1", MUST, post(b"CONTENT-LENGTH: 3\r\n", b"abc"), seen("POST", "/p", b"abc"))
add("Content-Length: 0", "9110 8.6", MUST, post(b"Content-Length: 0\r\n"), seen("POST", "/p"))
add("leading zeros", "9110 8.6", MUST, post(b"Content-Length: 0003\r\n", b"abc"), seen("POST", "/p", b"abc"), BAD)
add("GET with a body", "9110 9.3.1", MUST, get(fields=b"Content-Length: 3\r\n") + b"abc", seen(body=b"abc"), BAD)
for value in (b"+3", b"-3", b"0x3", b"3.0", b"3a", b"a", b"", b"3 3", b"3;3", b"3\t3", b"1e1", b"3,4", b"'3'", b'"3"', b"3-", b"\x0b3",
              b"18446744073709551616", b"18446744073709551619", b"99999999999999999999999", b"-0", b"_3", b"\xd9\xa3"):
    add(f"Content-Length: {value!r}"[0:50], "9112 6.3", MUST, post(b"Content-Length: " + value + b"\r\n", b"abc"),
        Refused((400, 413, None) if len(value) > 15 else (400, 413)))
add("Content-Length: 3, 3", "9112 6.3", MUST, post(b"Content-Length: 3, 3\r\n", b"abc"), BAD, seen("POST", "/p", b"abc", has=(("content-length", "3"),)))
add("Content-Length twice, the same", "9112 6.3", MUST, post(b"Content-Length: 3\r\n" * 2, b"abc"), BAD, seen("POST", "/p", b"abc"))
for a, b in ((3, 4), (4, 3), (0, 3), (3, 0)):
    add(f"Content-Length {a} and {b}", "9112 6.3", MUST, post(b"Content-Length: %d\r\nContent-Length: %d\r\n" % (a, b), b"abc"), BAD, split=True)

# --- Transfer-Encoding ---
add("chunked", "9112 7.1", MUST, CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", seen("POST", "/c", b"abcde"), split=True)
add("Chunked in capitals", "9112 7", MUST, post(b"transfer-ENCODING: CHUNKED\r\n", b"3\r\nabc\r\n0\r\n\r\n"), seen("POST", "/p", b"abc"))
for name, fields in (("then Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
                     ("behind Content-Length", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
                     ("and Content-Length: 0", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")):
    add(f"chunked {name}", "9112 6.1", OURS, post(fields, b"0\r\n\r\n"), BAD, split=True)
for coding in (b"gzip", b"identity", b"chunked, gzip", b"xchunked", b"chunkedx", b"chunked, identity", b"x", b"\x0bchunked", b"chunked\0",
               b'"chunked"', b"chunked;q=1, x", b"chunk", b"chunked x"):
    add(f"Transfer-Encoding: {coding!r}"[0:50], "9112 6.3", MUST, post(b"Transfer-Encoding: " + coding + b"\r\n", b"0\r\n\r\n"), Refused((400, 501)))
for coding in (b"chunked, chunked", b",chunked", b"chunked,", b"", b"chunked;a=b", b"chunked\r\nTransfer-Encoding: chunked",
               b"chunked\r\nTransfer-Encoding: identity", b"identity\r\nTransfer-Encoding: chunked"):
    add(f"Transfer-Encoding: {coding!r}"[0:64], "9112 6.1", OURS, post(b"Transfer-Encoding: " + coding + b"\r\n", b"0\r\n\r\n"), Refused((400, 501)))
add("Transfer-Encoding: gzip, chunked", "9112 6.1", SHOULD, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), Refused((501,)))
add("chunked in HTTP/1.0", "9112 6.1", OURS, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD)
add("Transfer_Encoding is not Transfer-Encoding", "9110 5.1", MUST, post(b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n", b"abc"),
    seen("POST", "/p", b"abc"), BAD)

# --- Chunks ---
for name, body in (("size of letters", b"Z\r\n"), ("negative size", b"-1\r\n"), ("size with a plus", b"+3\r\nabc\r\n0\r\n\r\n"), ("size 0x3", b"0x3\r\nabc\r\n0\r\n\r\n"),
                   ("empty size", b"\r\nabc\r\n0\r\n\r\n"), ("size of 65 bits", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
                   ("size of 17 f", b"fffffffffffffffff\r\n"), ("blank before the size", b" 3\r\nabc\r\n0\r\n\r\n"),
                   ("other bytes for CR LF behind the data", b"3\r\nabcXX0\r\n\r\n"), ("data longer than its size", b"3\r\nabcd\r\n0\r\n\r\n"),
                   ("nothing behind the data", b"3\r\nabc0\r\n\r\n"), ("bare CR behind the size", b"3\rabc\r\n0\r\n\r\n"),
                   ("size and comma", b"3,3\r\nabc\r\n0\r\n\r\n"), ("NUL in the size", b"3\0\r\nabc\r\n0\r\n\r\n"), ("underscore in the size", b"1_0\r\nabc\r\n")):
    add(f"chunk: {name}", "9112 7.1", MUST, CHUNKED + body, Refused((400, 413, 500, 502, None)))
    add(f"chunk: {name}, the client's fault", "9112 7.1", OURS, CHUNKED + body, Refused((400, 413, None)), split=True)
for name, body in (("CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"), ("NUL in an extension", b"3;a\0\r\nabc\r\n0\r\n\r\n"),
                   ("LF behind the size", b"3\nabc\r\n0\r\n\r\n"), ("LF behind the data", b"3\r\nabc\n0\r\n\r\n"), ("LF in an extension", b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
                   ("LF at the end", b"3\r\nabc\r\n0\r\n\n"), ("blank behind the size", b"3 \r\nabc\r\n0\r\n\r\n"),
                   ("tab behind the size", b"3\t\r\nabc\r\n0\r\n\r\n"), ("empty extension", b"3;\r\nabc\r\n0\r\n\r\n")):
    add(f"chunk: {name}", "9112 7.1", OURS, CHUNKED + body, Refused((400, None)), split=True)
for name, body in (("extension", b"3;a=b\r\nabc\r\n0\r\n\r\n"), ("extension without value", b"3;a\r\nabc\r\n0;b\r\n\r\n"), ("quoted extension", b'3;a="b c"\r\nabc\r\n0\r\n\r\n'),
                   ("leading zeros", b"0003\r\nabc\r\n000\r\n\r\n"), ("size in capitals", b"3\r\nabc\r\n00\r\n\r\n")):
    add(f"chunk: {name}", "9112 7.1.1", MUST, CHUNKED + body, seen("POST", "/c", b"abc"), split=True)
add("chunk: size A", "9112 7.1", MUST, CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", seen("POST", "/c", b"0123456789"))
add("chunk: size a", "9112 7.1", MUST, CHUNKED + b"a\r\n0123456789\r\n0\r\n\r\n", seen("POST", "/c", b"0123456789"))
add("chunk: 16 KiB of extensions", "9112 7.1.1", OURS, CHUNKED + b"3;" + b"a" * 16_383 + b"\r\nabc\r\n0\r\n\r\n", seen("POST", "/c", b"abc"))
add("chunk: more than 16 KiB of extensions", "9112 7.1.1", OURS, CHUNKED + b"3;" + b"a" * 16_385 + b"\r\nabc\r\n0\r\n\r\n", BAD)
add("chunk: more than 16 KiB of extensions in all", "9112 7.1.1", OURS, CHUNKED + (b"1;" + b"a" * 100 + b"\r\na\r\n") * 200 + b"0\r\n\r\n", BAD)
add("chunk: more than 16 KiB of leading zeros in all", "9112 7.1", OURS, CHUNKED + (b"0" * 100 + b"1\r\na\r\n") * 200 + b"0\r\n\r\n", BAD)
add("chunk: an endless extension", "9112 7.1.1", SHOULD, CHUNKED + b"3;" + b"a" * 200_000, Refused((400, 413, 431, None)))
add("chunk: endless zeros", "9112 7.1", OURS, CHUNKED + b"0" * 200_000, Refused((400, 413, None)))

# --- Trailers ---
add("trailer", "9112 7.1.2", MUST, CHUNKED + b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", seen("POST", "/c", b"abc", hasnt=("x-t",)), split=True)
for field in (b"Content-Length: 9", b"Host: b", b"Transfer-Encoding: chunked", b"Authorization: x", b"Connection: close"):
    add(f"trailer {field.decode()} is not merged", "9110 6.5.1", MUST, CHUNKED + b"3\r\nabc\r\n0\r\n" + field + b"\r\n\r\n",
        seen("POST", "/c", b"abc", has=(("host", "a"),), hasnt=("authorization",)), Refused((400, None)))
for name, line in (("a blank before the colon", b"X : a"), ("no colon", b"X"), ("no name", b": a"), ("a NUL", b"X: \0"), ("a bare CR", b"X: a\rb"),
                   ("a fold", b"X: a\r\n b")):
    add(f"trailer with {name}", "9112 5", OURS, CHUNKED + b"0\r\n" + line + b"\r\n\r\n", Refused((400, None)), split=True)

# --- Expect ---
add("Expect: something else", "9110 10.1.1", OURS, post(b"Expect: more\r\nContent-Length: 0\r\n"), Refused((417, 400)), seen("POST", "/p"))
add("Expect: 100-continue without a body", "9110 10.1.1", MUST, get(fields=b"Expect: 100-continue\r\n"), seen())
add("Expect: 100-CONTINUE", "9110 10.1.1", MUST, post(b"Expect: 100-CONTINUE\r\nContent-Length: 3\r\n", b"abc"), seen("POST", "/p", b"abc"))
add("Expect in HTTP/1.0 is ignored", "9110 10.1.1", MUST, b"POST /p HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", seen("POST", "/p", b"abc"))

# --- Connections ---
G = get(b"/1")
add("two pipelined requests", "9112 9.3.2", MUST, get(b"/1") + get(b"/2"), Seen((("GET", "/1", b""), ("GET", "/2", b""))), split=True)
add("ten pipelined requests", "9112 9.3.2", MUST, b"".join(get(b"/%d" % n) for n in range(10)), Seen(tuple(("GET", f"/{n}", b"") for n in range(10))))
add("pipelined behind a body", "9112 9.3.2", MUST, post(b"Content-Length: 3\r\n", b"abc") + get(b"/2"), Seen((("POST", "/p", b"abc"), ("GET", "/2", b""))))
add("pipelined behind chunks", "9112 9.3.2", MUST, CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + get(b"/2"), Seen((("POST", "/c", b"abc"), ("GET", "/2", b""))), split=True)
add("an empty line between two requests", "9112 2.2", SHOULD, post(b"Content-Length: 3\r\n", b"abc") + b"\r\n" + get(b"/2"), Seen((("POST", "/p", b"abc"), ("GET", "/2", b""))))
add("nothing behind Connection: close", "9112 9.6", MUST, get(b"/1", fields=b"Connection: close\r\n") + get(b"/2"), seen(target="/1"), split=True)
add("nothing behind Connection: CLOSE", "9112 9.6", MUST, get(b"/1", fields=b"Connection: CLOSE, x\r\n") + get(b"/2"), seen(target="/1"))
add("HTTP/1.0 closes", "9112 9.3", MUST, b"GET /1 HTTP/1.0\r\n\r\n" + get(b"/2"), seen(target="/1"))
add("HTTP/1.0 with keep-alive", "9112 C.2.2", OURS, b"GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" + get(b"/2"),
    Seen((("GET", "/1", b""), ("GET", "/2", b""))), seen(target="/1"))
add("garbage behind a request", "9112 2.2", MUST, get(b"/1") + b"\x01\x02\r\n\r\n", Refused((400,), before=1))

# --- Learned from public suites: request lines ---
for name, line, source in (("an LF for a blank", b"GET /\nHTTP/1.1", GARDEN), ("no target", b"GET HTTP/1.1", PROBE), ("an empty target", b"GET  HTTP/1.1", PROBE), ("a blank in the version", b"GET / HTTP/ 1.1", PROBE),
                           ("two CRs in the version", b"GET / HTTP/\r\r1.1", GARDEN), ("a form feed", b"GET\x0c/\x0cHTTP/1.1", GARDEN), ("a hard blank", b"GET\xa0/ HTTP/1.1", GARDEN), ("a NUL at its end", b"GET / HTTP/1.1\0", GARDEN),
                           ("CR CR at its end", b"GET / HTTP/1.1\r", LLHTTP), ("a field glued to it by CR", b"GET / HTTP/1.1\rX: a", LLHTTP), ("a NUL for a method", b"\0 / HTTP/1.1", GARDEN), ("only a blank", b" ", PROBE)):
    add(f"request line with {name}", "9112 3", SHOULD, line + b"\r\n" + H + b"\r\n", Refused((400, 501, 505)), source=source)
for version, source in ((b"HTTP/4294967295.255", GARDEN), (b"HTTP/1.32", GARDEN), (b"HTTP/1.257", GARDEN), (b"HTTP/............0596.7407.", GARDEN), (b"HTTP/01.01", PROBE), (b"HTTP/1.", PROBE), (b"HTTP/.1", PROBE), (b"HTTP/1.1.1", GARDEN),
                        (b"IHTTP/1.0", LLHTTP), (b"HTTPS/1.1", LLHTTP), (b"HTTP/0x1.1", GARDEN), (b"HTTP/+1.1", GARDEN), (b"HTTP/257.1", GARDEN), (b"HTTP/\xb1.1", GARDEN), (b"HTTP/0.0", GARDEN), (b"HTTP/5.6", LLHTTP)):
    add(f"version {version!r}", "9112 3", SHOULD, get(version=version), Refused((400, 505)), source=source)
for name, method, source in (("with quotes and brackets", b'G=":<>(e),[T];?"', GARDEN), ("in quotes", b'"GET"', GARDEN), ("with braces", b"{GET}", GARDEN), ("with a backslash", b"G\\T", GARDEN), ("with an equals sign", b"G=T", GARDEN),
                             ("with a comma", b"GET,POST", CISPA), ("with DEL", b"GET\x7f", GARDEN)):
    add(f"method {name}", "9110 2.2", MUST, get(method=method), Refused((400, 501, 405, None)), source=source)
for method in (b"MKCOLA", b"0", b"GET!", b"SLUDGE", b"M-SEARCHX"):
    add(f"unknown method {method.decode()}", "9110 9.1", SHOULD, get(method=method), Refused((501, 405, 400)), seen(method.decode()), source=LLHTTP if method.startswith(b"M") else GARDEN)
add("method of 100000 bytes", "9112 3", SHOULD, get(method=b"A" * 100_000), Refused((400, 414, 431, 501)), source=PROBE)
add("GET behind a known method's first letters", "9110 9.1", SHOULD, get(method=b"PATCHX"), Refused((501, 405, 400)), seen("PATCHX"), source=LLHTTP)
for name, send in (("in authority-form", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), ("with a path", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"), ("without a port", b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"), ("without a port's digits", b"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n"),
                   ("in absolute-form", b"CONNECT http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), ("to another Host", b"CONNECT a:80 HTTP/1.1\r\nHost: b:80\r\n\r\n"), ("with a body", b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 4\r\n\r\nabcd"),
                   ("in HTTP/1.0 and bytes behind it", b"CONNECT a:443 HTTP/1.0\r\n\r\nsome data")):
    add(f"CONNECT {name}", "9110 9.3.6", OURS, send, Refused((400, 404, 405, 501)), source=HAPROXY if "form" in name or "port" in name else LLHTTP)
add("OPTIONS * with no more", "9112 3.2.4", SHOULD, get(b"*/test", method=b"OPTIONS"), BAD, source=HAPROXY)
add("OPTIONS of an absolute-form without a path asks for *", "9112 3.2.4", OURS, get(b"http://a", method=b"OPTIONS"), seen("OPTIONS", "*", has=(("host", "a"),)), source=HAPROXY)
add("OPTIONS of an absolute-form with a port", "9112 3.2.4", OURS, get(b"http://a:81", method=b"OPTIONS"), seen("OPTIONS", "*"), source=HAPROXY)
add("M-SEARCH * over TCP", "9112 3.2.4", OURS, get(b"*", method=b"M-SEARCH"), Refused((400, 405, 501)), source=LLHTTP)
add("PRI in HTTP/1.1", "9113 3.4", OURS, b"PRI * HTTP/1.1\r\n" + H + b"\r\nSM\r\n\r\n", Refused((400, 405, 501)), source=LLHTTP)
add("a method of RTSP in HTTP", "9110 9.1", OURS, b"ANNOUNCE / HTTP/1.0\r\n\r\n", Refused((400, 405, 501)), source=LLHTTP)
add("256 bytes of anything", "9112 3", OURS, bytes((7 * n + 193) % 256 for n in range(256)) + b"\r\n\r\n", Refused((400, 501, None)), source=PROBE)
add("blanks for a request", "9112 2.2", OURS, b"   \r\n\r\n", Refused((400, None)), source=PROBE)
add("a bare CR and a request", "9112 2.2", OURS, b"\r\r\n" + get(), BAD, source=GARDEN)
add("TRACE with a body", "9110 9.3.8", OURS, get(method=b"TRACE", fields=b"Content-Length: 3\r\n") + b"abc", Refused((400, 405, 413, 501)), seen("TRACE", "/", b"abc"), source=PROBE)

# --- Learned: targets and hosts ---
for name, target, source in (("a bare word", b"!", GARDEN), ("a word and slashes", b"admin/a/b", HAPROXY), ("UTF-8 too long for its character", b"/\xc0\xaf", PROBE), ("a scheme and no slashes", b"http:a", GARDEN), ("a fragment behind a host", b"http://a#b", HAPROXY),
                             ("a fragment behind a query", b"/?a#b", NGINX), ("an escape of a letter beyond f", b"/a%1g", NGINX), ("two blanks", b"/a  b", PROBE), ("a form feed", b"/a\x0cb", GARDEN),
                             ("a hard blank", b"/a\xa0b", GARDEN), ("NEL", b"/a\x85b", GARDEN), ("an LF", b"/a\nb", GARDEN), ("bytes of control 2", b"/\x02", NGINX)):
    add(f"target with {name}", "9112 3.2", SHOULD, get(target), BAD, source=source)
for target, source in (("/a%0d%0aX:%20b", PROBE), ("/%02", NGINX), ("/foo/bar/.?args", NGINX), ("/foo/bar/..", NGINX), ("/?a=b?c", LLHTTP), ("/?q=|", LLHTTP), ("/?a=%00", PROBE), ("/%2e%2e/a", GARDEN), ("/a%5cb", GARDEN), ("/?a[]=1&b={2}", LLHTTP)):
    add(f"target {target} passes as it is", "9112 3.2.1", OURS, get(target.encode()), seen(target=target), source=source)
for name, target, host in (("its port is the scheme's, Host has none", b"http://a:80/x", b"a"), ("it has no port, Host has the scheme's", b"http://a/x", b"a:80"), ("its port is empty", b"http://a:/x", b"a"), ("the scheme is https", b"https://a/x", b"a")):
    add(f"absolute-form, {name}", "9112 3.2.2", OURS, get(target, host=b"Host: " + host + b"\r\n"), *(seen(target="/x", has=(("host", value),)) for value in ("a", "a:80", "a:", "a:443")), source=HAPROXY)
for name, target, host in (("another name", b"http://a/", b"b"), ("another port", b"http://a:80/", b"a:81"), ("a port that Host lacks", b"http://a:8080/", b"a"), ("no port where Host has one", b"http://a/", b"a:81")):
    wanted = target[7:-1].decode()
    # To refuse the two that differ is HAProxy's way; to go by Host would let one server's rules be asked for another's page.
    add(f"absolute-form with {name}", "9112 3.2.2", MUST, get(target, host=b"Host: " + host + b"\r\n"), *(seen(has=(("host", value),)) for value in {wanted, wanted.partition(":")[0]}), BAD, source=HAPROXY)
add("absolute-form with two Hosts", "9112 3.2", MUST, get(b"http://a/", host=b"Host: a\r\nHost: b\r\n"), BAD, source=HAPROXY)
add("absolute-form with the same Host and port twice", "9112 3.2", MUST, get(b"http://a/", host=b"Host: a:80\r\nHost: a\r\n"), BAD, source=HAPROXY)
add("absolute-form of only a colon", "9110 4.2.1", SHOULD, get(b"http://:", host=b"Host: :\r\n"), BAD, source=HAPROXY)
add("absolute-form in HTTP/1.0", "9112 3.2.2", MUST, b"GET http://a/x HTTP/1.0\r\nHost: b\r\n\r\n", seen(target="/x", has=(("host", "a"),)), BAD, source=NGINX)
# Of a target without authority (9112 3.2); a gateway may well refuse it, as http has no such URI (9110 4.2.1).
add("an empty Host", "9112 3.2", MUST, get(host=b"Host: \r\n"), seen(hasnt=("x-forwarded-host",)), BAD, source=PROBE)
add("an empty Host is accepted", "9112 3.2", OURS, get(host=b"Host: \r\n"), seen(hasnt=("x-forwarded-host",)))
add("two empty Hosts", "9112 3.2", MUST, get(host=b"Host:\r\nHost:\r\n"), BAD, source=CISPA)
for name, host, source in (("a colon and a name", b":a", CISPA), ("a path behind a port", b"a:80/x", PROBE), ("a port with a dot", b"a.:1.2", NGINX), ("a dot behind a bracket", b"[::1].", NGINX), ("a dot and a port behind a bracket", b"[::1].:98", NGINX),
                           ("a word before a bracket", b"extra[::1]:98", NGINX), ("a slash in brackets", b"[::1/]", NGINX), ("a control byte at its end", b"a\x02", NGINX), ("a port with a sign", b"a:+80", GARDEN), ("a port in hex", b"a:0x50", GARDEN),
                           ("only brackets", b"[]", GARDEN), ("a hard blank", b"a\xa0b", GARDEN), ("NEL at its end", b"a\x85", GARDEN), ("a NUL and another name", b"a\0.b", GARDEN), ("a blank and another name", b"a, b", PROBE), ("an escape in its port", b"a:%38", GARDEN)):
    add(f"Host with {name}", "9112 3.2", MUST, get(host=b"Host: " + host + b"\r\n"), BAD, source=source)
for host, source in (("a.", NGINX), ("a.:88", NGINX), ("[::ffff:12.30.67.89]", NGINX), ("xn--bcher-kva.example", CISPA), ("a-b.c", NGINX), ("1.2.3.4:65535", NGINX)):
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    add(f"Host {host}", "9110 7.2", MUST, get(host=f"Host: {host}\r\n".encode()), *(seen(has=(("host", value),)) for value in (host, name, name.rstrip("."))), source=source)

# --- Learned: fields ---
for name, line, source in (("an at in its name", b"Fo@: a", LLHTTP), ("a control byte in its name", b"Foo\x01x: a", LLHTTP), ("angle brackets in its name", b"</kie>: a", NGINX), ("NEL behind its name", b"X\x85: a", GARDEN), ("a byte before its name", b"\xefX: a", GARDEN),
                           ("a CR in its name", b"X\rY: a", LLHTTP), ("an escape in its name", b"Connection\r\x1b\x65\xd5eep-Alive", LLHTTP), ("a form feed in its name", b"X\x0c: a", GARDEN), ("two colons before its name", b"::X: a", NGINX)):
    add(f"field with {name}", "9110 2.2", MUST, get(fields=line + b"\r\n"), BAD, seen(hasnt=(line.rpartition(b":")[0].decode("latin-1").lower() or line.decode("latin-1").lower() + " (no colon)", "x", "y", "", "x (no colon)", "connection (no colon)")), source=source)
add("field with an LF in its name", "9112 2.2", OURS, get(fields=b"X\nY: a\r\n"), BAD, source=GARDEN)
for name, line in (("an underscore", b"x_foo: a"), ("an underscore first", b"_foo: a"), ("an underscore last", b"x-foo_: a")):  # CGI could not tell x_foo from x-foo
    add(f"field with {name} is left out", "3875 4.1.18", OURS, get(fields=line + b"\r\n"), seen(hasnt=(line.split(b":")[0].decode(),)), source=NGINX)
for name, line in (("a dot", b"x.foo: a"), ("a dot first", b".foo: a"), ("only digits", b"0: a"), ("a plus sign in its value", b"aaaaaaaaaaaaa:++++++++++")):
    add(f"field with {name} passes", "9110 5.1", OURS, get(fields=line + b"\r\n"), seen(has=((line.partition(b":")[0].decode(), line.partition(b":")[2].strip().decode()),)), source=LLHTTP if "plus" in name else NGINX)
for name, value in (("0xff", b"\xffValue2"), ("UTF-8", b"D\xc3\xbcsseldorf")):
    add(f"{name} in a value passes", "9110 5.5", SHOULD, get(fields=b"X: " + value + b"\r\n"), seen(has=(("x", value.decode("latin-1")),)), source=LLHTTP)
for name, value in (("a NUL at its end", b"evil\0"), ("a NUL and a CR", b"v\0\ralue"), ("several CRs", b"this\rvalue\ris"), ("a CR and a NUL", b"a\r\0")):
    blanked = value.replace(b"\0", b" ").replace(b"\r", b" ").decode().strip()
    add(f"field with {name}", "9110 5.5", MUST, get(fields=b"X: " + value + b"\r\n"), BAD, seen(has=(("x", blanked),)), source=GARDEN)
add("a field value of two LFs and a request", "9112 2.2", OURS, get(fields=b"X:\n\nGET /secret HTTP/1.1\r\n"), BAD, source=GARDEN)
add("a head of only LFs", "9112 2.2", OURS, b"POST /p HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n1\nA\n0\n\n", BAD, source=LLHTTP)
add("a head that goes on behind CR", "9112 2.2", MUST, b"PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\rabc", Refused(()), source=LLHTTP, ends=True)
add("an empty Cookie", "9110 5.5", MUST, get(fields=b"Cookie: \r\n"), seen(has=(("cookie", ""),)), seen(hasnt=("cookie",)), source=PROBE)
add("two Cookies", "9110 5.3", SHOULD, get(fields=b"Cookie: a=1\r\nCookie: b=2\r\n"), seen(has=(("cookie", "a=1"), ("cookie", "b=2"))), seen(has=(("cookie", "a=1; b=2"),)), source=PROBE)
add("four hundred cookies", "9110 5.4", SHOULD, get(fields=b"Cookie: " + b"; ".join(b"k%d=v%d" % (n, n) for n in range(400)) + b"\r\n"), seen(), Refused((400, 431)), source=PROBE)
add("a field name of 100000 bytes", "6585 5", SHOULD, get(fields=b"A" * 100_000 + b": a\r\n"), Refused((400, 431, 413)), source=PROBE)
add("ten thousand fields of different names", "6585 5", OURS, get(fields=b"".join(b"X-H-%d: a\r\n" % n for n in range(10_000))), Refused((400, 431, 413, None)), source=PROBE)
add("Range on a POST passes", "9110 14.2", OURS, post(b"Range: bytes=0-1\r\nContent-Length: 3\r\n", b"abc"), seen("POST", "/p", b"abc"), source=PROBE)
add("Range of a thousand parts", "9110 14.2", OURS, get(fields=b"Range: bytes=" + b",".join([b"0-"] * 1000) + b"\r\n"), seen(), Refused((400, 431)), source=PROBE)

# --- Learned: the connection and its options ---
for name, lines, gone in (("Transfer-Encoding", b"Connection: Transfer-Encoding\r\n", ()), ("a tab behind close", b"Connection: close\t\r\n", ())):
    add(f"Connection with {name}", "9110 7.6.1", MUST, post(lines + b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"), seen("POST", "/p", b"abc"), *((BAD,) if name[0] == "T" else ()), source=PORTSWIGGER if name[0] == "T" else LLHTTP)
add("Connection: close, token, keep-alive closes", "9112 9.6", MUST, get(b"/1", fields=b"Connection: close, token, keep-alive\r\n") + get(b"/2"), seen(target="/1", closed=True), source=LLHTTP)
add("nothing behind a POST with Connection: close", "9112 9.6", MUST, post(b"Content-Length: 4\r\nConnection: close\r\n", b"q=42") + b"\r\n" + get(b"/2"), seen("POST", "/p", b"q=42", closed=True), source=LLHTTP)
add("rubbish behind Connection: close", "9112 9.6", MUST, get(b"/1", fields=b"Content-Length: 0\r\nConnection: close\r\n") + b"this is not sent\r\n\r\n", seen(target="/1", closed=True), source=HAPROXY)
add("an invalid request behind a valid one with close", "9112 9.6", MUST, get(b"/1", fields=b"Connection: close\r\n") + b"Invalid\r\n\r\n", seen(target="/1", closed=True), source=GARDEN)
add("Connection keep CR alive", "9112 2.2", MUST, get(fields=b"Connection: keep\ralive\r\n"), BAD, seen(), source=LLHTTP)
add("Connection with a blank before the colon", "9112 5.1", MUST, get(fields=b"Connection : close\r\n"), BAD, source=LLHTTP)
add("Connection folded", "9112 5.2", MUST, get(fields=b"Connection: a,\r\n close\r\n"), BAD, seen(), source=LLHTTP)
add("three pipelined requests with bodies", "9112 9.3.2", MUST, b"".join(method + b" /%d HTTP/1.1\r\n" % size + H + b"Content-Length: %d\r\n\r\n" % size + b"a" * size for method, size in ((b"POST", 3), (b"PUT", 4), (b"PATCH", 5))),
    Seen((("POST", "/3", b"aaa"), ("PUT", "/4", b"aaaa"), ("PATCH", "/5", b"aaaaa"))), source=LLHTTP, split=True)
add("HTTP/1.0 with Content-Length and bytes behind it", "9112 9.3", MUST, b"PUT /1 HTTP/1.0\r\nContent-Length: 0\r\n\r\n" + get(b"/2"), seen("PUT", "/1", closed=True), source=LLHTTP)
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
add("Upgrade in HTTP/1.0 is ignored", "9110 7.8", MUST, b"GET / HTTP/1.0\r\n" + H + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + KEY + b"\r\n", seen(hasnt=("upgrade",)), source=PROBE)
for name, fields in (("h2c", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), ("h2c among others", b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), ("a made-up protocol", b"Connection: Upgrade\r\nUpgrade: made-up/1.0\r\n")):
    add(f"Upgrade to {name} is not asked of the server", "9110 7.8", OURS, get(fields=fields), *(seen(hasnt=("upgrade", "http2-settings")),), source=HAPROXY if "h2c" in name else PROBE)
add("Upgrade on a POST with a body", "9110 7.8", OURS, post(b"Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\nContent-Length: 15\r\n", b"sweet post body") + get(b"/2"),
    Seen((("POST", "/p", b"sweet post body"), ("GET", "/2", b"")), hasnt=("upgrade",)), source=LLHTTP)
for value, gone in ((b"trailers, gzip", ("trailers",)), (b"gzip", ()), (b"trailers;q=0.5", ())):
    add(f"TE: {value.decode()} does not go on as it is", "9110 10.1.4", OURS, get(fields=b"TE: " + value + b"\r\nConnection: TE\r\n"), seen(hasnt=("te",)), *(seen(has=(("te", one),)) for one in gone), source=HAPROXY)
for name, value in (("unknown", b"unknown"), ("a token with a parameter", b"token=param"), ("a status", b"200-ok")):
    add(f"Expect: {name}", "9110 10.1.1", OURS, post(b"Expect: " + value + b"\r\nContent-Length: 0\r\n"), Refused((417, 400)), seen("POST", "/p"), source=PROBE if "status" in name else NGINX)
