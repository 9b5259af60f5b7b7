#include "app/store/breaker.h"

#include <algorithm>
#include <random>

namespace holdfast::app {

std::chrono::milliseconds Backoff::next(double jitter) {
  const auto pause = next_;
  next_ = std::min(next_ * 2, max_);
  const double kept = static_cast<double>(pause.count()) * (1.0 - jitter / 2);
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(kept));
}

double random_share() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

bool Breaker::allows(TimePoint now) {
  switch (state_) {
    case State::Closed:
      return true;
    case State::Open:
      if (now < retry_at_) return false;
      state_ = State::HalfOpen;
      return true;
    case State::HalfOpen:
      return false;
  }
  return false;
}

void Breaker::on_success() {
  state_ = State::Closed;
  backoff_.reset();
}

void Breaker::on_failure(TimePoint now, double jitter) {
  if (state_ == State::Open) return;
  state_ = State::Open;
  retry_at_ = now + backoff_.next(jitter);
}

std::string_view name_of(Breaker::State state) {
  switch (state) {
    case Breaker::State::Closed:
      return "closed";
    case Breaker::State::Open:
      return "open";
    case Breaker::State::HalfOpen:
      return "half-open";
  }
  return "unknown";
}

}  // namespace holdfast::app
