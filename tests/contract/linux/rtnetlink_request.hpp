// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

#include "tests/support/net_namespace.hpp"

/// Changes to interfaces that libnl-route has no function for. Failures throw std::system_error.
namespace mcast::testing {

void add_altname(const NetNamespace& net, const std::string& name, const std::string& altname);
void remove_altname(const NetNamespace& net, const std::string& name, const std::string& altname);
/// A change that the kernel announces though it concerns no router.
void set_queue_length(const NetNamespace& net, const std::string& name, unsigned length);
/// A bridge with an index of our choice.
void add_bridge_with_index(const NetNamespace& net, const std::string& name, unsigned index);

}  // namespace mcast::testing
