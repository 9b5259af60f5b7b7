#include "common/loop/timeout_wheel.h"

#include <algorithm>
#include <bit>

namespace holdfast {

TimePoint TimeoutWheel::arm(Timeout& timeout, TimePoint deadline) {
  timeout.unlink();
  timeout.deadline_ = deadline;
  return time_of(place(timeout));
}

std::optional<TimePoint> TimeoutWheel::sweep(TimePoint now) {
  const Tick until = floor(now);
  std::optional<Tick> tick = next();
  for (; tick && *tick <= until; tick = next()) {
    swept_ = *tick - 1;
    cascade(*tick);
    swept_ = *tick;
    expire(*tick);
  }
  swept_ = std::max(swept_, until);
  return tick ? std::optional(time_of(*tick)) : std::nullopt;
}

/// Returns the tick at which the slot of `timeout` is to be looked at.
TimeoutWheel::Tick TimeoutWheel::place(Timeout& timeout) {
  const auto top = static_cast<unsigned>(levels_.size() - 1);
  Tick tick = std::max(ceil(timeout.deadline_), swept_ + 1);
  unsigned level = 0;
  const auto distance = [&] { return (tick >> (kSlotBits * level)) - (swept_ >> (kSlotBits * level)); };
  while (level < top && distance() > kSlots) ++level;
  if (distance() > kSlots) tick = ((swept_ >> (kSlotBits * top)) + kSlots) << (kSlotBits * top);
  const Tick block = tick >> (kSlotBits * level);
  levels_[level].slots[block % kSlots].push_back(timeout);
  levels_[level].maybe_used |= std::uint64_t{1} << (block % kSlots);
  return block << (kSlotBits * level);
}

/// The next tick at which a slot is to be looked at.
std::optional<TimeoutWheel::Tick> TimeoutWheel::next() {
  std::optional<Tick> soonest;
  for (unsigned level = 0; level < levels_.size(); ++level) {
    auto& [slots, maybe_used] = levels_[level];
    const Tick first = (swept_ >> (kSlotBits * level)) + 1;
    while (maybe_used != 0) {
      const auto turned = std::rotr(maybe_used, static_cast<int>(first % kSlots));
      const Tick block = first + static_cast<Tick>(std::countr_zero(turned));
      if (!slots[block % kSlots].empty()) {
        const Tick tick = block << (kSlotBits * level);
        soonest = std::min(soonest.value_or(tick), tick);
        break;
      }
      maybe_used &= ~(std::uint64_t{1} << (block % kSlots));
    }
  }
  return soonest;
}

/// Where a block begins at `tick`, its time-outs go to the levels below.
void TimeoutWheel::cascade(Tick tick) {
  for (auto level = static_cast<unsigned>(levels_.size() - 1); level > 0; --level) {
    if (tick % (Tick{1} << (kSlotBits * level)) != 0) continue;
    auto& slot = levels_[level].slots[(tick >> (kSlotBits * level)) % kSlots];
    while (Timeout* timeout = slot.front()) {
      timeout->unlink();
      place(*timeout);
    }
  }
}

void TimeoutWheel::expire(Tick tick) {
  auto& slot = levels_[0].slots[tick % kSlots];
  while (Timeout* due = slot.front()) {
    if (ceil(due->deadline_) > tick) break;  // armed by one of these, for a turn of the wheel later
    due->unlink();
    due->expired_(due->owner_);
  }
}

}  // namespace holdfast
