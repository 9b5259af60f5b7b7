// GET /: what this is, for a browser.
#pragma once

#include <string_view>

namespace holdfast::app {

inline constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Holdfast shortener</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}
pre{background:#f3f3f3;padding:1rem;overflow:auto}</style>
</head>
<body>
<h1>Holdfast shortener</h1>
<p>A URL shortener. Create a link:</p>
<pre>curl -H 'Content-Type: application/json' -d '{"longUrl": "https://example.com/a/long/way"}' \
  <i>this address</i>/api/v1/links</pre>
<p>The answer has its <code>shortUrl</code>, which leads there. Choose the code yourself with <code>customSlug</code>.
<code>GET /stats/</code><i>code</i> tells its visits; <code>DELETE /api/v1/links/</code><i>code</i> removes it.
<a href="/health">Health</a> and <a href="/metrics">metrics</a> are for machines.</p>
</body>
</html>
)html";

}  // namespace holdfast::app
