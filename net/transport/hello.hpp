#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/wire/frame.hpp"
#include "net/wire/method.hpp"

namespace monodon::net {

inline constexpr std::uint16_t kProtocolVersion = 1;
inline constexpr std::size_t kChainIdMax = 64;
inline constexpr std::size_t kAgentMax = 64;
inline constexpr std::size_t kHelloBytesMax = 4096;

/// What of the history a node holds.
struct Holdings {
    std::uint64_t lowest_round = 0;
    std::uint64_t highest_round = 0;
    std::uint64_t lowest_commit = 0;
    std::uint64_t highest_commit = 0;
    friend bool operator==(const Holdings&, const Holdings&) = default;
};

struct MethodVersion {
    std::uint16_t method = 0;
    std::uint8_t version = 0;
};

/// How many requests its sender lets a peer have open, and how large a message it takes.
struct WindowLimits {
    std::uint32_t total = 0;
    std::uint32_t interactive = 0;
    std::uint32_t bulk = 0;
    std::uint32_t message_bytes = 0;
};

/// The first message of the dialler (HELLO) and the acceptor's answer (HELLO_ACK): the same fields
/// (network.md 2).
struct Hello {
    std::uint16_t lowest_version = kProtocolVersion;
    std::uint16_t highest_version = kProtocolVersion;
    /// A client may leave chain and genesis empty: it takes any.
    std::string chain_id;
    Digest genesis;
    std::uint64_t epoch = 0;
    Digest committee;
    Role role = Role::member;
    std::string agent;
    std::vector<MethodVersion> methods;
    WindowLimits limits;
    /// The sender's own signed peer record; empty if it has none.
    Bytes record;
    /// The address from which the sender sees us.
    std::string observed_address;
    /// Random per process: the same from both ends means that we dialled ourselves, another one than before
    /// that the peer has been started again.
    std::uint64_t nonce = 0;
    Holdings holdings;
};

[[nodiscard]] Bytes encode(const Hello& hello);
/// Nothing if it is malformed. Alone among all messages it ignores fields after those it knows.
[[nodiscard]] std::optional<Hello> decode_hello(ByteView payload);

/// Why a connection is ended, told to the peer as a number; the words are always the receiver's own.
enum class GoawayReason : std::uint8_t {
    shutting_down = 1,
    wrong_chain,
    wrong_genesis,
    wrong_epoch,
    wrong_committee,
    no_common_version,
    not_a_member,
    role_not_admitted,
    wrong_peer,
    ourselves,
    duplicate,
    too_many_connections,
    invalid_hello,
    protocol_violation,
    unresponsive,
    disconnected_by_operator,
    banned,
    only_looked,
};
[[nodiscard]] std::string_view describe(GoawayReason reason);

[[nodiscard]] Bytes encode(GoawayReason reason);
/// Nothing if it is malformed or a number that this version does not know.
[[nodiscard]] std::optional<GoawayReason> decode_goaway(ByteView payload);

/// What we and a greeting must agree on; nothing is wrong if empty. Members must share chain, genesis, epoch
/// and committee; a client at least what it names.
[[nodiscard]] std::optional<GoawayReason> find_disagreement(const Hello& ours, const Hello& theirs);

}  // namespace monodon::net
