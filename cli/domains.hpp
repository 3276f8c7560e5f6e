// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "ipc/control.hpp"

namespace mcast::cli {

/// What the words `table NAME` and `vrf NAME` of a question may mean.
struct KnownDomains {
  struct Named {
    std::string name;
    TableId table;
  };
  std::vector<TableId> tables;  ///< in use, of either family; may be repeated
  std::vector<Named> declared;  ///< by the configuration; a name may be empty
  std::vector<Named> vrfs;
};

/// The table that is meant; not_found says what there is instead.
[[nodiscard]] Result<TableId> find_table(const ipc::DomainWords& words, const KnownDomains& known);

}  // namespace mcast::cli
