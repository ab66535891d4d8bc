#include "tests/node/chain.hpp"

#include <atomic>
#include <cstring>

#include <catch2/catch.hpp>

namespace monodon::node::test {

dag::Committee committee_of(const std::vector<dag::Stake>& stakes) {
    std::vector<dag::Member> members;
    for (std::size_t at = 0; at < stakes.size(); ++at) {
        dag::Member each;
        each.key.bytes[0] = static_cast<Byte>(at + 1);
        each.stake = stakes[at];
        members.push_back(each);
    }
    auto committee = dag::Committee::make("test", dag::Epoch{0}, std::move(members), false);
    REQUIRE(committee);
    return *std::move(committee);
}

SharedBytes share(std::string_view text) {
    const ByteView bytes = as_bytes(text);
    return share(Bytes(bytes.begin(), bytes.end()));
}

namespace {

KvNonce next_nonce() {
    static std::atomic<std::uint64_t> count{1};
    KvNonce nonce{};
    const std::uint64_t number = count++;
    std::memcpy(nonce.data(), &number, sizeof number);
    return nonce;
}

}  // namespace

Bytes put(std::string_view key, std::string_view value) {
    return encode_kv({KvOp::put, as_bytes(key), as_bytes(value), std::nullopt, next_nonce()});
}
Bytes erase(std::string_view key) {
    return encode_kv({KvOp::erase, as_bytes(key), {}, std::nullopt, next_nonce()});
}
Bytes get(std::string_view key) {
    return encode_kv({KvOp::get, as_bytes(key), {}, std::nullopt, next_nonce()});
}
Bytes compare_and_set(std::string_view key, const char* expected, std::string_view value) {
    std::optional<ByteView> wanted;
    if (expected != nullptr) wanted = as_bytes(expected);
    return encode_kv({KvOp::compare_and_set, as_bytes(key), as_bytes(value), wanted, next_nonce()});
}
Bytes opaque(std::string_view text) {
    const ByteView bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

dag::BatchBuilder::Sealed seal(const dag::Committee& committee, dag::ValidatorIndex author,
                               const std::vector<Bytes>& transactions, dag::Round round) {
    static std::atomic<std::uint64_t> sequence{1};
    dag::BatchBuilder builder;
    for (const Bytes& transaction : transactions) REQUIRE(builder.add(transaction));
    dag::BatchHead head;
    head.epoch = committee.epoch();
    head.author = author;
    head.sequence = sequence++;
    head.sealed_round = round;
    return builder.seal(committee, head);
}

dag::CommitPtr Chain::commit(const std::vector<Bytes>& transactions, std::uint16_t author) {
    return commit(std::vector{seal(committee_, member(author), transactions)});
}

dag::CommitPtr Chain::commit(const std::vector<dag::BatchBuilder::Sealed>& batches) {
    auto commit = std::make_shared<dag::Commit>();
    commit->index = dag::CommitIndex{next_index_};
    commit->anchor = {dag::Round{2 * next_index_}, member(0), sha256(as_bytes(std::to_string(next_index_)))};
    ++next_index_;
    for (const dag::BatchBuilder::Sealed& batch : batches) {
        commit->payload.push_back(batch.entry);
        commit->transactions += batch.entry.transactions;
        commit->bytes += batch.entry.bytes;
        batches_[batch.entry.batch] = batch.bytes;
    }
    return commit;
}

std::vector<dag::CommitPtr> Chain::empty_until(std::uint64_t next) {
    std::vector<dag::CommitPtr> commits;
    while (next_index_ < next) commits.push_back(commit());
    return commits;
}

BatchReader Chain::reader() const {
    return [this](const dag::PayloadEntry& entry) -> Expected<BatchBody, std::string> {
        const SharedBytes bytes = batches_.at(entry.batch);
        if (!bytes) return Unexpected{std::string("lost")};
        return BatchBody{bytes, *dag::parse_batch(committee_, *bytes), true};
    };
}

}  // namespace monodon::node::test
