// The files of app/http/assets, built into the program: the page, its script and style, the OpenAPI document.
// Thread: any.
#pragma once

#include <string_view>
#include <vector>

namespace holdfast::app {

struct Asset {
  std::string_view name;
  std::string_view content;
};
const std::vector<Asset>& assets();

/// The content of a file; empty where there is none of that name.
std::string_view asset(std::string_view name);

/// What a browser loads, by path.
struct WebFile {
  std::string_view path;
  std::string_view file;
  std::string_view content_type;
};
inline constexpr WebFile kWebFiles[] = {
    {"/", "index.html", "text/html; charset=utf-8"},
    {"/docs", "docs.html", "text/html; charset=utf-8"},
    {"/openapi.json", "openapi.json", "application/json"},
    {"/assets/app.js", "app.js", "text/javascript; charset=utf-8"},
    {"/assets/docs.js", "docs.js", "text/javascript; charset=utf-8"},
    {"/assets/app.css", "app.css", "text/css; charset=utf-8"},
    {"/assets/favicon.svg", "favicon.svg", "image/svg+xml"},
    {"/favicon.ico", "favicon.svg", "image/svg+xml"},
    {"/robots.txt", "robots.txt", "text/plain; charset=utf-8"},
};

}  // namespace holdfast::app
