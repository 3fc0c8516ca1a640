#include "network.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Socket {
 public:
  explicit Socket(int family)
      : descriptor_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// 0, or errno of why there is no connection.
int connect_within(const Socket& socket, const addrinfo& to, milliseconds timeout) {
  if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd ready = {.fd = socket.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

std::string own_address(const Socket& socket) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  char text[NI_MAXHOST] = "";
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size);
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, text, sizeof text, nullptr, 0,
                NI_NUMERICHOST);
  return text;
}

}  // namespace

std::string wait_for_server(const std::string& address, int64_t port, milliseconds timeout) {
  const auto end = Clock::now() + timeout;
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const int fault = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (fault != 0) {
    throw Error("MASTER_ADDR: {}: {}; expected the machine that rank 0 runs on", address,
                ::gai_strerror(fault));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  while (true) {
    int error = 0;
    for (const addrinfo* to = found; to != nullptr; to = to->ai_next) {
      const Socket socket(to->ai_family);
      const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
      error = connect_within(socket, *to, std::max(milliseconds(1), left));
      if (error == 0) return own_address(socket);
    }
    const bool no_way = error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES;
    if (no_way || Clock::now() > end) {
      throw Error(
          "{}:{}: rank 0 cannot be reached there: {}; check MASTER_ADDR and MASTER_PORT, "
          "and that rank 0 runs",
          address, port, std::strerror(error));
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
}

int64_t free_port() {
  const Socket socket(AF_INET);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof any;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&any), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&any), &size) != 0) {
    throw Error("no free port on this machine: {}", std::strerror(errno));
  }
  return ntohs(any.sin_port);
}

}  // namespace mobileone
