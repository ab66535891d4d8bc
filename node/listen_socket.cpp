#include "node/listen_socket.hpp"

#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/home.hpp"

namespace monodon::node {
namespace {

constexpr int kBacklog = 128;

Unexpected<std::string> failure(std::string_view where, std::string_view what) {
    return Unexpected{fmt::format("{}: {}: {}", where, what, std::strerror(errno))};
}

/// Where the socket is bound; nothing if it is no TCP socket.
std::optional<ListeningTcp> listening(OwnedSocket socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
    in_port_t port = 0;
    if (address.ss_family == AF_INET) port = reinterpret_cast<const sockaddr_in&>(address).sin_port;
    if (address.ss_family == AF_INET6) port = reinterpret_cast<const sockaddr_in6&>(address).sin6_port;
    if (port == 0) return std::nullopt;
    return ListeningTcp{std::move(socket), address.ss_family, ntohs(port)};
}

std::optional<ListeningTcp> try_listen(const addrinfo& info) {
    OwnedSocket socket(
        ::socket(info.ai_family, info.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, info.ai_protocol));
    if (socket.get() < 0) return std::nullopt;
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), info.ai_addr, info.ai_addrlen) != 0 || ::listen(socket.get(), kBacklog) != 0) {
        return std::nullopt;
    }
    return listening(std::move(socket));
}

std::optional<gid_t> group_id(const std::string& name) {
    std::vector<char> buffer(16 * 1024);
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    return found->gr_gid;
}

/// Whatever lies at the path is gone, or must stay.
Expected<void, std::string> make_way(const std::filesystem::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return failure(path.string(), "cannot be looked at");
    }
    if (!S_ISSOCK(status.st_mode))
        return Unexpected{fmt::format("{}: is not a socket; remove it", path.string())};
    if (::unlink(path.c_str()) != 0) return failure(path.string(), "the old socket cannot be removed");
    return {};
}

Expected<void, std::string> give_to_group(const std::filesystem::path& path, const std::string& group) {
    const auto id = group_id(group);
    if (!id) return Unexpected{fmt::format("admin.group: there is no group {}", group)};
    if (::lchown(path.c_str(), std::numeric_limits<uid_t>::max(), *id) != 0 ||
        ::chmod(path.c_str(), 0660) != 0) {
        return failure(path.string(), fmt::format("cannot be given to the group {}", group));
    }
    return {};
}

}  // namespace

OwnedSocket& OwnedSocket::operator=(OwnedSocket&& other) noexcept {
    if (this != &other) {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = other.release();
    }
    return *this;
}

OwnedSocket::~OwnedSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Expected<ListeningTcp, std::string> listen_tcp(const HostPort& address) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* raw = nullptr;
    const int code = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &raw);
    if (code != 0) return Unexpected{fmt::format("{}: {}", address.text(), ::gai_strerror(code))};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> infos(raw, &::freeaddrinfo);
    for (const addrinfo* info = infos.get(); info != nullptr; info = info->ai_next) {
        if (auto listening = try_listen(*info)) return std::move(*listening);
    }
    return failure(address.text(), "cannot listen");
}

Expected<ListeningTcp, std::string> adopt_tcp(int descriptor) {
    ListeningTcp listening{OwnedSocket(descriptor), 0, 0};
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return failure("the socket handed over", "not a socket");
    }
    listening.family = address.ss_family;
    if (address.ss_family == AF_INET) {
        listening.port = ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
    } else if (address.ss_family == AF_INET6) {
        listening.port = ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
    } else {
        return Unexpected{std::string("the socket handed over is not a TCP socket")};
    }
    if (::fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0 || ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 ||
        ::listen(descriptor, kBacklog) != 0) {
        return failure("the socket handed over", "cannot listen");
    }
    return listening;
}

Expected<ListeningTcp, std::string> listen_tcp(OwnedSocket socket) {
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
        ::listen(socket.get(), kBacklog) != 0) {
        return failure("the socket that was handed over", "cannot listen");
    }
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    auto result = listening(std::move(socket));
    if (!result) return Unexpected{std::string("the socket that was handed over is not a bound TCP socket")};
    return std::move(*result);
}

Expected<OwnedSocket, std::string> listen_unix(const std::filesystem::path& path, const std::string& group) {
    const std::string text = path.string();
    if (text.size() > kSocketPathMax) {
        return Unexpected{fmt::format("{}: a socket's path has at most {} bytes", text, kSocketPathMax)};
    }
    if (const auto way = make_way(path); !way) return Unexpected{way.error()};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    text.copy(static_cast<char*>(address.sun_path), text.size());

    OwnedSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return failure(text, "no socket");
    // bind() takes the mode of the socket's own inode, so that there is no moment in which others could
    // connect. The umask would do the same, but for every file that any thread makes meanwhile.
    if (::fchmod(socket.get(), 0600) != 0) return failure(text, "mode");
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return failure(text, "cannot be bound");
    }
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || (status.st_mode & 0777) != 0600) {
        ::unlink(path.c_str());
        return Unexpected{fmt::format("{}: this system did not make the socket with mode 0600", text)};
    }
    if (!group.empty()) {
        if (const auto given = give_to_group(path, group); !given) {
            ::unlink(path.c_str());
            return Unexpected{given.error()};
        }
    }
    if (::listen(socket.get(), kBacklog) != 0) return failure(text, "cannot listen");
    return socket;
}

uid_t peer_user(int descriptor) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return std::numeric_limits<uid_t>::max();
    }
    return credentials.uid;
}

}  // namespace monodon::node
