// The row of Statement::LinkStatistics, as JSON and as CSV.
// Thread: any.
#pragma once

#include "app/http/stats_request.h"
#include "app/store/postgres_query.h"

#include <string>
#include <string_view>

namespace holdfast::app {

bool is_deleted(const PgAnswer& answer);
std::string_view owner_of(const PgAnswer& answer);
bool has_zone(const PgAnswer& answer);
bool has_range(const PgAnswer& answer);

std::string stats_json(std::string_view code, const StatsRequest& request, const PgAnswer& answer);
/// One line for each of what `request.by` names.
std::string stats_csv(const StatsRequest& request, const PgAnswer& answer);

}  // namespace holdfast::app
