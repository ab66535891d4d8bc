#include "tests/net/raw_peer.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/wire/request_head.hpp"

namespace monodon::net::test {

RawPeer::RawPeer(std::uint16_t port, const KeyPair& key)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      tls_(std::make_shared<const TlsContext>(key), TlsSide::dialler),
      ciphertext_(65536) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const int one = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) FAIL("cannot connect");
}

RawPeer::~RawPeer() { ::close(fd_); }

void RawPeer::send_raw(ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
}

void RawPeer::flush() { send_raw(std::exchange(tls_.output(), {})); }

bool RawPeer::fill() {
    const ssize_t size = ::recv(fd_, ciphertext_.data(), ciphertext_.size(), 0);
    if (size <= 0) return false;
    tls_.feed(ByteView(ciphertext_).first(static_cast<std::size_t>(size)));
    return true;
}

void RawPeer::secure() {
    tls_.handshake();
    flush();
    while (tls_.state() == TlsState::handshaking && fill()) {
        tls_.handshake();
        flush();
    }
    if (tls_.state() != TlsState::established) FAIL("no TLS: " << tls_.error());
}

void RawPeer::send_plain(ByteView plaintext) {
    for (; !plaintext.empty();
         plaintext = plaintext.subspan(std::min<std::size_t>(plaintext.size(), 65536))) {
        tls_.write(plaintext.first(std::min<std::size_t>(plaintext.size(), 65536)));
        flush();
    }
}

void RawPeer::send(const FrameHeader& header, ByteView payload) {
    FrameHeader whole = header;
    whole.length = static_cast<std::uint32_t>(payload.size());
    const FrameHeaderBytes head = encode(whole);
    Bytes bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    send_plain(bytes);
}

void RawPeer::send_message(const FrameHeader& header, ByteView body) {
    FrameHeader chunk = header;
    for (; body.size() > kFramePayloadMax; body = body.subspan(kFramePayloadMax)) {
        chunk.flags = 0;
        send(chunk, body.first(kFramePayloadMax));
        ++chunk.chunk;
    }
    chunk.flags = kFlagLast;
    send(chunk, body);
}

void RawPeer::send_hello(const Hello& hello) {
    FrameHeader header;
    header.type = FrameType::hello;
    send(header, encode(hello));
}

void RawPeer::greet(const NetworkConfig& config, Role role) {
    secure();
    send_hello(hello_from(config, role));
    const auto answer = receive();
    if (!answer || answer->header.type != FrameType::hello_ack) FAIL("no HELLO_ACK");
}

std::optional<RawPeer::Got> RawPeer::receive() {
    for (;;) {
        const auto frame = reader_.next();
        if (!frame) FAIL("the node sent a bad frame");
        if (frame->has_value()) {
            Got got{(*frame)->header, Bytes((*frame)->payload.begin(), (*frame)->payload.end())};
            if (got.header.type == FrameType::ping && answer_pings_) {
                FrameHeader pong = got.header;
                pong.type = FrameType::pong;
                send(pong);
            }
            return got;
        }
        const std::size_t size = tls_.read(reader_.prepare());
        reader_.commit(size);
        if (size > 0) continue;
        if (tls_.state() != TlsState::established || !fill()) return std::nullopt;
    }
}

std::optional<RawPeer::Got> RawPeer::receive_message() {
    for (;;) {
        auto got = receive();
        if (!got) return got;
        const FrameType type = got->header.type;
        if (type != FrameType::ping && type != FrameType::pong && type != FrameType::released) return got;
    }
}

std::optional<GoawayReason> RawPeer::read_to_end() {
    std::optional<GoawayReason> reason;
    while (const auto got = receive()) {
        if (got->header.type == FrameType::goaway) reason = decode_goaway(got->payload);
    }
    return reason;
}

bool RawPeer::closed_by_node() {
    while (true) {
        const ssize_t size = ::recv(fd_, ciphertext_.data(), ciphertext_.size(), 0);
        if (size == 0) return true;
        if (size < 0) return errno == ECONNRESET;
    }
}

Hello hello_from(const NetworkConfig& config, Role role) {
    Hello hello;
    hello.chain_id = config.chain_id;
    hello.genesis = config.genesis;
    hello.epoch = config.epoch;
    hello.committee = config.committee;
    hello.role = role;
    hello.agent = "raw";
    for (const MethodInfo& info : all_methods()) {
        // It is not asked for peers: that would come between what a test sends and expects.
        if (info.method == Method::get_peers) continue;
        hello.methods.push_back({static_cast<std::uint16_t>(info.method), info.version});
    }
    hello.limits = {64, 16, 4, kMessageBytesMax};
    hello.nonce = 4711;
    return hello;
}

FrameHeader header_of(FrameType type, MessageClass message_class, Method method, std::uint64_t id) {
    FrameHeader header;
    header.type = type;
    header.message_class = message_class;
    header.method = static_cast<std::uint16_t>(method);
    header.request_id = id;
    return header;
}

Bytes request_payload(Duration deadline, ByteView body) {
    const RequestHeadBytes head = encode(RequestHead{deadline, static_cast<std::uint32_t>(body.size())});
    Bytes bytes(head.view().begin(), head.view().end());
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
}

}  // namespace monodon::net::test
