#include "lb/admin/ledger_json.h"

#include "lb/pool/ledger.h"

#include <nlohmann/json.hpp>
#include <string>

namespace holdfast::lb {
namespace {

Json json_of(const Ledger& ledger) {
  Json json{{"requests", ledger.started}, {"in_flight", ledger.in_flight}};
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) json[std::string(kOutcomes[i])] = ledger.outcomes[i];
  json["saved_by_retry"] = ledger.saved;
  json["imbalance"] = ledger.imbalance();
  json["text"] = ledger.text();
  return json;
}

}  // namespace

Json ledger_json(const Snapshot& snapshot) {
  Json pools{{snapshot.unrouted->name(), json_of(ledger_of(*snapshot.unrouted))}};
  for (const auto& pool : snapshot.pools) pools[pool->name()] = json_of(ledger_of(*pool));
  Json json = json_of(ledger_of(snapshot));
  json["pools"] = std::move(pools);
  return json;
}

}  // namespace holdfast::lb
