#include "lb/handover.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>
#include <uv.h>
#include <array>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace holdfast::lb {
namespace {

/// It reads its file, resolves names and waits for its first round of probes.
constexpr std::chrono::milliseconds kStartMax{60'000};
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

}  // namespace

struct Handover::Child {
  uv_process_t process{};
  uv_pipe_t ready{};
  int open_handles = 0;
  std::array<char, 8> bytes{};
  Handover* owner;

  void close() {
    owner = nullptr;
    const auto closed = [](uv_handle_t* handle) {
      Child* child = static_cast<Child*>(handle->data);
      if (--child->open_handles == 0) delete child;
    };
    process.data = ready.data = this;
    uv_close(reinterpret_cast<uv_handle_t*>(&process), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&ready), closed);
  }
};

Handover::Handover(Loop& loop, TimeoutClass& timeouts, std::vector<std::string> command)
    : loop_(loop),
      timeouts_(timeouts),
      command_(std::move(command)),
      late_(Timeout::calling<&Handover::on_late>(this)) {}

Handover::~Handover() {
  if (child_ != nullptr) child_->close();
}

bool Handover::start(const std::vector<int>& sockets, Done done) {
  if (child_ != nullptr) return false;
  done_ = std::move(done);
  child_ = new Child{};
  child_->owner = this;
  child_->open_handles = 2;
  child_->process.data = child_->ready.data = child_;
  uv_pipe_init(loop_.uv(), &child_->ready, 0);

  std::vector<std::string> arguments = command_;
  std::vector<std::string> environment = environment_with(sockets.size());
  std::vector<char*> argv = pointers_to(arguments);
  std::vector<char*> envp = pointers_to(environment);
  std::vector<uv_stdio_container_t> descriptors;
  const auto give = [&descriptors](int fd) {
    uv_stdio_container_t one{};
    one.flags = UV_INHERIT_FD;
    one.data.fd = fd;
    descriptors.push_back(one);
  };
  for (int fd = 0; fd < kFirstSocket; ++fd) give(fd);
  for (const int fd : sockets) give(fd);
  uv_stdio_container_t ready{};
  ready.flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
  ready.data.stream = reinterpret_cast<uv_stream_t*>(&child_->ready);
  descriptors.push_back(ready);

  uv_process_options_t options{};
  options.file = argv.front();
  options.args = argv.data();
  options.env = envp.data();
  options.stdio = descriptors.data();
  options.stdio_count = static_cast<int>(descriptors.size());
  options.exit_cb = [](uv_process_t* process, std::int64_t code, int signal) {
    Child* child = static_cast<Child*>(process->data);
    if (child->owner != nullptr) child->owner->on_exit(code, signal);
  };
  if (const int problem = uv_spawn(loop_.uv(), &child_->process, &options); problem != 0) {
    loop_.post([this, problem] { finish(command_.front() + " cannot be started: " + uv_strerror(problem)); });
    return true;
  }
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(&child_->ready),
      [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
        Child* child = static_cast<Child*>(handle->data);
        *buffer = uv_buf_init(child->bytes.data(), static_cast<unsigned>(child->bytes.size()));
      },
      [](uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
        Child* child = static_cast<Child*>(stream->data);
        if (count > 0 && child->owner != nullptr) return child->owner->on_ready();
        if (count < 0) uv_read_stop(stream);  // its end tells the rest
      });
  timeouts_.arm(late_, kStartMax);
  return true;
}

void Handover::on_ready() { finish(std::nullopt); }

void Handover::on_exit(std::int64_t code, int signal) {
  finish("the new process ended, by " +
         (signal != 0 ? "signal " + std::to_string(signal) : "exit code " + std::to_string(code)) +
         "; its log says why");
}

void Handover::on_late() {
  kill(uv_process_get_pid(&child_->process), SIGTERM);
  finish("the new process does not serve after a minute; it was told to end");
}

void Handover::finish(const std::optional<std::string>& failure) {
  late_.disarm();
  const int pid = uv_process_get_pid(&child_->process);
  std::exchange(child_, nullptr)->close();
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
