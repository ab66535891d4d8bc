#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/core/keys.hpp"
#include "net/transport/tls.hpp"
#include "tools/machine_limits.hpp"
#include "tools/process.hpp"
#include "tools/testnet_start.hpp"

// One TLS stream over loopback with the sessions that validators use, and nothing around them.
namespace monodon::tools {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunk = 128 * 1024;
/// A stream that has come to a halt ends with an error rather than never.
constexpr timeval kSocketPatience{5, 0};

bool send_all(int socket, const Bytes& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
        const ssize_t part = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (part <= 0) return false;
        sent += static_cast<std::size_t>(part);
    }
    return true;
}

/// One end, used by one thread.
class End {
 public:
    End(int socket, const KeyPair& key, net::TlsSide side)
        : socket_(socket), session_(std::make_shared<net::TlsContext>(key), side) {
        ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kSocketPatience, sizeof kSocketPatience);
        ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kSocketPatience, sizeof kSocketPatience);
    }

    bool handshake() {
        session_.handshake();
        while (flush() && session_.state() == net::TlsState::handshaking && receive()) session_.handshake();
        return flush() && session_.state() == net::TlsState::established;
    }
    bool write(ByteView plaintext) {
        session_.write(plaintext);
        return flush();
    }
    /// How many bytes of plaintext came; 0 at the end of the stream.
    std::size_t read() {
        // What the last read of the socket brought is taken first: the handshake may have left some.
        std::size_t total = decrypted();
        while (total == 0 && receive()) total = decrypted();
        return total;
    }
    void end_sending() const { ::shutdown(socket_, SHUT_WR); }

 private:
    std::size_t decrypted() {
        std::size_t total = 0;
        while (const std::size_t part = session_.read(plain_)) total += part;
        return total;
    }
    bool flush() {
        const bool sent = send_all(socket_, session_.output());
        session_.output().clear();
        return sent;
    }
    bool receive() {
        const ssize_t part = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
        if (part <= 0) return false;
        session_.feed({buffer_.data(), static_cast<std::size_t>(part)});
        return true;
    }

    int socket_;
    net::TlsSession session_;
    Bytes buffer_ = Bytes(kChunk);
    std::array<Byte, 16 * 1024> plain_{};
};

struct Pair {
    Descriptor dialler;
    Descriptor acceptor;
};

Result<Pair> loopback_pair() {
    const auto listener = listen_on_loopback(0);
    if (!listener) return Unexpected{listener.error()};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_of(*listener));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Pair pair;
    pair.dialler = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!pair.dialler ||
        ::connect(pair.dialler.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return failure(kExitFailed, fmt::format("loopback: {}", std::strerror(errno)));
    }
    pair.acceptor = Descriptor(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!pair.acceptor) return failure(kExitFailed, fmt::format("loopback: {}", std::strerror(errno)));
    return pair;
}

}  // namespace

Result<double> measure_tls_stream(std::chrono::milliseconds time) {
    const auto pair = loopback_pair();
    if (!pair) return Unexpected{pair.error()};
    const KeyPair dialler_key = KeyPair::generate();
    const KeyPair acceptor_key = KeyPair::generate();
    std::atomic<std::uint64_t> received{0};
    std::thread acceptor([&] {
        End end(pair->acceptor.get(), acceptor_key, net::TlsSide::acceptor);
        if (!end.handshake()) return;
        while (const std::size_t part = end.read()) received += part;
    });

    End end(pair->dialler.get(), dialler_key, net::TlsSide::dialler);
    double seconds = 0;
    bool good = end.handshake();
    if (good) {
        const Bytes chunk(kChunk, 7);
        const auto begin = Clock::now();
        while (good && Clock::now() - begin < time) good = end.write(chunk);
        end.end_sending();
        acceptor.join();
        seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    } else {
        end.end_sending();
        acceptor.join();
    }
    if (!good || received == 0) return failure(kExitFailed, "the TLS stream over loopback failed");
    return static_cast<double>(received) / seconds;
}

}  // namespace monodon::tools
