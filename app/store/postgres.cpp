#include "app/store/postgres.h"

#include "common/assert.h"

#include <algorithm>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kBreakerFirst = 50ms;
constexpr auto kBreakerMax = 1s;

/// After the last connection was lost, and at the start, statements wait this long for a new one; then they fail at
/// once.
constexpr auto kGrace = 250ms;

constexpr auto kDeadlinePing = 1s;

/// A late answer that lies in the kernel already is waited for, this often.
constexpr int kSparedMax = 3;
constexpr auto kSpared = 1ms;

class Ping final : public PgQuery {
 public:
  Ping() : PgQuery(Statement::Ping) {}
  void on_answer(const PgAnswer&) override {}
};

}  // namespace

std::string_view name_of(PgStatus status) {
  switch (status) {
    case PgStatus::Ok:
      return "ok";
    case PgStatus::UniqueViolation:
      return "unique violation";
    case PgStatus::Conflict:
      return "conflict";
    case PgStatus::Timeout:
      return "timeout";
    case PgStatus::Unavailable:
      return "unavailable";
    case PgStatus::Busy:
      return "busy";
    case PgStatus::Bug:
      return "refused by the server";
  }
  return "unknown";
}

PgStatus status_of(std::string_view sqlstate) {
  if (sqlstate.empty()) return PgStatus::Unavailable;
  if (sqlstate == "23505") return PgStatus::UniqueViolation;
  if (sqlstate == "40001" || sqlstate == "40P01") return PgStatus::Conflict;
  if (sqlstate == "57014") return PgStatus::Timeout;      // statement_timeout
  if (sqlstate == "25006") return PgStatus::Unavailable;  // it has become a replica
  const std::string_view kind = sqlstate.substr(0, 2);
  // Connection, resources, operator's intervention, the system's own trouble.
  if (kind == "08" || kind == "53" || kind == "57" || kind == "58") return PgStatus::Unavailable;
  return PgStatus::Bug;
}

PgQuery::PgQuery(Statement statement) : statement_(statement), timeout_(Timeout::calling<&PgQuery::on_timeout>(this)) {}

void PgQuery::on_timeout() { owner_->on_late(*this); }

Postgres::Slot::Slot(Postgres& owner, Access its_lane)
    : pool(owner),
      lane(its_lane),
      connection(owner.loop_, owner.timeouts_connection_, owner.settings_.connection, *this) {}

Postgres::Postgres(Loop& loop, Timeouts& timeouts, PostgresSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      timeouts_(timeouts.add_class()),
      timeouts_connection_(timeouts.add_class()),
      dependency_(settings_.name),
      breaker_(kBreakerFirst, kBreakerMax),
      pulse_(Timeout::calling<&Postgres::on_pulse>(this)),
      grace_over_(Timeout::calling<&Postgres::on_grace_over>(this)) {
  // The primary's first connections are for writes, a half of them; the replica's are all for reads.
  const std::size_t writers = settings_.connection.is_primary ? (settings_.connections + 1) / 2 : 0;
  for (std::size_t i = 0; i < settings_.connections; ++i) {
    slots_.push_back(std::make_unique<Slot>(*this, i < writers ? Access::Write : Access::Read));
  }
}

Postgres::~Postgres() = default;

void Postgres::start() {
  last_ready_ = loop_.now();
  for (const auto& slot : slots_) slot->connection.start();
  timeouts_connection_.arm(pulse_, settings_.pulse);
  timeouts_connection_.arm(grace_over_, kGrace + 1ms);
}

void Postgres::send(PgQueryPtr query, std::chrono::milliseconds deadline) {
  query->owner_ = this;
  query->deadline_ = deadline;
  if (queue_.size() >= settings_.queued_max) {
    refused_.push_back(std::move(query));
  } else {
    timeouts_.arm(query->timeout_, deadline);
    queue_.push_back(std::move(query));
  }
  dispatch_soon();
}

bool Postgres::is_available() const {
  if (!has_ready() && loop_.now() - last_ready_ > kGrace) return false;
  return breaker_.is_closed() ||
         (breaker_.state() == Breaker::State::Open && loop_.now() >= breaker_.retry_at());  // the trial
}

std::size_t Postgres::in_flight() const {
  std::size_t count = 0;
  for (const auto& slot : slots_) count += slot->connection.in_flight();
  return count;
}

bool Postgres::has_ready() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->connection.is_ready(); });
}

/// A single connection serves both; more are shared out.
bool Postgres::serves(const Slot& slot, Access access) const { return slots_.size() == 1 || slot.lane == access; }

PgConnection* Postgres::roomiest(Access access) {
  PgConnection* best = nullptr;
  for (const auto& slot : slots_) {
    PgConnection& connection = slot->connection;
    if (!serves(*slot, access) || !connection.has_room()) continue;
    if (best == nullptr || connection.in_flight() < best->in_flight()) best = &connection;
  }
  return best;
}

void Postgres::dispatch_soon() {
  if (is_dispatching_soon_) return;
  is_dispatching_soon_ = true;
  loop_.defer(this, [](void* self) { static_cast<Postgres*>(self)->dispatch(); });
}

void Postgres::dispatch() {
  is_dispatching_soon_ = false;
  for (PgQueryPtr& query : std::exchange(refused_, {})) answer_now(std::move(query), PgStatus::Busy);
  const bool is_lost = !has_ready() && loop_.now() - last_ready_ > kGrace;
  std::deque<PgQueryPtr> waiting;
  std::vector<PgQueryPtr> failed;
  for (PgQueryPtr& query : queue_) {
    PgConnection* connection = is_lost ? nullptr : roomiest(info_of(query->statement_).access);
    if (is_lost) {
      failed.push_back(std::move(query));
    } else if (connection == nullptr) {
      waiting.push_back(std::move(query));
    } else if (!breaker_.allows(loop_.now())) {
      failed.push_back(std::move(query));
    } else {
      // From here on the server is measured, not our own queue: its lateness costs it the connection.
      timeouts_.arm(query->timeout_, query->deadline_);
      connection->put(std::move(query));
    }
  }
  queue_ = std::move(waiting);
  for (const auto& slot : slots_) {
    if (slot->connection.is_ready()) slot->connection.flush();
  }
  for (PgQueryPtr& query : failed) answer_now(std::move(query), PgStatus::Unavailable);
}

void Postgres::answer_now(PgQueryPtr query, PgStatus status) {
  query->timeout_.disarm();
  query->on_answer(PgAnswer(status));
}

void Postgres::on_ready() {
  if (!had_ready_) {
    for (const auto& slot : slots_) slot->connection.hurry();
  }
  had_ready_ = true;
  breaker_.on_success();
  dependency_.set(true, {});
  dispatch_soon();
  if (!settings_.connection.channel.empty()) on_notify();
}

void Postgres::on_notify() {
  if (on_notify_) on_notify_();
}

void Postgres::on_down(std::string_view why) {
  ++losses_;
  if (has_ready()) return;
  if (had_ready_) {
    had_ready_ = false;
    last_ready_ = loop_.now();
    timeouts_connection_.arm(grace_over_, kGrace + 1ms);
  }
  dependency_.set(false, why);
}

void Postgres::on_answer(PgQueryPtr query, const PgAnswer& answer) {
  query->timeout_.disarm();
  // A statement that the server refused, or gave up by its own time-out, is an answer all the same.
  if (answer.status() != PgStatus::Unavailable && !(answer.status() == PgStatus::Timeout && answer.is_lost())) {
    breaker_.on_success();
    dependency_.set(true, {});
  } else if (breaker_.state() == Breaker::State::HalfOpen) {
    breaker_.on_failure(loop_.now(), random_share());  // it may have been the trial
  }
  query->on_answer(answer);
  if (!queue_.empty()) dispatch_soon();
}

void Postgres::on_late(PgQuery& query) {
  PgConnection* connection = query.connection_;
  if (connection == nullptr) {  // it never got a connection
    const auto place =
        std::find_if(queue_.begin(), queue_.end(), [&](const auto& each) { return each.get() == &query; });
    HF_ASSERT(place != queue_.end());
    PgQueryPtr owned = std::move(*place);
    queue_.erase(place);
    return answer_now(std::move(owned), PgStatus::Unavailable);
  }
  if (query.times_spared_ < kSparedMax && (query.times_spared_ == 0 || connection->has_unread_bytes())) {
    // After a long turn the loop looks at its clock before it looks at its sockets.
    ++query.times_spared_;
    return timeouts_.arm(query.timeout_, kSpared);
  }
  breaker_.on_failure(loop_.now(), random_share());
  dependency_.set(false, "a statement was not answered in time");
  connection->give_up("a statement was not answered in time", &query);
}

/// A server that hangs is found out before somebody asks it.
void Postgres::on_pulse() {
  timeouts_connection_.arm(pulse_, settings_.pulse);
  for (const auto& slot : slots_) {
    PgConnection& connection = slot->connection;
    if (!connection.is_ready() || connection.in_flight() > 0) continue;
    auto ping = std::make_unique<Ping>();
    ping->owner_ = this;
    timeouts_.arm(ping->timeout_, kDeadlinePing);
    connection.put(std::move(ping));
    connection.flush();
  }
}

}  // namespace holdfast::app
