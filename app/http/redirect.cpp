#include "app/http/redirect.h"

#include "app/http/client_address.h"
#include "common/html.h"

#include <memory>
#include <optional>
#include <utility>

namespace holdfast::app {
namespace {

/// What a cache may do with the redirect: a changed or deleted link is to be noticed soon, whatever its status allows.
std::string_view cache_control(const LinkRules& rules) {
  if (rules.is_counted || rules.valid_until_ms != 0) return "no-store";
  return rules.status == 301 || rules.status == 308 ? "private, max-age=30" : "private, max-age=0";
}

Problem blocked() { return link_closed("short-url-blocked", "This link leads where none may lead from here."); }

}  // namespace

/// A Visit that outlives its request.
struct RedirectHandler::KeptVisit {
  KeptVisit(RedirectHandler& handler, const Visit& visit) : code(visit.code), query(visit.query) {
    if (visit.is_click()) click = visit.request != nullptr ? handler.keep(*visit.request) : *visit.kept;
  }
  Visit view() { return {.code = code, .query = query, .kept = click ? &*click : nullptr}; }

  std::string code;
  std::string query;
  std::optional<KeptClick> click;
};

class RedirectHandler::Waiting final : public LookupWaiter {
 public:
  Waiting(RedirectHandler& handler, Reply reply, const Visit& visit)
      : handler_(handler), reply_(std::move(reply)), visit_(handler, visit) {}
  void on_looked_up(const LookupAnswer& answer) override { handler_.answer(reply_, visit_.view(), answer); }

 private:
  RedirectHandler& handler_;
  Reply reply_;
  KeptVisit visit_;
};

/// One visit of those that a link has: taken on the primary, or not to be had.
class RedirectHandler::Using final : public PgQuery {
 public:
  Using(RedirectHandler& handler, Reply reply, const Visit& visit, const LinkRules& rules, std::string_view target)
      : PgQuery(Statement::UseVisit),
        handler_(handler),
        reply_(std::move(reply)),
        visit_(handler, visit),
        rules_(rules),
        target_(target) {
    add(visit_.code);
    add(visit.is_click() ? "1" : "0");
  }
  void on_answer(const PgAnswer& answer) override {
    if (!answer.is_ok()) {
      return reply_.problem(unavailable("Whether this link may be followed cannot be told at the moment.", 1));
    }
    if (answer.rows() == 0) {
      return reply_.problem(link_closed("short-url-used-up", "This link was followed as often as it may be."));
    }
    handler_.send(reply_, visit_.view(), rules_, target_);
  }

 private:
  RedirectHandler& handler_;
  Reply reply_;
  KeptVisit visit_;
  LinkRules rules_;
  std::string target_;
};

void RedirectHandler::handle(const HttpRequest& request, Reply reply, std::string_view code) {
  const Visit visit{.code = code, .query = request.query, .request = &request};
  LookupAnswer found;
  if (lookup_.find_now(code, found)) return answer(reply, visit, found);
  reply.keep(request);
  lookup_.find(code, std::make_unique<Waiting>(*this, std::move(reply), visit));
}

void RedirectHandler::answer(Reply& reply, const Visit& visit, const LookupAnswer& found) {
  switch (found.outcome) {
    case Outcome::Found:
      return follow(reply, visit, found.target);
    case Outcome::Deleted:
      return reply.problem(link_deleted());
    case Outcome::NotFound:
      return reply.problem(not_found());
    case Outcome::Unavailable:
      return reply.problem(unavailable("Whether this link exists cannot be told at the moment. Try again.", 1));
  }
}

void RedirectHandler::follow(Reply& reply, const Visit& visit, std::string_view value) {
  if (!value.starts_with('=')) {
    if (blocklist_.has_target(value)) return reply.problem(blocked());
    return send(reply, visit, {}, value);
  }
  const auto link = unpacked(value);
  if (!link) return reply.problem(unavailable("This link cannot be followed at the moment. Try again.", 1));
  if (blocklist_.has_target(link->target)) return reply.problem(blocked());
  switch (validity_of(link->rules, std::chrono::system_clock::now())) {
    case Validity::Valid:
      break;
    case Validity::Disabled:
      return reply.problem(link_closed("short-url-disabled", "This link is switched off."));
    case Validity::TooEarly:
      return reply.problem(link_closed("short-url-not-yet-valid", "This link is not valid yet."));
    case Validity::Expired:
      return reply.problem(link_closed("short-url-expired", "This link is no longer valid."));
  }
  if (!link->rules.is_counted) return send(reply, visit, link->rules, link->target);
  reply.keep_answer();
  primary_.send(std::make_unique<Using>(*this, std::move(reply), visit, link->rules, link->target), deadline_);
}

KeptClick RedirectHandler::keep(const HttpRequest& request) { return clicks_.keep(request, origin_of(request)); }

ClickOrigin RedirectHandler::origin_of(const HttpRequest& request) const {
  if (!clicks_.is_recording()) return {};
  return {.client = client_of(request, trusted_proxies_), .is_by_proxy = is_from_proxy(request, trusted_proxies_)};
}

/// It is written before the response leaves, with one write for all of this turn.
void RedirectHandler::record(const Visit& visit) {
  if (!visit.is_click()) return;
  if (visit.request == nullptr) return clicks_.record(*visit.kept, visit.code);
  clicks_.record(*visit.request, origin_of(*visit.request), visit.code);
}

void RedirectHandler::send(Reply& reply, const Visit& visit, const LinkRules& rules, std::string_view target) {
  record(visit);
  std::string with_visitors;
  if (rules.forwards_query && !visit.query.empty()) {
    with_visitors = with_query(target, visit.query);
    target = with_visitors;
  }
  body_ = "<!doctype html><title>Found</title><a href=\"";
  append_html(body_, target);
  body_ += "\">This way</a>\n";
  const Field location{.name = "Location", .value = target, .id = FieldId::Other};
  const Field caching{.name = "Cache-Control", .value = cache_control(rules), .id = FieldId::Other};
  if (rules.is_crawlable) return reply.send(rules.status, "text/html; charset=utf-8", {location, caching}, body_);
  reply.send(rules.status, "text/html; charset=utf-8",
             {location, caching, {.name = "X-Robots-Tag", .value = "noindex", .id = FieldId::Other}}, body_);
}

}  // namespace holdfast::app
