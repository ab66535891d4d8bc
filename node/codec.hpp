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

// ---- lists of digests: acknowledgements
inline constexpr std::uint32_t kDigestsMax = 1000;
[[nodiscard]] SharedBytes encode_digests(const std::vector<Digest>& digests);
/// 1 to kDigestsMax.
[[nodiscard]] std::optional<std::vector<Digest>> decode_digests(ByteView payload);

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
