#include "app/http/bulk.h"

#include "common/time_text.h"

#include <algorithm>
#include <utility>

namespace holdfast::app {

class LinksApi::Bulk::Written final : public CreateManyUser {
 public:
  explicit Written(std::shared_ptr<Bulk> bulk) : bulk_(std::move(bulk)) {}
  void on_created_many(Created outcome, std::string_view created_at, std::span<const std::string> codes) override {
    bulk_->on_written(outcome, created_at, codes);
  }

 private:
  std::shared_ptr<Bulk> bulk_;
};

LinksApi::Bulk::Bulk(LinksApi& api, ApiCall call, ManyReader reader)
    : api_(api),
      call_(std::move(call)),
      reader_(std::move(reader)),
      rules_(api.rules_for(call_)),
      base_(api.base_for(call_.host)),
      now_(rfc3339(std::chrono::system_clock::now())) {}

/// In the next turn.
void LinksApi::Bulk::soon(void (Bulk::*step)()) {
  api_.next_turn_.post([self = shared_from_this(), step] { ((*self).*step)(); });
}

void LinksApi::Bulk::judge() {
  for (std::size_t i = 0; i < kAtOnce && reader_.has_next(); ++i) {
    auto request = reader_.next(rules_);
    if (!request) {
      links_.push_back(tl::unexpected(std::move(request.error())));
      continue;
    }
    NewLink link = api_.new_link(std::move(*request), call_, now_);
    links_.emplace_back(link.link);
    wanted_.add(std::move(link));
  }
  reader_.has_next() ? soon(&Bulk::judge) : write();
}

void LinksApi::Bulk::write() {
  if (wanted_.size() == 0) return on_written(Created::Fresh, now_, {});
  OnceKey once{
      .key = call_.idempotency_key.value_or(""), .scope = call_.caller.scope(), .fingerprint = reader_.fingerprint()};
  api_.writer_.create_many(std::move(wanted_), std::move(once), std::make_unique<Written>(shared_from_this()));
}

void LinksApi::Bulk::on_written(Created outcome, std::string_view created_at, std::span<const std::string> codes) {
  if (outcome != Created::Fresh && outcome != Created::Replayed) return call_.reply.problem(problem_of(outcome));
  if (outcome == Created::Replayed) call_.reply.add("Idempotency-Replayed", "true");
  created_at_ = created_at;
  codes_.assign(codes.begin(), codes.end());
  answer();
}

void LinksApi::Bulk::answer() {
  const std::size_t end = std::min(next_ + kAtOnce, links_.size());
  for (; next_ < end; ++next_) {
    if (next_ > 0) body_ += ',';
    answer_for(links_[next_]);
  }
  if (next_ < links_.size()) return soon(&Bulk::answer);
  call_.reply.send(200, "application/json", {kNoStore}, body_ + "]}\n");
}

void LinksApi::Bulk::answer_for(const tl::expected<StoredLink, std::vector<FieldError>>& wanted) {
  if (!wanted) {
    body_ += failed(bad_data(wanted.error()));
    return;
  }
  StoredLink link = *wanted;
  const std::string& code = codes_[next_code_++];
  if (code.empty()) {  // a slug that is taken; or random codes that all were: hardly ever
    body_ += failed(problem_of(link.code.empty() ? Created::Unavailable : Created::SlugTaken));
    return;
  }
  link.code = code;
  link.created_at = created_at_;
  body_ += R"({"status":201,"link":)" + link_json(link, base_) + '}';
}

std::string LinksApi::Bulk::failed(const Problem& problem) const {
  std::string json = problem_json(problem, call_.reply.problem_base(), {});
  json.pop_back();  // its line's end
  return R"({"status":)" + std::to_string(problem.status) + R"(,"problem":)" + json + '}';
}

}  // namespace holdfast::app
