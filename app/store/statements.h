// The SQL of the shortener in one place: every statement is prepared on each connection under its name.
// Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

enum class Statement : std::uint8_t {
  Ping,
  ReadFeed,
  TrimFeed,
  ReplicaStatus,
  FindLinks,
  LinkStatistics,
  CreateLink,
  CreateLinkOnce,
  DeleteLink,
  CreateLinks,
  ReadLink,
  ChangeLink,
  UseVisit,
  FindTarget,
  ListNewest,
  ListOldest,
  ListByCode,
  ListByCodeBackwards,
  ReadKeys,
  Last = ReadKeys,
};

/// Reads are prepared everywhere; writes on the primary alone, where they have connections of their own: behind a
/// write that waits for a lock no look-up may stand.
enum class Access : std::uint8_t { Read, Write };

struct StatementInfo {
  Statement id;
  Access access;
  const char* name;
  const char* sql;
};

extern const std::array<StatementInfo, static_cast<std::size_t>(Statement::Last) + 1> kStatements;

inline const StatementInfo& info_of(Statement statement) { return kStatements[static_cast<std::size_t>(statement)]; }

/// A text[] literal of `items`, each quoted (a bare NULL would be no string).
std::string array_literal(const std::vector<std::string_view>& items);

}  // namespace holdfast::app
