#include "app/http/api_call.h"

#include "app/links/link.h"

#include <algorithm>

namespace holdfast::app {
namespace {

std::string decoded(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return percent_decoded(plain).value_or("");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> all;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (piece.empty()) continue;
    const auto equals = std::min(piece.find('='), piece.size());
    all.emplace_back(decoded(piece.substr(0, equals)), decoded(piece.substr(std::min(equals + 1, piece.size()))));
  }
  return all;
}

}  // namespace holdfast::app
