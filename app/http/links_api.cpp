#include "app/http/links_api.h"

#include "app/links/time_text.h"
#include "app/store/sha256.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::app {
namespace {

using Json = nlohmann::json;

constexpr int kRetryAfterSeconds = 5;

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return equals_ignoring_case(type, "application/json");
}

Problem body_problem(int status, std::string_view slug, std::string_view title, std::string detail) {
  return {.status = status,
          .slug = slug,
          .title = title,
          .detail = std::move(detail),
          .errors = {},
          .retry_after_seconds = 0,
          .allow = {}};
}

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

}  // namespace

tl::expected<CreateRequest, std::vector<FieldError>> parse_create(std::string_view body,
                                                                  const std::vector<Origin>& own_origins) {
  std::vector<FieldError> errors;
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) return tl::unexpected(std::vector<FieldError>{{"#", "the body is not valid JSON"}});
  if (!json.is_object()) return tl::unexpected(std::vector<FieldError>{{"#", "the body must be a JSON object"}});
  CreateRequest request;
  bool has_target = false;
  for (const auto& [name, value] : json.items()) {
    if (name == "longUrl") {
      has_target = true;
      if (!value.is_string()) {
        errors.push_back({"#/longUrl", "it must be a string"});
        continue;
      }
      auto target = checked_target(value.get_ref<const std::string&>());
      if (!target) {
        errors.push_back({"#/longUrl", std::string(target.error())});
        continue;
      }
      const auto origin = origin_of(*target);
      if (origin && std::find(own_origins.begin(), own_origins.end(), *origin) != own_origins.end()) {
        errors.push_back({"#/longUrl", "it leads back to this service"});
        continue;
      }
      request.target = std::move(*target);
    } else if (name == "customSlug") {
      if (value.is_null()) continue;
      if (!value.is_string()) {
        errors.push_back({"#/customSlug", "it must be a string or null"});
        continue;
      }
      request.slug = value.get<std::string>();
      if (const auto wrong = wrong_with_slug(request.slug)) errors.push_back({"#/customSlug", std::string(*wrong)});
    } else if (errors.size() < 32) {
      errors.push_back({pointer_to(name), "not known here; known are longUrl and customSlug"});
    }
  }
  if (!has_target) errors.insert(errors.begin(), {"#/longUrl", "it is required"});
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  request.fingerprint = sha256_hex("POST /api/v1/links\n" + json.dump());
  return request;
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

class LinksApi::Creating final : public CreateUser {
 public:
  Creating(Reply reply, std::string base, const CreateRequest& request, std::string created_at)
      : reply_(std::move(reply)), base_(std::move(base)), target_(request.target), created_at_(std::move(created_at)) {}

  std::string response_for(std::string_view code) override {
    nlohmann::ordered_json json;
    json["shortCode"] = code;
    json["shortUrl"] = base_ + "/" + std::string(code);
    json["longUrl"] = target_;
    json["dateCreated"] = created_at_;
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }

  void on_created(Created outcome, std::string_view body) override {
    switch (outcome) {
      case Created::Fresh:
      case Created::Replayed:
        return answer(body, outcome == Created::Replayed);
      case Created::SlugTaken: {
        Problem problem = body_problem(409, "non-unique-slug", "Slug taken", "Another link has this customSlug.");
        problem.errors.push_back({"#/customSlug", "another link has it, or had it"});
        return reply_.problem(problem);
      }
      case Created::KeyMismatch:
        return reply_.problem(body_problem(422, "idempotency-key-mismatch", "Idempotency-Key used before",
                                           "This Idempotency-Key was used for another request."));
      case Created::InProgress: {
        Problem problem = body_problem(409, "idempotency-in-progress", "Still in progress",
                                       "The first request with this Idempotency-Key has no outcome yet.");
        problem.retry_after_seconds = 1;
        return reply_.problem(problem);
      }
      case Created::Unavailable:
        return reply_.problem(unavailable("Links cannot be created at the moment. Try again.", kRetryAfterSeconds));
    }
  }

 private:
  void answer(std::string_view body, bool is_replayed) {
    std::string location;
    const Json json = Json::parse(body, nullptr, false);
    if (json.is_object() && json.contains("shortUrl") && json["shortUrl"].is_string()) {
      location = json["shortUrl"].get<std::string>();
    }
    const Field to{.name = "Location", .value = location, .id = FieldId::Other};
    const Field no_store{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other};
    const Field replayed{.name = "Idempotent-Replayed", .value = "true", .id = FieldId::Other};
    if (is_replayed) return reply_.send(201, "application/json", {to, no_store, replayed}, body);
    reply_.send(201, "application/json", {to, no_store}, body);
  }

  Reply reply_;
  std::string base_;
  std::string target_;
  std::string created_at_;
};

class LinksApi::Deleting final : public DeleteUser {
 public:
  explicit Deleting(Reply reply) : reply_(std::move(reply)) {}

  void on_deleted(Deleted outcome) override {
    switch (outcome) {
      case Deleted::Done:
        return reply_.send(204, {}, {}, {});
      case Deleted::NotFound:
        return reply_.problem(not_found());
      case Deleted::Unavailable:
        return reply_.problem(unavailable("Links cannot be deleted at the moment. Try again.", kRetryAfterSeconds));
    }
  }

 private:
  Reply reply_;
};

LinksApi::LinksApi(LinkWriter& writer, std::string public_url, std::size_t body_bytes_max)
    : writer_(writer), public_url_(std::move(public_url)), body_bytes_max_(body_bytes_max) {
  const auto origin = origin_of(public_url_);
  if (!origin) return;
  public_origins_.push_back(*origin);
  // Who serves one of the usual ports serves, or redirects, the other one too.
  if (origin->port == 443) public_origins_.push_back({.host = origin->host, .port = 80});
  if (origin->port == 80) public_origins_.push_back({.host = origin->host, .port = 443});
}

void LinksApi::create(const HttpRequest& request, Reply reply) {
  const Field* type = request.head.find(FieldId::ContentType);
  if (type == nullptr || !is_json(type->value)) {
    return reply.problem(body_problem(415, "unsupported-media-type", "Unsupported media type",
                                      "The body must be JSON, and Content-Type must say application/json."));
  }
  if (request.body.size() > body_bytes_max_) {
    return reply.problem(body_problem(413, "content-too-large", "Content too large",
                                      "The body is larger than " + std::to_string(body_bytes_max_) + " bytes."));
  }
  const Field* key_field = request.head.find(FieldId::IdempotencyKey);
  std::optional<std::string> key;
  if (key_field != nullptr) {
    key = parse_idempotency_key(key_field->value);
    if (!key) {
      return reply.problem(body_problem(400, "invalid-idempotency-key", "Invalid Idempotency-Key",
                                        "An Idempotency-Key has 1 to 255 visible characters of ASCII."));
    }
  }
  std::vector<Origin> own_origins = public_origins_;
  if (const auto asked = origin_of_host(request.head.host)) own_origins.push_back(*asked);
  auto parsed = parse_create(request.body, own_origins);
  if (!parsed) return reply.problem(bad_data(std::move(parsed.error())));

  std::string base = public_url_;
  if (base.empty() && !request.head.host.empty()) base = "http://" + std::string(request.head.host);
  NewLink link{.target = parsed->target,
               .slug = parsed->slug,
               .created_at = rfc3339(std::chrono::system_clock::now()),
               .key = key.value_or(""),
               .scope = key ? "anonymous" : "",
               .fingerprint = parsed->fingerprint};
  reply.keep(request);
  auto user = std::make_unique<Creating>(std::move(reply), std::move(base), *parsed, link.created_at);
  writer_.create(std::move(link), std::move(user));
}

void LinksApi::remove(const HttpRequest& request, Reply reply, std::string_view code) {
  if (!is_code(code)) return reply.problem(not_found());
  reply.keep(request);
  writer_.remove(code, std::make_unique<Deleting>(std::move(reply)));
}

}  // namespace holdfast::app
