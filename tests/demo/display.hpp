// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

#include "tests/demo/scene.hpp"

namespace mcast::demo {

/// Lines that stay, and on a terminal a table below them that is drawn over and over.
class Display {
 public:
  Display();
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  void say(std::string_view line);
  /// Draws the packets per interface, at most ten times a second, if this is a terminal.
  void refresh(Scene& scene);
  /// The same as lines that stay, if it is not.
  void record(Scene& scene);
  /// Leaves the table as it is now.
  void keep(Scene& scene);

 private:
  void erase();
  [[nodiscard]] std::string table(Scene& scene);

  bool terminal_;
  int drawn_ = 0;  ///< lines of the table on the screen
  testing::Clock::time_point next_{};
};

}  // namespace mcast::demo
