#pragma once

#include <optional>
#include <vector>

#include "dag/sync/messages.hpp"
#include "net/wire/method.hpp"
#include "node/slice.hpp"

/// The requests and responses of dag/sync/messages.hpp as they travel. SyncError travels as an ERROR frame;
/// Empty as a list without items; GetBatch as GetBatches of one.
namespace monodon::node {

struct EncodedRequest {
    net::Method method = net::Method::none;
    net::MessageClass message_class = net::MessageClass::interactive;
    SharedBytes payload;
};
/// `nonce` is in questions for the highest round, so that no answer passes for one to a later question.
[[nodiscard]] EncodedRequest encode_request(const dag::SyncRequest& request, std::size_t members,
                                            std::uint64_t nonce);
struct DecodedRequest {
    dag::SyncRequest request;
    std::uint64_t nonce = 0;
};
/// Well-formed, or nothing. `method` must be one of a sync request.
[[nodiscard]] std::optional<DecodedRequest> decode_request(net::Method method, ByteView payload,
                                                           std::size_t members);
/// Whether the method is one of these requests.
[[nodiscard]] bool is_sync(net::Method method);

[[nodiscard]] net::RpcFailure encode_error(const dag::SyncError& error);
/// `nonce` is that of the question. Not for SyncError.
[[nodiscard]] SharedBytes encode_response(const dag::SyncRequest& request, const dag::SyncResponse& response,
                                          std::uint64_t nonce);
/// Nothing for what is not the encoding of a response to such a request, or has another nonce. Not for
/// batches.
[[nodiscard]] std::optional<dag::SyncResponse> decode_response(const dag::Committee& committee,
                                                               const dag::SyncRequest& request,
                                                               ByteView payload, std::uint64_t nonce);
struct DecodedBatches {
    /// They keep the payload alive: batches are not copied.
    std::vector<Slice> batches;
    std::optional<dag::Continuation> next;
};
/// Nothing for what is not the encoding of a response with batches.
[[nodiscard]] std::optional<DecodedBatches> decode_batches(const SharedBytes& payload);

}  // namespace monodon::node
