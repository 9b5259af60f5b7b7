// What is written in one turn of a loop, sent at its end: the peers wake once for a batch of messages instead of once
// for each, which is a good part of what a message costs (measured: docs/bench/lb.md). One buffer serves all
// connections, so that none holds one of its own. Thread: the loop's.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

/// Who has bytes here. It must withdraw() or be sent before it dies.
class TurnWriter {
 public:
  /// Sends `bytes` as far as they go and keeps the rest. Must call nobody else.
  virtual void send_now(std::string_view bytes) = 0;

 protected:
  ~TurnWriter() = default;

 private:
  friend class TurnOutput;
  std::size_t entry_ = 0;  // its place in TurnOutput, counted from 1; 0: it has none
};

class TurnOutput {
 public:
  /// So many messages are sent together at most: it bounds how long the first one waits for the last.
  static constexpr std::size_t kEntriesMax = 64;

  void add(TurnWriter& writer, std::initializer_list<std::string_view> pieces) {
    if (writer.entry_ != 0 && writer.entry_ != entries_.size()) flush(writer);  // bytes of others came between
    if (writer.entry_ == 0) {
      if (entries_.size() == kEntriesMax) flush_all();
      entries_.push_back({&writer, bytes_.size(), 0});
      writer.entry_ = entries_.size();
    }
    for (const std::string_view piece : pieces) bytes_ += piece;
    entries_.back().size = bytes_.size() - entries_.back().from;
  }
  bool has(const TurnWriter& writer) const { return writer.entry_ != 0; }
  /// Bytes of `writer` that are here.
  std::size_t waiting(const TurnWriter& writer) const {
    return writer.entry_ == 0 ? 0 : entries_[writer.entry_ - 1].size;
  }

  using First = void (*)(void* owner);
  /// Runs `first(owner)` once, before another byte of this loop leaves, at the latest at the end of this turn. For what
  /// must be on record before its answer is out. One owner a loop; it must call forget_first() before it dies.
  void run_first(void* owner, First first) {
    first_owner_ = owner;
    first_ = first;
  }
  void forget_first() { first_ = nullptr; }
  /// Who sends bytes past this buffer calls this before.
  void before_sending() {
    if (first_ != nullptr) std::exchange(first_, nullptr)(first_owner_);
  }

  /// Sends what `writer` has here now.
  void flush(TurnWriter& writer) {
    before_sending();
    if (writer.entry_ == 0) return;
    const Entry entry = take(writer);
    writer.send_now(std::string_view(bytes_).substr(entry.from, entry.size));
  }
  /// Forgets what `writer` has here.
  void withdraw(TurnWriter& writer) {
    if (writer.entry_ != 0) take(writer);
  }
  void flush_all() {
    before_sending();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].writer != nullptr) flush(*entries_[i].writer);
    }
    entries_.clear();
    bytes_.clear();
  }

 private:
  struct Entry {
    TurnWriter* writer;  // null once sent or withdrawn
    std::size_t from;
    std::size_t size;
  };
  Entry take(TurnWriter& writer) {
    Entry& entry = entries_[writer.entry_ - 1];
    const Entry taken = entry;
    entry.writer = nullptr;
    writer.entry_ = 0;
    return taken;
  }

  std::string bytes_;
  std::vector<Entry> entries_;
  void* first_owner_ = nullptr;
  First first_ = nullptr;
};

}  // namespace holdfast
