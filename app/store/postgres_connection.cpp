#include "app/store/postgres_connection.h"

#include "common/assert.h"

#include <poll.h>
#include <algorithm>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kBackoffFirst = 50ms;
constexpr auto kBackoffMax = 1s;
constexpr std::string_view kReadOnly = "25006";

std::string first_line(const char* text) {
  const std::string_view all = text == nullptr ? "" : text;
  return std::string(all.substr(0, all.find('\n')));
}

}  // namespace

/// What libuv holds on to; it outlives the connection by the turn that its closing takes.
struct PgConnection::Poll {
  uv_poll_t handle{};
  PgConnection* connection = nullptr;
  int fd = -1;
  int events = 0;
};

PgConnection::PgConnection(Loop& loop, TimeoutClass& timeouts, const PgConnectionSettings& settings,
                           PgConnectionUser& user)
    : loop_(loop),
      timeouts_(timeouts),
      settings_(settings),
      user_(user),
      resolver_(loop, addresses_of),
      timeout_(Timeout::calling<&PgConnection::on_retry_or_timeout>(this)),
      backoff_(kBackoffFirst, kBackoffMax) {}

PgConnection::~PgConnection() { finish(); }

void PgConnection::start() {
  phase_ = Phase::Resolving;
  timeouts_.arm(timeout_, settings_.timeout_connect);
  hosts_ = settings_.dsn.hosts;
  if (!hosts_.empty()) {
    const auto first = static_cast<std::ptrdiff_t>(attempts_++ % hosts_.size());
    std::rotate(hosts_.begin(), hosts_.begin() + first, hosts_.end());
  }
  resolved_ = 0;
  resolve_next();
}

/// libpq would wait for the names of hosts: it is given addresses. Of several hosts some may have none.
void PgConnection::resolve_next() {
  while (resolved_ < hosts_.size() && is_resolved(hosts_[resolved_].name)) ++resolved_;
  if (resolved_ == hosts_.size()) return connect();
  resolver_.start(hosts_[resolved_].name, [this](const Addresses& found) {
    PgHost& host = hosts_[resolved_];
    const bool is_last_hope = hosts_.size() == 1;
    if (!found && is_last_hope) return give_up("cannot resolve " + host.name + ": " + std::string(found.error().why));
    if (!found) {
      hosts_.erase(hosts_.begin() + static_cast<std::ptrdiff_t>(resolved_));
    } else {
      host.addresses = in_numbers(*found);
      ++resolved_;
    }
    resolve_next();
  });
}

void PgConnection::hurry() {
  if (phase_ == Phase::Waiting && timeout_.is_armed()) timeouts_.arm(timeout_, 0ms);
}

/// With several hosts or addresses libpq tries them one after the other.
void PgConnection::connect() {
  std::vector<const char*> keys;
  std::vector<const char*> values;
  std::string hosts;
  std::string numbers;
  std::string ports;
  const auto add = [&](const char* key, const char* value) {
    keys.push_back(key);
    values.push_back(value);
  };
  add("fallback_application_name", "shortener");
  if (settings_.is_primary) add("target_session_attrs", "read-write");
  for (const auto& [key, value] : settings_.dsn.parameters) {
    const bool is_place = key == "host" || key == "hostaddr" || key == "port";
    if (hosts_.empty() || !is_place) add(key.c_str(), value.c_str());
  }
  const auto add_place = [&](const std::string& name, const std::string& number, const std::string& port) {
    const char* comma = ports.empty() ? "" : ",";
    hosts += comma + name;
    numbers += comma + number;
    ports += comma + port;
  };
  for (const PgHost& host : hosts_) {
    if (host.addresses.empty()) add_place(host.name, host.address, host.port);
    for (const std::string& address : host.addresses) add_place(host.name, address, host.port);
  }
  if (!hosts_.empty()) {
    add("host", hosts.c_str());
    add("hostaddr", numbers.c_str());
    add("port", ports.c_str());
  }
  add("client_encoding", "UTF8");
  add(nullptr, nullptr);

  phase_ = Phase::Connecting;
  pg_ = PQconnectStartParams(keys.data(), values.data(), 0);
  if (pg_ == nullptr || PQstatus(pg_) == CONNECTION_BAD) return give_up(first_line(PQerrorMessage(pg_)));
  PQsetNoticeProcessor(
      pg_, [](void*, const char*) {}, nullptr);
  watch(UV_WRITABLE);
}

void PgConnection::go_on_connecting() {
  unwatch();  // libpq may close this socket and open another, of the same number even
  switch (PQconnectPoll(pg_)) {
    case PGRES_POLLING_READING:
      return watch(UV_READABLE);
    case PGRES_POLLING_WRITING:
      return watch(UV_WRITABLE);
    case PGRES_POLLING_OK:
      return prepare();
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
      return give_up(first_line(PQerrorMessage(pg_)));
  }
}

void PgConnection::prepare() {
  phase_ = Phase::Preparing;
  refused_.clear();
  const std::string limit = std::to_string(settings_.timeout_statement.count());
  const char* value = limit.c_str();
  bool is_put = PQsetnonblocking(pg_, 1) == 0 && PQenterPipelineMode(pg_) == 1 &&
                PQsendQueryParams(pg_,
                                  "SELECT set_config('statement_timeout', $1, false), "
                                  "set_config('idle_in_transaction_session_timeout', '10s', false)",
                                  1, nullptr, &value, nullptr, nullptr, 0) == 1;
  if (!settings_.channel.empty()) {
    const std::string listen = "LISTEN " + settings_.channel;
    is_put = is_put && PQsendQueryParams(pg_, listen.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
  }
  for (const StatementInfo& statement : kStatements) {
    if (statement.access == Access::Write && !settings_.is_primary) continue;
    is_put = is_put && PQsendPrepare(pg_, statement.name, statement.sql, 0, nullptr) == 1;
  }
  if (!is_put || PQpipelineSync(pg_) != 1) return give_up(first_line(PQerrorMessage(pg_)));
  flush();
}

void PgConnection::put(PgQueryPtr query) {
  HF_ASSERT(has_room());
  std::array<const char*, 16> values{};
  HF_ASSERT(query->parameters_.size() <= values.size());
  for (std::size_t i = 0; i < query->parameters_.size(); ++i) values[i] = query->parameters_[i].c_str();
  // Should one of these fail, the connection is broken, and the next flush() says so to all that are in flight.
  if (PQsendQueryPrepared(pg_, info_of(query->statement_).name, static_cast<int>(query->parameters_.size()),
                          values.data(), nullptr, nullptr, 0) == 1) {
    PQpipelineSync(pg_);
  }
  query->connection_ = this;
  in_flight_.push_back(std::move(query));
}

void PgConnection::flush() {
  if (pg_ == nullptr) return;
  const int left = PQflush(pg_);
  if (left < 0 || PQstatus(pg_) == CONNECTION_BAD) return give_up(first_line(PQerrorMessage(pg_)));
  watch(left == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE);
}

void PgConnection::watch(int events) {
  const int fd = PQsocket(pg_);
  if (poll_ != nullptr && poll_->fd != fd) {
    poll_->connection = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
             [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
    poll_ = nullptr;
  }
  if (poll_ == nullptr) {
    auto poll = std::make_unique<Poll>();
    if (uv_poll_init(loop_.uv(), &poll->handle, fd) != 0) return give_up("the loop cannot watch its socket");
    poll_ = poll.release();
    poll_->handle.data = poll_;
    poll_->connection = this;
    poll_->fd = fd;
  }
  if (poll_->events == events) return;
  poll_->events = events;
  uv_poll_start(&poll_->handle, events, [](uv_poll_t* handle, int status, int ready) {
    const Poll* poll = static_cast<Poll*>(handle->data);
    if (poll->connection != nullptr) poll->connection->on_poll(status, ready);
  });
}

void PgConnection::unwatch() {
  if (poll_ == nullptr) return;
  uv_poll_stop(&poll_->handle);
  poll_->events = 0;
}

void PgConnection::on_poll(int status, int events) {
  if (status < 0) poll_->events = 0;  // libuv has stopped watching; bytes may be there all the same, and then the error
  if (phase_ == Phase::Connecting) return go_on_connecting();
  if ((events & UV_WRITABLE) != 0) flush();
  if (pg_ == nullptr) return;
  if (status < 0 || (events & UV_READABLE) != 0) read();  // of a poll that failed libpq finds out why
}

void PgConnection::read() {
  // Of a TLS record that did not fit the rest lies in memory, of which no poll tells: the second call takes it.
  if (PQconsumeInput(pg_) == 0 || (PQsslInUse(pg_) != 0 && PQconsumeInput(pg_) == 0)) {
    return give_up(first_line(PQerrorMessage(pg_)));
  }
  bool was_notified = false;
  while (PGnotify* notice = PQnotifies(pg_)) {
    PQfreemem(notice);
    was_notified = true;
  }
  if (was_notified) user_.on_notify();
  // Between two results stands a null; two in a row mean that there are no more.
  for (int nulls = 0; nulls < 2 && PQisBusy(pg_) == 0;) {
    PGresult* result = PQgetResult(pg_);
    if (result == nullptr) {
      ++nulls;
      continue;
    }
    nulls = 0;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
      PQclear(result);
      on_result(std::exchange(result_, nullptr));
      if (pg_ == nullptr) return;
    } else if (result_ == nullptr) {
      result_ = result;
    } else {
      // While preparing there are many before the Sync: the first that is wrong is the one that counts.
      const bool was_right = PQresultStatus(result_) == PGRES_COMMAND_OK || PQresultStatus(result_) == PGRES_TUPLES_OK;
      PQclear(was_right ? std::exchange(result_, result) : result);
    }
  }
  if (PQstatus(pg_) == CONNECTION_BAD) return give_up(first_line(PQerrorMessage(pg_)));
  flush();
}

/// One Sync came; `result` is what came before it, owned here.
void PgConnection::on_result(const PGresult* result) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> owned(const_cast<PGresult*>(result), &PQclear);
  const ExecStatusType kind = PQresultStatus(result);
  const bool is_right = kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK;
  if (phase_ == Phase::Preparing) {
    if (!is_right) {
      std::string why = first_line(PQresultErrorMessage(result));
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      if (state != nullptr && std::string_view(state).starts_with("42")) why += " (was `shortener migrate` run?)";
      return give_up(why);
    }
    phase_ = Phase::Ready;
    timeout_.disarm();
    backoff_.reset();
    return user_.on_ready();
  }
  HF_ASSERT(!in_flight_.empty());
  PgQueryPtr query = std::move(in_flight_.front());
  in_flight_.pop_front();
  query->connection_ = nullptr;
  if (is_right) return user_.on_answer(std::move(query), PgAnswer(PgStatus::Ok, result));
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view sqlstate = state == nullptr ? "" : state;
  user_.on_answer(std::move(query), PgAnswer(status_of(sqlstate), result));
  // It has become a replica: another host of the list may have become the primary.
  if (sqlstate == kReadOnly && settings_.is_primary && pg_ != nullptr) give_up("it is read-only");
}

bool PgConnection::has_unread_bytes() const {
  if (pg_ == nullptr) return false;
  pollfd question{.fd = PQsocket(pg_), .events = POLLIN, .revents = 0};
  return ::poll(&question, 1, 0) == 1;
}

void PgConnection::on_retry_or_timeout() {
  if (phase_ == Phase::Waiting) return start();
  give_up(phase_ == Phase::Resolving ? "the name was not resolved in time" : "it did not get ready in time");
}

void PgConnection::give_up(std::string_view why, const PgQuery* late) {
  const std::string reason(why.empty() ? "the connection failed" : why);
  finish();
  phase_ = Phase::Waiting;
  timeouts_.arm(timeout_, backoff_.next(random_share()));
  std::deque<PgQueryPtr> lost = std::exchange(in_flight_, {});
  user_.on_down(reason);
  for (PgQueryPtr& query : lost) {
    query->connection_ = nullptr;
    const PgStatus status = query.get() == late ? PgStatus::Timeout : PgStatus::Unavailable;
    user_.on_answer(std::move(query), PgAnswer(status));
  }
}

void PgConnection::finish() {
  resolver_.cancel();
  timeout_.disarm();
  if (poll_ != nullptr) {
    unwatch();  // before libpq closes the socket
    poll_->connection = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
             [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
    poll_ = nullptr;
  }
  PQclear(std::exchange(result_, nullptr));
  PQfinish(std::exchange(pg_, nullptr));
}

}  // namespace holdfast::app
