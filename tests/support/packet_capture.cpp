// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/packet_capture.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <stdexcept>

namespace mcast::testing {

PacketCapture::PacketCapture(const NetNamespace& host, const std::string& interface) {
  host.run([&] {
    const unsigned index = ::if_nametoindex(interface.c_str());
    if (index == 0) throw std::runtime_error("no such interface: " + interface);
    const int protocol = htons(ETH_P_ALL);
    socket_ = Fd(check_call(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol),
                            "packet socket"));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = static_cast<std::uint16_t>(protocol);
    address.sll_ifindex = static_cast<int>(index);
    check_call(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
               "bind packet socket");
  });
}

void PacketCapture::drain() {
  for (;;) {
    std::array<std::uint8_t, 65'536> buffer;
    const ssize_t length = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (length < 0 && errno == EAGAIN) return;
    check_call(static_cast<int>(length), "recv on packet socket");
    frames_.emplace_back(buffer.begin(), buffer.begin() + length);
  }
}

const std::vector<PacketCapture::Frame>& PacketCapture::frames() {
  drain();
  return frames_;
}

bool PacketCapture::await(std::size_t count, const std::function<bool(const Frame&)>& kind,
                          Duration patience) {
  const auto deadline = Clock::now() + patience;
  for (;;) {
    drain();
    if (static_cast<std::size_t>(std::ranges::count_if(frames_, kind)) >= count) return true;
    const auto left = std::chrono::duration_cast<Duration>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd readable{socket_.get(), POLLIN, 0};
    check_call(::poll(&readable, 1, static_cast<int>(left.count())), "poll");
  }
}

void PacketCapture::write_pcap(const std::filesystem::path& path) {
  constexpr std::uint32_t kMagic = 0xa1b2c3d4;
  constexpr std::uint32_t kVersion = 2 | 4U << 16U;
  constexpr std::uint32_t kMostBytes = 65'535;
  constexpr std::uint32_t kEthernet = 1;
  std::ofstream file(path, std::ios::binary);
  const auto put = [&](std::initializer_list<std::uint32_t> words) {
    for (const std::uint32_t word : words) {
      file.write(reinterpret_cast<const char*>(&word), sizeof word);
    }
  };
  put({kMagic, kVersion, 0, 0, kMostBytes, kEthernet});
  for (const Frame& frame : frames()) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    put({0, 0, size, size});
    file.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(size));
  }
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace mcast::testing
