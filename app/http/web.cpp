#include "app/http/web.h"

#include "app/http/qr.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

/// Nothing from elsewhere, nothing inline, in nobody's frame.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}  // namespace

class Web::WaitingQr final : public LookupWaiter {
 public:
  WaitingQr(Reply reply, std::string url, QrRequest request)
      : reply_(std::move(reply)), url_(std::move(url)), request_(request) {}

  void on_looked_up(const LookupAnswer& answer) override {
    switch (answer.outcome) {
      case Outcome::Found:
        return send();
      case Outcome::Deleted:
        return reply_.problem(link_deleted());
      case Outcome::NotFound:
        return reply_.problem(not_found());
      case Outcome::Unavailable:
        return reply_.problem(unavailable("Whether this link exists cannot be told at the moment. Try again.", 1));
    }
  }

  void send() {
    const std::string image = qr_image(url_, request_);
    if (image.empty()) return reply_.problem(bad_data({{"?level", "the short URL is too long for it"}}));
    reply_.send(200, request_.is_svg ? "image/svg+xml" : "image/png",
                {{.name = "Cache-Control", .value = "public, max-age=86400", .id = FieldId::Other},
                 {.name = "X-Robots-Tag", .value = "noindex", .id = FieldId::Other},
                 {.name = "X-Content-Type-Options", .value = "nosniff", .id = FieldId::Other},
                 {.name = "Content-Security-Policy", .value = "default-src 'none'", .id = FieldId::Other}},
                image);
  }

 private:
  Reply reply_;
  std::string url_;
  QrRequest request_;
};

void Web::file(const HttpRequest& request, Reply reply) const {
  const auto found = std::find_if(std::begin(kWebFiles), std::end(kWebFiles),
                                  [&](const WebFile& each) { return each.path == request.path; });
  if (found == std::end(kWebFiles)) return reply.problem(not_found());
  reply.send(200, found->content_type,
             {{.name = "Cache-Control", .value = "max-age=60", .id = FieldId::Other},
              {.name = "X-Content-Type-Options", .value = "nosniff", .id = FieldId::Other},
              {.name = "Referrer-Policy", .value = "no-referrer", .id = FieldId::Other},
              {.name = "Content-Security-Policy", .value = kPolicy, .id = FieldId::Other}},
             asset(found->file));
}

void Web::qr(const HttpRequest& request, Reply reply, std::string_view code) {
  auto wanted = parse_qr(request.query);
  if (!wanted) return reply.problem(bad_data(std::move(wanted.error())));
  std::string url = links_.base_for(request.head.host) + "/" + std::string(code);
  reply.keep(request);
  auto waiting = std::make_unique<WaitingQr>(std::move(reply), std::move(url), *wanted);
  LookupAnswer answer;
  if (lookup_.find_now(code, answer)) return waiting->on_looked_up(answer);
  lookup_.find(code, std::move(waiting));
}

}  // namespace holdfast::app
