#pragma once

#include <optional>
#include <string>

#include "net/transport/hello.hpp"
#include "net/transport/tls.hpp"
#include "net/wire/frame_reader.hpp"
#include "tests/net/network_fixture.hpp"

namespace monodon::net::test {

/// A peer that does exactly what a test tells it to, right or wrong: a blocking socket, a TLS session and
/// frames, without the connection class under test.
class RawPeer {
 public:
    RawPeer(std::uint16_t port, const KeyPair& key);
    ~RawPeer();
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;

    /// The TLS handshake.
    void secure();
    /// Sends a hello with the fields that the committee agrees on, and takes the answer.
    void greet(const NetworkConfig& config, Role role = Role::member);

    void send_raw(ByteView bytes);
    void send(const FrameHeader& header, ByteView payload = {});
    /// A message in as many chunks as it takes.
    void send_message(const FrameHeader& header, ByteView body);
    /// Many frames in one write.
    void send_plain(ByteView plaintext);
    void send_hello(const Hello& hello);

    /// The next frame; nothing when the node has closed the connection, or after kPatience.
    struct Got {
        FrameHeader header;
        Bytes payload;
    };
    std::optional<Got> receive();
    /// The next frame that is none of a connection: no ping, no pong, no word of what was released.
    std::optional<Got> receive_message();
    /// Reads to the end; the reason of the GOAWAY on the way, if there was one.
    std::optional<GoawayReason> read_to_end();
    /// The node closed the connection without another word.
    bool closed_by_node();
    void answer_pings(bool answer) { answer_pings_ = answer; }

 private:
    bool fill();
    void flush();

    int fd_ = -1;
    TlsSession tls_;
    FrameReader reader_;
    Bytes ciphertext_;
    bool answer_pings_ = true;
};

[[nodiscard]] Hello hello_from(const NetworkConfig& config, Role role);
[[nodiscard]] FrameHeader header_of(FrameType type, MessageClass message_class, Method method,
                                    std::uint64_t id);
/// A REQUEST payload: head and body.
[[nodiscard]] Bytes request_payload(Duration deadline, ByteView body);

}  // namespace monodon::net::test
