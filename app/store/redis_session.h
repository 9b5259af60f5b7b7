// A connection to Redis for threads of their own: every call waits for its answer, within a time.
// Thread: any; it blocks, and has no business on a loop.
#pragma once

#include "app/store/dsn.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

struct redisContext;
struct redisReply;

namespace holdfast::app {

/// A part of an answer, which dies with the answer.
class RedisValue {
 public:
  explicit RedisValue(const redisReply* reply) : reply_(reply) {}

  bool is_error() const;
  bool is_nil() const;
  /// Of a string, a status or an error; else empty.
  std::string_view text() const;
  std::int64_t number() const;
  /// Of a list; what is beyond its end is nil.
  std::size_t size() const;
  RedisValue at(std::size_t index) const;

 private:
  const redisReply* reply_;  // null: nil
};

class RedisAnswerTree {
 public:
  explicit RedisAnswerTree(redisReply* reply) : reply_(reply) {}
  RedisValue value() const { return RedisValue(reply_.get()); }

 private:
  struct Free {
    void operator()(redisReply* reply) const noexcept;
  };
  std::unique_ptr<redisReply, Free> reply_;
};

class RedisSession {
 public:
  using Words = std::vector<std::string_view>;

  /// `timeout` is that of the connection, and then of every answer.
  static tl::expected<RedisSession, std::string> open(const RedisUrl& url, std::chrono::milliseconds timeout);

  /// Asks without waiting. take() gives the answers in order.
  void put(const Words& words);
  /// An error means that the connection is gone; what Redis refused is an answer.
  tl::expected<RedisAnswerTree, std::string> take();
  tl::expected<RedisAnswerTree, std::string> run(const Words& words);

 private:
  struct Free {
    void operator()(redisContext* context) const noexcept;
  };
  explicit RedisSession(redisContext* context) : context_(context) {}
  std::string greet(const RedisUrl& url);

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace holdfast::app
