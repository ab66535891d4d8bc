#include "tests/sync/transport.hpp"

#include <catch2/catch.hpp>

#include "node/sync_codec.hpp"
#include "tests/net/network_fixture.hpp"

namespace monodon::dag::test {

void MemorySource::add(const VerifiedCertificate& certificate) {
    by_slot_.emplace(certificate->ref().slot(), certificate);
}

void MemorySource::add_all(const DagBuilder& dag) {
    for (const VerifiedCertificate& each : dag.certificates()) add(each);
}

void MemorySource::prune(Round lowest) {
    lowest_ = lowest;
    by_slot_.erase(by_slot_.begin(), by_slot_.lower_bound({lowest, ValidatorIndex{0}}));
}

Held MemorySource::held() const {
    Held held;
    held.lowest = lowest_;
    if (!by_slot_.empty()) held.highest = by_slot_.rbegin()->first.round;
    return held;
}

std::optional<VerifiedCertificate> MemorySource::certificate(const Digest& header) const {
    for (const auto& [slot, certificate] : by_slot_) {
        if (certificate->header.digest == header) return certificate;
    }
    return std::nullopt;
}

SyncSource::Page MemorySource::certificates(Slot first, Round last, std::size_t most,
                                            std::size_t bytes) const {
    Page page = page_of(by_slot_, first, last, most, bytes);
    read_ += page.certificates.size();
    return page;
}

SharedBytes MemorySource::batch(const WantedBatch& wanted) const {
    const auto at = batches_.find(wanted.digest);
    return at == batches_.end() ? nullptr : at->second;
}

std::shared_ptr<const Header> MemorySource::newest_header(ValidatorIndex author) const {
    for (auto at = by_slot_.rbegin(); at != by_slot_.rend(); ++at) {
        if (at->first.author == author) return std::make_shared<const Header>(at->second->header);
    }
    return nullptr;
}

InProcess::InProcess(const Committee&, std::vector<std::shared_ptr<const SyncSource>> sources)
    : sources_(std::move(sources)) {}

SyncResponse InProcess::ask(ValidatorIndex to, const SyncRequest& request) {
    AnswerBudget budget;
    budget.bytes = is_bulk(request) ? kReplyBytes : kUrgentReplyBytes;
    return answer(*sources_.at(to.value()), request, ValidatorIndex{0}, budget);
}

struct OverTls::Net {
    Net(const Committee& members, std::vector<std::shared_ptr<const SyncSource>> from)
        : committee(members), sources(std::move(from)), nodes(members.size()) {
        for (std::size_t at = 0; at < sources.size(); ++at) {
            nodes[at].serve([this, at](const net::test::Asked& asked) { serve(at, asked); });
        }
        REQUIRE(nodes.all_connected());
    }

    void serve(std::size_t at, const net::test::Asked& asked) {
        const ByteView payload = asked.payload ? ByteView(*asked.payload) : ByteView{};
        const auto decoded = node::decode_request(asked.method, payload, committee.size());
        if (!decoded) return asked.replier.fail({net::RpcError::malformed, 0});
        AnswerBudget budget;
        budget.bytes = is_bulk(decoded->request) ? kReplyBytes : kUrgentReplyBytes;
        const SyncResponse response = answer(*sources.at(at), decoded->request, ValidatorIndex{0}, budget);
        if (const auto* error = std::get_if<SyncError>(&response)) {
            return asked.replier.fail(node::encode_error(*error));
        }
        asked.replier.finish(node::encode_response(decoded->request, response, decoded->nonce));
    }

    const Committee& committee;
    std::vector<std::shared_ptr<const SyncSource>> sources;
    net::test::Committee nodes;
    std::uint64_t nonce = 0;
};

OverTls::OverTls(const Committee& committee, std::vector<std::shared_ptr<const SyncSource>> sources)
    : net_(std::make_unique<Net>(committee, std::move(sources))) {}
OverTls::~OverTls() = default;

SyncResponse OverTls::ask(ValidatorIndex to, const SyncRequest& request) {
    const std::uint64_t nonce = ++net_->nonce;
    node::EncodedRequest encoded = node::encode_request(request, net_->committee.size(), nonce);
    net::test::Answer arrived;
    (void)net_->nodes[0].network().request(net_->nodes[to.value()].id(), encoded.message_class,
                                           encoded.method, encoded.payload, std::chrono::seconds(20),
                                           arrived.callback());
    const auto reply = arrived.get();
    if (!reply) {
        if (reply.error().code == net::RpcError::busy) return SyncError{SyncError::Why::busy, {}};
        REQUIRE(reply.error().code == net::RpcError::pruned);
        return SyncError{SyncError::Why::pruned, Round{reply.error().detail}};
    }
    if (encoded.method == net::Method::get_batches) {
        const auto decoded = node::decode_batches(*reply);
        REQUIRE(decoded);
        Batches batches;
        batches.next = decoded->next;
        for (const node::Slice& each : decoded->batches) {
            batches.batches.push_back(std::make_shared<const Bytes>(each.bytes.begin(), each.bytes.end()));
        }
        if (batches.batches.empty()) return Empty{};
        return batches;
    }
    auto response = node::decode_response(net_->committee, request, **reply, nonce);
    REQUIRE(response);
    return std::move(*response);
}

ReplyChecks trust() {
    return {[](const auto& each) { return std::optional(Verification::trusted(Certificate(*each))); },
            [](const auto& each) { return std::optional(Verification::trusted(Header(*each))); }};
}

ReplyChecks trust_what_is_named(const Committee& committee) {
    ReplyChecks checks = trust();
    checks.certificate = [](const auto& each) {
        return each->has_proof() ? std::optional(Verification::trusted(Certificate(*each))) : std::nullopt;
    };
    checks.ancestor = [](const auto& each) {
        return std::optional(Verification::trusted(Certificate(*without_signatures(each))));
    };
    checks.proofs_every = proof_spacing(committee);
    return checks;
}

std::shared_ptr<const Certificate> without_signatures(const std::shared_ptr<const Certificate>& certificate) {
    Certificate bare = *certificate;
    bare.signers = {};
    bare.signatures.clear();
    return std::make_shared<const Certificate>(std::move(bare));
}

bool drive(SyncSession& session, Transport& transport, const ReplyChecks& checks) {
    Time now{};
    for (int turn = 0; turn < 10'000; ++turn) {
        now += std::chrono::milliseconds(1);
        const auto requests = session.requests(now);
        for (const SendRequest& each : requests) {
            auto body = read_reply(ValidatorIndex{0}, each.body, transport.ask(each.to, each.body), checks);
            REQUIRE(body);
            session.replied({each.id, std::move(*body)}, now);
        }
        if (requests.empty() && session.idle()) return true;
        if (requests.empty() && session.next_attempt()) now = std::max(now, *session.next_attempt());
    }
    return false;
}

}  // namespace monodon::dag::test
