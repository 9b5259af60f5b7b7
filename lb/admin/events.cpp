#include "lb/admin/events.h"

#include "common/log.h"

#include <atomic>
#include <utility>

namespace holdfast::lb {
namespace {

constexpr std::size_t kWatchersMax = 16;
/// Of events that the control thread has not come to: more are not told to anybody.
constexpr unsigned kUnderWayMax = 1'000;
/// So that neither side, nor who is between them, takes silence for the end.
constexpr std::chrono::milliseconds kPause{15'000};

}  // namespace

std::string event_text(std::string_view name, std::string_view json) {
  std::string text = "event: ";
  text.append(name).append("\ndata: ").append(json).append("\n\n");
  return text;
}

/// What the log's listener knows, on any thread: the way to us, and how many events are on it.
struct Events::Post {
  explicit Post(Loop& loop) : inbox(loop) {}
  Mailbox inbox;
  std::shared_ptr<std::atomic<unsigned>> under_way = std::make_shared<std::atomic<unsigned>>(0);
};

Events::Events(Loop& loop, Timeouts& timeouts)
    : loop_(loop), timeouts_(timeouts.add_class()), next_sign_(Timeout::calling<&Events::on_pause>(this)) {}

Events::~Events() { end(); }

bool Events::add(Responder& responder, std::string_view first) {
  std::erase_if(watchers_, [](const Responder& watcher) { return !watcher.is_open(); });
  if (watchers_.size() >= kWatchersMax) return false;
  const Field no_store{"Cache-Control", "no-store", FieldId::Other};
  responder.begin({.content_type = "text/event-stream", .fields = {&no_store, 1}, .body = first});
  watchers_.push_back(std::move(responder));
  if (post_ == nullptr) listen();
  return true;
}

void Events::listen() {
  post_ = std::make_unique<Post>(loop_);
  log::set_listener([this, inbox = post_->inbox.sender(), under_way = post_->under_way](std::string_view event,
                                                                                        std::string_view json) {
    if (*under_way >= kUnderWayMax) return;
    ++*under_way;
    inbox.post([this, under_way, text = event_text(event, json)] {
      --*under_way;
      tell(text);
    });
  });
  timeouts_.arm(next_sign_, kPause);
}

void Events::end() {
  if (post_ == nullptr) return;
  log::set_listener(nullptr);
  post_.reset();
  next_sign_.disarm();
  for (Responder& watcher : std::exchange(watchers_, {})) watcher.end();
}

void Events::tell(std::string_view text) {
  for (Responder& watcher : watchers_) watcher.more(text);
  std::erase_if(watchers_, [](const Responder& watcher) { return !watcher.is_open(); });
  if (watchers_.empty()) end();
}

void Events::on_pause() {
  timeouts_.arm(next_sign_, kPause);
  tell(":\n\n");
}

}  // namespace holdfast::lb
