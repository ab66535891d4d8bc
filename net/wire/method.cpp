#include "net/wire/method.hpp"

#include <array>

namespace monodon::net {

namespace {

template <class... T>
constexpr std::uint8_t bits(T... values) {
    return static_cast<std::uint8_t>(((1U << static_cast<unsigned>(values)) | ...));
}

constexpr std::uint32_t operator""_KiB(unsigned long long value) {
    return static_cast<std::uint32_t>(value * 1024);
}

constexpr auto kMembers = bits(Role::member);
constexpr auto kNodes = bits(Role::member, Role::observer);
constexpr auto kEverybody = bits(Role::member, Role::observer, Role::client);
constexpr auto kConsensus = bits(MessageClass::consensus);
constexpr auto kData = bits(MessageClass::data);
constexpr auto kFetch = bits(MessageClass::interactive, MessageClass::bulk);
constexpr auto kInteractive = bits(MessageClass::interactive);
constexpr auto kBulk = bits(MessageClass::bulk);

// A header is at most 32 KiB and a certificate 8 KiB of signatures more; a batch is at most 512 KiB; a digest
// or a slot in a request at most 64 bytes, 1,000 of them. Replies are limited to 4 MiB by the responder (1
// MiB in the interactive class) but hold at least one item: twice the soft limit is what nobody honest
// exceeds.
//
// An item is a read of the store, about 10 us, so 20,000 a second are a fifth of a processor; with 64 MiB/s
// they are 3 KiB each, less than a certificate of a large committee. A transaction costs a hash.
constexpr std::array kMethods = {
    MethodInfo{Method::header, "header", true, 1, kConsensus, kMembers, 64_KiB, 0},
    MethodInfo{Method::vote, "vote", true, 1, kConsensus, kMembers, 4_KiB, 0},
    MethodInfo{Method::certificate, "certificate", true, 1, kConsensus, kMembers, 64_KiB, 0},
    MethodInfo{Method::batch, "batch", true, 1, kData, kMembers, 1024_KiB, 0},
    MethodInfo{Method::batch_ack, "batch_ack", true, 1, bits(MessageClass::consensus, MessageClass::data),
               kMembers, 64_KiB, 0},
    MethodInfo{Method::commit_vote, "commit_vote", true, 1, kConsensus, kMembers, 4_KiB, 0},
    MethodInfo{Method::get_certificates, "get_certificates", false, 1, kFetch, kNodes, 64_KiB, 8192_KiB,
               20'000},
    MethodInfo{Method::get_certificates_in_round, "get_certificates_in_round", false, 1, kFetch, kNodes,
               4_KiB, 8192_KiB, 20'000},
    MethodInfo{Method::get_certificates_in_range, "get_certificates_in_range", false, 1, kFetch, kNodes,
               4_KiB, 8192_KiB, 20'000},
    MethodInfo{Method::get_batches, "get_batches", false, 1, kFetch, kNodes, 64_KiB, 8192_KiB, 20'000},
    // The reply holds a certificate and a header.
    MethodInfo{Method::get_highest_round, "get_highest_round", false, 1, kInteractive, kNodes, 4_KiB, 128_KiB,
               2000},
    MethodInfo{Method::get_missing_certificates, "get_missing_certificates", false, 1, kFetch, kNodes,
               256_KiB, 8192_KiB, 20'000},
    MethodInfo{Method::get_commit_availability, "get_commit_availability", false, 1, kInteractive, kNodes,
               4_KiB, 64_KiB, 2000},
    MethodInfo{Method::get_commits, "get_commits", false, 1, kFetch, kNodes, 4_KiB, 8192_KiB, 20'000},
    MethodInfo{Method::get_snapshots, "get_snapshots", false, 1, kFetch, kNodes, 4_KiB, 1024_KiB, 2000},
    MethodInfo{Method::get_snapshot_chunk, "get_snapshot_chunk", false, 1, kBulk, kNodes, 4_KiB, 8192_KiB,
               2000},
    MethodInfo{Method::get_peers, "get_peers", false, 1, kBulk, kNodes, 4_KiB, 64_KiB, 2000},
    MethodInfo{Method::push_commit, "push_commit", false, 1, kFetch, kMembers, 1024_KiB, 4_KiB, 2000},
    MethodInfo{Method::submit_transactions, "submit_transactions", false, 1, kData, kEverybody, 1024_KiB,
               256_KiB, 400'000},
};

constexpr bool within_message_limit() {
    for (const MethodInfo& info : kMethods) {
        if (info.request_max > kMessageBytesMax || info.reply_max > kMessageBytesMax) return false;
        if (info.notice != (static_cast<std::uint16_t>(info.method) < 32)) return false;
        if (info.notice != (info.items_per_second == 0)) return false;
    }
    return true;
}
static_assert(within_message_limit());

}  // namespace

const MethodInfo* find_method(std::uint16_t number) {
    // Asked for every frame: a table instead of a search.
    static constexpr auto index = [] {
        std::array<std::uint8_t, 64> places{};
        for (std::size_t at = 0; at < kMethods.size(); ++at) {
            places.at(static_cast<std::size_t>(kMethods[at].method)) = static_cast<std::uint8_t>(at + 1);
        }
        return places;
    }();
    if (number >= index.size() || index[number] == 0) return nullptr;
    return &kMethods[index[number] - 1U];
}

const MethodInfo* find_method(Method method) { return find_method(static_cast<std::uint16_t>(method)); }

std::span<const MethodInfo> all_methods() { return kMethods; }

std::string_view name(Method method) {
    const MethodInfo* info = find_method(method);
    return info == nullptr ? "none" : info->name;
}

std::optional<Method> parse_method(std::string_view text) {
    for (const MethodInfo& info : kMethods) {
        if (info.name == text) return info.method;
    }
    return std::nullopt;
}

std::string_view name(MessageClass message_class) {
    switch (message_class) {
        case MessageClass::control:
            return "control";
        case MessageClass::consensus:
            return "consensus";
        case MessageClass::interactive:
            return "interactive";
        case MessageClass::data:
            return "data";
        case MessageClass::bulk:
            return "bulk";
    }
    return "unknown";
}

std::string_view name(Role role) {
    switch (role) {
        case Role::member:
            return "member";
        case Role::observer:
            return "observer";
        case Role::client:
            return "client";
    }
    return "unknown";
}

std::string_view name(RpcError error) {
    switch (error) {
        case RpcError::malformed:
            return "malformed";
        case RpcError::unknown_method:
            return "unknown method";
        case RpcError::too_large:
            return "too large";
        case RpcError::not_found:
            return "not found";
        case RpcError::pruned:
            return "pruned";
        case RpcError::busy:
            return "busy";
        case RpcError::rate_limited:
            return "rate limited";
        case RpcError::deadline:
            return "deadline";
        case RpcError::cancelled:
            return "cancelled";
        case RpcError::unauthorised:
            return "unauthorised";
        case RpcError::wrong_epoch:
            return "wrong epoch";
        case RpcError::internal:
            return "internal";
        case RpcError::disconnected:
            return "disconnected";
    }
    return "unknown";
}

}  // namespace monodon::net
