// What the pipeline of clicks shows to a scrape: an instance its journal and its shipper, a worker its queue.
// Thread: the one that scrapes.
#pragma once

#include "app/clicks/consumer.h"
#include "app/clicks/journal.h"
#include "app/clicks/shipper.h"
#include "common/metrics/registry.h"

namespace holdfast::app {

void collect_journal(const Journal& journal, const Shipper& shipper, Scrape& scrape);
void collect_consumer(const ConsumerCounts& counts, Scrape& scrape);

}  // namespace holdfast::app
