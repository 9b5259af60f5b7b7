#include "app/clicks/click_metrics.h"

#include "app/clicks/now.h"

#include <algorithm>

namespace holdfast::app {
namespace {

/// Seconds since `ms` of the wall clock; 0 where it is 0, for there is nothing.
double age_of(std::int64_t ms) {
  if (ms == 0) return 0;
  return std::max(0.0, static_cast<double>(now_ms() - ms) / 1000);
}

double number(std::uint64_t value) { return static_cast<double>(value); }
double number(std::int64_t value) { return static_cast<double>(value); }

}  // namespace

void collect_journal(const Journal& journal, const Shipper& shipper, Scrape& scrape) {
  scrape.counter("shortener_clicks_recorded_total", "Clicks written to the journal.", {}, number(journal.recorded()));
  constexpr std::string_view kDropped = "Clicks lost: the journal was full, or its disk did not take them.";
  scrape.counter("shortener_clicks_dropped_total", kDropped, {{"reason", "full"}}, number(journal.dropped_full()));
  scrape.counter("shortener_clicks_dropped_total", kDropped, {{"reason", "disk"}}, number(journal.dropped_disk()));
  scrape.counter("shortener_click_journal_damaged_total", "Files of the journal whose end was not whole at the start.",
                 {}, number(journal.damaged()));
  scrape.gauge("shortener_click_journal_bytes", "What the journal of clicks takes of its disk.", {},
               number(journal.bytes()));
  scrape.gauge("shortener_click_journal_limit_bytes", "What the journal of clicks may take of its disk.", {},
               number(journal.bytes_max()));
  scrape.gauge("shortener_click_journal_waiting", "Clicks in the journal that the database does not have yet.", {},
               number(shipper.waiting()));
  scrape.gauge("shortener_click_journal_oldest_seconds",
               "Age of the oldest click of the journal that the database does not have yet; 0: there is none.", {},
               age_of(shipper.oldest_ms()));
  scrape.counter("shortener_clicks_shipped_total", "Clicks sent to the workers' stream, repeats too.", {},
                 number(shipper.shipped()));
  scrape.counter("shortener_clicks_stored_directly_total", "Clicks stored by this instance, Redis being away.", {},
                 number(shipper.stored_directly()));
  scrape.counter("shortener_clicks_resent_total", "Times that Redis had forgotten clicks, and they were sent again.",
                 {}, number(shipper.resent()));
  for (const Way way : {Way::Stream, Way::Direct, Way::Stuck}) {
    scrape.gauge("shortener_clicks_way", "1 for the way that clicks take: stream, direct, or stuck.",
                 {{"way", name_of(way)}}, shipper.way() == way ? 1 : 0);
  }
}

void collect_consumer(const ConsumerCounts& counts, Scrape& scrape) {
  scrape.counter("shortener_worker_clicks_committed_total", "Clicks stored by this worker.", {},
                 number(counts.stored.value()));
  scrape.counter("shortener_worker_clicks_duplicate_total", "Clicks that were stored already.", {},
                 number(counts.duplicates.value()));
  scrape.counter("shortener_worker_dead_lettered_total", "Clicks that cannot be stored, put aside.", {},
                 number(counts.dead.value()));
  scrape.counter("shortener_worker_batches_total", "Batches stored.", {}, number(counts.batches.value()));
  scrape.counter("shortener_worker_batch_retries_total", "Times that a batch could not be stored.", {},
                 number(counts.retries.value()));
  scrape.counter("shortener_worker_taken_over_total", "Entries taken over from workers that had left them.", {},
                 number(counts.taken_over.value()));
  scrape.gauge("shortener_worker_batch_clicks", "Clicks of the last batch.", {}, number(counts.batch_clicks.value()));
  scrape.gauge("shortener_worker_held_clicks", "Clicks that this worker has taken and not stored yet.", {},
               number(counts.held.value()));
  scrape.histogram("shortener_worker_batch_seconds", "Time to store a batch.", {}, counts.batch_time.snapshot());
  scrape.gauge("shortener_worker_last_commit_timestamp_seconds", "When this worker last stored a batch; 0: never.", {},
               number(counts.last_commit_ms.value()) / 1000);
  scrape.gauge("shortener_queue_length", "Entries in the stream, of up to some hundred clicks each.", {},
               number(counts.queue_entries.value()));
  scrape.gauge("shortener_queue_pending", "Entries of the stream that workers have taken and not stored yet.", {},
               number(counts.queue_pending.value()));
  scrape.gauge("shortener_queue_clicks", "Clicks that instances wait for to be stored, wherever they are.", {},
               number(counts.waiting.value()));
  scrape.gauge("shortener_queue_oldest_seconds",
               "Age of the oldest click that waits to be stored, or of the oldest entry; 0: none waits.", {},
               std::max(age_of(counts.queue_oldest_ms.value()), age_of(counts.waiting_oldest_ms.value())));
  scrape.gauge("shortener_queue_paused", "1 where storing is paused: shortener queue resume.", {},
               number(counts.is_paused.value()));
  scrape.gauge("shortener_dlq_length", "Dead letters that wait for somebody: shortener dlq list.", {},
               number(counts.dead_letters.value()));
  scrape.gauge("shortener_clicks_unplaced", "1 where clicks lie in no month's table.", {},
               number(counts.unplaced.value()));
}

}  // namespace holdfast::app
