#include "lb/access_log/line.h"

#include "common/escape.h"

#include <charconv>

namespace holdfast::lb {
namespace {

using std::chrono::nanoseconds;

/// What nginx made known for a client that left before it was answered.
constexpr int kClientGoneStatus = 499;

void append_number(std::string& out, std::uint64_t number, std::size_t digits_min = 0) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const auto length = static_cast<std::size_t>(end - digits.data());
  if (length < digits_min) out.append(digits_min - length, '0');
  out.append(digits.data(), length);
}

/// Milliseconds with three decimals.
void append_ms(std::string& out, nanoseconds duration) {
  const auto us = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
  append_number(out, us / 1000);
  out += '.';
  append_number(out, us % 1000, 3);
}

int status_of(const AccessEntry& entry) { return entry.status != 0 ? entry.status : kClientGoneStatus; }

std::string_view client_of(const AccessEntry& entry) {
  return entry.texts != nullptr ? entry.texts->client() : entry.peer;
}

// --- JSON ----------------------------------------------------------------------------------------------------------

void append_key(std::string& out, std::string_view key) {
  out += out.empty() || out.back() == '{' ? "\"" : ",\"";
  out += key;
  out += "\":";
}

void append_text(std::string& out, std::string_view key, std::string_view text) {
  append_key(out, key);
  append_json_string(out, text);
}

void append_text_if_any(std::string& out, std::string_view key, std::string_view text) {
  if (!text.empty()) append_text(out, key, text);
}

void append_number(std::string& out, std::string_view key, std::uint64_t number) {
  append_key(out, key);
  append_number(out, number);
}

void append_ms(std::string& out, std::string_view key, nanoseconds duration) {
  if (duration == kUnknownTime) return;
  append_key(out, key);
  append_ms(out, duration);
}

void append_attempts(std::string& out, const AttemptNotes& attempts) {
  append_key(out, "attempts");
  out += '[';
  for (const AttemptNote& attempt : attempts.kept()) {
    out += out.back() == '[' ? "{" : ",{";
    append_text(out, "server", attempt.server);
    append_ms(out, "ms", attempt.duration);
    append_ms(out, "connect_ms", attempt.connect);
    append_ms(out, "first_byte_ms", attempt.first_byte);
    append_text(out, "result", attempt_result_name(attempt.result));
    if (attempt.is_hedge) out += ",\"hedge\":true";
    out += '}';
  }
  out += ']';
  if (attempts.count() > attempts.kept().size()) append_number(out, "attempts_count", attempts.count());
}

void append_json(std::string& out, const AccessEntry& entry, std::string_view second, unsigned ms) {
  out += R"({"time":")";
  out += second;
  out += '.';
  append_number(out, ms, 3);
  out += "Z\"";
  append_text(out, "request_id", entry.request_id);
  append_text(out, "client", client_of(entry));
  if (entry.peer != client_of(entry)) append_text(out, "peer", entry.peer);
  if (const RequestTexts* texts = entry.texts) {
    append_text(out, "method", texts->method());
    append_text(out, "host", texts->host());
    const auto query = texts->target().find('?');
    append_text(out, "path", texts->target().substr(0, query));
    if (query != std::string_view::npos) append_text(out, "query", texts->target().substr(query + 1));
    append_text(out, "version", texts->version() == Version::Http10 ? "1.0" : "1.1");
  }
  append_number(out, "status", static_cast<std::uint64_t>(status_of(entry)));
  append_number(out, "bytes_in", entry.bytes_in);
  append_number(out, "bytes_out", entry.bytes_out);
  append_ms(out, "duration_ms", entry.duration);
  if (entry.attempts != nullptr && entry.attempts->count() > 0) {
    const AttemptNote& one = entry.attempts->decisive();
    append_ms(out, "connect_ms", one.connect);
    append_ms(out, "first_byte_ms", one.first_byte);
  }
  append_text(out, "outcome", entry.outcome);
  append_text_if_any(out, "reason", entry.reason);
  append_text_if_any(out, "why", entry.why);
  append_text_if_any(out, "pool", entry.pool);
  if (entry.attempts != nullptr) append_attempts(out, *entry.attempts);
  if (const RequestTexts* texts = entry.texts) {
    append_text_if_any(out, "user_agent", texts->user_agent());
    append_text_if_any(out, "referer", texts->referer());
  }
  out += "}\n";
}

// --- Combined ------------------------------------------------------------------------------------------------------

/// Between the quotes of the combined format, `-` where there is nothing.
void append_quoted(std::string& out, std::string_view text) {
  out += " \"";
  if (text.empty()) out += '-';
  append_escaped(out, text, "\"\\");
  out += '"';
}

void append_combined(std::string& out, const AccessEntry& entry, std::string_view second) {
  append_escaped(out, client_of(entry), " ");
  out += " - - [";
  out += second;
  out += ']';
  if (const RequestTexts* texts = entry.texts) {
    out += " \"";
    append_escaped(out, texts->method(), "\"\\");
    out += ' ';
    append_escaped(out, texts->target(), "\"\\");
    out += texts->version() == Version::Http10 ? " HTTP/1.0\" " : " HTTP/1.1\" ";
  } else {
    out += " \"-\" ";
  }
  append_number(out, static_cast<std::uint64_t>(status_of(entry)));
  out += ' ';
  append_number(out, entry.bytes_out);
  append_quoted(out, entry.texts != nullptr ? entry.texts->referer() : std::string_view{});
  append_quoted(out, entry.texts != nullptr ? entry.texts->user_agent() : std::string_view{});
  out += '\n';
}

}  // namespace

std::string_view SecondText::make(std::time_t second, const char* format) {
  if (second != at_) {
    std::tm parts{};
    gmtime_r(&second, &parts);
    length_ = std::strftime(text_.data(), text_.size(), format, &parts);
    at_ = second;
  }
  return {text_.data(), length_};
}

std::string_view SecondText::common(std::time_t second) { return make(second, "%d/%b/%Y:%H:%M:%S +0000"); }

void append_line(std::string& out, AccessFormat format, const AccessEntry& entry,
                 std::chrono::system_clock::time_point now, SecondText& second) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const auto at = static_cast<std::time_t>(ms / 1000);
  switch (format) {
    case AccessFormat::Json:
      return append_json(out, entry, second.iso(at), static_cast<unsigned>(ms % 1000));
    case AccessFormat::Combined:
      return append_combined(out, entry, second.common(at));
  }
}

}  // namespace holdfast::lb
