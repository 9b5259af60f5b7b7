// Asks a Redis server whether it would do, for the command line.
// Thread: any; it blocks.
#pragma once

#include "app/store/dsn.h"

#include <chrono>
#include <string>
#include <vector>

namespace holdfast::app {

struct RedisFindings {
  std::string wrong;  // empty where it can be used
  std::string version;
  std::vector<std::string> advice;  // what should look otherwise, though it works
};
RedisFindings check_redis(const RedisUrl& url, std::chrono::milliseconds timeout);

}  // namespace holdfast::app
