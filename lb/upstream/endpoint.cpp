#include "lb/upstream/endpoint.h"

#include <utility>

namespace holdfast::lb {

Endpoint::~Endpoint() { close_idle(); }

std::unique_ptr<UpstreamConnection> Endpoint::take_idle() {
  UpstreamConnection* newest = idle_.front();
  if (newest == nullptr) return nullptr;
  newest->idle_timeout_.disarm();
  newest->is_idle_ = false;
  busy_.push_back(*newest);  // and out of the other list by that
  --idle_count_;
  counters_.connections_idle.add(-1);
  counters_.connections_active.add(1);
  counters_.connections_reused.add();
  return std::unique_ptr<UpstreamConnection>(newest);
}

std::unique_ptr<UpstreamConnection> Endpoint::make() {
  auto connection = std::make_unique<UpstreamConnection>(loop_, *this, limits_, scratch_);
  busy_.push_back(*connection);
  return connection;
}

void Endpoint::give(std::unique_ptr<UpstreamConnection> connection) {
  const State state = server_.state();
  const bool is_leaving = state == State::Draining || state == State::Down;  // there will be no use for it
  // First of all is_retired_: the settings of an endpoint that a reload removed may be gone.
  if (is_retired_ || is_leaving || settings_->max_idle == 0) return drop(std::move(connection));
  if (idle_count_ >= settings_->max_idle) discard(*idle_.back());
  connection->rest();
  timeouts_idle_.arm(connection->idle_timeout_, settings_->idle_timeout);
  ++idle_count_;
  connection->is_idle_ = true;
  counters_.connections_active.add(-1);
  counters_.connections_idle.add(1);
  idle_.push_front(*connection.release());
}

void Endpoint::drop(std::unique_ptr<UpstreamConnection> connection) {
  connection->close();
  loop_.retire(std::move(connection));
}

void Endpoint::discard(UpstreamConnection& connection) {
  connection.close();
  loop_.retire(std::unique_ptr<UpstreamConnection>(&connection));
}

void Endpoint::close_idle() {
  while (UpstreamConnection* connection = idle_.front()) discard(*connection);
}

void Endpoint::take(const ConnectionSettings& settings) {
  settings_ = &settings;
  while (idle_count_ > settings.max_idle) discard(*idle_.back());
}

void Endpoint::retire() {
  is_retired_ = true;
  close_idle();
}

void Endpoint::tell_server_out() {
  UpstreamConnection* next = nullptr;
  for (UpstreamConnection* one = busy_.front(); one != nullptr; one = next) {
    next = busy_.next(*one);
    if (one->receiver_ != nullptr) one->receiver_->on_server_out();
  }
}

void Endpoint::on_closed(UpstreamConnection& connection) {
  connection.unlink();
  if (std::exchange(connection.is_idle_, false)) {
    --idle_count_;
    counters_.connections_idle.add(-1);
  } else {
    counters_.connections_active.add(-1);
  }
}

}  // namespace holdfast::lb
