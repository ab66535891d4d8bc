#include "storage/keys.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace monodon;
using namespace monodon::storage;

TEST_CASE("keys are ordered as their numbers are, epoch first") {
    using dag::Epoch, dag::Round, dag::ValidatorIndex;
    std::vector<SlotKey> keys;
    for (const std::uint64_t epoch : {0U, 1U, 256U}) {
        for (const std::uint64_t round : {0ULL, 1ULL, 255ULL, 256ULL, 1ULL << 40}) {
            for (const unsigned author : {0U, 1U, 256U}) {
                keys.push_back(slot_key(Epoch{epoch},
                                        {Round{round}, ValidatorIndex{static_cast<std::uint16_t>(author)}}));
            }
        }
    }
    CHECK(std::ranges::is_sorted(keys));
    CHECK(index_key(dag::CommitIndex{255}) < index_key(dag::CommitIndex{256}));
    CHECK(author_round_key(Epoch{0}, {Round{9}, ValidatorIndex{1}}) <
          author_round_key(Epoch{0}, {Round{1}, ValidatorIndex{2}}));
}

TEST_CASE("keys are read as they were written, and other lengths are refused") {
    const dag::Slot slot{dag::Round{1ULL << 50}, dag::ValidatorIndex{300}};
    const auto by_slot = read_slot_key(slot_key(dag::Epoch{7}, slot));
    REQUIRE(by_slot);
    CHECK(by_slot->epoch == dag::Epoch{7});
    CHECK(by_slot->slot == slot);
    const auto by_author = read_author_round_key(author_round_key(dag::Epoch{7}, slot));
    REQUIRE(by_author);
    CHECK(by_author->slot == slot);
    CHECK(read_index_key(index_key(dag::CommitIndex{77})) == dag::CommitIndex{77});
    const Digest digest = sha256(as_bytes("x"));
    const auto listed = read_batch_author_key(
        batch_author_key(dag::Epoch{1}, dag::ValidatorIndex{2}, dag::WorkerId{3}, 4, digest));
    REQUIRE(listed);
    CHECK(listed->worker == dag::WorkerId{3});
    CHECK(listed->sequence == 4);
    CHECK(listed->batch == digest);

    CHECK_FALSE(read_slot_key(Bytes(17)));
    CHECK_FALSE(read_author_round_key(Bytes(19)));
    CHECK_FALSE(read_index_key(Bytes{}));
    CHECK_FALSE(read_digest(Bytes(31)));
    CHECK_FALSE(read_batch_author_key(Bytes(53)));
}
