// What the operator's commands are given of the configuration, and the way to its stores; whoever is away is named,
// with what to do. Thread: any; it blocks.
#pragma once

#include "app/store/dsn.h"
#include "app/store/redis_session.h"
#include "app/store/session.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

struct OperateSettings {
  PostgresDsn primary;
  std::optional<RedisUrl> redis;
  std::string stream;
  std::chrono::milliseconds retention{0};
};

tl::expected<Session, std::string> open_primary(const OperateSettings& settings, const char* program);
tl::expected<RedisSession, std::string> open_redis(const OperateSettings& settings);

/// `{"a","b"}`: an array of what came from the command line.
std::string text_array(const std::vector<std::string>& items);

/// Numbers of an answer, which are ours.
std::int64_t number_at(const Rows& rows, int row, int column);
double seconds_at(const Rows& rows, int row, int column);

}  // namespace holdfast::app
