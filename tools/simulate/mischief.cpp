#include "tools/simulate/mischief.hpp"

namespace monodon::sim {

namespace {

/// Older second headers are given up: nobody votes for them any more.
constexpr std::size_t kVariantsMax = 64;

}  // namespace

Mischief::Mischief(FaultSet faults, dag::ValidatorIndex self, Keyring& keys, FaultCounts& injected,
                   Random random)
    : faults_(faults), self_(self), keys_(keys), injected_(injected), random_(random) {}

Mischief::HeaderPtr Mischief::sign(dag::Header header) const {
    sign_header(keys_.committee(), keys_.signer(self_), header);
    return std::make_shared<const dag::Header>(std::move(header));
}

/// Another set of members gets nothing in each round.
bool Mischief::is_shunned(dag::ValidatorIndex to, dag::Round round) {
    if (round != round_) {
        round_ = round;
        shunned_ = {};
        for (std::size_t at = 0; at < keys_.committee().size(); ++at) {
            if (random_.chance(40)) shunned_.insert(dag::ValidatorIndex{static_cast<std::uint16_t>(at)});
        }
    }
    return shunned_.contains(to);
}

Duration Mischief::delay(const Packet& packet) {
    if (!std::holds_alternative<Reply>(packet) || !does(Fault::slow_reply)) return Duration{0};
    count(Fault::slow_reply);
    // Some come before the asker has given up, some after.
    return std::chrono::milliseconds(random_.between(50, 3'000));
}

std::vector<Packet> Mischief::outgoing(dag::ValidatorIndex to, Packet packet) {
    std::vector<Packet> out;
    if (auto* header = std::get_if<HeaderPtr>(&packet)) {
        headers(to, *header, out);
    } else if (auto* certificate = std::get_if<std::shared_ptr<const dag::Certificate>>(&packet)) {
        certificates(*certificate, out);
    } else if (auto* reply = std::get_if<Reply>(&packet)) {
        replies(std::move(*reply), out);
    } else if (std::holds_alternative<Batch>(packet) && does(Fault::withhold_batch) && random_.chance(70)) {
        count(Fault::withhold_batch);
    } else {
        out.push_back(std::move(packet));
    }
    if (does(Fault::selective) && !out.empty() && is_shunned(to, round_)) {
        count(Fault::selective);
        out.clear();
    }
    return out;
}

void Mischief::headers(dag::ValidatorIndex to, const HeaderPtr& header, std::vector<Packet>& out) {
    (void)is_shunned(to, header->round);
    if (does(Fault::invalid_parents)) {
        if (const HeaderPtr bad = bad_parents(header)) out.emplace_back(bad);
    }
    if (does(Fault::false_claim)) {
        out.emplace_back(variant(header));
    } else if (does(Fault::equivocate)) {
        const std::uint64_t which = random_.below(3);
        if (which != 0) out.emplace_back(variant(header));
        if (which != 1) out.emplace_back(header);
    } else {
        out.emplace_back(header);
    }
    if (does(Fault::far_future) && random_.chance(20)) out.emplace_back(far_future(*header));
}

Mischief::HeaderPtr Mischief::variant(const HeaderPtr& header) {
    const auto known = variants_.find(header->digest);
    if (known != variants_.end()) return known->second;
    dag::Header other = *header;
    if (does(Fault::false_claim)) {
        count(Fault::false_claim);
        other.committed.index = dag::CommitIndex{other.committed.index.value() + random_.below(4)};
        for (Byte& byte : other.committed.digest.bytes) byte = static_cast<Byte>(random_.next());
    } else {
        count(Fault::equivocate);
        ++other.created_at;
        if (random_.chance(50)) other.payload.clear();
        // Fewer parents are still a quorum often enough.
        if (random_.chance(50) && !other.parents.empty()) {
            const auto at = static_cast<std::ptrdiff_t>(random_.below(other.parents.size()));
            other.parents.erase(other.parents.begin() + at);
            if (!keys_.committee().is_quorum(other.parent_authors())) other.parents = header->parents;
        }
    }
    const HeaderPtr made = sign(std::move(other));
    if (variants_.size() >= kVariantsMax) {
        variants_.clear();
        collectors_.clear();
    }
    variants_.emplace(header->digest, made);
    collect_votes(made);
    return made;
}

/// Whoever votes for a header that its author does not stand by helps to make a certificate of it.
void Mischief::collect_votes(const HeaderPtr& made) {
    dag::VoteCollector collector(keys_.committee(), dag::Verification::trusted(dag::Header(*made)));
    (void)collector.add(sign_vote(keys_.committee(), keys_.signer(self_), self_, made->ref()));
    collectors_.emplace(made->digest, std::move(collector));
}

Mischief::HeaderPtr Mischief::far_future(const dag::Header& header) {
    count(Fault::far_future);
    dag::Header other = header;
    other.round = above(header.round, random_.chance(50) ? random_.between(2, 200) : random_.next() >> 2U);
    other.parents.clear();
    for (std::size_t at = 0; at < keys_.committee().size(); ++at) {
        dag::Parent parent{dag::ValidatorIndex{static_cast<std::uint16_t>(at)}, {}};
        for (Byte& byte : parent.header.bytes) byte = static_cast<Byte>(random_.next());
        other.parents.push_back(parent);
    }
    return sign(std::move(other));
}

/// One of five headers leaves behind another one of its slot with wrong parents, the same to all.
Mischief::HeaderPtr Mischief::bad_parents(const HeaderPtr& header) {
    if (const auto known = bad_.find(header->digest); known != bad_.end()) return known->second;
    if (bad_.size() >= kVariantsMax) bad_.clear();
    HeaderPtr& bad = bad_[header->digest];
    if (!random_.chance(20)) return bad;
    count(Fault::invalid_parents);
    dag::Header other = *header;
    switch (random_.below(4)) {
        case 0:
            other.parents.clear();
            ++other.created_at;
            break;
        case 1:
            if (!other.parents.empty()) other.parents.push_back(other.parents.front());
            break;
        case 2:
            if (!other.parents.empty()) other.parents.front().header.bytes.front() ^= 1U;
            break;
        default:
            other.parents.push_back({dag::ValidatorIndex{100}, {}});
            break;
    }
    bad = sign(std::move(other));
    collect_votes(bad);
    return bad;
}

void Mischief::certificates(std::shared_ptr<const dag::Certificate> certificate, std::vector<Packet>& out) {
    if (does(Fault::withhold_certificate) && random_.chance(70)) {
        count(Fault::withhold_certificate);
        return;
    }
    out.emplace_back(std::move(certificate));
}

std::shared_ptr<const dag::Certificate> Mischief::forged(const dag::Certificate& certificate,
                                                         bool with_digest) const {
    dag::Certificate made = certificate;
    ++made.header.created_at;
    if (with_digest) sign_header(keys_.committee(), keys_.signer(self_), made.header);
    return std::make_shared<const dag::Certificate>(std::move(made));
}

std::shared_ptr<const dag::Certificate> Mischief::with_signatures_of_nobody(
    const dag::Certificate& certificate) {
    dag::Certificate made = certificate;
    for (Signature& each : made.signatures) each.bytes.front() ^= 1U;
    return std::make_shared<const dag::Certificate>(std::move(made));
}

void Mischief::replies(Reply reply, std::vector<Packet>& out) {
    auto* batches = std::get_if<dag::Batches>(&reply.response);
    if (batches != nullptr && does(Fault::withhold_batch)) {
        count(Fault::withhold_batch);
        batches->batches.clear();
    }
    if (does(Fault::withhold_reply) && random_.chance(70)) {
        count(Fault::withhold_reply);
        reply.response = dag::Empty{};
        out.emplace_back(std::move(reply));
        return;
    }
    if (!does(Fault::lying_reply) || random_.chance(30)) {
        out.emplace_back(std::move(reply));
        return;
    }
    count(Fault::lying_reply);
    const std::uint64_t how = random_.below(4);
    if (how == 0) return;  // no answer at all
    if (batches != nullptr) {
        for (SharedBytes& each : batches->batches) {
            auto bytes = std::make_shared<Bytes>(*each);
            bytes->back() ^= 1U;
            each = std::move(bytes);
        }
        if (how == 1) batches->batches.clear();
    } else if (auto* list = std::get_if<dag::Certificates>(&reply.response)) {
        auto& found = list->certificates;
        if (how == 1) found.resize(found.size() / 2);
        for (auto& each : found) {
            if (how != 1 && random_.chance(50)) each = forged(*each, how == 2);
            // The digest does not cover them: only who needs them may notice.
            if (how == 3 && random_.chance(30)) each = with_signatures_of_nobody(*each);
        }
    } else if (auto* highest = std::get_if<dag::HighestRound>(&reply.response)) {
        if (how == 1) highest->certificate.reset();
        if (how != 1 && highest->certificate) {
            highest->certificate = forged(*highest->certificate, how == 2);
        }
    }
    out.emplace_back(std::move(reply));
}

std::vector<std::pair<dag::ValidatorIndex, Packet>> Mischief::incoming(dag::ValidatorIndex from,
                                                                       const Packet& packet) {
    std::vector<std::pair<dag::ValidatorIndex, Packet>> out;
    const auto* header = std::get_if<HeaderPtr>(&packet);
    if (header != nullptr && does(Fault::double_vote)) {
        count(Fault::double_vote);
        const dag::Vote vote = sign_vote(keys_.committee(), keys_.signer(self_), self_, (*header)->ref());
        out.emplace_back(from, std::make_shared<const dag::Vote>(vote));
    }
    const auto* vote = std::get_if<std::shared_ptr<const dag::Vote>>(&packet);
    if (vote == nullptr || (*vote)->voter != from) return out;
    const auto collector = collectors_.find((*vote)->header);
    if (collector == collectors_.end() || !keys_.check(*vote) || !collector->second.add(**vote)) return out;
    certificate_ = collector->second.certificate();
    for (std::size_t at = 0; at < keys_.committee().size(); ++at) {
        const dag::ValidatorIndex to{static_cast<std::uint16_t>(at)};
        if (to != self_) out.emplace_back(to, certificate_->shared());
    }
    return out;
}

std::optional<dag::VerifiedCertificate> Mischief::take_certificate() {
    return std::exchange(certificate_, std::nullopt);
}

}  // namespace monodon::sim
