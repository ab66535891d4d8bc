#include "net/transport/hello.hpp"

#include <algorithm>

#include "net/core/check.hpp"
#include "net/wire/pack.hpp"

namespace monodon::net {

namespace {

constexpr std::uint32_t kHelloFields = 14;
constexpr std::uint32_t kHelloFieldsMax = 64;
constexpr std::uint32_t kMethodsMax = 256;
constexpr std::size_t kRecordMax = 512;
constexpr std::size_t kAddressMax = 64;

}  // namespace

Bytes encode(const Hello& hello) {
    PackWriter writer(512);
    writer.array(kHelloFields);
    writer.array(2).u64(hello.lowest_version).u64(hello.highest_version);
    writer.text(hello.chain_id).digest(hello.genesis).u64(hello.epoch).digest(hello.committee);
    writer.u64(static_cast<std::uint64_t>(hello.role)).text(hello.agent);
    writer.array(hello.methods.size());
    for (const MethodVersion& method : hello.methods) writer.array(2).u64(method.method).u64(method.version);
    writer.array(4).u64(hello.limits.total).u64(hello.limits.interactive).u64(hello.limits.bulk);
    writer.u64(hello.limits.message_bytes);
    writer.bin(hello.record).text(hello.observed_address).u64(hello.nonce);
    writer.array(2).u64(hello.holdings.lowest_round).u64(hello.holdings.highest_round);
    writer.array(2).u64(hello.holdings.lowest_commit).u64(hello.holdings.highest_commit);
    MONODON_CHECK(writer.view().size() <= kHelloBytesMax);
    return writer.take();
}

std::optional<Hello> decode_hello(ByteView payload) {
    if (payload.size() > kHelloBytesMax) return std::nullopt;
    auto opened = PackReader::open(payload);
    if (!opened) return std::nullopt;
    PackReader& reader = *opened;
    Hello hello;
    reader.array_between(kHelloFields, kHelloFieldsMax);
    reader.array(2);
    hello.lowest_version = reader.u16();
    hello.highest_version = reader.u16();
    hello.chain_id = reader.text(kChainIdMax);
    hello.genesis = reader.digest();
    hello.epoch = reader.u64();
    hello.committee = reader.digest();
    hello.role = static_cast<Role>(reader.u8(static_cast<std::uint8_t>(Role::client)));
    hello.agent = reader.text(kAgentMax);
    for (std::uint32_t left = reader.array_between(0, kMethodsMax); left > 0; --left) {
        reader.array(2);
        MethodVersion method;
        method.method = reader.u16();
        method.version = reader.u8();
        hello.methods.push_back(method);
    }
    reader.array(4);
    hello.limits.total = reader.u32();
    hello.limits.interactive = reader.u32();
    hello.limits.bulk = reader.u32();
    hello.limits.message_bytes = reader.u32();
    const ByteView record = reader.bin(kRecordMax);
    hello.record.assign(record.begin(), record.end());
    hello.observed_address = reader.text(kAddressMax);
    hello.nonce = reader.u64();
    reader.array(2);
    hello.holdings.lowest_round = reader.u64();
    hello.holdings.highest_round = reader.u64();
    reader.array(2);
    hello.holdings.lowest_commit = reader.u64();
    hello.holdings.highest_commit = reader.u64();
    reader.skip_rest();
    if (!reader.finished() || hello.lowest_version > hello.highest_version) return std::nullopt;
    // What a peer calls itself ends up in logs and tables: printable ASCII only.
    const auto printable = [](char letter) { return letter >= ' ' && letter <= '~'; };
    if (!std::all_of(hello.agent.begin(), hello.agent.end(), printable)) return std::nullopt;
    return hello;
}

std::string_view describe(GoawayReason reason) {
    switch (reason) {
        case GoawayReason::shutting_down:
            return "shutting down";
        case GoawayReason::wrong_chain:
            return "wrong chain";
        case GoawayReason::wrong_genesis:
            return "wrong genesis";
        case GoawayReason::wrong_epoch:
            return "wrong epoch";
        case GoawayReason::wrong_committee:
            return "wrong committee";
        case GoawayReason::no_common_version:
            return "no common protocol version";
        case GoawayReason::not_a_member:
            return "not a member";
        case GoawayReason::role_not_admitted:
            return "role not admitted";
        case GoawayReason::wrong_peer:
            return "not the peer that was dialled";
        case GoawayReason::ourselves:
            return "dialled itself";
        case GoawayReason::duplicate:
            return "duplicate connection";
        case GoawayReason::too_many_connections:
            return "too many connections";
        case GoawayReason::invalid_hello:
            return "invalid hello";
        case GoawayReason::protocol_violation:
            return "protocol violation";
        case GoawayReason::unresponsive:
            return "unresponsive";
        case GoawayReason::disconnected_by_operator:
            return "disconnected on purpose";
        case GoawayReason::banned:
            return "banned for what it did";
        case GoawayReason::only_looked:
            return "looked whether we are here";
    }
    return "unknown reason";
}

Bytes encode(GoawayReason reason) {
    PackWriter writer;
    writer.array(1).u64(static_cast<std::uint64_t>(reason));
    return writer.take();
}

std::optional<GoawayReason> decode_goaway(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(1);
    const std::uint8_t number = reader->u8(static_cast<std::uint8_t>(GoawayReason::only_looked));
    if (!reader->finished() || number == 0) return std::nullopt;
    return static_cast<GoawayReason>(number);
}

std::optional<GoawayReason> find_disagreement(const Hello& ours, const Hello& theirs) {
    if (theirs.nonce == ours.nonce) return GoawayReason::ourselves;
    if (theirs.highest_version < ours.lowest_version || theirs.lowest_version > ours.highest_version) {
        return GoawayReason::no_common_version;
    }
    const bool client = ours.role == Role::client || theirs.role == Role::client;
    const auto differ = [client](const auto& left, const auto& right) {
        const std::remove_cvref_t<decltype(left)> unnamed{};
        return left != right && !(client && (left == unnamed || right == unnamed));
    };
    if (differ(ours.chain_id, theirs.chain_id)) return GoawayReason::wrong_chain;
    if (differ(ours.genesis, theirs.genesis)) return GoawayReason::wrong_genesis;
    if (client) return std::nullopt;
    if (ours.epoch != theirs.epoch) return GoawayReason::wrong_epoch;
    if (ours.committee != theirs.committee) return GoawayReason::wrong_committee;
    return std::nullopt;
}

}  // namespace monodon::net
