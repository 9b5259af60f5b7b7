#include "app/http/link_json.h"

#include "app/links/code.h"
#include "app/store/hashes.h"
#include "common/json.h"
#include "common/time_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace holdfast::app {
namespace {

using Json = nlohmann::json;
using Errors = std::vector<FieldError>;

constexpr int kDepthMax = 8;
constexpr std::size_t kErrorsMax = 32;
constexpr std::size_t kTitleMax = 512;
constexpr std::size_t kTagsMax = 20;
constexpr std::size_t kTagBytesMax = 64;

/// A JSON pointer to a member, `/` and `~` escaped (RFC 6901); a very long name is cut.
std::string pointer_to(std::string_view name) {
  std::string pointer = "#/";
  for (const char c : name.substr(0, 64)) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

/// Parses without going deeper than anything of ours does.
tl::expected<Json, Errors> parse_object(std::string_view body) {
  bool is_too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDepthMax) is_too_deep = true;
    return !is_too_deep;
  };
  Json json = Json::parse(body, watch, false);
  if (is_too_deep) return tl::unexpected(Errors{{"#", "it is nested too deeply"}});
  if (json.is_discarded()) return tl::unexpected(Errors{{"#", "the body is not valid JSON"}});
  if (!json.is_object()) return tl::unexpected(Errors{{"#", "the body must be a JSON object"}});
  return json;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

std::size_t letters_of(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Reads the members of one link.
class Reader {
 public:
  Reader(LinkBody kind, const TargetRules& rules) : kind_(kind), rules_(rules) {}

  tl::expected<LinkRequest, Errors> read(const Json& json) {
    for (const auto& [name, value] : json.items()) member(name, value);
    if (kind_ == LinkBody::Create && !json.contains("longUrl")) {
      errors_.insert(errors_.begin(), {"#/longUrl", "it is required"});
    }
    StoredLink& link = request_.link;
    if (!link.valid_since.empty() && !link.valid_until.empty() && link.valid_since >= link.valid_until) {
      wrong("validUntil", "it must be later than validSince");
    }
    if (!errors_.empty()) return tl::unexpected(std::move(errors_));
    if (kind_ == LinkBody::Change) request_.columns = json_text(columns_);
    return std::move(request_);
  }

 private:
  void wrong(std::string_view name, std::string_view why) {
    if (errors_.size() < kErrorsMax) errors_.push_back({pointer_to(name), std::string(why)});
  }

  void member(const std::string& name, const Json& value) {
    if (name == "longUrl") return target(value);
    if (name == "title") return title(value);
    if (name == "tags") return tags(value);
    if (name == "validSince") return time(name, "valid_since", value, request_.link.valid_since);
    if (name == "validUntil") return time(name, "valid_until", value, request_.link.valid_until);
    if (name == "maxVisits") return max_visits(value);
    if (name == "enabled") return flag(name, "enabled", value, request_.link.is_enabled);
    if (name == "forwardQuery") return flag(name, "forward_query", value, request_.link.forwards_query);
    if (name == "crawlable") return flag(name, "crawlable", value, request_.link.is_crawlable);
    if (name == "redirectStatus") return status(value);
    if (kind_ == LinkBody::Create) {
      if (name == "customSlug") return slug(value);
      if (name == "shortCodeLength") return code_length(value);
      if (name == "findIfExists") {
        if (!value.is_boolean()) return wrong(name, "it must be true or false");
        request_.finds_existing = value.get<bool>();
        return;
      }
    }
    wrong(name, kind_ == LinkBody::Create ? "not known here; see /openapi.json" : "it cannot be changed");
  }

  void target(const Json& value) {
    if (!value.is_string()) return wrong("longUrl", "it must be a string");
    auto target = checked_target(value.get_ref<const std::string&>(), rules_.bytes_max);
    if (!target) return wrong("longUrl", target.error());
    const auto origin = origin_of(*target);
    if (origin &&
        std::find(rules_.own_origins.begin(), rules_.own_origins.end(), *origin) != rules_.own_origins.end()) {
      return wrong("longUrl", "it leads back to this service");
    }
    if (origin && rules_.blocklist != nullptr && rules_.blocklist->has(origin->host)) {
      return wrong("longUrl", "its host is on the block list");
    }
    columns_["target"] = *target;
    request_.link.target = std::move(*target);
  }

  void slug(const Json& value) {
    if (value.is_null()) return;
    if (!value.is_string()) return wrong("customSlug", "it must be a string or null");
    request_.link.code = value.get<std::string>();
    if (const auto why = wrong_with_slug(request_.link.code)) wrong("customSlug", *why);
  }

  void code_length(const Json& value) {
    const bool is_number = value.is_number_integer();
    const auto length = is_number ? value.get<std::int64_t>() : 0;
    if (length < 5 || length > 32) return wrong("shortCodeLength", "it must be a number from 5 to 32");
    request_.code_length = static_cast<std::size_t>(length);
  }

  void title(const Json& value) {
    columns_["title"] = nullptr;
    if (value.is_null()) return;
    if (!value.is_string()) return wrong("title", "it must be a string or null");
    const std::string& text = value.get_ref<const std::string&>();
    if (letters_of(text) > kTitleMax) return wrong("title", "it is longer than 512 characters");
    if (has_control(text)) return wrong("title", "it has control characters");
    if (text.empty()) return;
    columns_["title"] = text;
    request_.link.title = text;
  }

  void tags(const Json& value) {
    columns_["tags"] = Json::array();
    if (value.is_null() && kind_ == LinkBody::Change) return;
    if (!value.is_array()) return wrong("tags", "it must be an array of strings");
    if (value.size() > kTagsMax) return wrong("tags", "there are more than 20");
    for (std::size_t i = 0; i < value.size(); ++i) {
      const bool is_text = value[i].is_string();
      const std::string text = is_text ? value[i].get<std::string>() : std::string();
      if (text.empty() || text.size() > kTagBytesMax || has_control(text)) {
        if (errors_.size() < kErrorsMax) {
          errors_.push_back(
              {"#/tags/" + std::to_string(i), "it must be a string of 1 to 64 bytes without control characters"});
        }
        continue;
      }
      std::vector<std::string>& all = request_.link.tags;
      if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
    }
    columns_["tags"] = request_.link.tags;
  }

  void time(std::string_view name, const char* column, const Json& value, std::string& stored) {
    columns_[column] = nullptr;
    if (value.is_null()) return;
    const auto point = value.is_string() ? parse_rfc3339(value.get_ref<const std::string&>()) : std::nullopt;
    if (!point) return wrong(name, "it must be a time such as 2026-01-31T12:00:00Z, or null");
    stored = rfc3339(*point);
    columns_[column] = stored;
  }

  void max_visits(const Json& value) {
    columns_["max_visits"] = nullptr;
    if (value.is_null()) return;
    const auto number = value.is_number_integer() ? value.get<std::int64_t>() : 0;
    if (number < 1 || number > 1'000'000'000)
      return wrong("maxVisits", "it must be a number from 1 to 1000000000, or null");
    request_.link.max_visits = number;
    columns_["max_visits"] = number;
  }

  void flag(std::string_view name, const char* column, const Json& value, bool& stored) {
    if (!value.is_boolean()) return wrong(name, "it must be true or false");
    stored = value.get<bool>();
    columns_[column] = stored;
  }

  void status(const Json& value) {
    const auto number = value.is_number_integer() ? value.get<std::int64_t>() : 0;
    if (number != 301 && number != 302 && number != 307 && number != 308) {
      return wrong("redirectStatus", "it must be 301, 302, 307 or 308");
    }
    request_.link.status = static_cast<int>(number);
    columns_["redirect_status"] = number;
  }

  LinkBody kind_;
  const TargetRules& rules_;
  LinkRequest request_;
  Json columns_ = Json::object();
  Errors errors_;
};

nlohmann::ordered_json or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

tl::expected<LinkRequest, Errors> parse_link(std::string_view body, LinkBody kind, const TargetRules& rules) {
  const auto json = parse_object(body);
  if (!json) return tl::unexpected(json.error());
  auto request = Reader(kind, rules).read(*json);
  if (request) request->fingerprint = sha256_hex("POST /api/v1/links\n" + json->dump());
  return request;
}

ManyReader::ManyReader(std::shared_ptr<const Json> body)
    : body_(std::move(body)), fingerprint_(sha256_hex("POST /api/v1/links/bulk\n" + body_->dump())) {}

tl::expected<ManyReader, Errors> ManyReader::open(std::string_view body) {
  auto json = parse_object(body);
  if (!json) return tl::unexpected(json.error());
  Errors errors;
  for (const auto& [name, value] : json->items()) {
    if (name != "links" && errors.size() < kErrorsMax) errors.push_back({pointer_to(name), "not known here"});
  }
  const auto links = json->find("links");
  if (links == json->end() || !links->is_array()) {
    errors.push_back({"#/links", "it must be an array of links"});
  } else if (links->empty() || links->size() > kLinksMax) {
    errors.push_back({"#/links", "there must be 1 to 1000 links"});
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return ManyReader(std::make_shared<const Json>(std::move(*json)));
}

bool ManyReader::has_next() const { return next_ < (*body_)["links"].size(); }

tl::expected<LinkRequest, Errors> ManyReader::next(const TargetRules& rules) {
  const Json& link = (*body_)["links"][next_++];
  if (!link.is_object()) return tl::unexpected(Errors{{"#", "it must be a JSON object"}});
  return Reader(LinkBody::Create, rules).read(link);
}

std::string link_json(const StoredLink& link, std::string_view base) {
  nlohmann::ordered_json json;
  json["shortCode"] = link.code;
  json["shortUrl"] = std::string(base) + "/" + link.code;
  json["longUrl"] = link.target;
  json["dateCreated"] = link.created_at;
  json["dateUpdated"] = link.updated_at.empty() ? link.created_at : link.updated_at;
  json["enabled"] = link.is_enabled;
  json["meta"] = {
      {"validSince", or_null(link.valid_since)},
      {"validUntil", or_null(link.valid_until)},
      {"maxVisits", link.max_visits == 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(link.max_visits)}};
  json["tags"] = link.tags;
  json["title"] = or_null(link.title);
  json["crawlable"] = link.is_crawlable;
  json["forwardQuery"] = link.forwards_query;
  json["redirectStatus"] = link.status;
  return json_text(json);
}

std::string etag_of(const StoredLink& link) { return "\"v" + std::to_string(link.version) + "\""; }

std::optional<std::string> version_of_etag(std::string_view if_match) {
  if (if_match == "*") return std::string();
  // Of several tags only the last can be ours in practice; one is what clients send.
  if (!if_match.starts_with("\"v") || !if_match.ends_with("\"") || if_match.size() < 4) return std::nullopt;
  const std::string_view digits = if_match.substr(2, if_match.size() - 3);
  const bool are_digits = std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!are_digits || digits.size() > 18) return std::nullopt;
  return std::string(digits);
}

std::optional<std::string> parse_idempotency_key(std::string_view value) {
  constexpr std::size_t kKeyBytesMax = 255;
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
    if (value.find_first_of("\"\\") != std::string_view::npos) return std::nullopt;
  }
  const bool is_visible = std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x21 && c < 0x7F; });
  if (value.empty() || value.size() > kKeyBytesMax || !is_visible) return std::nullopt;
  return std::string(value);
}

}  // namespace holdfast::app
