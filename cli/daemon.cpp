// SPDX-License-Identifier: BSD-2-Clause
#include "cli/daemon.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <asio/post.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/config.hpp"
#include "core/unsupported.hpp"
#include "platform/converge.hpp"

namespace mcast::cli {

namespace {

/// Other programs hardly ever touch our tables.
constexpr std::chrono::minutes kAuditInterval{10};
/// For a new configuration: whoever waits for it is told when it is in effect.
constexpr std::size_t kUntilDone = static_cast<std::size_t>(-1);

EngineOptions engine_options(const DaemonOptions& options, const KernelTraits& traits) {
  EngineOptions engine;
  engine.default_ipv4 = options.table.value_or(traits.ipv4.default_table);
  engine.default_ipv6 = options.table.value_or(traits.ipv6.default_table);
  return engine;
}

/// After a change of user the files of this instance may be there for good.
void tell_what_stays(const DaemonOptions& options) {
  for (const std::string& path : {options.pid_file, options.socket_path}) {
    const auto folder = std::filesystem::path(path).parent_path();
    if (::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0) continue;
    spdlog::info("{}: stays behind, empty or dead, when the daemon ends: {} may not remove it; the "
                 "next start takes it over",
                 path, options.user);
  }
}

void write_notice(const Notice& notice) {
  switch (notice.level) {
    case NoticeLevel::error:
      spdlog::error("{}", notice.text);
      break;
    case NoticeLevel::warning:
      spdlog::warn("{}", notice.text);
      break;
    case NoticeLevel::info:
      spdlog::info("{}", notice.text);
      break;
    case NoticeLevel::debug:
      spdlog::debug("{}", notice.text);
      break;
  }
}

void log_diagnostics(const std::vector<Diagnostic>& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity == Diagnostic::Severity::error) {
      spdlog::error("{}", diagnostic.to_string());
    } else {
      spdlog::warn("{}", diagnostic.to_string());
    }
  }
}

}  // namespace

Daemon::Daemon(DaemonOptions options)
    : options_(std::move(options)),
      control_(*this),
      hook_(loop_, options_.hook),
      idle_flows_(loop_, options_.idle_timeout, [this] { turn(); }),
      upcalls_(
          loop_, *this, [this] { answer(); }, [this] { turn(); }),
      signals_(loop_, SIGHUP, SIGTERM, SIGINT),
      deadline_(loop_, [this] { turn(); }),
      link_retry_(loop_) {}

Daemon::~Daemon() {
  for (auto& ready : links_ready_) ready.release();
  // After a start that failed; otherwise none is left.
  if (engine_) drop_multicast_rules();
}

// --- Starting ------------------------------------------------------------------------------------

Result<void> Daemon::start() {
  platform::give_back_freed_memory();
  platform_ = TRY(platform::open_platform());
  ports_ = {.keeper = platform_.keeper.get(),
            .kernel = platform_.kernel.get(),
            .multicast_rules = platform_.multicast_rules.get(),
            .opened = [this](TableKey table) { upcalls_.serve(*platform_.kernel, table); },
            .closing = [this](TableKey table) { upcalls_.stop(table); }};
  const KernelTraits& traits = platform_.kernel->traits();
  if (options_.table) TRY(check_default_table(*options_.table, traits));
  engine_ = std::make_unique<Engine>(traits, engine_options(options_, traits));
  TRY(load_at_start());
  TRY(platform_.links->start(*this));  // the tables of VRFs are known then
  TRY(check_multicast_rules());
  TRY(open_tables());
  platform::raise_descriptor_limit();  // one for each client
  server_ = TRY(ipc::Server::listen(
      loop_, control_, {.path = options_.socket_path, .mode = 0600, .group = {}, .limits = {}}));
  wait_for_signals();
  wait_for_links();
  announcer_.emplace(loop_, *engine_, *platform_.discovery, options_.mrdisc_interval, write_notice);
  turn(kUntilDone);
  audit_.emplace(loop_, *engine_, ports_, kAuditInterval, [this] { turn(); });
  if (platform_.multicast_rules) {
    rule_watch_.emplace(loop_, *engine_, ports_, [this] { turn(); });
  }
  pid_file_ = TRY(platform::PidFile::create(options_.pid_file));
  if (!options_.user.empty()) {
    const platform::Account account = TRY(platform::find_account(options_.user));
    TRY(platform::drop_privileges(account));
    tell_what_stays(options_);
  }
  loaded();
  return {};
}

/// Reads the file before anything is touched: a daemon that cannot start disturbs nothing.
Result<void> Daemon::load_at_start() {
  std::error_code error;
  if (!options_.config_file_given && !std::filesystem::exists(options_.config_file, error) &&
      !error) {
    spdlog::warn("{}: there is no such file; waiting for commands", options_.config_file);
    return {};
  }
  ParsedConfig parsed = parse_config(files_, options_.config_file);
  log_diagnostics(parsed.diagnostics);
  if (!parsed.valid()) {
    return fail(ErrorCode::config,
                fmt::format("{}: not started, the configuration has errors", options_.config_file));
  }
  const auto impossible = unsupported(parsed.config, platform_.kernel->traits());
  log_diagnostics(impossible);
  if (!impossible.empty()) {
    return fail(ErrorCode::config,
                fmt::format("{}: not started, this kernel cannot do what the configuration says",
                            options_.config_file));
  }
  engine_->set_config(std::move(parsed.config));
  return {};
}

/// A daemon whose traffic would go elsewhere is of no use, and its tables are in vain.
Result<void> Daemon::check_multicast_rules() {
  TRY(platform::learn_multicast_rules(*engine_, ports_));
  const auto collisions = engine_->multicast_rule_collisions(engine_->declared_tables());
  if (collisions.empty()) return {};
  for (const std::string& line : collisions) spdlog::error("{}", line);
  return fail(ErrorCode::table_in_use,
              fmt::format("{}: not started, multicast rules of other programs are in the way",
                          options_.config_file));
}

/// One family may be missing from the kernel; none is an error, and so is a table that another
/// program owns.
Result<void> Daemon::open_tables() {
  std::optional<Error> missing;
  bool any = false;
  for (const TableKey table : engine_->tables_to_open()) {
    const auto opened = platform::carry_out(ports_, OpenTable{table});
    if (!opened) {
      if (opened.error().code != ErrorCode::no_kernel_support) {
        return std::unexpected(opened.error());
      }
      engine_->table_lost(table, opened.error().message);
      missing = opened.error();
      continue;
    }
    engine_->table_opened(table);
    any = true;
  }
  if (!any && missing) return std::unexpected(std::move(*missing));
  if (missing) spdlog::warn("{}", missing->message);
  return {};
}

/// A configuration is in effect: tells those who wait for that.
void Daemon::loaded() {
  if (pid_file_) pid_file_->touch();
  hook_.run("reload");
}

/// Returns false if a signal says to end instead.
bool Daemon::delay_start() {
  if (options_.startup_delay.count() == 0) return true;
  bool go_on = false;
  asio::steady_timer delay(loop_, options_.startup_delay);
  delay.async_wait([&](const std::error_code& error) {
    go_on = !error;
    loop_.stop();
  });
  signals_.async_wait([&](const std::error_code& error, int) {
    if (!error) loop_.stop();
  });
  loop_.run();
  loop_.restart();
  delay.cancel();
  signals_.cancel();
  loop_.poll();
  loop_.restart();
  return go_on;
}

// --- Running -------------------------------------------------------------------------------------

void Daemon::run() {
  loop_.run();
  shut_down();
}

/// Clients that asked for the end wait until their connection is closed: that comes last, when a
/// new daemon can take the tables.
void Daemon::shut_down() {
  announcer_->withdraw();
  for (auto& ready : links_ready_) ready.release();
  links_ready_.clear();
  upcalls_.stop();
  rule_watch_.reset();
  drop_multicast_rules();
  for (const TableStatus& status : engine_->tables()) {
    platform_.kernel->close_table(status.table);
  }
  pid_file_.reset();
  server_.reset();
}

/// Before the tables go: nothing may lead to a table that nobody has.
void Daemon::drop_multicast_rules() {
  if (const auto dropped = platform::drop_multicast_rules(*engine_, ports_); !dropped) {
    spdlog::error("a multicast rule stays behind: {}", dropped.error().message);
  }
}

/// Carries out what a packet is waiting for; the rest of a turn follows when no more wait.
void Daemon::answer() {
  platform::converge(*engine_, ports_, now(), kStepsPerTurn);
}

/// Makes the kernel follow the engine. Called whenever the engine may have changed its mind.
void Daemon::turn(std::size_t most_steps) {
  const std::size_t steps = platform::converge(*engine_, ports_, now(), most_steps);
  // The steps relied on interfaces that may have gone meanwhile.
  take_link_events();
  write_notices();
  tell_learned();
  if (steps >= most_steps || links_changed_) {
    schedule_turn();
    return;
  }
  deadline_.set(engine_->next_deadline());
  if (announcer_) announcer_->follow();
  idle_flows_.watch(*engine_, *platform_.kernel);
}

void Daemon::schedule_turn() {
  if (std::exchange(turn_scheduled_, true)) return;
  asio::post(loop_, [this] {
    turn_scheduled_ = false;
    turn();
  });
}

void Daemon::write_notices() {
  for (const Notice& notice : engine_->take_notices()) write_notice(notice);
}

void Daemon::tell_learned() {
  const auto learned = engine_->take_newly_learned();
  if (options_.hook.empty()) return;
  for (const FlowKey& flow : learned) {
    hook_.run("install", {"source=" + flow.source.to_string(), "group=" + flow.group.to_string()});
  }
}

void Daemon::wait_for_links() {
  auto descriptors = platform_.links->further_descriptors();
  descriptors.push_back(platform_.links->descriptor());
  for (const int descriptor : descriptors) {
    wait_for_links(links_ready_.emplace_back(loop_, descriptor));
  }
}

void Daemon::wait_for_links(asio::posix::stream_descriptor& ready) {
  ready.async_wait(asio::posix::stream_descriptor::wait_read,
                   [this, &ready](const std::error_code& error) {
                     if (error) return;
                     read_links();
                     wait_for_links(ready);
                   });
}

void Daemon::read_links() {
  const auto began = std::chrono::steady_clock::now();
  const std::uint64_t changes = platform_.kernel->change_count();
  take_link_events();
  turn();
  const auto took = std::chrono::steady_clock::now() - began;
  spdlog::debug("interfaces changed: {} kernel calls, {} us",
                platform_.kernel->change_count() - changes,
                std::chrono::duration_cast<std::chrono::microseconds>(took).count());
}

void Daemon::take_link_events() {
  links_changed_ = false;
  if (const auto read = platform::read_links(*engine_, *platform_.links, *this); !read) {
    spdlog::error("{}", read.error().message);
  }
  Milliseconds again = platform_.links->retry_in();
  if (again < 0) again = platform_.links->recheck_in();
  if (again < 0) {
    link_retry_.cancel();
    return;
  }
  link_retry_.expires_after(std::chrono::milliseconds(again));
  link_retry_.async_wait([this](const std::error_code& error) {
    if (!error) read_links();
  });
}

void Daemon::wait_for_signals() {
  signals_.async_wait([this](const std::error_code& error, int signal) {
    if (error) return;
    if (signal != SIGHUP) {
      spdlog::info("ended by signal {}", signal);
      loop_.stop();
      return;
    }
    (void)reload();  // what went wrong is in the log
    wait_for_signals();
  });
}

// --- What happens --------------------------------------------------------------------------------

void Daemon::link_changed(const Link& link) {
  links_changed_ = true;
  engine_->link_changed(link);
}
void Daemon::link_removed(IfIndex index) {
  links_changed_ = true;
  engine_->link_removed(index);
}
void Daemon::links_relearned(std::span<const Link> links) {
  links_changed_ = true;
  engine_->links_relearned(links);
}
void Daemon::upcall(const Upcall& upcall) {
  engine_->upcall(upcall, now());
}

ipc::Outcome Daemon::reload() {
  ParsedConfig parsed = parse_config(files_, options_.config_file);
  log_diagnostics(parsed.diagnostics);
  ipc::Remarks remarks;
  for (const Diagnostic& diagnostic : parsed.diagnostics) remarks.push_back(diagnostic.to_string());
  const auto refused = [&](std::string_view why) {
    const std::string text =
        fmt::format("{}: not reloaded, nothing has changed{}", options_.config_file, why);
    spdlog::error("{}", text);
    return std::unexpected(ipc::Failure{.error = {ErrorCode::config, text},
                                        .details = std::move(remarks),
                                        .command = std::nullopt});
  };
  if (!parsed.valid()) return refused("");
  const auto impossible = unsupported(parsed.config, platform_.kernel->traits());
  log_diagnostics(impossible);
  for (const Diagnostic& diagnostic : impossible) remarks.push_back(diagnostic.to_string());
  if (!impossible.empty()) return refused(": this kernel cannot do what it says");
  // Changes of rules that have not been read yet count too.
  if (const auto learned = platform::learn_multicast_rules(*engine_, ports_); !learned) {
    spdlog::error("{}", learned.error().message);
  }
  auto collisions = engine_->multicast_rule_collisions(parsed.config.tables);
  if (!collisions.empty()) {
    for (std::string& line : collisions) {
      spdlog::error("{}", line);
      remarks.push_back(std::move(line));
    }
    return refused(": multicast rules of other programs are in the way");
  }
  engine_->set_config(std::move(parsed.config));
  spdlog::info("{}: reloaded", options_.config_file);
  turn(kUntilDone);
  loaded();
  return remarks;
}

TableId Daemon::default_table(Family family) const {
  const EngineOptions engine = engine_options(options_, platform_.kernel->traits());
  return family == Family::ipv4 ? engine.default_ipv4 : engine.default_ipv6;
}

void Daemon::stop() {
  // The client that asked gets its reply first.
  asio::post(loop_, [this] { loop_.stop(); });
}

}  // namespace mcast::cli
