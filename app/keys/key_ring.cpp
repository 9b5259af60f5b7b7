#include "app/keys/key_ring.h"

#include "app/store/hashes.h"
#include "app/store/number.h"
#include "common/log.h"

#include <memory>
#include <utility>

namespace holdfast::app {
namespace {}  // namespace

class KeyRing::Read final : public PgQuery {
 public:
  Read(KeyRing& ring, bool is_primary) : PgQuery(Statement::ReadKeys), ring_(ring), is_primary_(is_primary) {
    add(std::to_string(ring.version_));
  }
  void on_answer(const PgAnswer& answer) override { ring_.on_answer(answer, is_primary_); }

 private:
  KeyRing& ring_;
  bool is_primary_;
};

KeyRing::KeyRing(Loop& loop, Timeouts& timeouts, const KeyRingSettings& settings, Postgres& primary,
                 std::function<Postgres*()> elsewhere)
    : loop_(loop),
      settings_(settings),
      primary_(primary),
      elsewhere_(std::move(elsewhere)),
      timeouts_(timeouts.add_class()),
      timer_(Timeout::calling<&KeyRing::on_timer>(this)) {}

void KeyRing::start() { on_timer(); }

void KeyRing::on_timer() {
  timeouts_.arm(timer_, settings_.interval);
  if (is_reading_) return;
  const bool is_primary = primary_.is_available();
  Postgres* database = is_primary ? &primary_ : elsewhere_();
  if (database == nullptr) return;
  is_reading_ = true;
  database->send(std::make_unique<Read>(*this, is_primary), settings_.deadline);
}

void KeyRing::on_answer(const PgAnswer& answer, bool is_primary) {
  is_reading_ = false;
  if (!answer.is_ok() || answer.rows() == 0) {
    if (answer.status() == PgStatus::Bug) log::warn_limited("API keys cannot be read", "keys", {{"why", answer.why()}});
    return;
  }
  const std::int64_t version = number_of(answer.text(0, 0));
  if (!is_primary && version < version_) return;  // a replica that is behind: what is known here is newer
  read_at_ = loop_.now();
  if (version == version_) return;
  keys_.clear();
  for (int row = 0; row < answer.rows(); ++row) {
    if (answer.is_null(row, 1)) continue;
    ApiKey key{.id = std::string(answer.text(row, 2)),
               .scopes = parse_scopes(answer.text(row, 3)).value_or(Scopes{}),
               .expires_at = std::chrono::system_clock::time_point::max()};
    if (!answer.is_null(row, 4)) {
      key.expires_at = std::chrono::system_clock::time_point(std::chrono::milliseconds(number_of(answer.text(row, 4))));
    }
    keys_.emplace(answer.text(row, 1), std::move(key));
  }
  version_ = version;
  log::info("API keys read", {{"keys", keys_.size()}, {"version", version_}});
}

KeyRing::Judged KeyRing::judge(std::string_view key, std::chrono::system_clock::time_point now) const {
  if (version_ == 0 || loop_.now() - read_at_ > settings_.stale_max) return {.verdict = Verdict::Unknown};
  if (!is_api_key(key)) return {.verdict = Verdict::Invalid};
  const auto found = keys_.find(sha256_hex(key));
  if (found == keys_.end() || found->second.expires_at <= now) return {.verdict = Verdict::Invalid};
  return {.verdict = Verdict::Valid, .key = &found->second};
}

}  // namespace holdfast::app
