// GET /api/v1/links: a page of links at a time, from where the last one ended. No count and no offset: each page costs
// what it shows.
#include "app/http/links_api.h"
#include "app/links/link.h"
#include "common/time_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

namespace holdfast::app {
namespace {

constexpr int kLimitMax = 200;

struct Order {
  std::string_view name;
  Statement statement;
  std::string_view first_time;  // before all links in this order
  std::string_view first_code;
  bool is_by_time;
};

constexpr std::array kOrders{
    Order{"dateCreated-DESC", Statement::ListNewest, "infinity", "", true},
    Order{"dateCreated-ASC", Statement::ListOldest, "-infinity", "", true},
    Order{"shortCode-ASC", Statement::ListByCode, "infinity", "", false},
    Order{"shortCode-DESC", Statement::ListByCodeBackwards, "infinity", "~", false},  // '~' is behind every code
};

struct ListRequest {
  const Order* order = &kOrders[0];
  std::string after_time;
  std::string after_code;
  std::string pattern;
  std::vector<std::string> tags;
  int limit = 50;
};

/// A cursor is `time/code`; opaque to clients by contract, plain to those who debug.
bool read_cursor(std::string_view cursor, ListRequest& request) {
  const auto slash = cursor.find('/');
  if (slash == std::string_view::npos) return false;
  request.after_time = cursor.substr(0, slash);
  request.after_code = cursor.substr(slash + 1);
  return parse_rfc3339(request.after_time) && is_code(request.after_code);
}

/// A LIKE pattern that finds `term` anywhere.
std::string pattern_of(std::string_view term) {
  std::string pattern = "%";
  for (const char c : term) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + '%';
}

tl::expected<ListRequest, std::vector<FieldError>> parse_list(std::string_view query) {
  ListRequest request;
  std::vector<FieldError> errors;
  const auto wrong = [&](std::string name, std::string why) {
    if (errors.size() < 32) errors.push_back({"?" + std::move(name), std::move(why)});
  };
  std::string cursor;
  for (const auto& [name, value] : parse_query(query)) {
    if (name == "cursor") {
      cursor = value;
    } else if (name == "limit" || name == "itemsPerPage") {
      const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), request.limit);
      const bool is_number = problem == std::errc{} && end == value.data() + value.size();
      if (!is_number || request.limit < 1 || request.limit > kLimitMax)
        wrong(name, "it must be a number from 1 to 200");
    } else if (name == "searchTerm") {
      const bool has_nul = value.find('\0') != std::string::npos;
      if (value.size() > 256 || has_nul) wrong(name, "it must have 1 to 256 bytes");
      if (!value.empty()) request.pattern = pattern_of(value);
    } else if (name == "tags[]" || name == "tags") {
      if (value.find('\0') != std::string::npos || request.tags.size() >= 20) {
        wrong(name, "at most 20 tags");
      } else {
        request.tags.push_back(value);
      }
    } else if (name == "orderBy") {
      const auto found = std::find_if(kOrders.begin(), kOrders.end(),
                                      [&wanted = value](const Order& each) { return each.name == wanted; });
      if (found == kOrders.end()) {
        wrong(name, "allowed: dateCreated-DESC, dateCreated-ASC, shortCode-ASC, shortCode-DESC");
      } else {
        request.order = &*found;
      }
    } else {
      wrong(name.substr(0, 64), "not known here; known are cursor, limit, searchTerm, tags[] and orderBy");
    }
  }
  request.after_time = request.order->first_time;
  request.after_code = request.order->first_code;
  if (!cursor.empty() && !read_cursor(cursor, request)) wrong("cursor", "it must be a nextCursor of an earlier page");
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return request;
}

}  // namespace

class LinksApi::Listing final : public PgQuery {
 public:
  Listing(LinksApi& api, ApiCall call, ListRequest request)
      : PgQuery(request.order->statement), api_(api), call_(std::move(call)), request_(std::move(request)) {
    std::vector<std::string_view> tags(request_.tags.begin(), request_.tags.end());
    add(request_.after_time);
    add(request_.after_code);
    add(request_.pattern);
    add(array_literal(tags));
    add(call_.caller.owner());
    add(std::to_string(request_.limit + 1));
  }

  void on_answer(const PgAnswer& answer) override {
    if (!answer.is_ok()) return call_.reply.problem(unavailable("Links cannot be listed at the moment. Try again.", 5));
    const int shown = std::min(answer.rows(), request_.limit);
    const std::string base = api_.base_for(call_.host);
    std::string body = R"({"data":[)";
    std::string cursor = "null";
    for (int row = 0; row < shown; ++row) {
      const StoredLink link = read_link(answer, row);
      if (row > 0) body += ',';
      body += link_json(link, base);
      if (row + 1 == shown && answer.rows() > shown) cursor = '"' + link.created_at + '/' + link.code + '"';
    }
    body += R"(],"nextCursor":)" + cursor + "}\n";
    call_.reply.send(200, "application/json", {{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other}},
                     body);
  }

 private:
  LinksApi& api_;
  ApiCall call_;
  ListRequest request_;
};

void LinksApi::list(ApiCall call) {
  auto request = parse_list(call.query);
  if (!request) return call.reply.problem(bad_data(std::move(request.error())));
  // A link that was just made is to be listed: the primary is asked while it is there.
  Postgres& database = primary_.is_available() ? primary_ : replicas_.server();
  database.send(std::make_unique<Listing>(*this, std::move(call), std::move(*request)), settings_.deadline);
}

}  // namespace holdfast::app
