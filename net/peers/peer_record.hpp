#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"
#include "net/core/keys.hpp"
#include "net/core/time.hpp"
#include "net/peers/peer_address.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

inline constexpr std::size_t kRecordBytesMax = 512;
inline constexpr std::size_t kRecordAddressesMax = 4;
/// Clocks differ.
inline constexpr Duration kRecordAheadMax = std::chrono::seconds(30);
inline constexpr Duration kRecordLifeMax = std::chrono::hours(24);
inline constexpr Duration kRecordRefresh = std::chrono::hours(6);

enum class RecordError : std::uint8_t {
    too_long,
    malformed,
    implausible_address,
    another_chain,
    from_the_future,
    expired,
    long_lived,
    bad_signature,
};
[[nodiscard]] std::string_view describe(RecordError error);

/// Of a member the last known record is better than none, to find it again after a long night.
enum class RecordAge : std::uint8_t { valid, any };

/// What a peer signs about where it listens (network.md 5). It can be made by sign() and read() only, so
/// whoever holds one knows that its subject said so.
class PeerRecord {
 public:
    /// Of two records of a peer the higher sequence holds. `addresses` are 1 to 4 texts that PeerAddress
    /// takes, each once; anything else is our bug.
    [[nodiscard]] static PeerRecord sign(const Signer& signer, const Digest& genesis, Role role,
                                         std::uint64_t sequence, const std::vector<std::string>& addresses,
                                         Time issued);
    /// Strict: one encoding of each record. The signature comes last, as all else is cheap.
    [[nodiscard]] static Expected<PeerRecord, RecordError> read(ByteView bytes, const Digest& genesis,
                                                                Time now, RecordAge age = RecordAge::valid);

    [[nodiscard]] const PeerId& peer() const { return peer_; }
    [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
    /// Member or observer.
    [[nodiscard]] Role role() const { return role_; }
    [[nodiscard]] const std::vector<PeerAddress>& addresses() const { return addresses_; }
    [[nodiscard]] Time issued() const { return issued_; }
    [[nodiscard]] Time expires() const { return expires_; }
    /// As it travels and is stored.
    [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
    PeerRecord() = default;

    PeerId peer_;
    std::uint64_t sequence_ = 0;
    Role role_ = Role::observer;
    std::vector<PeerAddress> addresses_;
    Time issued_{};
    Time expires_{};
    Bytes bytes_;
};

}  // namespace monodon::net
