// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/bare_learner.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/mroute.h>
#include <linux/mroute6.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>

namespace mcast::bench {
namespace {

constexpr int kReceiveBuffer = 16 << 20;

void answer_v4(int socket, const std::byte* message) {
  igmpmsg asked{};
  std::memcpy(&asked, message, sizeof asked);
  if (asked.im_mbz != 0 || asked.im_msgtype != IGMPMSG_NOCACHE) return;
  mfcctl entry{};
  entry.mfcc_origin = asked.im_src;
  entry.mfcc_mcastgrp = asked.im_dst;
  entry.mfcc_ttls[1] = 1;
  ::setsockopt(socket, IPPROTO_IP, MRT_ADD_MFC, &entry, sizeof entry);
}

void answer_v6(int socket, const std::byte* message) {
  mrt6msg asked{};
  std::memcpy(&asked, message, sizeof asked);
  if (asked.im6_mbz != 0 || asked.im6_msgtype != MRT6MSG_NOCACHE) return;
  mf6cctl entry{};
  entry.mf6cc_origin.sin6_family = entry.mf6cc_mcastgrp.sin6_family = AF_INET6;
  entry.mf6cc_origin.sin6_addr = asked.im6_src;
  entry.mf6cc_mcastgrp.sin6_addr = asked.im6_dst;
  IF_SET(1, &entry.mf6cc_ifset);
  ::setsockopt(socket, IPPROTO_IPV6, MRT6_ADD_MFC, &entry, sizeof entry);
}

[[noreturn]] void learn(int socket, Family family) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::array<std::byte, 128> message{};
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  for (;;) {
    ::poll(&waiting, 1, -1);
    if (::recv(socket, message.data(), message.size(), 0) <= 0) continue;
    (family == Family::ipv4 ? answer_v4 : answer_v6)(socket, message.data());
  }
}

}  // namespace

BareLearner::BareLearner(const testing::NetNamespace& router, Family family)
    : socket_(router, family == Family::ipv4 ? AF_INET : AF_INET6) {
  if (::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer,
                   sizeof kReceiveBuffer) < 0) {
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  }
  socket_.add_vif(0, "eth0");
  socket_.add_vif(1, "eth1");
  process_ = testing::check_call(::fork(), "fork");
  if (process_ == 0) learn(socket_.fd(), family);
}

BareLearner::~BareLearner() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace mcast::bench
