#include "app/clicks/journal.h"

#include "common/log.h"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>

namespace holdfast::app {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

JournalReader::~JournalReader() {
  if (file_ >= 0) ::close(file_);
}

void JournalReader::rewind() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  segment_ = {};
  buffer_.clear();
  used_ = 0;
}

/// The oldest segment behind the one that was read. What was removed meanwhile is passed over.
bool JournalReader::open_next() {
  const auto place = [](const JournalSegment& one) { return std::pair(one.header.source.epoch, one.header.first); };
  for (JournalSegment& segment : std::vector<JournalSegment>(journal_.segments())) {
    if (place(segment) <= place(segment_)) continue;
    const int file = ::open(segment.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    if (file_ >= 0) ::close(file_);
    file_ = file;
    at_ = kSegmentHeaderBytes;
    buffer_.clear();
    used_ = 0;
    segment_ = std::move(segment);
    return true;
  }
  return false;
}

/// Reads on in the open segment; false where it has no more.
bool JournalReader::fill() {
  if (segment_.is_active) {
    const auto all = journal_.segments();
    const auto now = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.path == segment_.path; });
    if (now != all.end()) {
      segment_ = *now;
    } else {
      segment_.is_active = false;  // it was removed: nobody needs the rest
      return false;
    }
  }
  if (at_ >= segment_.bytes) return false;
  buffer_.erase(0, used_);
  used_ = 0;
  const std::size_t before = buffer_.size();
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(segment_.bytes - at_, kReadBytes));
  buffer_.resize(before + wanted);
  const ssize_t count = ::pread(file_, buffer_.data() + before, wanted, static_cast<off_t>(at_));
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  at_ += static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
  return count > 0;
}

bool JournalReader::next(ClickSource& source, Frame& frame) {
  for (;;) {
    if (file_ >= 0) {
      std::string_view rest = std::string_view(buffer_).substr(used_);
      const std::size_t before = rest.size();
      const FrameFound found = take_frame(rest, frame);
      if (found == FrameFound::Whole) {
        used_ += before - rest.size();
        source = segment_.header.source;
        return true;
      }
      if (found == FrameFound::End && fill()) continue;
      if (found == FrameFound::Damaged) {
        log::error("click journal: a segment is damaged, the rest of it is lost", {{"segment", segment_.path}});
        buffer_.clear();
        used_ = 0;
        at_ = segment_.bytes;
      } else if (segment_.is_active) {
        return false;
      }
    }
    if (!open_next()) return false;
  }
}

}  // namespace holdfast::app
