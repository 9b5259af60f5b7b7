#include "app/http/problem.h"

#include "common/html.h"
#include "common/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace holdfast::app {
namespace {

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (is_dash ? c != '-' : !is_hex) return false;
  }
  return true;
}

}  // namespace

Problem problem_of(int status, std::string_view slug, std::string_view title, std::string detail,
                   int retry_after_seconds) {
  return {.status = status,
          .slug = slug,
          .title = title,
          .detail = std::move(detail),
          .errors = {},
          .retry_after_seconds = retry_after_seconds,
          .allow = {},
          .challenge = {}};
}

Problem bad_data(std::vector<FieldError> errors) {
  Problem problem = problem_of(400, "invalid-data", "Invalid data",
                               errors.size() == 1 ? errors.front().pointer + ": " + errors.front().detail
                                                  : std::to_string(errors.size()) + " values are not valid");
  problem.errors = std::move(errors);
  return problem;
}

Problem not_found() { return problem_of(404, "short-url-not-found", "Short URL not found", "No link has this code."); }

Problem link_deleted() {
  return problem_of(410, "short-url-deleted", "Short URL deleted", "The link that had this code was deleted.");
}

Problem foreign_link() { return problem_of(403, "forbidden", "Forbidden", "This link was made with another API key."); }

Problem link_closed(std::string_view slug, std::string detail) {
  return problem_of(410, slug, "Short URL not available", std::move(detail));
}

Problem method_not_allowed(std::string_view methods) {
  Problem problem =
      problem_of(405, "method-not-allowed", "Method not allowed", "This path takes " + std::string(methods) + ".");
  problem.allow = methods;
  return problem;
}

Problem unavailable(std::string detail, int retry_after_seconds) {
  return problem_of(503, "unavailable", "Temporarily unavailable", std::move(detail), retry_after_seconds);
}

std::string problem_json(const Problem& problem, std::string_view base, std::string_view request_id) {
  nlohmann::ordered_json json;
  json["type"] = std::string(base) + "/problems/" + std::string(problem.slug);
  json["title"] = problem.title;
  json["status"] = problem.status;
  json["detail"] = problem.detail;
  if (is_uuid(request_id)) json["instance"] = "urn:uuid:" + std::string(request_id);
  if (!problem.errors.empty()) {
    json["errors"] = nlohmann::ordered_json::array();
    json["invalidElements"] = nlohmann::ordered_json::array();
    for (const FieldError& error : problem.errors) {
      json["errors"].push_back({{"pointer", error.pointer}, {"detail", error.detail}});
      if (error.pointer.starts_with("#/")) json["invalidElements"].push_back(error.pointer.substr(2));
    }
  }
  return json_text(json) + "\n";
}

std::string problem_page(const Problem& problem) {
  std::string page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>";
  append_html(page, problem.title);
  page += "</title><h1>";
  append_html(page, problem.title);
  page += "</h1><p>";
  append_html(page, problem.detail);
  return page += "</p></html>\n";
}

bool accepts_html(std::string_view accept) { return accept.find("text/html") != std::string_view::npos; }

}  // namespace holdfast::app
