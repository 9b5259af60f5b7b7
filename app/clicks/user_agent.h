// What a User-Agent value tells: a person's device, or a program.
// Thread: any.
#pragma once

#include "app/clicks/record.h"

#include <string_view>

namespace holdfast::app {

/// By well-known words in it. Nobody proves what he is: a bot that calls itself a browser is counted as one.
Device device_of(std::string_view user_agent);

/// As device_of(), remembered for the values that come again and again. Each thread has its own memory.
Device device_of_cached(std::string_view user_agent);

}  // namespace holdfast::app
