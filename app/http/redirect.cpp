#include "app/http/redirect.h"

#include <memory>
#include <utility>

namespace holdfast::app {

class RedirectHandler::Waiting final : public LookupWaiter {
 public:
  Waiting(RedirectHandler& handler, Reply reply, std::string_view code, bool is_visit)
      : handler_(handler), reply_(std::move(reply)), code_(code), is_visit_(is_visit) {}
  void on_looked_up(const LookupAnswer& answer) override { handler_.answer(reply_, code_, is_visit_, answer); }

 private:
  RedirectHandler& handler_;
  Reply reply_;
  std::string code_;
  bool is_visit_;
};

void RedirectHandler::handle(const HttpRequest& request, Reply reply, std::string_view code) {
  const bool is_visit = request.head.method == Method::Get;  // a HEAD is a look, not a visit
  LookupAnswer found;
  if (lookup_.find_now(code, found)) return answer(reply, code, is_visit, found);
  reply.keep(request);
  lookup_.find(code, std::make_unique<Waiting>(*this, std::move(reply), code, is_visit));
}

void RedirectHandler::answer(Reply& reply, std::string_view code, bool is_visit, const LookupAnswer& found) {
  switch (found.outcome) {
    case Outcome::Found:
      if (is_visit) visits_.count(code);
      body_ = "<!doctype html><title>Found</title><a href=\"";
      append_escaped(body_, found.target);
      body_ += "\">This way</a>\n";
      return reply.send(302, "text/html; charset=utf-8",
                        {{.name = "Location", .value = found.target, .id = FieldId::Other},
                         {.name = "Cache-Control", .value = "private, max-age=0", .id = FieldId::Other},
                         {.name = "X-Robots-Tag", .value = "noindex", .id = FieldId::Other}},
                        body_);
    case Outcome::Deleted:
      return reply.problem(link_deleted());
    case Outcome::NotFound:
      return reply.problem(not_found());
    case Outcome::Unavailable:
      return reply.problem(unavailable("Whether this link exists cannot be told at the moment. Try again.", 1));
  }
}

}  // namespace holdfast::app
