// What is told of one request that has ended: by the access log, and by the admin port.
// Thread: worker; the views live as long as the call that gets it.
#pragma once

#include "common/http/head.h"
#include "lb/reasons.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::lb {

inline constexpr std::chrono::nanoseconds kUnknownTime{-1};

/// One attempt at one server.
struct AttemptNote {
  std::string_view server{};
  AttemptResult result = AttemptResult::Cancelled;
  std::chrono::nanoseconds duration{0};
  std::chrono::nanoseconds connect = kUnknownTime;     // where a connection was made for it
  std::chrono::nanoseconds first_byte = kUnknownTime;  // from its beginning to the response's head
  bool is_hedge = false;
};

/// The attempts of a request: the first ones and the last one; those between are only counted.
class AttemptNotes {
 public:
  void clear() { count_ = 0; }
  AttemptNote& add(std::string_view server) {
    AttemptNote& note = notes_[count_ < kKept ? count_ : kKept - 1];
    ++count_;
    return note = {.server = server};
  }
  /// The one whose response was passed on; else the last. There must be one.
  const AttemptNote& decisive() const {
    for (const AttemptNote& note : kept()) {
      if (note.result == AttemptResult::Ok) return note;
    }
    return kept().back();
  }
  std::span<const AttemptNote> kept() const { return {notes_.data(), count_ < kKept ? count_ : kKept}; }
  std::size_t count() const { return count_; }

 private:
  static constexpr std::size_t kKept = 8;
  std::array<AttemptNote, kKept> notes_{};
  std::size_t count_ = 0;
};

/// What a client said of its request, kept until it has ended; too long texts are cut, and end with `…`.
class RequestTexts {
 public:
  /// `client`: who asks, as far as we believe it.
  void keep(const RequestHead& head, std::string_view client);
  /// Likewise, where it was not kept in time: from the head that we wrote of it for a server.
  void keep_written(std::string_view head, std::string_view client, Version version);
  void clear() { text_.clear(), ends_ = {}; }

  std::string_view client() const { return part(0); }
  std::string_view method() const { return part(1); }
  std::string_view host() const { return part(2); }
  std::string_view target() const { return part(3); }
  std::string_view user_agent() const { return part(4); }
  std::string_view referer() const { return part(5); }
  Version version() const { return version_; }

 private:
  void add(std::size_t index, std::string_view text, std::size_t bytes_max);
  std::string_view part(std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }

  std::string text_;  // one after the other; its capacity is kept
  std::array<std::size_t, 6> ends_{};
  Version version_ = Version::Http11;
};

struct AccessEntry {
  std::string_view request_id{};
  std::string_view peer{};                 // whose connection it is
  const RequestTexts* texts = nullptr;     // null where no head could be read
  const AttemptNotes* attempts = nullptr;  // null where there was no request
  std::string_view pool{};
  int status = 0;                        // 0: none was sent
  std::uint64_t bytes_in = 0;            // of the request, head and body
  std::uint64_t bytes_out = 0;           // of the response, likewise
  std::chrono::nanoseconds duration{0};  // from the end of the request's head
  std::string_view outcome{};
  std::string_view reason{};  // where it did not go well
  std::string_view why{};     // in words, where the client's message was refused
};

}  // namespace holdfast::lb
