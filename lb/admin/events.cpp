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

/// Between the log, of any thread, and us: what it has told of may come when nobody watches any more.
struct Events::Post {
  std::atomic<unsigned> under_way{0};
  Events* events;  // null when over; of the control thread
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
  post_ = std::make_shared<Post>();
  post_->events = this;
  log::set_listener([&loop = loop_, post = post_](std::string_view event, std::string_view json) {
    if (post->under_way >= kUnderWayMax) return;
    ++post->under_way;
    loop.post([post, text = event_text(event, json)] {
      --post->under_way;
      if (post->events != nullptr) post->events->tell(text);
    });
  });
  timeouts_.arm(next_sign_, kPause);
}

void Events::end() {
  if (post_ == nullptr) return;
  log::set_listener(nullptr);
  post_->events = nullptr;
  post_ = nullptr;
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
