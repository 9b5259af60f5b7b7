// Columns for a terminal: as wide as what stands in them, with bytes of others made harmless.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::app {

/// The first row is the head. Cells of `numbers` columns stand to the right.
std::string table_of(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& numbers = {});

/// `1,234,567`.
std::string grouped(std::int64_t number);
/// Seconds as a person says them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
std::string duration_text(double seconds);
/// `1.5 MiB`.
std::string size_text(std::int64_t bytes);

}  // namespace holdfast::app
