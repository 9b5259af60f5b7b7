#include "lb/handover.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace holdfast::lb {
namespace {

/// It reads its file, resolves names and waits for its first round of probes.
constexpr std::chrono::milliseconds kStartMax{60'000};
constexpr std::chrono::milliseconds kLook{20};
constexpr int kFirstSocket = 3;

/// Ours, with what the new process must know.
std::vector<std::string> environment_with(std::size_t sockets) {
  std::vector<std::string> all;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view text = *one;
    if (!text.starts_with("LISTEN_") && !text.starts_with(kReadyVariable)) all.emplace_back(text);
  }
  all.push_back("LISTEN_FDS=" + std::to_string(sockets));
  all.push_back(std::string(kReadyVariable) + "=" + std::to_string(kFirstSocket + static_cast<int>(sockets)));
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

/// Descriptors above those that the new process shall have, so that none is overwritten while they are laid there.
class Lifted {
 public:
  explicit Lifted(int above) : above_(above) {}
  ~Lifted() {
    for (const int fd : all_) close(fd);
  }
  Lifted(const Lifted&) = delete;
  Lifted& operator=(const Lifted&) = delete;
  /// -1 where there is no room.
  int lift(int fd) {
    const int lifted = fcntl(fd, F_DUPFD_CLOEXEC, above_);
    if (lifted >= 0) all_.push_back(lifted);
    return lifted;
  }

 private:
  int above_;
  std::vector<int> all_;
};

/// Starts `command` with `sockets` from kFirstSocket on and `ready` behind them. The pid, or the error (negative).
int spawn(std::vector<std::string> command, const std::vector<int>& sockets, int ready) {
  std::vector<std::string> environment = environment_with(sockets.size());
  const std::vector<char*> argv = pointers_to(command);
  const std::vector<char*> envp = pointers_to(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // Ignored signals would stay so, and a mask is none of its business.
  sigset_t none;
  sigset_t ours;
  sigemptyset(&none);
  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &ours);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  int target = kFirstSocket;
  Lifted lifted(kFirstSocket + static_cast<int>(sockets.size()) + 1);
  int problem = 0;
  const auto lay = [&](int fd) {
    const int from = lifted.lift(fd);
    if (from < 0) problem = EMFILE;
    posix_spawn_file_actions_adddup2(&actions, from, target++);
  };
  for (const int fd : sockets) lay(fd);
  lay(ready);
  pid_t pid = -1;
  if (problem == 0) {
    problem = posix_spawn(&pid, command.front().c_str(), &actions, &attributes, argv.data(), envp.data());
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return problem == 0 ? pid : -problem;
}

}  // namespace

/// The new process and the pipe on which it speaks.
struct Handover::Child {
  uv_poll_t poll{};
  int fd = -1;
  int pid = 0;
  Handover* owner = nullptr;

  void close() {
    owner = nullptr;
    const int open_fd = fd;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll),
             [](uv_handle_t* handle) { delete static_cast<Child*>(handle->data); });
    ::close(open_fd);
  }
};

Handover::Handover(Loop& loop, TimeoutClass& timeouts, std::vector<std::string> command)
    : loop_(loop),
      later_(loop),
      timeouts_(timeouts),
      command_(std::move(command)),
      late_(Timeout::calling<&Handover::on_late>(this)),
      look_(Timeout::calling<&Handover::look_at_end>(this)) {}

Handover::~Handover() {
  if (child_ != nullptr) child_->close();
}

bool Handover::start(const std::vector<int>& sockets, Done done) {
  if (child_ != nullptr || done_) return false;
  done_ = std::move(done);
  std::array<int, 2> ends{-1, -1};
  int pid = -EMFILE;
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0) {
    pid = spawn(command_, sockets, ends[1]);
    close(ends[1]);
    if (pid < 0) close(ends[0]);
  }
  if (pid < 0) {
    later_.post([this, pid] { finish(command_.front() + " cannot be started: " + std::strerror(-pid)); });
    return true;
  }
  child_ = new Child{};
  child_->fd = ends[0];
  child_->pid = pid;
  child_->owner = this;
  child_->poll.data = child_;
  uv_poll_init(loop_.uv(), &child_->poll, child_->fd);
  uv_poll_start(&child_->poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    const Child* child = static_cast<Child*>(handle->data);
    if (child->owner != nullptr) child->owner->on_word();
  });
  timeouts_.arm(late_, kStartMax);
  return true;
}

void Handover::on_word() {
  char word = 0;
  const ssize_t count = read(child_->fd, &word, 1);
  if (count > 0) return finish(std::nullopt);
  if (count < 0) return;
  uv_poll_stop(&child_->poll);  // it is ending
  look_at_end();
}

void Handover::look_at_end() {
  int status = 0;
  if (waitpid(child_->pid, &status, WNOHANG) == 0) return timeouts_.arm(look_, kLook);
  const std::string how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                              : "exit code " + std::to_string(WEXITSTATUS(status));
  finish("the new process ended, by " + how + "; its log says why");
}

/// It does not serve after a minute.
void Handover::on_late() {
  kill(child_->pid, SIGKILL);
  uv_poll_stop(&child_->poll);
  look_at_end();
}

void Handover::finish(const std::optional<std::string>& failure) {
  late_.disarm();
  look_.disarm();
  int pid = 0;
  if (child_ != nullptr) {
    pid = child_->pid;
    std::exchange(child_, nullptr)->close();
  }
  std::exchange(done_, nullptr)(pid, failure);
}

void tell_ready() {
  const char* text = std::getenv(kReadyVariable);
  if (text == nullptr) return;
  const int fd = std::atoi(text);
  unsetenv(kReadyVariable);
  if (fd < kFirstSocket) return;
  [[maybe_unused]] const ssize_t told = write(fd, "R", 1);
  close(fd);
}

}  // namespace holdfast::lb
