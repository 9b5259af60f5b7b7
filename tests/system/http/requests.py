"""What a client may send, and what must become of it. Rows: name, RFC section, level, bytes, outcomes."""
from system.http.battery import MUST, OURS, SHOULD, Case, Refused, Seen

H = b"Host: a\r\n"
BAD = Refused((400,))
CHUNKED = b"POST /c HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
CASES = []


def add(name, rfc, level, send, *outcomes, split=False):
    CASES.append(Case(name, rfc, level, send, outcomes, split=split))


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
