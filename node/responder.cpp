#include "node/responder.hpp"

#include "net/wire/pack.hpp"
#include "node/codec.hpp"

namespace monodon::node {

namespace {

/// Soft limits of one reply (network.md 4): smaller where a round waits for it.
std::size_t bytes_limit(net::MessageClass message_class) {
    return message_class == net::MessageClass::bulk ? std::size_t{4} << 20 : std::size_t{1} << 20;
}

/// How far back the newest header of a member is looked for in the store: each is a read.
constexpr std::uint64_t kRoundsSearched = 64;

CertificateList empty_list(const storage::Progress& progress) {
    return {dag::next(progress.store_floor), progress.highest_round, false, {}};
}

}  // namespace

void Responder::answer(net::Method method, const SharedBytes& payload, const Asker& asker,
                       const net::Replier& replier) const {
    if (replier.expired()) return;
    const ByteView body = payload ? ByteView(*payload) : ByteView{};
    switch (method) {
        case net::Method::get_certificates:
            return certificates(body, replier);
        case net::Method::get_certificates_in_range:
            return certificates_in_range(body, replier);
        case net::Method::get_batches:
            return batches(body, replier);
        case net::Method::get_highest_round:
            return highest_round(body, asker, replier);
        default:
            replier.fail({net::RpcError::unknown_method, 0});
    }
}

void Responder::certificates(ByteView payload, const net::Replier& replier) const {
    const auto digests = decode_digests(payload);
    if (!digests) return replier.fail({net::RpcError::malformed, 0});
    CertificateList list = empty_list(reader_.progress());
    std::size_t bytes = 0;
    for (const Digest& digest : *digests) {
        if (bytes >= bytes_limit(replier.message_class())) {
            list.has_more = true;
            break;
        }
        const auto certificate = reader_.certificate(digest);
        if (!certificate) continue;
        list.certificates.push_back(dag::encode(**certificate));
        bytes += list.certificates.back().size();
    }
    if (list.certificates.empty()) return replier.fail({net::RpcError::not_found, 0});
    replier.finish(encode_certificates(list));
}

void Responder::certificates_in_range(ByteView payload, const net::Replier& replier) const {
    const auto range = decode_range(payload);
    if (!range) return replier.fail({net::RpcError::malformed, 0});
    const auto [first, last] = *range;
    CertificateList list = empty_list(reader_.progress());
    if (first < list.lowest_held) return replier.fail({net::RpcError::pruned, list.lowest_held.value()});
    const storage::PageLimits limits{kCertificatesMax, bytes_limit(replier.message_class())};
    const auto page = reader_.certificates({first, dag::ValidatorIndex{0}}, last, limits);
    for (const dag::VerifiedCertificate& each : page.items) list.certificates.push_back(dag::encode(*each));
    list.has_more = page.next.has_value();
    replier.finish(encode_certificates(list));
}

void Responder::batches(ByteView payload, const net::Replier& replier) const {
    const auto wanted = decode_wanted(payload);
    if (!wanted) return replier.fail({net::RpcError::malformed, 0});
    std::vector<SharedBytes> found;
    std::size_t bytes = 0;
    for (const dag::WantedBatch& each : *wanted) {
        if (bytes >= bytes_limit(replier.message_class())) break;
        SharedBytes batch = batches_.get(each.digest, each.sealed);
        if (!batch) continue;
        bytes += batch->size();
        found.push_back(std::move(batch));
    }
    if (found.empty()) return replier.fail({net::RpcError::not_found, 0});
    replier.finish(encode_batches(found));
}

void Responder::highest_round(ByteView payload, const Asker& asker, const net::Replier& replier) const {
    const auto nonce = decode_highest_request(payload);
    if (!nonce) return replier.fail({net::RpcError::malformed, 0});
    const storage::Progress progress = reader_.progress();
    HighestRound highest{*nonce,
                         next(progress.store_floor),
                         progress.highest_round,
                         next(progress.commit_floor),
                         progress.last_commit,
                         {},
                         {}};
    if (progress.highest_round > dag::Round{}) {
        const dag::Slot first{progress.highest_round, dag::ValidatorIndex{}};
        const auto page = reader_.certificates(first, progress.highest_round, {1, 1});
        // Who asks relies on it: no answer is better than one that shows less than there is.
        if (page.items.empty()) return replier.fail({net::RpcError::internal, 0});
        highest.certificate = dag::encode(*page.items.front());
    }
    if (asker.member) {
        const auto page = reader_.certificates_by(
            *asker.member, dag::below(progress.highest_round, kRoundsSearched), progress.highest_round);
        const bool stored = !page.items.empty() &&
                            (!asker.newest || page.items.back()->header.round > (*asker.newest)->round);
        if (stored) {
            highest.header = dag::encode(page.items.back()->header);
        } else if (asker.newest) {
            highest.header = dag::encode(**asker.newest);
        }
    }
    replier.finish(encode_highest(highest));
}

}  // namespace monodon::node
