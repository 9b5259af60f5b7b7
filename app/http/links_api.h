// POST /api/v1/links and DELETE /api/v1/links/:code.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "app/links/link.h"
#include "app/links/writer.h"

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

/// What a create request asks for, judged whole.
struct CreateRequest {
  std::string target;
  std::string slug;         // empty: any code
  std::string fingerprint;  // of the parsed body: neither the order of its members nor blanks matter
};

/// Every error of the body at once.
tl::expected<CreateRequest, std::vector<FieldError>> parse_create(std::string_view body,
                                                                  const std::vector<Origin>& own_origins);

/// An Idempotency-Key value: a string in quotes as the draft has it, or bare. Nothing where it is neither.
std::optional<std::string> parse_idempotency_key(std::string_view value);

class LinksApi {
 public:
  /// `public_url` without a slash at its end; empty: short URLs begin with the host that the client asked.
  LinksApi(LinkWriter& writer, std::string public_url, std::size_t body_bytes_max);

  void create(const HttpRequest& request, Reply reply);
  void remove(const HttpRequest& request, Reply reply, std::string_view code);

 private:
  class Creating;
  class Deleting;

  LinkWriter& writer_;
  std::string public_url_;
  std::size_t body_bytes_max_;
  std::vector<Origin> public_origins_;
};

}  // namespace holdfast::app
