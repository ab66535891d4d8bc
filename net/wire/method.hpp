#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace monodon::net {

/// Each class has a queue of its own and a place in the write scheduler (network.md 3).
enum class MessageClass : std::uint8_t { control, consensus, interactive, data, bulk };
inline constexpr std::size_t kMessageClasses = 5;
[[nodiscard]] std::string_view name(MessageClass message_class);

/// What a message is about. Notices are below 32, requests from 32 on.
enum class Method : std::uint16_t {
    none = 0,
    header = 1,
    vote = 2,
    certificate = 3,
    batch = 4,
    batch_ack = 5,
    commit_vote = 6,
    get_certificates = 32,
    get_certificates_in_round = 33,
    get_certificates_in_range = 34,
    get_batches = 35,
    get_highest_round = 36,
    get_missing_certificates = 37,
    get_commit_availability = 38,
    get_commits = 39,
    get_snapshots = 40,
    get_snapshot_chunk = 41,
    get_peers = 42,
    push_commit = 43,
    submit_transactions = 44,
};
/// The name as the configuration and the metrics spell it, for example `batch`.
[[nodiscard]] std::string_view name(Method method);
[[nodiscard]] std::optional<Method> parse_method(std::string_view text);

/// What the other side of a connection is to us.
enum class Role : std::uint8_t { member, observer, client };
[[nodiscard]] std::string_view name(Role role);

/// Why a request has no reply. The names are those of network.md 4; `disconnected` never travels.
enum class RpcError : std::uint8_t {
    malformed = 1,
    unknown_method,
    too_large,
    not_found,
    pruned,
    busy,
    rate_limited,
    deadline,
    cancelled,
    unauthorised,
    wrong_epoch,
    internal,
    disconnected,
};
[[nodiscard]] std::string_view name(RpcError error);

struct RpcFailure {
    RpcError code = RpcError::internal;
    /// The lowest round held for `pruned`; milliseconds to wait for `busy` and `rate_limited`; else 0.
    std::uint64_t detail = 0;
    friend bool operator==(const RpcFailure&, const RpcFailure&) = default;
};

/// What the protocol says about a method, held against every message before it is given to anybody.
struct MethodInfo {
    Method method = Method::none;
    std::string_view name;
    bool notice = false;
    std::uint8_t version = 1;
    /// Bits of the classes in which it may travel.
    std::uint8_t classes = 0;
    /// Bits of the roles that may send it.
    std::uint8_t roles = 0;
    /// Limits on the whole message, in bytes: of the notice or request, and of the reply.
    std::uint32_t request_max = 0;
    std::uint32_t reply_max = 0;
    /// What a member may ask for or bring in a second, in the method's own items (certificates, batches,
    /// transactions); a request is one at least. Of a notice 0: node/ limits those.
    std::uint32_t items_per_second = 0;

    [[nodiscard]] bool allows(MessageClass message_class) const {
        return (classes >> static_cast<unsigned>(message_class) & 1U) != 0;
    }
    [[nodiscard]] bool allows(Role role) const { return (roles >> static_cast<unsigned>(role) & 1U) != 0; }
};
/// Null for a method that this version does not know.
[[nodiscard]] const MethodInfo* find_method(std::uint16_t number);
[[nodiscard]] const MethodInfo* find_method(Method method);
[[nodiscard]] std::span<const MethodInfo> all_methods();

/// No message is larger, whatever its method.
inline constexpr std::uint32_t kMessageBytesMax = 16 * 1024 * 1024;

}  // namespace monodon::net
