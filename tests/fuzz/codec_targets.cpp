#include "node/codec.hpp"
#include "node/kv_format.hpp"
#include "node/submission.hpp"
#include "tests/fuzz/objects.hpp"
#include "tests/fuzz/target.hpp"

// What the node makes of the payloads of notices, requests and replies.
namespace monodon::fuzz {

namespace {

using namespace node;

SharedBytes shared(ByteView input) { return std::make_shared<const Bytes>(input.begin(), input.end()); }

bool inside(ByteView part, ByteView whole) {
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// ---- notices: one object, or digests that are acknowledged

void notice_payload(ByteView input) {
    constexpr std::size_t kMost = 1000;
    if (const auto object = decode_object(input, kMost)) {
        MONODON_CHECK(object->size() <= kMost && inside(*object, input));
        MONODON_CHECK(!decode_object(with_trailing(input), kMost));
        const SharedBytes written = encode_object(*object);
        MONODON_CHECK(written->size() <= input.size());
        const auto again = decode_object(*written, kMost);
        MONODON_CHECK(again && same(*again, *object));
        MONODON_CHECK(object->empty() || !decode_object(input, object->size() - 1));
    }
    if (const auto digests = decode_digests(input)) {
        MONODON_CHECK(!digests->empty() && digests->size() <= kDigestsMax);
        MONODON_CHECK(decode_digests(*encode_digests(*digests)) == digests);
        MONODON_CHECK(!decode_digests(with_trailing(input)));
    }
}

std::vector<Seed> notice_seeds() {
    const dag::Header proposed = header(2, 1, 1);
    const Digest digest = sha256(as_bytes("batch"));
    return {{"header", *encode_object(dag::encode(proposed))},
            {"vote", *encode_object(dag::encode(vote(2, 0, 1)))},
            {"batch", *encode_object(batch(2, 30))},
            {"one-digest", *encode_digests({digest})},
            {"digests", *encode_digests(std::vector<Digest>(20, digest))}};
}

// ---- requests

void request_payload(ByteView input) {
    const Bytes longer = with_trailing(input);
    if (const auto wanted = decode_wanted(input)) {
        MONODON_CHECK(!wanted->empty() && wanted->size() <= kDigestsMax);
        const auto again = decode_wanted(*encode_wanted(*wanted));
        MONODON_CHECK(again && again->size() == wanted->size());
        for (std::size_t at = 0; at < wanted->size(); ++at) {
            MONODON_CHECK((*again)[at].digest == (*wanted)[at].digest);
            MONODON_CHECK((*again)[at].sealed == (*wanted)[at].sealed);
        }
        MONODON_CHECK(!decode_wanted(longer));
    }
    if (const auto range = decode_range(input)) {
        MONODON_CHECK(range->first >= dag::Round{1} && range->first <= range->second);
        MONODON_CHECK(decode_range(*encode_range(range->first, range->second)) == range);
        MONODON_CHECK(!decode_range(longer));
    }
    if (const auto nonce = decode_highest_request(input)) {
        MONODON_CHECK(decode_highest_request(*encode_highest_request(*nonce)) == nonce);
        MONODON_CHECK(!decode_highest_request(longer));
    }
}

std::vector<Seed> request_seeds() {
    const dag::WantedBatch wanted{sha256(as_bytes("batch")), dag::Round{300}};
    return {{"batches", *encode_wanted({wanted, wanted})},
            {"range", *encode_range(dag::Round{5}, dag::Round{70'000})},
            {"everything", *encode_range(dag::Round{1}, dag::Round{~std::uint64_t{0}})},
            {"highest", *encode_highest_request(0x0123456789ABCDEF)}};
}

// ---- replies, and what the asker makes of them

void certificates_reply(ByteView input) {
    const auto list = decode_certificates(input);
    if (!list) return;
    MONODON_CHECK(list->certificates.size() <= kCertificatesMax);
    MONODON_CHECK(!decode_certificates(with_trailing(input)));
    CertificateList copy{list->lowest_held, list->highest_held, list->has_more, {}};
    for (const ByteView each : list->certificates) {
        MONODON_CHECK(each.size() <= dag::kCertificateBytesMax && inside(each, input));
        copy.certificates.push_back(copy_of(each));
        auto decoded = dag::decode_certificate(committee(), each);
        if (!decoded) continue;
        const auto verified = verification().certificate(std::move(*decoded));
        if (verified) MONODON_CHECK(same(dag::encode(**verified), each));
    }
    const SharedBytes written = encode_certificates(copy);
    MONODON_CHECK(written->size() <= input.size());
    const auto again = decode_certificates(*written);
    MONODON_CHECK(again && again->lowest_held == list->lowest_held);
    MONODON_CHECK(again->highest_held == list->highest_held && again->has_more == list->has_more);
    MONODON_CHECK(std::ranges::equal(again->certificates, list->certificates, same));
}

std::vector<Seed> certificates_seeds() {
    CertificateList list{dag::Round{1}, dag::Round{90}, true, {}};
    const Bytes none = *encode_certificates(list);
    list.certificates = {dag::encode(certificate(1, 2, 0)), dag::encode(certificate(2, 0, 1))};
    return {{"none", none}, {"two", *encode_certificates(list)}};
}

void batches_reply(ByteView input) {
    const SharedBytes payload = shared(input);
    const auto batches = decode_batches(payload);
    if (!batches) return;
    MONODON_CHECK(!batches->empty() && batches->size() <= 1000);
    MONODON_CHECK(!decode_batches(shared(with_trailing(input))));
    std::vector<SharedBytes> copies;
    for (const Slice& each : *batches) {
        MONODON_CHECK(each.bytes.size() <= dag::kBatchBytesMax && inside(each.bytes, *payload));
        copies.push_back(shared(each.bytes));
        if (const auto view = dag::parse_batch(committee(), each.bytes))
            MONODON_CHECK(dag::payload_entry(committee(), *view, each.bytes).bytes == each.bytes.size());
    }
    const SharedBytes written = encode_batches(copies);
    MONODON_CHECK(written->size() <= input.size());
    const auto again = decode_batches(written);
    MONODON_CHECK(again && again->size() == copies.size());
    for (std::size_t at = 0; at < copies.size(); ++at) MONODON_CHECK(same((*again)[at].bytes, *copies[at]));
}

std::vector<Seed> batches_seeds() {
    const auto of = [](std::uint32_t transactions, std::size_t bytes) {
        return std::make_shared<const Bytes>(batch(transactions, bytes));
    };
    return {{"one", *encode_batches({of(1, 20)})},
            {"three", *encode_batches({of(2, 5), of(1, 0), of(1, 300)})}};
}

void highest_reply(ByteView input) {
    const auto highest = decode_highest(input);
    if (!highest) return;
    MONODON_CHECK(highest->certificate.size() <= dag::kCertificateBytesMax);
    MONODON_CHECK(highest->header.size() <= dag::kHeaderBytesMax + sizeof(Signature));
    MONODON_CHECK(!decode_highest(with_trailing(input)));
    const SharedBytes written = encode_highest(*highest);
    MONODON_CHECK(written->size() <= input.size());
    const auto again = decode_highest(*written);
    MONODON_CHECK(again && *encode_highest(*again) == *written);
    MONODON_CHECK(again->nonce == highest->nonce && again->newest_commit == highest->newest_commit);
    if (auto ours = dag::decode_header(committee(), highest->header))
        (void)verification().header(std::move(*ours));
}

std::vector<Seed> highest_seeds() {
    HighestRound first{7, dag::Round{1}, {}, dag::CommitIndex{1}, {}, {}, {}};
    HighestRound later{~std::uint64_t{0},           dag::Round{5},        dag::Round{80},
                       dag::CommitIndex{3},         dag::CommitIndex{39}, dag::encode(certificate(2, 1, 0)),
                       dag::encode(header(2, 3, 1))};
    return {{"first", *encode_highest(first)}, {"later", *encode_highest(later)}};
}

// ---- the framed submit

void submit(ByteView input) {
    const SharedBytes payload = shared(input);
    if (const auto request = decode_submit(payload)) {
        MONODON_CHECK(!request->transactions.empty());
        MONODON_CHECK(request->transactions.size() <= kSubmissionTransactionsMax);
        MONODON_CHECK(static_cast<std::size_t>(request->want) < kStages);
        MONODON_CHECK(!decode_submit(shared(with_trailing(input))));
        std::vector<ByteView> transactions;
        for (const Slice& each : request->transactions) {
            MONODON_CHECK(inside(each.bytes, *payload));
            transactions.push_back(each.bytes);
        }
        const auto again = decode_submit(encode_submit(request->want, transactions));
        MONODON_CHECK(again && again->want == request->want);
        MONODON_CHECK(again->transactions.size() == transactions.size());
        for (std::size_t at = 0; at < transactions.size(); ++at)
            MONODON_CHECK(same(again->transactions[at].bytes, transactions[at]));
    }
    if (const auto reply = decode_submit_reply(input)) {
        MONODON_CHECK(reply->accepted <= kSubmissionTransactionsMax && reply->reached.size() <= kStages);
        MONODON_CHECK(reply->refused.size() <= kSubmissionTransactionsMax);
        for (const RefusedTransaction& each : reply->refused)
            MONODON_CHECK(static_cast<std::size_t>(each.why) < kRefusals && each.why != Refusal{});
        MONODON_CHECK(!decode_submit_reply(with_trailing(input)));
        const SharedBytes written = encode_submit_reply(*reply);
        const auto again = decode_submit_reply(*written);
        MONODON_CHECK(again && *encode_submit_reply(*again) == *written);
    }
}

std::vector<Seed> submit_seeds() {
    const Bytes transaction = {'h', 'e', 'l', 'l', 'o'};
    SubmitReply reply;
    reply.accepted = 2;
    reply.refused = {{1, Refusal::malformed}, {3, Refusal::duplicate}};
    reply.reached = {{Stage::accepted, {}, Duration{10}},
                     {Stage::committed, dag::CommitIndex{12}, Duration{70'000}}};
    return {{"one", *encode_submit(Stage::committed, {transaction})},
            {"some", *encode_submit(Stage::executed, {transaction, ByteView{}, transaction})},
            {"reply", *encode_submit_reply(reply)},
            {"reply-empty", *encode_submit_reply({})}};
}

// ---- operations of the key-value store

void kv_operation(ByteView input) {
    const auto operation = parse_kv(input);
    if (!operation) return;
    MONODON_CHECK(is_kv(input) && same(encode_kv(*operation), input));
    MONODON_CHECK(!operation->key.empty() && operation->key.size() <= kKvKeyBytesMax);
    MONODON_CHECK(inside(operation->key, input) && inside(operation->value, input));
    MONODON_CHECK(operation->op == KvOp::compare_and_set || !operation->expected);
    MONODON_CHECK(!parse_kv(with_trailing(input)));
}

std::vector<Seed> kv_seeds() {
    const Bytes key = {'c', 'o', 'l', 'o', 'u', 'r'};
    const Bytes value = {'b', 'l', 'u', 'e'};
    KvOperation operation;
    operation.key = key;
    operation.nonce.fill(9);
    const auto of = [&](KvOp op, ByteView new_value, std::optional<ByteView> expected) {
        operation.op = op;
        operation.value = new_value;
        operation.expected = expected;
        return encode_kv(operation);
    };
    return {{"put", of(KvOp::put, value, {})},
            {"erase", of(KvOp::erase, {}, {})},
            {"get", of(KvOp::get, {}, {})},
            {"set-if", of(KvOp::compare_and_set, value, key)},
            {"set-if-absent", of(KvOp::compare_and_set, value, {})}};
}

const Registration kCodec{{
    {"notice_payload", "an object or digests: equal after encoding, within limits, no trailing bytes", 2048,
     notice_payload, notice_seeds},
    {"request_payload", "equal after encoding, within limits, no trailing bytes", 1024, request_payload,
     request_seeds},
    {"certificates_reply", "equal after encoding; views lie inside; what verifies is the bytes that came",
     4096, certificates_reply, certificates_seeds},
    {"batches_reply", "equal after encoding; slices lie inside; not empty", 2048, batches_reply,
     batches_seeds},
    {"highest_reply", "equal after encoding, within limits, no trailing bytes", 2048, highest_reply,
     highest_seeds},
    {"submit", "request and reply equal after encoding, within limits, no trailing bytes", 1024, submit,
     submit_seeds},
    {"kv_operation", "one operation has one encoding", 1024, kv_operation, kv_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz
