#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include <sys/types.h>

#include "net/core/expected.hpp"
#include "node/host_port.hpp"

namespace monodon::node {

/// A file descriptor that is closed with its owner.
class OwnedSocket {
 public:
    explicit OwnedSocket(int descriptor = -1) : descriptor_(descriptor) {}
    OwnedSocket(OwnedSocket&& other) noexcept : descriptor_(other.release()) {}
    OwnedSocket& operator=(OwnedSocket&& other) noexcept;
    ~OwnedSocket();
    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

 private:
    int descriptor_;
};

struct ListeningTcp {
    OwnedSocket socket;
    /// AF_INET or AF_INET6.
    int family = 0;
    std::uint16_t port = 0;
};
/// Listens at the first address of the host that can be had. Errors are words.
[[nodiscard]] Expected<ListeningTcp, std::string> listen_tcp(const HostPort& address);

/// Listens on a TCP socket that was bound by somebody else, and owns it from then on.
[[nodiscard]] Expected<ListeningTcp, std::string> adopt_tcp(int descriptor);

/// Listens on a TCP socket that is bound already.
[[nodiscard]] Expected<ListeningTcp, std::string> listen_tcp(OwnedSocket socket);

/// Listens at the path, at most kSocketPathMax bytes. The socket has mode 0600 from its first moment, and
/// 0660 once it belongs to `group`, if one is given. A socket that lies there already is removed (the caller
/// knows that nobody listens); anything else is not.
[[nodiscard]] Expected<OwnedSocket, std::string> listen_unix(const std::filesystem::path& path,
                                                             const std::string& group);

/// The user at the other end of a Unix socket.
[[nodiscard]] uid_t peer_user(int descriptor);

}  // namespace monodon::node
