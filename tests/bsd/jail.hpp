// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <string>

namespace mcast::testing {

/// Makes a VNET jail with the files of the whole system, below the jail of this process; jails can
/// be made in it, so many. Returns its number. Skips the case where the kernel has none.
[[nodiscard]] int make_jail(int children = 0);
/// One that shares the network of this process.
[[nodiscard]] int make_shared_jail();
void remove_jail(int jail);
/// Moves the calling process into it, for good.
void enter_jail(int jail);
/// What a process of its own in the jail says. That one has copies of what this one has open.
[[nodiscard]] std::string ask_in_jail(int jail, const std::function<std::string()>& action);
/// Removes all jails that make_jail() has made, with all that is in them.
void remove_jails();

/// One that ends with this object, with whatever is in it.
class Jail {
 public:
  Jail() : id_(make_jail()) {}
  ~Jail();
  Jail(const Jail&) = delete;
  Jail& operator=(const Jail&) = delete;

  [[nodiscard]] int id() const { return id_; }
  void enter() const { enter_jail(id_); }
  [[nodiscard]] std::string ask(const std::function<std::string()>& action) const {
    return ask_in_jail(id_, action);
  }

 private:
  int id_;
};

}  // namespace mcast::testing
