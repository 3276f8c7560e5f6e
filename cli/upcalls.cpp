// SPDX-License-Identifier: BSD-2-Clause
#include "cli/upcalls.hpp"

#include <spdlog/spdlog.h>

#include <cstddef>
#include <utility>

namespace mcast::cli {

namespace {

/// Answered in a row before other events are looked at.
constexpr std::size_t kInARow = 256;
/// Between two lines in the log about the same table.
constexpr std::chrono::minutes kTellAgain{1};

}  // namespace

Upcalls::Upcalls(asio::io_context& loop, platform::UpcallSink& sink, std::function<void()> answer,
                 std::function<void()> answered)
    : loop_(loop), sink_(sink), answer_(std::move(answer)), answered_(std::move(answered)) {}

void Upcalls::serve(platform::MrouteKernel& kernel, TableKey table) {
  const auto [position, is_new] =
      tables_.try_emplace(table, Table{.ready = asio::posix::stream_descriptor(loop_)});
  if (!is_new) return;
  position->second.ready.assign(kernel.upcall_descriptor(table));
  wait(kernel, table);
}

void Upcalls::stop(TableKey table) {
  const auto found = tables_.find(table);
  if (found == tables_.end()) return;
  found->second.ready.release();
  tables_.erase(found);
}

void Upcalls::stop() {
  for (auto& [key, table] : tables_) table.ready.release();
  tables_.clear();
}

void Upcalls::wait(platform::MrouteKernel& kernel, TableKey table) {
  tables_.at(table).ready.async_wait(asio::posix::stream_descriptor::wait_read,
                                     [this, &kernel, table](const std::error_code& error) {
                                       if (error) return;
                                       read(kernel, table);
                                       if (tables_.contains(table)) wait(kernel, table);
                                     });
}

void Upcalls::read(platform::MrouteKernel& kernel, TableKey table) {
  // An answer may close the table.
  for (std::size_t count = 0; count < kInARow && tables_.contains(table); ++count) {
    const auto read = kernel.read_upcalls(table, 1, sink_);
    if (!read) spdlog::error("{}", read.error().message);
    if (!read || *read == 0) break;
    answer_();
  }
  if (tables_.contains(table)) watch_losses(kernel, table);
  answered_();
}

void Upcalls::watch_losses(const platform::MrouteKernel& kernel, TableKey key) {
  const auto counts = kernel.upcall_counts(key);
  if (!counts) return;
  Table& table = tables_.at(key);
  if (counts->lost == table.lost) return;
  const auto now = Clock::now();
  if (table.told_at && now - *table.told_at < kTellAgain) return;
  spdlog::warn(
      "{} routing table {}: {} upcalls were lost, flows began faster than they can be learned; the "
      "next packet of each is asked about again; rules for one source and one group need no upcall",
      to_string(key.family), key.id.value, counts->lost - table.lost);
  table.lost = counts->lost;
  table.told_at = now;
}

}  // namespace mcast::cli
