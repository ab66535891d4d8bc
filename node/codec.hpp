#pragma once

#include <optional>
#include <vector>

#include "dag/events.hpp"
#include "net/wire/method.hpp"
#include "node/receipts.hpp"
#include "node/slice.hpp"

/// What validators and clients say to each other, as msgpack arrays with fixed positions. Objects of the
/// protocol travel as binaries that hold their canonical bytes: the very bytes that are hashed and stored.
/// Decoders check form and limits only and give nothing for anything else.
namespace monodon::node {

// ---- notices
struct Notice {
    net::Method method = net::Method::none;
    SharedBytes payload;
};
[[nodiscard]] Notice encode_message(const dag::Message& message);
/// One binary of at most `most` bytes, as header, vote, certificate and batch notices are; a view into
/// `payload`.
[[nodiscard]] std::optional<ByteView> decode_object(ByteView payload, std::size_t most);
[[nodiscard]] SharedBytes encode_object(ByteView object);

// ---- lists of digests: acknowledgements, requests for certificates
inline constexpr std::uint32_t kDigestsMax = 1000;
[[nodiscard]] SharedBytes encode_digests(const std::vector<Digest>& digests);
/// 1 to kDigestsMax.
[[nodiscard]] std::optional<std::vector<Digest>> decode_digests(ByteView payload);

// ---- requests for batches, with the rounds in which they were sealed: 1 to kDigestsMax
[[nodiscard]] SharedBytes encode_wanted(const std::vector<dag::WantedBatch>& batches);
[[nodiscard]] std::optional<std::vector<dag::WantedBatch>> decode_wanted(ByteView payload);

// ---- requests for rounds
[[nodiscard]] SharedBytes encode_range(dag::Round first, dag::Round last);
/// first <= last, first above round 0.
[[nodiscard]] std::optional<std::pair<dag::Round, dag::Round>> decode_range(ByteView payload);

// ---- replies
inline constexpr std::uint32_t kCertificatesMax = 1000;
struct CertificateList {
    dag::Round lowest_held;
    dag::Round highest_held;
    bool has_more = false;
    std::vector<Bytes> certificates;
};
[[nodiscard]] SharedBytes encode_certificates(const CertificateList& list);
/// Views into `payload` for the certificates.
struct CertificateListView {
    dag::Round lowest_held;
    dag::Round highest_held;
    bool has_more = false;
    std::vector<ByteView> certificates;
};
[[nodiscard]] std::optional<CertificateListView> decode_certificates(ByteView payload);
[[nodiscard]] SharedBytes encode_batches(const std::vector<SharedBytes>& batches);
/// Slices of `payload`, which they keep alive.
[[nodiscard]] std::optional<std::vector<Slice>> decode_batches(const SharedBytes& payload);

/// Where a node is. The nonce of the question, so that no answer passes for one to a later question.
struct HighestRound {
    std::uint64_t nonce = 0;
    dag::Round lowest_held;
    dag::Round highest_held;
    dag::CommitIndex oldest_commit;
    dag::CommitIndex newest_commit;
    /// A certificate of the highest round; empty before the first.
    Bytes certificate;
    /// The newest header of the asker; empty if none is held.
    Bytes header;
};
[[nodiscard]] SharedBytes encode_highest_request(std::uint64_t nonce);
[[nodiscard]] std::optional<std::uint64_t> decode_highest_request(ByteView payload);
[[nodiscard]] SharedBytes encode_highest(const HighestRound& highest);
[[nodiscard]] std::optional<HighestRound> decode_highest(ByteView payload);

// ---- the framed submit
struct SubmitRequest {
    Stage want = Stage::committed;
    /// Slices of the request.
    std::vector<Slice> transactions;
};
[[nodiscard]] SharedBytes encode_submit(Stage want, const std::vector<ByteView>& transactions);
[[nodiscard]] std::optional<SubmitRequest> decode_submit(const SharedBytes& payload);

struct SubmitReply {
    struct Reached {
        Stage stage = Stage::accepted;
        /// Highest among the transactions; 0 before `committed`.
        dag::CommitIndex commit;
        /// Since the request arrived at the node.
        Duration since_arrival{0};
    };
    /// How many are new at the node.
    std::uint32_t accepted = 0;
    /// Ascending by position. Duplicates are waited for like accepted ones, the others are not on their way.
    std::vector<RefusedTransaction> refused;
    /// Stages that all transactions on their way have reached; the last may be below the one wanted when time
    /// ran out.
    std::vector<Reached> reached;
};
[[nodiscard]] SharedBytes encode_submit_reply(const SubmitReply& reply);
[[nodiscard]] std::optional<SubmitReply> decode_submit_reply(ByteView payload);

}  // namespace monodon::node
