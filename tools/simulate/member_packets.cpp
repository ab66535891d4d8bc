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

/// As node/responder: from what is durable, within the limits of one reply.
void Member::take(dag::ValidatorIndex from, const Request& request) {
    Reply reply{request.id, Certificates{}, false};
    if (const auto* wanted = std::get_if<dag::GetCertificates>(&request.body)) {
        Certificates found;
        for (const Digest& digest : wanted->headers) {
            const dag::VerifiedCertificate* each = disk_.certificate(digest);
            if (each != nullptr) found.push_back(each->shared());
        }
        reply.found = std::move(found);
    } else if (const auto* range = std::get_if<dag::GetCertificatesInRange>(&request.body)) {
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
    } else {
        std::vector<Batch> found;
        for (const Digest& digest : std::get<dag::GetBatches>(request.body).batches) {
            const Batch* batch = disk_.find_batch(digest);
            if (batch != nullptr) found.push_back(*batch);
        }
        reply.found = std::move(found);
    }
    send(from, std::move(reply));
}

std::optional<dag::CertificatesReply> Member::read(const OpenRequest& asked, const Reply& reply) {
    const auto* found = std::get_if<Certificates>(&reply.found);
    if (found == nullptr) return std::nullopt;
    dag::CertificatesReply certificates;
    certificates.has_more = reply.has_more;
    for (const auto& each : *found) {
        const auto verified = world_.keys.check(each);
        if (!verified) return std::nullopt;
        if (const auto* digests = std::get_if<dag::GetCertificates>(&asked.body)) {
            const auto& headers = digests->headers;
            if (std::find(headers.begin(), headers.end(), each->header.digest) == headers.end()) {
                return std::nullopt;
            }
        } else {
            const auto& range = std::get<dag::GetCertificatesInRange>(asked.body);
            if (each->header.round < range.first || each->header.round > range.last) return std::nullopt;
        }
        certificates.certificates.push_back(*verified);
    }
    return certificates;
}

void Member::take(dag::ValidatorIndex from, const Reply& reply) {
    const auto at = open_.find(reply.id);
    if (at == open_.end() || at->second.to != from) return;
    const OpenRequest asked = std::move(at->second);
    open_.erase(at);
    const auto fail = [&](dag::RequestFailure why) {
        step(dag::ReplyReceived{reply.id, dag::RequestFailed{why}});
    };
    const auto* wanted = std::get_if<dag::GetBatches>(&asked.body);
    if (wanted == nullptr) {
        auto certificates = read(asked, reply);
        if (!certificates) {
            ++world_.refused;
            return fail(dag::RequestFailure::bad_reply);
        }
        const bool by_digest = std::holds_alternative<dag::GetCertificates>(asked.body);
        if (by_digest && certificates->certificates.empty()) return fail(dag::RequestFailure::not_found);
        return step(dag::ReplyReceived{reply.id, std::move(*certificates)});
    }
    const auto* batches = std::get_if<std::vector<Batch>>(&reply.found);
    if (batches == nullptr || batches->empty()) return fail(dag::RequestFailure::not_found);
    worker_->fetched(*batches, wanted->batches, [this, id = reply.id](std::size_t stored) {
        if (stored == 0) {
            ++world_.refused;
            return give(dag::ReplyReceived{id, dag::RequestFailed{dag::RequestFailure::bad_reply}});
        }
        give(dag::ReplyReceived{id, dag::BatchesReply{}});
    });
}

}  // namespace monodon::sim
