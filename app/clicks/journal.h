// The clicks of this instance on its own disk, until the database has them. What one turn of the loop records is
// written with one write() before the turn's responses leave: a process that is killed has lost no click that somebody
// was redirected for. Bounded: where nobody takes the clicks away, the oldest segment goes, is counted and logged.
// Thread: record() and flush() the loop's; what is under "Thread: any" any.
#pragma once

#include "app/clicks/segment.h"
#include "app/clicks/settings.h"
#include "common/loop/turn_output.h"
#include "common/metrics/counter.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

/// One file, as a reader needs it.
struct JournalSegment {
  SegmentHeader header;
  std::string path;
  std::uint64_t bytes = 0;  // of whole frames, header included
  std::uint64_t last = 0;   // number of its last click; header.first - 1 where it has none
  bool is_active = false;   // it grows
};

class Journal {
 public:
  /// Opens the folder, makes it where it is missing, and takes it for this process alone. The error is for people.
  static tl::expected<std::unique_ptr<Journal>, std::string> open(const JournalSettings& settings);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Notes a click of this turn; it is on record before `output` sends another byte.
  void record(const Click& click, TurnOutput& output);
  /// Writes what was noted. Called by the output; elsewhere at the end alone.
  void flush();

  // --- Thread: any ---

  const ClickSource& source() const { return source_; }
  /// Oldest first; what record() has written so far can be read. It locks: not for the path of a request.
  std::vector<JournalSegment> segments() const;
  /// The database has all of `source` up to `sequence`: removes the segments that are not needed any more.
  void mark_stored(const ClickSource& source, std::uint64_t sequence);
  /// Brings what was written to the disk.
  void sync() const;

  std::uint64_t written() const { return written_.load(std::memory_order_acquire); }  // number of the last click
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_max() const { return settings_.bytes_max; }
  std::uint64_t recorded() const { return recorded_.value(); }
  /// Clicks that were lost: because the journal was full, or could not be written.
  std::uint64_t dropped_full() const { return dropped_full_.load(std::memory_order_relaxed); }
  std::uint64_t dropped_disk() const { return dropped_disk_.value(); }
  std::uint64_t damaged() const { return damaged_; }  // segments of which an end was lost before this start

 private:
  explicit Journal(const JournalSettings& settings) : settings_(settings) {}

  std::string begin();
  std::string lock_folder();
  std::string read_identity();
  std::string read_segments();
  std::string begin_segment();
  bool write_all(std::string_view bytes);
  void make_room();
  void remove_at(std::size_t index);

  JournalSettings settings_;
  int lock_ = -1;
  int folder_ = -1;
  ClickSource source_;

  // The loop's:
  int file_ = -1;
  std::string pending_;  // one frame under construction, and room for its header
  std::uint32_t pending_count_ = 0;
  std::uint64_t next_ = 1;
  std::uint64_t end_ = 0;  // of the active segment
  TurnOutput* output_ = nullptr;

  mutable std::mutex mutex_;  // at most a few times a second
  std::vector<JournalSegment> segments_;
  std::vector<std::pair<ClickSource, std::uint64_t>> stored_;

  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> active_bytes_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> dropped_full_{0};
  Counter recorded_;
  Counter dropped_disk_;
  std::uint64_t damaged_ = 0;
};

/// Reads a journal from its oldest click on, while it is written.
/// Thread: any, one at a time.
class JournalReader {
 public:
  explicit JournalReader(const Journal& journal) : journal_(journal) {}
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  /// Begins again at the oldest click.
  void rewind();
  /// The next frame, with whose it is; false where there is none yet. Its views are good until the next call.
  bool next(ClickSource& source, Frame& frame);

 private:
  bool open_next();
  bool fill();

  const Journal& journal_;
  JournalSegment segment_;
  int file_ = -1;
  std::uint64_t at_ = 0;  // of the file: what follows buffer_
  std::string buffer_;
  std::size_t used_ = 0;
};

}  // namespace holdfast::app
