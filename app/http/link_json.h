// Links as JSON: requests judged whole, with all that is wrong in them, and responses.
// Thread: any.
#pragma once

#include "app/http/problem.h"
#include "app/links/blocklist.h"
#include "app/links/link.h"
#include "app/links/stored_link.h"

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

/// What a body says about a link: the columns that it sets, as a JSON object, and what is said beside them.
struct LinkRequest {
  StoredLink link;              // the columns upon the defaults; its code is the slug
  std::string columns;          // of a change: those that were named, as JSON, a merge patch of the row
  std::size_t code_length = 0;  // 0: as configured
  bool finds_existing = false;
  std::string fingerprint;  // of the parsed body: neither the order of its members nor blanks matter
};

enum class LinkBody { Create, Change };

/// A target is judged by what only the caller knows.
struct TargetRules {
  std::size_t bytes_max = 2048;
  std::vector<Origin> own_origins;       // it must not lead there
  const Blocklist* blocklist = nullptr;  // nor there
};

/// Every error of the body at once.
tl::expected<LinkRequest, std::vector<FieldError>> parse_link(std::string_view body, LinkBody kind,
                                                              const TargetRules& rules);

/// `{"links": [...]}`: each judged for itself, so that one that is wrong does not spoil the others, and when its turn
/// is.
class ManyReader {
 public:
  static constexpr std::size_t kLinksMax = 1'000;
  /// What is wrong with the body as a whole is told at once.
  static tl::expected<ManyReader, std::vector<FieldError>> open(std::string_view body);

  bool has_next() const;
  tl::expected<LinkRequest, std::vector<FieldError>> next(const TargetRules& rules);
  /// As LinkRequest's, of all of them.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  explicit ManyReader(std::shared_ptr<const nlohmann::json> body);
  std::shared_ptr<const nlohmann::json> body_;
  std::size_t next_ = 0;
  std::string fingerprint_;
};

/// The link as the API shows it; `base` begins the short URL.
std::string link_json(const StoredLink& link, std::string_view base);

/// A version as an entity tag, `"v3"`.
std::string etag_of(const StoredLink& link);
/// The version that an If-Match value names: empty for `*`, nothing where it can match none of ours.
std::optional<std::string> version_of_etag(std::string_view if_match);

/// An Idempotency-Key value: a string in quotes as the draft has it, or bare. Nothing where it is neither.
std::optional<std::string> parse_idempotency_key(std::string_view value);

}  // namespace holdfast::app
