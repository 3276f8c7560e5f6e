// SPDX-License-Identifier: BSD-2-Clause
#include "cli/rule_watch.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <system_error>
#include <utility>

namespace mcast::cli {

namespace {

/// Between two looks: who adds thousands of rules, or keeps removing ours, does not keep us busy.
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

RuleWatch::RuleWatch(asio::io_context& loop, Engine& engine, const platform::Ports& ports,
                     std::function<void()> changed)
    : engine_(engine),
      ports_(ports),
      changed_(std::move(changed)),
      pause_(loop),
      ready_(loop, ports.multicast_rules->descriptor()) {
  wait();
}

RuleWatch::~RuleWatch() {
  ready_.release();
}

void RuleWatch::wait() {
  ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this](const std::error_code& error) {
                      if (!error) look();
                    });
}

void RuleWatch::look() {
  if (!ports_.multicast_rules->read_changes()) return wait();
  if (const auto learned = platform::learn_multicast_rules(engine_, ports_); !learned) {
    spdlog::error("{}", learned.error().message);
  }
  changed_();
  pause_.expires_after(kPause);
  pause_.async_wait([this](const std::error_code& error) {
    if (!error) wait();
  });
}

}  // namespace mcast::cli
