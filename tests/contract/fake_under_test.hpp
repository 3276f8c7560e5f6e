// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "core/traits.hpp"
#include "tests/contract/kernel_under_test.hpp"

namespace mcast::testing {

/// The fake kernel with these traits; make_kernel_under_test() chooses them.
[[nodiscard]] std::unique_ptr<KernelUnderTest> make_fake_under_test(const KernelTraits& traits);

}  // namespace mcast::testing
