#include <algorithm>

#include "dag/sync/reply.hpp"
#include "dag/sync/responder.hpp"
#include "tools/simulate/member.hpp"

namespace monodon::sim {

namespace {

/// Small, so that answers have a rest.
constexpr std::size_t kCertificatesPerReply = 64;

/// A member's disk as others may read it.
class Source final : public dag::SyncSource {
 public:
    Source(const Disk& disk, const dag::Committee& committee) : disk_(disk), committee_(committee) {}

    [[nodiscard]] dag::Held held() const override {
        dag::Held held;
        if (!disk_.certificates().empty()) held.highest = disk_.certificates().rbegin()->first.round;
        held.newest_commit = disk_.last_commit();
        return held;
    }
    [[nodiscard]] dag::AuthorSet everybody() const override { return committee_.everybody(); }
    [[nodiscard]] std::optional<dag::VerifiedCertificate> certificate(const Digest& header) const override {
        const dag::VerifiedCertificate* found = disk_.certificate(header);
        return found == nullptr ? std::nullopt : std::optional(*found);
    }
    [[nodiscard]] Page certificates(dag::Slot first, dag::Round last, std::size_t most,
                                    std::size_t bytes) const override {
        return dag::page_of(disk_.certificates(), first, last, most, bytes);
    }
    [[nodiscard]] SharedBytes batch(const dag::WantedBatch& wanted) const override {
        const Batch* found = disk_.find_batch(wanted.digest);
        return found == nullptr ? nullptr : found->bytes;
    }
    [[nodiscard]] std::shared_ptr<const dag::Header> newest_header(
        dag::ValidatorIndex author) const override {
        const auto& all = disk_.certificates();
        const auto newest = std::find_if(all.rbegin(), all.rend(),
                                         [author](const auto& each) { return each.first.author == author; });
        if (newest == all.rend()) return nullptr;
        return std::make_shared<const dag::Header>(newest->second->header);
    }

 private:
    const Disk& disk_;
    const dag::Committee& committee_;
};

}  // namespace

void Member::receive(dag::ValidatorIndex from, const Packet& packet) {
    enter(life_, [this, from, packet] {
        // A connection that is gone delivers nothing.
        if (!connected_.contains(from) || is_deaf_to(from, packet)) return;
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

bool Member::is_deaf_to(dag::ValidatorIndex from, const Packet& packet) {
    const std::uint64_t bit = 2 * packet.index() + from.value() % 2;
    if (!deaf_to_ || (*deaf_to_ >> bit & 1U) == 0 || ratings_.chance(50)) return false;
    ++world_.injected[static_cast<std::size_t>(Fault::own_loss)];
    return true;
}

void Member::take(dag::ValidatorIndex from, const Request& request) {
    if (crash_when_asked_) {
        ++world_.injected[static_cast<std::size_t>(Fault::crash_reply)];
        return crash(false);
    }
    Answering& answering = answering_.try_emplace(from, from < self_).first->second;
    std::optional<std::string> broken;
    if (answering.begin(request, clock(), broken)) {
        send(from, Reply{request.connection, request.id, answer(from, request.body)});
        answering.finish(request.id);
    } else if (broken) {
        // Where packets come twice or out of order the rules of a session do not hold.
        const LinkRule& links = world_.plan.links;
        if (!links.reorder && links.duplicate_percent == 0) world_.judge.session_broken(from, node_, *broken);
    }
}

/// From what is durable, as node/responder.
dag::SyncResponse Member::answer(dag::ValidatorIndex from, const dag::SyncRequest& request) const {
    dag::AnswerBudget budget;
    budget.certificates = kCertificatesPerReply;
    return dag::answer(Source(disk_, world_.keys.committee()), request, from, budget);
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
    if (world_.keys.committee().contains(peer)) step(dag::PeerChanged{peer, connected});
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

void Member::take(dag::ValidatorIndex from, const Reply& reply) {
    const auto asking = asking_.find(from);
    if (asking == asking_.end()) return;
    const auto asked = asking->second.answered(reply);
    if (!asked) return;
    ask(from);
    const dag::RequestId id = asked->name;
    const dag::ReplyChecks checks{[this](const auto& each) { return world_.keys.check(each); },
                                  [this](const auto& each) { return world_.keys.check(each); },
                                  [this](const auto& each) { return world_.keys.check_ancestor(each); },
                                  dag::proof_spacing(world_.keys.committee())};
    if (const auto body = dag::read_reply(self_, asked->body, reply.response, checks)) {
        const auto* failed = std::get_if<dag::RequestFailed>(&*body);
        if (failed != nullptr && failed->why == dag::RequestFailure::bad_reply) ++world_.refused;
        return step(dag::ReplyReceived{id, *body});
    }
    const auto& found = std::get<dag::Batches>(reply.response);
    std::vector<Batch> batches;
    std::size_t came = 0;
    for (const SharedBytes& bytes : found.batches) {
        came += bytes->size();
        const auto view = dag::parse_batch(world_.keys.committee(), *bytes);
        if (view) batches.push_back({payload_entry(world_.keys.committee(), *view, *bytes), bytes});
    }
    std::vector<Digest> expected = dag::asked_digests(asked->body);
    worker_->fetched(batches, expected, [this, id, came, next = found.next](std::size_t bytes) {
        if (bytes == 0) {
            ++world_.refused;
            return give(dag::ReplyReceived{id, dag::RequestFailed{dag::RequestFailure::bad_reply, {}, came}});
        }
        give(dag::ReplyReceived{id, dag::BatchesReply{next, bytes}});
    });
}

}  // namespace monodon::sim
