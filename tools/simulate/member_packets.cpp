#include <algorithm>

#include "tools/simulate/member.hpp"

namespace monodon::sim {

namespace {

constexpr std::size_t kCertificatesPerReply = 256;

using Certificates = std::vector<std::shared_ptr<const dag::Certificate>>;

}  // namespace

void Member::receive(dag::ValidatorIndex from, const Packet& packet) {
    enter(life_, [this, from, packet] {
        // A connection that is gone delivers nothing.
        if (!connected_.contains(from)) return;
        if (mischief_) {
            for (auto& [to, each] : mischief_->incoming(from, packet))
                world_.send(node_, to, std::move(each));
            if (const auto own = mischief_->take_certificate()) step(dag::CertificateReceived{*own});
        }
        std::visit([this, from](const auto& each) { take(from, each); }, packet);
    });
}

void Member::take(dag::ValidatorIndex from, const std::shared_ptr<const dag::Header>& header) {
    const auto verified = world_.keys.check(header);
    if (!verified || header->author != from) {
        ++world_.refused;
        return;
    }
    step(dag::HeaderReceived{*verified});
}

void Member::take(dag::ValidatorIndex from, const std::shared_ptr<const dag::Vote>& vote) {
    const auto verified = world_.keys.check(vote);
    if (!verified || vote->voter != from) {
        ++world_.refused;
        return;
    }
    step(dag::VoteReceived{*verified});
}

void Member::take(dag::ValidatorIndex, const std::shared_ptr<const dag::Certificate>& certificate) {
    const auto verified = world_.keys.check(certificate);
    if (!verified) {
        ++world_.refused;
        return;
    }
    step(dag::CertificateReceived{*verified});
}

void Member::take(dag::ValidatorIndex from, const Batch& batch) { worker_->received(from, batch); }

void Member::take(dag::ValidatorIndex from, const Ack& ack) { worker_->acknowledged(from, ack.batch); }

void Member::take(dag::ValidatorIndex from, const Request& request) {
    Answering& answering = answering_.try_emplace(from, from < self_).first->second;
    std::optional<std::string> broken;
    if (answering.begin(request, clock(), broken)) {
        Reply reply = answer(from, request.body);
        reply.connection = request.connection;
        reply.id = request.id;
        send(from, std::move(reply));
        answering.finish(request.id);
    } else if (broken) {
        // Where packets come twice or out of order the rules of a session do not hold.
        const LinkRule& links = world_.plan.links;
        if (!links.reorder && links.duplicate_percent == 0) world_.judge.session_broken(from, node_, *broken);
    }
}

/// As node/responder: from what is durable, within the limits of one reply.
Reply Member::answer(dag::ValidatorIndex from, const dag::RequestBody& request) const {
    Reply reply;
    if (const auto* wanted = std::get_if<dag::GetCertificates>(&request)) {
        Certificates found;
        for (const Digest& digest : wanted->headers) {
            const dag::VerifiedCertificate* each = disk_.certificate(digest);
            if (each != nullptr) found.push_back(each->shared());
        }
        reply.found = std::move(found);
    } else if (const auto* range = std::get_if<dag::GetCertificatesInRange>(&request)) {
        Certificates found;
        auto each = disk_.certificates().lower_bound({range->first, dag::ValidatorIndex{0}});
        for (; each != disk_.certificates().end() && each->first.round <= range->last; ++each) {
            if (found.size() == kCertificatesPerReply) {
                reply.has_more = true;
                break;
            }
            found.push_back(each->second.shared());
        }
        reply.found = std::move(found);
    } else if (std::holds_alternative<dag::GetHighestRound>(request)) {
        // The highest, and the asker's newest.
        Certificates found;
        const auto& all = disk_.certificates();
        if (!all.empty()) found.push_back(all.rbegin()->second.shared());
        const auto ours = std::find_if(all.rbegin(), all.rend(),
                                       [from](const auto& each) { return each.first.author == from; });
        if (ours != all.rend()) found.push_back(ours->second.shared());
        reply.found = std::move(found);
    } else {
        std::vector<Batch> found;
        for (const dag::WantedBatch& named : std::get<dag::GetBatches>(request).batches) {
            const Batch* batch = disk_.find_batch(named.digest);
            if (batch != nullptr) found.push_back(*batch);
        }
        reply.found = std::move(found);
    }
    return reply;
}

void Member::change_connection(dag::ValidatorIndex peer, bool connected) {
    std::vector<dag::RequestId> failed;
    if (const auto old = asking_.find(peer); old != asking_.end()) failed = old->second.end();
    if (connected) {
        connected_.insert(peer);
        asking_.insert_or_assign(peer, Asking(++connections_, self_ < peer));
    } else {
        connected_.erase(peer);
        asking_.erase(peer);
    }
    const std::uint64_t life = life_;
    step(dag::PeerChanged{peer, connected});
    for (const dag::RequestId id : failed) {
        if (life != life_) return;
        step(dag::ReplyReceived{id, dag::RequestFailed{dag::RequestFailure::unreachable}});
    }
}

void Member::ask(dag::ValidatorIndex to) {
    const auto asking = asking_.find(to);
    if (asking == asking_.end()) return;
    while (auto request = asking->second.next()) send(to, std::move(*request));
}

void Member::expire_requests(dag::ValidatorIndex to) {
    const auto asking = asking_.find(to);
    if (asking == asking_.end()) return;
    const std::uint64_t life = life_;
    for (const dag::RequestId id : asking->second.expire(clock())) {
        ++world_.timeouts;
        step(dag::ReplyReceived{id, dag::RequestFailed{dag::RequestFailure::timeout}});
        if (life != life_) return;
    }
    ask(to);
}

std::optional<dag::CertificatesReply> Member::read(const dag::RequestBody& asked, const Reply& reply) {
    const auto* found = std::get_if<Certificates>(&reply.found);
    if (found == nullptr) return std::nullopt;
    dag::CertificatesReply certificates;
    certificates.has_more = reply.has_more;
    for (const auto& each : *found) {
        const auto verified = world_.keys.check(each);
        if (!verified) return std::nullopt;
        if (const auto* digests = std::get_if<dag::GetCertificates>(&asked)) {
            const auto& headers = digests->headers;
            if (std::find(headers.begin(), headers.end(), each->header.digest) == headers.end()) {
                return std::nullopt;
            }
        } else if (const auto* range = std::get_if<dag::GetCertificatesInRange>(&asked)) {
            if (each->header.round < range->first || each->header.round > range->last) return std::nullopt;
        }
        certificates.certificates.push_back(*verified);
    }
    return certificates;
}

void Member::take(dag::ValidatorIndex from, const Reply& reply) {
    const auto asking = asking_.find(from);
    if (asking == asking_.end()) return;
    const auto asked = asking->second.answered(reply);
    if (!asked) return;
    ask(from);
    const dag::RequestId id = asked->name;
    const auto fail = [&](dag::RequestFailure why) { step(dag::ReplyReceived{id, dag::RequestFailed{why}}); };
    const auto* wanted = std::get_if<dag::GetBatches>(&asked->body);
    if (wanted == nullptr) {
        auto certificates = read(asked->body, reply);
        if (!certificates) {
            ++world_.refused;
            return fail(dag::RequestFailure::bad_reply);
        }
        if (std::holds_alternative<dag::GetHighestRound>(asked->body)) {
            dag::HighestRoundReply highest;
            for (const dag::VerifiedCertificate& each : certificates->certificates) {
                if (!highest.highest) highest.highest = each;
                if (each->header.author == self_) {
                    highest.ours = dag::Verification::trusted(dag::Header(each->header));
                }
            }
            return step(dag::ReplyReceived{id, std::move(highest)});
        }
        const bool by_digest = std::holds_alternative<dag::GetCertificates>(asked->body);
        if (by_digest && certificates->certificates.empty()) return fail(dag::RequestFailure::not_found);
        return step(dag::ReplyReceived{id, std::move(*certificates)});
    }
    const auto* batches = std::get_if<std::vector<Batch>>(&reply.found);
    if (batches == nullptr || batches->empty()) return fail(dag::RequestFailure::not_found);
    worker_->fetched(*batches, wanted->batches, [this, id](std::size_t stored) {
        if (stored == 0) {
            ++world_.refused;
            return give(dag::ReplyReceived{id, dag::RequestFailed{dag::RequestFailure::bad_reply}});
        }
        give(dag::ReplyReceived{id, dag::BatchesReply{}});
    });
}

}  // namespace monodon::sim
