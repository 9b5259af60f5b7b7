// Gives a buffer's memory back. Assigning an empty string does not: a short string is copied into what is there.
#pragma once

#include <string>

namespace holdfast {

inline void release(std::string& buffer) { std::string().swap(buffer); }

}  // namespace holdfast
