#include "app/http/links_api.h"

#include "app/http/bulk.h"
#include "app/store/hashes.h"
#include "common/json.h"
#include "common/time_text.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::app {
namespace {

using Json = nlohmann::json;

constexpr int kRetryAfterSeconds = 5;
constexpr std::string_view kJson = "application/json";

/// Nothing where a body may be read.
std::optional<Problem> wrong_with_content_type(std::string_view content_type, bool is_patch) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  if (equals_ignoring_case(type, kJson)) return std::nullopt;
  if (is_patch && equals_ignoring_case(type, "application/merge-patch+json")) return std::nullopt;
  return problem_of(415, "unsupported-media-type", "Unsupported media type",
                    "The body must be JSON, and Content-Type must say application/json.");
}

Problem cannot_write() { return unavailable("Links cannot be written at the moment. Try again.", kRetryAfterSeconds); }

Problem slug_taken() {
  Problem problem = problem_of(409, "non-unique-slug", "Slug taken", "Another link has this customSlug.");
  problem.errors.push_back({"#/customSlug", "another link has it, or had it"});
  return problem;
}

}  // namespace

Problem problem_of(Created outcome) {
  switch (outcome) {
    case Created::KeyMismatch:
      return app::problem_of(422, "idempotency-key-mismatch", "Idempotency-Key used before",
                             "This Idempotency-Key was used for another request.");
    case Created::InProgress:
      return app::problem_of(409, "idempotency-in-progress", "Still in progress",
                             "The first request with this Idempotency-Key has no outcome yet.", 1);
    case Created::SlugTaken:
      return slug_taken();
    case Created::Fresh:
    case Created::Replayed:
    case Created::Unavailable:
      break;
  }
  return cannot_write();
}

class LinksApi::Creating final : public CreateUser {
 public:
  Creating(Reply reply, std::string base) : reply_(std::move(reply)), base_(std::move(base)) {}

  std::string response_for(const StoredLink& link) override { return link_json(link, base_) + "\n"; }

  void on_created(Created outcome, std::string_view body) override {
    if (outcome != Created::Fresh && outcome != Created::Replayed) return reply_.problem(problem_of(outcome));
    if (outcome == Created::Replayed) reply_.add("Idempotency-Replayed", "true");
    std::string location;
    const Json json = parse_json(body);
    if (json.is_object() && json.contains("shortUrl") && json["shortUrl"].is_string()) {
      location = json["shortUrl"].get<std::string>();
    }
    reply_.send(201, kJson,
                {{.name = "Location", .value = location, .id = FieldId::Other},
                 {.name = "ETag", .value = "\"v1\"", .id = FieldId::Other},
                 kNoStore},
                body);
  }

 private:
  Reply reply_;
  std::string base_;
};

class LinksApi::Changing final : public ChangeUser {
 public:
  Changing(Reply reply, std::string base, bool is_deletion)
      : reply_(std::move(reply)), base_(std::move(base)), is_deletion_(is_deletion) {}

  void on_changed(Changed outcome, const StoredLink& link) override {
    switch (outcome) {
      case Changed::Done:
        if (is_deletion_) return reply_.send(204, {}, {}, {});
        reply_.add("ETag", etag_of(link));
        return reply_.send(200, kJson, {kNoStore}, link_json(link, base_) + "\n");
      case Changed::NotFound:
        return reply_.problem(not_found());
      case Changed::Gone:
        return reply_.problem(link_deleted());
      case Changed::Foreign:
        return reply_.problem(foreign_link());
      case Changed::OldVersion:
        return reply_.problem(app::problem_of(412, "precondition-failed", "Changed meanwhile",
                                              "The link has another version than If-Match names: read it again."));
      case Changed::BadRange:
        return reply_.problem(bad_data({{"#/validUntil", "it must be later than validSince"}}));
      case Changed::Unavailable:
        return reply_.problem(cannot_write());
    }
  }

 private:
  Reply reply_;
  std::string base_;
  bool is_deletion_;
};

/// Reads one link: from the replica, and where that does not know it (or knows an older version than it should), from
/// the primary.
class LinksApi::Reading final : public PgQuery {
 public:
  Reading(LinksApi& api, ApiCall call, bool is_primary)
      : PgQuery(Statement::ReadLink), api_(api), call_(std::move(call)), is_primary_(is_primary) {
    add(call_.code);
  }

  static void ask(LinksApi& api, ApiCall call) {
    // What was just written is to be read: its writer is the one who asks. The primary is asked while it is there.
    const bool is_primary = api.primary_.is_available();
    Postgres& database = is_primary ? api.primary_ : api.replicas_.server();
    database.send(std::make_unique<Reading>(api, std::move(call), is_primary), api.settings_.deadline);
  }

  void on_answer(const PgAnswer& answer) override {
    Reply& reply = call_.reply;
    if (!answer.is_ok())
      return reply.problem(unavailable("The link cannot be read at the moment.", kRetryAfterSeconds));
    if (answer.rows() == 0) {
      return reply.problem(is_primary_ ? not_found()
                                       : unavailable("Whether this link exists cannot be told at the "
                                                     "moment. Try again.",
                                                     kRetryAfterSeconds));
    }
    if (answer.is_true(0, 0)) return reply.problem(link_deleted());
    const StoredLink link = read_link(answer, 0, 1);
    if (!call_.caller.owner().empty() && link.owner != call_.caller.owner()) return reply.problem(foreign_link());
    const std::string etag = etag_of(link);
    reply.add("ETag", etag);
    if (call_.if_none_match == etag) return reply.send(304, {}, {kNoStore}, {});
    reply.send(200, kJson, {kNoStore}, link_json(link, api_.base_for(call_.host)) + "\n");
  }

 private:
  LinksApi& api_;
  ApiCall call_;
  bool is_primary_;
};

/// Looks for a link that leads there already; where there is none, one is made.
class LinksApi::Finding final : public PgQuery {
 public:
  Finding(LinksApi& api, ApiCall call, NewLink link, OnceKey once)
      : PgQuery(Statement::FindTarget),
        api_(api),
        call_(std::move(call)),
        link_(std::move(link)),
        once_(std::move(once)) {}

  void ask_for(std::string target_sha256) {
    const auto flag = [](bool is_on) { return std::string(is_on ? "true" : "false"); };
    add("\\x" + std::move(target_sha256));
    add(call_.caller.key_id);
    add(std::to_string(link_.link.status));
    add(flag(link_.link.forwards_query));
    add(flag(link_.link.is_crawlable));
  }

  void on_answer(const PgAnswer& answer) override {
    if (!answer.is_ok()) return call_.reply.problem(cannot_write());
    if (answer.rows() == 0) return api_.really_create(std::move(call_), std::move(link_), std::move(once_));
    const StoredLink link = read_link(answer, 0);
    call_.reply.add("ETag", etag_of(link));
    call_.reply.send(200, kJson, {kNoStore}, link_json(link, api_.base_for(call_.host)) + "\n");
  }

 private:
  LinksApi& api_;
  ApiCall call_;
  NewLink link_;
  OnceKey once_;
};

LinksApi::LinksApi(Loop& loop, LinkWriter& writer, Replicas& replicas, Postgres& primary, LinksApiSettings settings)
    : next_turn_(loop), writer_(writer), replicas_(replicas), primary_(primary), settings_(std::move(settings)) {
  const auto origin = origin_of(settings_.public_url);
  if (!origin) return;
  public_origins_.push_back(*origin);
  // Who serves one of the usual ports serves, or redirects, the other one too.
  if (origin->port == 443) public_origins_.push_back({.host = origin->host, .port = 80});
  if (origin->port == 80) public_origins_.push_back({.host = origin->host, .port = 443});
}

std::string LinksApi::base_for(std::string_view host) const {
  if (!settings_.public_url.empty() || host.empty()) return settings_.public_url;
  return "http://" + std::string(host);
}

TargetRules LinksApi::rules_for(const ApiCall& call) const {
  TargetRules rules{
      .bytes_max = settings_.target_bytes_max, .own_origins = public_origins_, .blocklist = settings_.blocklist};
  if (const auto asked = origin_of_host(call.host)) rules.own_origins.push_back(*asked);
  return rules;
}

NewLink LinksApi::new_link(LinkRequest&& request, const ApiCall& call, const std::string& now) const {
  NewLink link{.link = std::move(request.link),
               .code_length = request.code_length == 0 ? settings_.code_length : request.code_length};
  link.link.created_at = now;
  link.link.owner = call.caller.key_id;
  return link;
}

void LinksApi::create(ApiCall call) {
  if (auto problem = wrong_with_content_type(call.content_type, false)) return call.reply.problem(*problem);
  auto request = parse_link(call.body, LinkBody::Create, rules_for(call));
  if (!request) return call.reply.problem(bad_data(std::move(request.error())));
  OnceKey once{
      .key = call.idempotency_key.value_or(""), .scope = call.caller.scope(), .fingerprint = request->fingerprint};
  const bool finds_existing = request->finds_existing && request->link.code.empty();
  NewLink link = new_link(std::move(*request), call, rfc3339(std::chrono::system_clock::now()));
  if (!finds_existing) return really_create(std::move(call), std::move(link), std::move(once));
  const std::string hash = sha256_hex(link.link.target);
  auto query = std::make_unique<Finding>(*this, std::move(call), std::move(link), std::move(once));
  query->ask_for(hash);
  primary_.send(std::move(query), settings_.deadline);
}

void LinksApi::really_create(ApiCall call, NewLink link, OnceKey once) {
  std::string base = base_for(call.host);
  writer_.create(std::move(link), std::move(once), std::make_unique<Creating>(std::move(call.reply), std::move(base)));
}

void LinksApi::create_many(ApiCall call) {
  if (auto problem = wrong_with_content_type(call.content_type, false)) return call.reply.problem(*problem);
  auto reader = ManyReader::open(call.body);
  if (!reader) return call.reply.problem(bad_data(std::move(reader.error())));
  std::make_shared<Bulk>(*this, std::move(call), std::move(*reader))->judge();
}

void LinksApi::read(ApiCall call) { Reading::ask(*this, std::move(call)); }

void LinksApi::change(ApiCall call) {
  if (auto problem = wrong_with_content_type(call.content_type, true)) return call.reply.problem(*problem);
  std::string version;
  if (!call.if_match.empty()) {
    const auto named = version_of_etag(call.if_match);
    if (!named)
      return call.reply.problem(app::problem_of(412, "precondition-failed", "No such version",
                                                "If-Match must be an ETag of this link, or *."));
    version = *named;
  } else if (settings_.requires_if_match) {
    return call.reply.problem(app::problem_of(428, "precondition-required", "Precondition required",
                                              "A change must name the version that it is for: If-Match."));
  }
  const auto request = parse_link(call.body, LinkBody::Change, rules_for(call));
  if (!request) return call.reply.problem(bad_data(request.error()));
  const std::string owner = call.caller.owner();
  auto user = std::make_unique<Changing>(std::move(call.reply), base_for(call.host), false);
  writer_.change(call.code, request->columns, std::move(version), owner, std::move(user));
}

void LinksApi::remove(ApiCall call) {
  const std::string owner = call.caller.owner();
  writer_.remove(call.code, owner, std::make_unique<Changing>(std::move(call.reply), std::string(), true));
}

}  // namespace holdfast::app
