#include "lb/access_log/access_log.h"

#include "common/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>

namespace holdfast::lb {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// A worker's lines may wait here for the disk: some 2,500 of them.
constexpr std::size_t kRingBytes = 1024 * 1024;
/// The writing thread looks every so often, and is called where so much has come meanwhile.
constexpr int kWriteEveryMs = 200;
constexpr std::size_t kCallAfterBytes = 64 * 1024;
/// At the end, what is left has so long.
constexpr auto kEndWithin = 1s;

tl::unexpected<Error> cannot_open(int error_number) {
  const auto because = [error_number](std::string_view why) {
    return failure(Code::Internal, Side::Self, why, -error_number);
  };
  switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
      return because("not permitted");
    case ENOENT:
      return because("there is no such folder");
    case EISDIR:
      return because("it is a folder");
    case EBADF:
      return because("it is closed");
    case ENXIO:
      return because("nobody reads that pipe");
    default:
      return because("it could not be opened");
  }
}

int open_file(const std::string& to) {
  if (to == kAccessToStdout) return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  // Not blocking: a named pipe that nobody reads would otherwise be waited for.
  return ::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

bool is_regular(int file) {
  struct stat facts {};
  return fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
}

/// What one write() may have: all of it to a file; to a pipe so much as goes in one piece once it is ready (pipe(7)),
/// and so never waits, in whole lines where that can be.
std::string_view writable_piece(std::string_view bytes, bool is_regular_file) {
  if (is_regular_file || bytes.size() <= PIPE_BUF) return bytes;
  const std::size_t line_end = bytes.substr(0, PIPE_BUF).rfind('\n');
  return bytes.substr(0, line_end == std::string_view::npos ? PIPE_BUF : line_end + 1);
}

}  // namespace

AccessLogChannel::AccessLogChannel(AccessFormat format, int wake_fd)
    : format_(format), wake_fd_(wake_fd), ring_(kRingBytes) {}

void AccessLogChannel::write(const AccessEntry& entry) {
  line_.clear();
  append_line(line_, format_, entry, std::chrono::system_clock::now(), second_);
  if (!ring_.push(line_)) return dropped.add();
  lines.add();
  uncalled_bytes_ += line_.size();
  if (uncalled_bytes_ < kCallAfterBytes) return;
  uncalled_bytes_ = 0;
  eventfd_write(wake_fd_, 1);
}

Result<void> AccessLog::check(const AccessLogSettings& settings) {
  if (settings.to.empty()) return {};
  if (settings.to == kAccessToStdout) {
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) return cannot_open(errno);
    return {};
  }
  struct stat facts {};
  if (stat(settings.to.c_str(), &facts) == 0) {
    if (S_ISDIR(facts.st_mode)) return cannot_open(EISDIR);
    if (faccessat(AT_FDCWD, settings.to.c_str(), W_OK, AT_EACCESS) != 0) return cannot_open(errno);
    return {};
  }
  if (errno != ENOENT) return cannot_open(errno);
  const auto slash = settings.to.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : settings.to.substr(0, slash + 1);
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return cannot_open(errno);
  if (settings.to.ends_with('/')) return cannot_open(EISDIR);
  return {};
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const AccessLogSettings& settings, std::size_t worker_count) {
  if (settings.to.empty()) return nullptr;
  const int file = open_file(settings.to);
  if (file < 0) return cannot_open(errno);
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    const int error_number = errno;
    ::close(file);
    return cannot_open(error_number);
  }
  return std::unique_ptr<AccessLog>(new AccessLog(settings, worker_count, file, wake_fd));
}

AccessLog::AccessLog(const AccessLogSettings& settings, std::size_t worker_count, int file, int wake_fd)
    : settings_(settings), file_(file), wake_fd_(wake_fd), is_regular_file_(is_regular(file)) {
  for (std::size_t i = 0; i < worker_count; ++i) {
    channels_.push_back(std::make_unique<AccessLogChannel>(settings.format, wake_fd));
  }
  // Signals are the control thread's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AccessLog::~AccessLog() {
  must_end_ = true;
  call();
  thread_.join();
  ::close(wake_fd_);
  ::close(file_);
}

void AccessLog::reopen() {
  must_reopen_ = true;
  call();
}

void AccessLog::call() { eventfd_write(wake_fd_, 1); }

// --- The writing thread --------------------------------------------------------------------------------------------

void AccessLog::run() {
  Clock::time_point end_at = Clock::time_point::max();
  for (;;) {
    const bool is_ending = must_end_;
    if (must_reopen_.exchange(false)) {
      write_all();  // what came before goes into the old file
      reopen_file();
    }
    const bool is_all_written = write_all();
    if (is_ending) {
      if (end_at == Clock::time_point::max()) end_at = Clock::now() + kEndWithin;
      if (is_all_written || Clock::now() > end_at) break;
    }
    // Where the output is not ready, that is waited for as well; then the next call can only be a reason to look again.
    pollfd watched[2] = {{.fd = wake_fd_, .events = POLLIN, .revents = 0},
                         {.fd = is_all_written ? -1 : file_, .events = POLLOUT, .revents = 0}};
    ::poll(watched, 2, kWriteEveryMs);
    eventfd_t calls = 0;
    eventfd_read(wake_fd_, &calls);
  }
  for (const auto& channel : channels_) {
    const auto [first, second] = channel->ring_.unread();
    lost_.add(static_cast<std::uint64_t>(std::count(first.begin(), first.end(), '\n') +
                                         std::count(second.begin(), second.end(), '\n')));
  }
}

void AccessLog::reopen_file() {
  const int opened = open_file(settings_.to);
  if (opened < 0) {
    log::error(
        "access log not reopened",
        log::Fields{{"file", settings_.to}, {"why", std::strerror(errno)}, {"now", "the old file is written on"}});
    return;
  }
  ::close(file_);
  file_ = opened;
  is_regular_file_ = is_regular(opened);
  log::info("access log reopened", log::Fields{{"file", settings_.to}});
}

/// False where the output takes no more for now.
bool AccessLog::write_all() {
  for (const auto& channel : channels_) {
    for (;;) {
      const std::string_view piece = channel->ring_.unread().first;
      if (piece.empty()) break;
      const std::size_t written = write_some(piece);
      if (written == 0) return false;
      channel->ring_.take(written);
    }
  }
  return true;
}

/// How much of `bytes` is done with: written, or lost. 0 where the output is not ready.
std::size_t AccessLog::write_some(std::string_view bytes) {
  if (!is_regular_file_) {
    pollfd output{.fd = file_, .events = POLLOUT, .revents = 0};
    if (::poll(&output, 1, 0) <= 0) return 0;
  }
  const std::string_view piece = writable_piece(bytes, is_regular_file_);
  const ssize_t written = ::write(file_, piece.data(), piece.size());
  if (written > 0) return static_cast<std::size_t>(written);
  if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) return 0;
  lost_.add(static_cast<std::uint64_t>(std::count(piece.begin(), piece.end(), '\n')));
  log::warn_limited("access log not written", settings_.to,
                    log::Fields{{"file", settings_.to},
                                {"why", std::strerror(errno)},
                                {"do", "make room, or see who reads it; requests go on"}});
  return piece.size();
}

}  // namespace holdfast::lb
