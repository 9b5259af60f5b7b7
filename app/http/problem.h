// Errors as RFC 9457 has them, and as a plain page for a browser.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// One thing that is wrong in a body; `pointer` is a JSON pointer as a URI fragment, `#/longUrl`.
struct FieldError {
  std::string pointer;
  std::string detail;
};

struct Problem {
  int status = 500;
  std::string_view slug;   // names the kind: `invalid-data`; a literal
  std::string_view title;  // the kind in words; a literal
  std::string detail;      // this very case
  std::vector<FieldError> errors;
  int retry_after_seconds = 0;  // sent where not 0
  std::string_view allow;       // of a 405; a literal
  std::string_view challenge;   // of a 401; a literal
};

/// A problem of a kind (literals), in this very case.
Problem problem_of(int status, std::string_view slug, std::string_view title, std::string detail,
                   int retry_after_seconds = 0);
Problem bad_data(std::vector<FieldError> errors);
Problem not_found();
Problem link_deleted();
/// It is another key's.
Problem foreign_link();
/// It is there, and is not to be followed now.
Problem link_closed(std::string_view slug, std::string detail);
/// `methods` are a literal.
Problem method_not_allowed(std::string_view methods);
Problem unavailable(std::string detail, int retry_after_seconds);

/// The body, application/problem+json. `base` begins the type's URL; `request_id` becomes the instance where it is a
/// UUID.
std::string problem_json(const Problem& problem, std::string_view base, std::string_view request_id);
/// The body for somebody who reads it in a browser.
std::string problem_page(const Problem& problem);

/// Does an Accept value name text/html? Then a person reads the answer.
bool accepts_html(std::string_view accept);

}  // namespace holdfast::app
