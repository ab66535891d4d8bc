#include "node/responder.hpp"

#include <algorithm>

#include "net/transport/clock.hpp"
#include "node/sync_codec.hpp"

namespace monodon::node {

namespace {

/// How far back the newest header of a member is looked for in the store: each is a read.
constexpr std::uint64_t kRoundsSearched = 64;
/// Of the compute pool for one answer: a full one of a large committee takes a tenth of it.
constexpr Duration kAnswerTime = std::chrono::milliseconds(200);

/// What a request costs of its method's rate: what it asks for by name, or what it gets.
std::size_t items_of(const dag::SyncRequest& request, const dag::SyncResponse& response) {
    const std::size_t asked = dag::asked_digests(request).size();
    if (const auto* certificates = std::get_if<dag::Certificates>(&response))
        return std::max(asked, certificates->certificates.size());
    if (const auto* batches = std::get_if<dag::Batches>(&response))
        return std::max(asked, batches->batches.size());
    return asked;
}

}  // namespace

dag::Held StoreSource::held() const {
    const storage::Progress progress = reader_.progress();
    return {dag::next(progress.store_floor), progress.highest_round, next(progress.commit_floor),
            progress.last_commit};
}

std::optional<dag::VerifiedCertificate> StoreSource::certificate(const Digest& header) const {
    return reader_.certificate(header);
}

dag::SyncSource::Page StoreSource::certificates(dag::Slot first, dag::Round last, std::size_t most,
                                                std::size_t bytes) const {
    auto page = reader_.certificates(first, last, {most, bytes});
    return {std::move(page.items), page.next};
}

SharedBytes StoreSource::batch(const dag::WantedBatch& wanted) const {
    return batches_.get(wanted.digest, wanted.sealed);
}

std::shared_ptr<const dag::Header> StoreSource::newest_header(dag::ValidatorIndex author) const {
    const dag::Round highest = reader_.progress().highest_round;
    const auto page = reader_.certificates_by(author, dag::below(highest, kRoundsSearched), highest);
    const bool stored =
        !page.items.empty() && (!newest_ || page.items.back()->header.round > (*newest_)->round);
    if (stored) return std::make_shared<const dag::Header>(page.items.back()->header);
    return newest_ ? newest_->shared() : nullptr;
}

void Responder::answer(net::Method method, const SharedBytes& payload, const Asker& asker,
                       const net::Replier& replier) const {
    if (replier.expired()) return;
    if (!is_sync(method)) return replier.fail({net::RpcError::unknown_method, 0});
    const auto request = decode_request(method, payload ? ByteView(*payload) : ByteView{}, committee_.size());
    if (!request) return replier.fail({net::RpcError::malformed, 0});
    dag::AnswerBudget budget;
    budget.bytes =
        replier.message_class() == net::MessageClass::bulk ? dag::kReplyBytes : dag::kUrgentReplyBytes;
    const Time end = net::now() + kAnswerTime;
    budget.expired = [&replier, end] { return replier.expired() || net::now() >= end; };
    const StoreSource source(reader_, batches_, committee_, asker.newest);
    const dag::SyncResponse response = dag::answer(source, request->request, asker.member, budget);
    replier.charge(items_of(request->request, response));
    if (const auto* error = std::get_if<dag::SyncError>(&response)) return replier.fail(encode_error(*error));
    replier.finish(encode_response(request->request, response, request->nonce));
}

}  // namespace monodon::node
