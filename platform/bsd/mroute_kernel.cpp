// SPDX-License-Identifier: BSD-2-Clause
// What no caller may do to this kernel, and the port refuses:
//  - IPv4: MRT_ADD_VIF for a slot in use frees the interface (ip_mroute.c, add_vif). The kernel
//    takes slots away by itself, with an interface that departs or is renamed, so our own record is
//    not the truth: it is asked each time (net.inet.ip.viftable). Not by SIOCGETVIFCNT, which takes
//    the lock of a slot that may have none (get_vif_cnt).
//  - IPv6: an output whose slot is not bound is used all the same (ip6_mroute.c, ip6_mdq). Slots
//    are ours alone to give and take, so here the record holds.
// The kernel reports each packet of IPv6 on a wrong interface (ip6_mdq), which is limited here to
// what it does for IPv4; the reports are read all the same, and take room that questions need.
// Entries of IPv4 are not checked by the kernel at all. Their stale outputs (update_mfc_params) are
// the planner's business: KernelTraits tell it to drop an entry before it puts another.
#include "platform/bsd/mroute_kernel.hpp"

#include <fmt/format.h>

#include <sys/param.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sockio.h>

#include <net/if.h>
#include <netinet/ip_mroute.h>
#include <netinet6/in6_var.h>
#include <netinet6/ip6_mroute.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "platform/bsd/report_limiter.hpp"
#include "platform/bsd/slot_codec.hpp"
#include "platform/bsd/sysctl.hpp"
#include "platform/posix/mroute_requests.hpp"
#include "platform/posix/socket_address.hpp"
#include "platform/posix/socket_mroute_kernel.hpp"

namespace mcast::platform {
namespace {

static_assert(int{MRT_ADD_MFC} == MRT6_ADD_MFC && int{MRT_DEL_MFC} == MRT6_DEL_MFC);
static_assert(MAXVIFS <= kMaxSlots && MAXMIFS <= kMaxSlots);
static_assert(sizeof(vifctl) == 16 && offsetof(vifctl, vifc_threshold) == 3 &&
              offsetof(vifctl, vifc_lcl_addr) == 8);
static_assert(sizeof(mfcctl) == 44 && offsetof(mfcctl, mfcc_parent) == 8 &&
              offsetof(mfcctl, mfcc_ttls) == 10);
static_assert(sizeof(mif6ctl) == 6 && offsetof(mif6ctl, mif6c_pifi) == 4);
static_assert(sizeof(mf6cctl) == 92 && offsetof(mf6cctl, mf6cc_mcastgrp) == 28 &&
              offsetof(mf6cctl, mf6cc_parent) == 56 && offsetof(mf6cctl, mf6cc_ifset) == 60);
// What slot_codec reads; struct vif is larger in the kernel.
static_assert(offsetof(vif, v_lcl_addr) == 4 && offsetof(vif, v_ifp) == 16);
static_assert(sizeof(void*) != 8 || sizeof(vif) == 56);
static_assert(sizeof(mif6_sctl) == 64 && offsetof(mif6_sctl, m6_ifp) == 24);

/// The most sources of one group on one interface: one more panics (in_mcast.c, in6_mcast.c).
std::size_t most_sources(const KernelTraits& traits) {
  std::uint64_t most = traits.max_sources_per_group;
  for (const char* limit : {"net.inet.ip.mcast.maxgrpsrc", "net.inet6.ip6.mcast.maxgrpsrc"}) {
    most = std::min(most, sysctl_number(limit).value_or(most));
  }
  return static_cast<std::size_t>(most);
}

/// The process is in the FIB as long as this lives: sysctl shows the slots of that one.
class InFib {
 public:
  explicit InFib(TableId fib)
      : own_(static_cast<int>(sysctl_number("net.my_fibnum").value_or(0))),
        fib_(static_cast<int>(fib.value)) {
    if (own_ != fib_) ::setfib(fib_);
  }
  InFib(const InFib&) = delete;
  InFib& operator=(const InFib&) = delete;
  ~InFib() {
    if (own_ != fib_) ::setfib(own_);
  }

 private:
  int own_;
  int fib_;
};

std::unexpected<Error> refuse(ErrorCode code, TableKey table, const std::string& why) {
  return fail(code, fmt::format("{}: {}", describe(table), why));
}

class BsdMrouteKernel final : public SocketMrouteKernel {
 public:
  explicit BsdMrouteKernel(const KernelTraits& traits)
      : SocketMrouteKernel(traits, most_sources(traits)) {}

  Result<void> adopt_table(TableSocket socket) override {
    const TableKey key = socket.table;
    TRY(SocketMrouteKernel::adopt_table(std::move(socket)));
    bound_[key] = slots_in_use(key).value_or(SlotSet());
    return {};
  }

  void close_table(TableKey key) override {
    SocketMrouteKernel::close_table(key);
    bound_.erase(key);
  }

  Result<bool> slot_is_bound(TableKey key, VifIndex slot) override;
  Result<FlowCounters> counters(TableKey key, const FlowKey& flow) override;
  Result<UpcallCounts> upcall_counts(TableKey key) const override;

 private:
  Result<void> carry_out(const PutMfc& op) override;
  Result<void> carry_out(const DropMfc& op) override;
  Result<void> carry_out(const BindVif& op) override;
  Result<void> carry_out(const UnbindVif& op) override;

  bool admits(const Upcall& upcall) override;

  Result<void> check_entry(const PutMfc& op);
  Result<void> check_slot(const BindVif& op);
  Result<int> bind4(const BindVif& op);
  Result<int> bind6(const BindVif& op);
  /// None if the kernel does not tell, or in a way that is not known.
  std::optional<SlotSet> slots_in_use(TableKey key);

  /// What we bound and have not unbound since; what the kernel did meanwhile is not in it.
  std::map<TableKey, SlotSet> bound_;
  ReportLimiter reports6_;
  /// A slot that we had just bound was not in the kernel's list.
  bool list_misleads_ = false;
};

std::optional<SlotSet> BsdMrouteKernel::slots_in_use(TableKey key) {
  if (list_misleads_) return std::nullopt;
  const InFib fib(key.id);
  return key.family == Family::ipv4 ? used_vifs(sysctl_bytes("net.inet.ip.viftable"))
                                    : used_mifs(sysctl_bytes("net.inet6.ip6.mif6table"));
}

/// The kernel takes anything.
Result<void> BsdMrouteKernel::check_entry(const PutMfc& op) {
  const auto unfit = [&](const char* why) {
    return refuse(ErrorCode::invalid_argument, op.table,
                  fmt::format("{}: {}", op.flow.to_string(), why));
  };
  const Family family = op.table.family;
  if (op.flow.source.family() != family || op.flow.group.family() != family) {
    return unfit("addresses of another family than the table's");
  }
  if (!op.flow.group.is_multicast()) return unfit("the group is no multicast address");
  if (op.flow.source.is_multicast()) return unfit("the source is a multicast address");
  if (op.flow.source.is_unspecified()) return unfit("this kernel has no entries for any source");
  const std::size_t slots = traits().of(family).slots;
  if (op.shape.parent.value >= slots) return unfit("its parent is beyond the last slot");
  const auto bound = bound_.find(op.table);
  for (std::size_t slot = 0; slot < kMaxSlots && bound != bound_.end(); ++slot) {
    if (op.shape.ttls[slot] == 0) continue;
    if (slot >= slots) return unfit("an output is beyond the last slot");
    if (family == Family::ipv6 && !bound->second[slot]) {
      return unfit("an output has no slot, which this kernel would not survive");
    }
  }
  return {};
}

Result<void> BsdMrouteKernel::carry_out(const PutMfc& op) {
  TRY(check_entry(op));
  int error = 0;
  if (op.table.family == Family::ipv4) {
    error = change(op.table, MRT_ADD_MFC, ipv4_entry<mfcctl>(op));
  } else {
    error = change(op.table, MRT6_ADD_MFC, ipv6_entry<mf6cctl>(op));
  }
  if (error == 0) return {};
  return failure(MrouteCall::add_mfc, op.table, error, op.flow.to_string());
}

Result<void> BsdMrouteKernel::carry_out(const DropMfc& op) {
  int error = 0;
  if (op.table.family == Family::ipv4) {
    error = change(op.table, MRT_DEL_MFC, ipv4_entry<mfcctl>(op.flow, op.parent));
  } else {
    error = change(op.table, MRT6_DEL_MFC, ipv6_entry<mf6cctl>(op.flow, op.parent));
  }
  if (error == 0 || error == EADDRNOTAVAIL) return {};
  return failure(MrouteCall::del_mfc, op.table, error, op.flow.to_string());
}

/// Whether the slot is free; what cannot be known counts as it was left.
Result<void> BsdMrouteKernel::check_slot(const BindVif& op) {
  if (op.slot.value >= traits().of(op.table.family).slots) {
    return refuse(ErrorCode::no_slots, op.table,
                  fmt::format("slot {} for {}: a table has {}", op.slot.value, describe(op.link),
                              traits().of(op.table.family).slots));
  }
  const auto bound = bound_.find(op.table);
  if (bound == bound_.end()) return {};
  const auto used = slots_in_use(op.table);
  if (!(used ? *used : bound->second)[op.slot.value]) return {};
  bound->second.set(op.slot.value);
  return refuse(ErrorCode::already_exists, op.table,
                fmt::format("slot {} for {}: it is in use", op.slot.value, describe(op.link)));
}

Result<int> BsdMrouteKernel::bind4(const BindVif& op) {
  if (!op.address || op.address->family() != Family::ipv4) {
    return refuse(ErrorCode::no_such_interface, op.table,
                  fmt::format("slot {} for {}: it has no IPv4 address of its own, by which alone "
                              "this kernel finds it; give it one",
                              op.slot.value, describe(op.link)));
  }
  vifctl vif{};
  vif.vifc_vifi = op.slot.value;
  vif.vifc_threshold = op.threshold;
  vif.vifc_lcl_addr = to_in(*op.address);
  return change(op.table, MRT_ADD_VIF, vif);
}

Result<int> BsdMrouteKernel::bind6(const BindVif& op) {
  static_assert(std::numeric_limits<decltype(mif6ctl::mif6c_pifi)>::max() == 0xffff);
  TRY(check_index(op));
  mif6ctl mif{};
  mif.mif6c_mifi = op.slot.value;
  mif.mif6c_pifi = static_cast<std::uint16_t>(op.link.value);
  return change(op.table, MRT6_ADD_MIF, mif);
}

Result<void> BsdMrouteKernel::carry_out(const BindVif& op) {
  TRY(check_slot(op));
  const int error = TRY(op.table.family == Family::ipv4 ? bind4(op) : bind6(op));
  if (error != 0) {
    const std::string by = op.address ? " by " + op.address->to_string() : "";
    return failure(MrouteCall::add_vif, op.table, error,
                   fmt::format("slot {} for {}{}", op.slot.value, describe(op.link), by));
  }
  bound_.at(op.table).set(op.slot.value);
  // A list that does not have it is not what we take it for, or the interface has just departed:
  // in that case too nothing is lost by relying on the record from now on.
  const auto used = slots_in_use(op.table);
  if (used && !(*used)[op.slot.value]) list_misleads_ = true;
  return {};
}

Result<void> BsdMrouteKernel::carry_out(const UnbindVif& op) {
  if (op.slot.value >= traits().of(op.table.family).slots) {
    return refuse(ErrorCode::not_found, op.table,
                  fmt::format("slot {}: it is beyond the last one", op.slot.value));
  }
  int error = 0;
  if (op.table.family == Family::ipv4) {
    error = change(op.table, MRT_DEL_VIF, vifi_t{op.slot.value});
  } else {
    error = change(op.table, MRT6_DEL_MIF, mifi_t{op.slot.value});
  }
  // The kernel was first: it takes the slot of an interface that goes away. EINVAL is for slots
  // above the highest one in use, and of IPv6 for any that is free.
  if (error == 0 || error == EADDRNOTAVAIL || error == EINVAL) {
    bound_.at(op.table).reset(op.slot.value);
    return {};
  }
  return failure(MrouteCall::del_vif, op.table, error, fmt::format("slot {}", op.slot.value));
}

Result<bool> BsdMrouteKernel::slot_is_bound(TableKey key, VifIndex slot) {
  const std::string what = fmt::format("slot {}", slot.value);
  const auto bound = bound_.find(key);
  if (bound == bound_.end()) return failure(MrouteCall::get_slot, key, EBADF, what);
  if (slot.value >= traits().of(key.family).slots) return false;
  const auto used = slots_in_use(key);
  if (used) return (*used)[slot.value];
  return refuse(ErrorCode::no_kernel_support, key, what + ": this kernel does not tell");
}

Result<FlowCounters> BsdMrouteKernel::counters(TableKey key, const FlowKey& flow) {
  return counters_by<sioc_sg_req, sioc_sg_req6>(key, flow, SIOCGETSGCNT, SIOCGETSGCNT_IN6);
}

bool BsdMrouteKernel::admits(const Upcall& upcall) {
  if (upcall.kind != Upcall::Kind::wrong_vif || upcall.table.family == Family::ipv4) return true;
  using std::chrono::duration_cast;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return reports6_.admits(upcall.flow, duration_cast<std::chrono::milliseconds>(now).count());
}

Result<UpcallCounts> BsdMrouteKernel::upcall_counts(TableKey key) const {
  if (const auto* table = find(key)) return table->upcalls;
  return failure(MrouteCall::receive, key, EBADF, "counts of upcalls");
}

}  // namespace

std::unique_ptr<MrouteKernel> make_mroute_kernel(std::uint32_t tables) {
  return std::make_unique<BsdMrouteKernel>(freebsd_traits(tables));
}

}  // namespace mcast::platform
