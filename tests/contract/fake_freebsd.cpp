// SPDX-License-Identifier: BSD-2-Clause
#include "tests/contract/fake_under_test.hpp"

namespace mcast::testing {

std::unique_ptr<KernelUnderTest> make_kernel_under_test() {
  return make_fake_under_test(freebsd_traits());
}

}  // namespace mcast::testing
