// SPDX-License-Identifier: BSD-2-Clause
#include "platform/linux/mroute_kernel.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/mroute.h>
#include <linux/mroute6.h>
#include <linux/sock_diag.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "platform/posix/mroute_error.hpp"
#include "platform/posix/mroute_requests.hpp"
#include "platform/posix/socket_mroute_kernel.hpp"

namespace mcast::platform {
namespace {

static_assert(MRT_ADD_MFC == MRT6_ADD_MFC && MRT_DEL_MFC == MRT6_DEL_MFC &&
              MRT_ADD_VIF == MRT6_ADD_MIF && MRT_DEL_VIF == MRT6_DEL_MIF);
static_assert(MRT_ADD_MFC_PROXY == MRT6_ADD_MFC_PROXY && MRT_DEL_MFC_PROXY == MRT6_DEL_MFC_PROXY);
static_assert(MAXVIFS <= kMaxSlots && MAXMIFS == MAXVIFS);

/// Of entries for any source there is one for each parent, which only these options tell apart.
int add_option(const FlowKey& flow) {
  return flow.source.is_unspecified() ? MRT_ADD_MFC_PROXY : MRT_ADD_MFC;
}
int drop_option(const FlowKey& flow) {
  return flow.source.is_unspecified() ? MRT_DEL_MFC_PROXY : MRT_DEL_MFC;
}

class LinuxMrouteKernel final : public SocketMrouteKernel {
 public:
  LinuxMrouteKernel() : SocketMrouteKernel(linux_traits(), std::nullopt) {}

  Result<bool> slot_is_bound(TableKey key, VifIndex slot) override;
  Result<FlowCounters> counters(TableKey key, const FlowKey& flow) override;
  Result<UpcallCounts> upcall_counts(TableKey key) const override;

 private:
  Result<void> carry_out(const PutMfc& op) override;
  Result<void> carry_out(const DropMfc& op) override;
  Result<void> carry_out(const BindVif& op) override;
  Result<void> carry_out(const UnbindVif& op) override;
};

Result<void> LinuxMrouteKernel::carry_out(const PutMfc& op) {
  int error = 0;
  if (op.table.family == Family::ipv4) {
    error = change(op.table, add_option(op.flow), ipv4_entry<mfcctl>(op));
  } else {
    error = change(op.table, add_option(op.flow), ipv6_entry<mf6cctl>(op));
  }
  if (error == 0) return {};
  return failure(MrouteCall::add_mfc, op.table, error, op.flow.to_string());
}

Result<void> LinuxMrouteKernel::carry_out(const DropMfc& op) {
  int error = 0;
  if (op.table.family == Family::ipv4) {
    error = change(op.table, drop_option(op.flow), ipv4_entry<mfcctl>(op.flow, op.parent));
  } else {
    error = change(op.table, drop_option(op.flow), ipv6_entry<mf6cctl>(op.flow, op.parent));
  }
  if (error == 0 || error == ENOENT) return {};
  return failure(MrouteCall::del_mfc, op.table, error, op.flow.to_string());
}

Result<void> LinuxMrouteKernel::carry_out(const BindVif& op) {
  int error = 0;
  if (op.table.family == Family::ipv4) {
    vifctl vif{};
    vif.vifc_vifi = op.slot.value;
    vif.vifc_flags = VIFF_USE_IFINDEX;
    vif.vifc_threshold = op.threshold;
    vif.vifc_lcl_ifindex = static_cast<int>(op.link.value);
    error = change(op.table, MRT_ADD_VIF, vif);
  } else {
    TRY(check_index(op));
    mif6ctl mif{};
    mif.mif6c_mifi = op.slot.value;
    mif.vifc_threshold = op.threshold;
    mif.mif6c_pifi = static_cast<std::uint16_t>(op.link.value);
    error = change(op.table, MRT6_ADD_MIF, mif);
  }
  if (error == 0) return {};
  return failure(MrouteCall::add_vif, op.table, error,
                 fmt::format("slot {} for {}", op.slot.value, describe(op.link)));
}

Result<void> LinuxMrouteKernel::carry_out(const UnbindVif& op) {
  int error = 0;
  if (op.table.family == Family::ipv4) {
    vifctl vif{};
    vif.vifc_vifi = op.slot.value;
    error = change(op.table, MRT_DEL_VIF, vif);
  } else {
    error = change(op.table, MRT6_DEL_MIF, mifi_t{op.slot.value});
  }
  // The kernel was first: it takes the slot of an interface that goes away.
  if (error == 0 || error == EADDRNOTAVAIL) return {};
  return failure(MrouteCall::del_vif, op.table, error, fmt::format("slot {}", op.slot.value));
}

Result<bool> LinuxMrouteKernel::slot_is_bound(TableKey key, VifIndex slot) {
  const auto* table = find(key);
  int error = EBADF;
  if (table != nullptr && key.family == Family::ipv4) {
    sioc_vif_req request{};
    request.vifi = slot.value;
    error = ::ioctl(table->fd(), SIOCGETVIFCNT, &request) == 0 ? 0 : errno;
  } else if (table != nullptr) {
    sioc_mif_req6 request{};
    request.mifi = slot.value;
    error = ::ioctl(table->fd(), SIOCGETMIFCNT_IN6, &request) == 0 ? 0 : errno;
  }
  if (error == 0) return true;
  // EINVAL: above the highest slot in use.
  if (error == EADDRNOTAVAIL || error == EINVAL) return false;
  return failure(MrouteCall::get_slot, key, error, fmt::format("slot {}", slot.value));
}

Result<FlowCounters> LinuxMrouteKernel::counters(TableKey key, const FlowKey& flow) {
  return counters_by<sioc_sg_req, sioc_sg_req6>(key, flow, SIOCGETSGCNT, SIOCGETSGCNT_IN6);
}

Result<UpcallCounts> LinuxMrouteKernel::upcall_counts(TableKey key) const {
  const auto* table = find(key);
  int error = EBADF;
  // SO_RXQ_OVFL says nothing of a socket that only the kernel itself writes to.
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  if (table != nullptr) {
    socklen_t size = sizeof memory;
    error =
        ::getsockopt(table->fd(), SOL_SOCKET, SO_MEMINFO, memory.data(), &size) == 0 ? 0 : errno;
  }
  if (error != 0) return failure(MrouteCall::set_option, key, error, "counts of upcalls");
  return UpcallCounts{.read = table->upcalls.read, .lost = memory[SK_MEMINFO_DROPS]};
}

}  // namespace

std::unique_ptr<MrouteKernel> make_mroute_kernel() {
  return std::make_unique<LinuxMrouteKernel>();
}

}  // namespace mcast::platform
