#include "app/clicks/journal.h"

#include "app/clicks/now.h"
#include "common/assert.h"
#include "common/log.h"
#include "common/units.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace holdfast::app {
namespace {

constexpr std::string_view kSuffix = ".clicks";

std::string last_error() { return std::strerror(errno); }

ClickId random_id() {
  ClickId id{};
  HF_ASSERT(::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size()));
  return id;
}

/// All of a small file; empty where there is none.
std::string read_small(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string text(4096, '\0');
  const ssize_t count = ::read(file, text.data(), text.size());
  ::close(file);
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

/// Goes through a segment that a former run has left: where its whole frames end, and its last number.
bool scan(JournalSegment& segment, std::uint64_t file_bytes) {
  const int file = ::open(segment.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  std::string bytes(file_bytes, '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t count = ::read(file, bytes.data() + have, bytes.size() - have);
    if (count <= 0) break;
    have += static_cast<std::size_t>(count);
  }
  ::close(file);
  std::string_view rest = std::string_view(bytes).substr(0, have);
  const auto header = read_header(rest);
  if (!header) return false;
  rest.remove_prefix(kSegmentHeaderBytes);
  segment.header = *header;
  segment.last = header->first - 1;
  Frame frame;
  while (take_frame(rest, frame) == FrameFound::Whole) segment.last = frame.first + frame.count - 1;
  segment.bytes = have - rest.size();
  return true;
}

}  // namespace

tl::expected<std::unique_ptr<Journal>, std::string> Journal::open(const JournalSettings& settings) {
  std::unique_ptr<Journal> journal(new Journal(settings));
  if (std::string wrong = journal->begin(); !wrong.empty()) return tl::unexpected(std::move(wrong));
  return journal;
}

Journal::~Journal() {
  flush();
  if (output_ != nullptr) output_->forget_first();
  for (const int file : {file_, folder_, lock_}) {
    if (file >= 0) ::close(file);
  }
}

std::string Journal::begin() {
  std::string wrong = lock_folder();
  if (wrong.empty()) wrong = read_identity();
  if (wrong.empty()) wrong = read_segments();
  if (wrong.empty()) wrong = begin_segment();
  pending_.resize(kFrameHeaderBytes);
  return wrong;
}

std::string Journal::lock_folder() {
  const std::string& folder = settings_.folder;
  const std::string advice = "; choose another folder (clicks.folder, CLICKS_FOLDER)";
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) return "the click journal's folder " + folder + " cannot be used: " + last_error() + advice;
  const std::string path = folder + "/lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock_ < 0) return "the click journal's folder " + folder + " cannot be written to: " + last_error() + advice;
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    std::string holder = read_small(path);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return "the click journal in " + folder + " is in use by another process (pid " + holder +
           "); give each instance a folder of its own (clicks.folder, CLICKS_FOLDER)";
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0) {
    return "the click journal's folder " + folder + " cannot be written to: " + last_error() + advice;
  }
  return {};
}

/// The file `instance` holds the instance's id and the last epoch. It is replaced whole.
std::string Journal::read_identity() {
  const std::string path = settings_.folder + "/instance";
  const std::string text = read_small(path);
  const auto blank = text.find(' ');
  const auto known = id_from_text(text.substr(0, blank));
  source_.instance = known ? *known : random_id();
  std::uint64_t before = 0;
  if (known && blank != std::string::npos) before = std::strtoull(text.c_str() + blank + 1, nullptr, 10);
  // Larger than every one before, even where the file or the clock was set back.
  source_.epoch = std::max(before + 1, static_cast<std::uint64_t>(now_ms()));
  const std::string next = uuid_text(source_.instance) + " " + std::to_string(source_.epoch) + "\n";
  const int file = ::open((path + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  const bool is_written =
      file >= 0 && ::write(file, next.data(), next.size()) == static_cast<ssize_t>(next.size()) && ::fsync(file) == 0;
  const std::string wrong = is_written ? "" : path + " cannot be written: " + last_error();
  if (file >= 0) ::close(file);
  if (!wrong.empty()) return wrong;
  if (::rename((path + ".new").c_str(), path.c_str()) != 0) return path + " cannot be written: " + last_error();
  ::fsync(folder_);
  return {};
}

std::string Journal::read_segments() {
  DIR* listing = ::opendir(settings_.folder.c_str());
  if (listing == nullptr) return settings_.folder + " cannot be read: " + last_error();
  while (const dirent* entry = ::readdir(listing)) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(kSuffix)) continue;
    JournalSegment segment;
    segment.path = settings_.folder + "/" + std::string(name);
    struct stat about {};
    if (::stat(segment.path.c_str(), &about) != 0) continue;
    const auto file_bytes = static_cast<std::uint64_t>(about.st_size);
    const bool is_read = scan(segment, file_bytes);
    if (!is_read || segment.bytes < file_bytes) {
      ++damaged_;
      log::warn("click journal: the end of a segment is not whole",
                {{"segment", segment.path}, {"bytes", file_bytes}, {"whole", segment.bytes}});
    }
    if (!is_read || segment.last < segment.header.first) {
      ::unlink(segment.path.c_str());  // nothing in it
      continue;
    }
    segments_.push_back(std::move(segment));
    source_.epoch = std::max(source_.epoch, segments_.back().header.source.epoch + 1);
  }
  ::closedir(listing);
  std::sort(segments_.begin(), segments_.end(), [](const JournalSegment& a, const JournalSegment& b) {
    return std::pair(a.header.source.epoch, a.header.first) < std::pair(b.header.source.epoch, b.header.first);
  });
  std::uint64_t all = 0;
  for (const JournalSegment& segment : segments_) all += segment.bytes;
  bytes_.store(all, std::memory_order_relaxed);
  return {};
}

std::string Journal::begin_segment() {
  JournalSegment segment;
  segment.header = {.source = source_, .first = next_};
  const std::string number = std::to_string(next_);
  segment.path = settings_.folder + "/" + std::to_string(source_.epoch) + "-" +
                 std::string(20 - std::min<std::size_t>(20, number.size()), '0') + number + std::string(kSuffix);
  const int file = ::open(segment.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
  if (file < 0) return segment.path + " cannot be made: " + last_error();
  const std::string header = header_bytes(segment.header);
  if (::write(file, header.data(), header.size()) != static_cast<ssize_t>(header.size())) {
    const std::string wrong = segment.path + " cannot be written: " + last_error();
    ::close(file);
    ::unlink(segment.path.c_str());
    return wrong;
  }
  const std::lock_guard lock(mutex_);
  if (!segments_.empty() && segments_.back().is_active) {
    JournalSegment& before = segments_.back();
    before.is_active = false;
    before.bytes = end_;
    before.last = next_ - 1;
  }
  if (file_ >= 0) {
    if (settings_.fsync != Fsync::Off) ::fdatasync(file_);
    ::close(file_);
  }
  file_ = file;
  end_ = kSegmentHeaderBytes;
  segment.is_active = true;
  segments_.push_back(std::move(segment));
  active_bytes_.store(end_, std::memory_order_release);
  bytes_.fetch_add(kSegmentHeaderBytes, std::memory_order_relaxed);
  return {};
}

void Journal::record(const Click& click, TurnOutput& output) {
  if (pending_count_ == 0) {
    output_ = &output;
    output.run_first(this, [](void* self) { static_cast<Journal*>(self)->flush(); });
  }
  append_record(pending_, click);
  ++pending_count_;
  if (pending_.size() >= kFrameBytesMax / 2) flush();
}

void Journal::flush() {
  if (pending_count_ == 0) return;
  const std::uint32_t count = std::exchange(pending_count_, 0);
  seal_frame(pending_, 0, next_, count);
  if (end_ + pending_.size() > settings_.segment_bytes && end_ > kSegmentHeaderBytes) {
    if (const std::string wrong = begin_segment(); !wrong.empty()) {
      log::warn_limited("click journal: no new segment", settings_.folder, {{"why", wrong}});  // the old one grows on
    }
  }
  if (bytes_.load(std::memory_order_relaxed) + pending_.size() > settings_.bytes_max) make_room();
  if (write_all(pending_)) {
    next_ += count;
    end_ += pending_.size();
    bytes_.fetch_add(pending_.size(), std::memory_order_relaxed);
    active_bytes_.store(end_, std::memory_order_release);
    written_.store(next_ - 1, std::memory_order_release);
    recorded_.add(count);
  } else {
    dropped_disk_.add(count);
  }
  pending_.resize(kFrameHeaderBytes);
}

/// All or nothing: their numbers are given to the next ones where it is nothing.
bool Journal::write_all(std::string_view bytes) {
  ssize_t count = 0;
  do {
    count = ::write(file_, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(bytes.size())) {
    if (settings_.fsync == Fsync::Always) ::fdatasync(file_);
    return true;
  }
  const std::string why = count < 0 ? last_error() : "only a part could be written";
  log::warn_limited("click journal: clicks are lost", settings_.folder,
                    {{"why", why}, {"do", "make room on its disk"}});
  if (count > 0 && ::ftruncate(file_, static_cast<off_t>(end_)) != 0) begin_segment();  // behind the torn frame
  return false;
}

void Journal::make_room() {
  const std::lock_guard lock(mutex_);
  while (!segments_.empty() && !segments_.front().is_active &&
         bytes_.load(std::memory_order_relaxed) + pending_.size() > settings_.bytes_max) {
    const JournalSegment& oldest = segments_.front();
    std::uint64_t from = oldest.header.first;
    for (const auto& [source, upto] : stored_) {
      if (source == oldest.header.source) from = std::max(from, upto + 1);
    }
    const std::uint64_t lost = oldest.last >= from ? oldest.last - from + 1 : 0;
    dropped_full_.fetch_add(lost, std::memory_order_relaxed);
    log::error("click journal is full: its oldest segment is dropped", {{"folder", settings_.folder},
                                                                        {"clicks_lost", lost},
                                                                        {"limit", print_size(settings_.bytes_max)},
                                                                        {"do", "see docs/ops/queue-backed-up.md"}});
    remove_at(0);
  }
}

void Journal::remove_at(std::size_t index) {
  ::unlink(segments_[index].path.c_str());
  bytes_.fetch_sub(segments_[index].bytes, std::memory_order_relaxed);
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
}

std::vector<JournalSegment> Journal::segments() const {
  const std::lock_guard lock(mutex_);
  std::vector<JournalSegment> copy = segments_;
  if (!copy.empty() && copy.back().is_active) {
    copy.back().bytes = active_bytes_.load(std::memory_order_acquire);
    copy.back().last = written_.load(std::memory_order_acquire);
  }
  return copy;
}

void Journal::mark_stored(const ClickSource& source, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  const auto known =
      std::find_if(stored_.begin(), stored_.end(), [&](const auto& each) { return each.first == source; });
  if (known == stored_.end()) {
    stored_.emplace_back(source, sequence);
  } else {
    known->second = std::max(known->second, sequence);
  }
  for (std::size_t i = 0; i < segments_.size();) {
    const JournalSegment& segment = segments_[i];
    if (!segment.is_active && segment.header.source == source && segment.last <= sequence) {
      remove_at(i);
    } else {
      ++i;
    }
  }
}

void Journal::sync() const {
  const auto all = segments();
  if (all.empty()) return;
  const int file = ::open(all.back().path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ::fdatasync(file);
  ::close(file);
}

}  // namespace holdfast::app
