#include "node/codec.hpp"
#include "node/kv_format.hpp"
#include "node/submission.hpp"
#include "node/sync_codec.hpp"
#include "tests/fuzz/objects.hpp"
#include "tests/fuzz/target.hpp"

// What the node makes of the payloads of notices, requests and replies.
namespace monodon::fuzz::codec_targets {

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

constexpr std::uint64_t kNonce = 0x0123456789ABCDEF;

void request_payload(ByteView input) {
    constexpr net::Method kMethods[] = {
        net::Method::get_certificates,          net::Method::get_certificates_in_round,
        net::Method::get_certificates_in_range, net::Method::get_batches,
        net::Method::get_highest_round,         net::Method::get_missing_certificates};
    const Bytes longer = with_trailing(input);
    const std::size_t members = committee().size();
    for (const net::Method method : kMethods) {
        MONODON_CHECK(is_sync(method));
        const auto decoded = decode_request(method, input, members);
        if (!decoded) continue;
        MONODON_CHECK(dag::is_well_formed(decoded->request));
        MONODON_CHECK(dag::asked_digests(decoded->request).size() <= dag::kDigestsPerRequestMax);
        if (const auto slots = dag::asked_slots(decoded->request))
            MONODON_CHECK(slots->first.round >= dag::Round{1} && slots->first.round <= slots->last);
        const EncodedRequest written = encode_request(decoded->request, members, decoded->nonce);
        MONODON_CHECK(written.method == method);
        const auto again = decode_request(method, *written.payload, members);
        MONODON_CHECK(again && again->request == decoded->request && again->nonce == decoded->nonce);
        MONODON_CHECK(!decode_request(method, longer, members));
    }
}

std::vector<Seed> request_seeds() {
    const dag::WantedBatch wanted{sha256(as_bytes("batch")), dag::Round{300}};
    const auto of = [](const dag::SyncRequest& request) {
        return *encode_request(request, committee().size(), kNonce).payload;
    };
    const dag::KnownRounds known{dag::Round{9}, {dag::AuthorSet{}, committee().everybody()}};
    return {{"certificates", of(dag::GetCertificates{{wanted.digest, sha256(as_bytes("other"))}})},
            {"round", of(dag::GetCertificatesInRound{dag::Round{5}, dag::ValidatorIndex{2}})},
            {"range", of(dag::GetCertificatesInRange{dag::Round{5}, dag::Round{70'000}})},
            {"batches", of(dag::GetBatches{{wanted, wanted}})},
            {"highest", of(dag::GetHighestRound{})},
            {"missing", of(dag::GetMissingCertificates{known, dag::Round{10}, dag::Round{30}})}};
}

// ---- replies, and what the asker makes of them

const std::vector<dag::SyncRequest>& asked_for_certificates() {
    static const std::vector<dag::SyncRequest> requests{
        dag::GetCertificates{{certificate(1, 2, 0).ref().digest, certificate(2, 0, 1).ref().digest}},
        dag::GetCertificatesInRound{dag::Round{1}},
        dag::GetCertificatesInRange{dag::Round{1}, dag::Round{90}},
        dag::GetMissingCertificates{{dag::Round{0}, {}}, dag::Round{1}, dag::Round{90}}};
    return requests;
}

void response_to(const dag::SyncRequest& request, ByteView input) {
    const auto response = decode_response(committee(), request, input, kNonce);
    if (!response) return;
    MONODON_CHECK(!decode_response(committee(), request, with_trailing(input), kNonce));
    if (const auto* list = std::get_if<dag::Certificates>(&*response)) {
        MONODON_CHECK(list->certificates.size() <= dag::kCertificatesPerReplyMax);
        for (const auto& each : list->certificates) (void)verification().certificate(dag::Certificate(*each));
    }
    if (const auto* highest = std::get_if<dag::HighestRound>(&*response); highest && highest->yours)
        (void)verification().header(dag::Header(*highest->yours));
    if (dag::fits(request, *response)) {
        // Asking for the rest comes to an end.
        if (const auto rest = dag::rest_of(request, *response)) MONODON_CHECK(*rest != request);
    }
    const SharedBytes written = encode_response(request, *response, kNonce);
    const auto again = decode_response(committee(), request, *written, kNonce);
    MONODON_CHECK(again && *encode_response(request, *again, kNonce) == *written);
}

void certificates_reply(ByteView input) {
    for (const dag::SyncRequest& request : asked_for_certificates()) response_to(request, input);
}

dag::Held some_rounds() { return {dag::Round{1}, dag::Round{90}, dag::CommitIndex{1}, dag::CommitIndex{39}}; }

std::vector<Seed> certificates_seeds() {
    const auto of_round = [](std::uint64_t round, std::uint16_t author) {
        return std::make_shared<const dag::Certificate>(certificate(round, author, 1));
    };
    const dag::SyncRequest& range = asked_for_certificates()[2];
    dag::Certificates list{some_rounds(), {}, dag::Continuation{{dag::Round{2}, dag::ValidatorIndex{1}}, 0}};
    const Bytes none = *encode_response(range, dag::Empty{some_rounds()}, kNonce);
    list.certificates = {of_round(1, 2), of_round(2, 0)};
    return {{"none", none}, {"two", *encode_response(range, list, kNonce)}};
}

void batches_reply(ByteView input) {
    const SharedBytes payload = shared(input);
    const auto batches = decode_batches(payload);
    if (!batches) return;
    MONODON_CHECK(batches->batches.size() <= dag::kDigestsPerRequestMax);
    MONODON_CHECK(!decode_batches(shared(with_trailing(input))));
    dag::Batches copies;
    for (const Slice& each : batches->batches) {
        MONODON_CHECK(each.bytes.size() <= dag::kBatchBytesMax && inside(each.bytes, *payload));
        copies.batches.push_back(shared(each.bytes));
        if (const auto view = dag::parse_batch(committee(), each.bytes))
            MONODON_CHECK(dag::payload_entry(committee(), *view, each.bytes).bytes == each.bytes.size());
    }
    const dag::WantedBatch wanted{sha256(as_bytes("batch")), dag::Round{300}};
    const auto again = decode_batches(encode_response(dag::GetBatches{{wanted}}, copies, 0));
    MONODON_CHECK(again && again->batches.size() == batches->batches.size());
    for (std::size_t at = 0; at < again->batches.size(); ++at)
        MONODON_CHECK(same(again->batches[at].bytes, batches->batches[at].bytes));
}

std::vector<Seed> batches_seeds() {
    const auto of = [](std::uint32_t transactions, std::size_t bytes) {
        return std::make_shared<const Bytes>(batch(transactions, bytes));
    };
    const dag::WantedBatch wanted{sha256(as_bytes("batch")), dag::Round{300}};
    const auto reply = [&](std::vector<SharedBytes> batches) {
        return *encode_response(dag::GetBatches{{wanted}},
                                dag::Batches{some_rounds(), std::move(batches), {}}, 0);
    };
    return {{"one", reply({of(1, 20)})}, {"three", reply({of(2, 5), of(1, 0), of(1, 300)})}};
}

void highest_reply(ByteView input) { response_to(dag::GetHighestRound{}, input); }

std::vector<Seed> highest_seeds() {
    const dag::HighestRound first{{}, nullptr, nullptr};
    const dag::HighestRound later{some_rounds(),
                                  std::make_shared<const dag::Certificate>(certificate(2, 1, 0)),
                                  std::make_shared<const dag::Header>(header(2, 3, 1))};
    return {{"first", *encode_response(dag::GetHighestRound{}, first, kNonce)},
            {"later", *encode_response(dag::GetHighestRound{}, later, kNonce)}};
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

}  // namespace monodon::fuzz::codec_targets
