#include "node/router.hpp"

#include <algorithm>
#include <random>

#include "dag/sync/reply.hpp"
#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/codec.hpp"
#include "node/sync_codec.hpp"

namespace monodon::node {

using log::Category;

namespace {

/// An honest member has one header, one vote and a few certificates under way; a burst after a pause has some
/// more. At 40 KiB each this is 40 MiB in the worst case.
constexpr std::uint32_t kCheckingMax = 1024;
constexpr Duration kRepairDeadline = std::chrono::seconds(10);

dag::RequestFailure failure_of(net::RpcError error) {
    switch (error) {
        case net::RpcError::pruned:
            return dag::RequestFailure::pruned;
        case net::RpcError::not_found:
        case net::RpcError::unknown_method:
            return dag::RequestFailure::not_found;
        case net::RpcError::busy:
        case net::RpcError::rate_limited:
            return dag::RequestFailure::busy;
        case net::RpcError::deadline:
            return dag::RequestFailure::timeout;
        case net::RpcError::disconnected:
        case net::RpcError::cancelled:
            return dag::RequestFailure::unreachable;
        default:
            return dag::RequestFailure::bad_reply;
    }
}

/// An object that was sent by itself: its sender has checked it, or should have.
net::Fault fault_of(dag::ObjectError error) {
    const bool forged = error == dag::ObjectError::bad_signature || error == dag::ObjectError::bad_signers;
    return forged ? net::Fault::bad_evidence : net::Fault::wrong_data;
}

/// A reply whose certificates were asked for by themselves. In a range a peer passes on what others have
/// vouched for.
bool is_evidence(const dag::SyncRequest& request) {
    return std::holds_alternative<dag::GetCertificates>(request) ||
           std::holds_alternative<dag::GetHighestRound>(request);
}

}  // namespace

bool SeenCertificates::contains(const Digest& header) const {
    const std::lock_guard lock(mutex_);
    return seen_.contains(header);
}

void SeenCertificates::insert(const Digest& header) {
    const std::lock_guard lock(mutex_);
    if (!seen_.insert(header).second) return;
    if (order_.size() < kMost) {
        order_.push_back(header);
        return;
    }
    seen_.erase(order_[oldest_]);
    order_[oldest_] = header;
    oldest_ = (oldest_ + 1) % kMost;
}

Router::Router(Parts parts, std::optional<dag::ValidatorIndex> self)
    : parts_(std::move(parts)),
      self_(self),
      claimed_(parts_.genesis.members().size()),
      headers_(parts_.genesis.members().size()),
      nonce_((std::uint64_t{std::random_device{}()} << 32U) + std::random_device{}()),
      checking_(parts_.genesis.members().size()) {}

const PeerId& Router::peer_of(dag::ValidatorIndex member) const { return parts_.genesis.member(member).peer; }

net::Handlers Router::handlers() {
    return {[this](const PeerId& peer, net::Method method, SharedBytes payload) {
                on_notice(peer, method, std::move(payload));
            },
            [this](const PeerId& peer, net::Role role, net::Method method, SharedBytes payload,
                   net::Replier replier) {
                on_request(peer, role, method, std::move(payload), std::move(replier));
            },
            [this](const PeerId& peer, net::Role role, bool connected) { on_peer(peer, role, connected); }};
}

void Router::on_peer(const PeerId& peer, net::Role role, bool connected) {
    const auto member = parts_.genesis.index_of(peer);
    if (role != net::Role::member || !member) return;
    parts_.engine.post(dag::PeerChanged{*member, connected});
    parts_.worker.on_peer(*member, connected);
}

void Router::on_notice(const PeerId& peer, net::Method method, SharedBytes payload) {
    const auto from = parts_.genesis.index_of(peer);
    if (!from || !payload) return;
    // An observer takes what it has subscribed to.
    if (!self_ && method != net::Method::certificate) return;
    switch (method) {
        case net::Method::header:
        case net::Method::vote:
        case net::Method::certificate:
            return consensus_notice(*from, method, payload);
        case net::Method::batch: {
            const auto batch = decode_object(*payload, dag::kBatchBytesMax);
            if (!batch) return fault(*from, "a malformed batch notice");
            return parts_.worker.on_batch(*from, Slice{payload, *batch});
        }
        case net::Method::batch_ack: {
            auto digests = decode_digests(*payload);
            if (!digests) return fault(*from, "a malformed acknowledgement");
            return parts_.worker.on_ack(*from, std::move(*digests));
        }
        default:
            return;  // of a later version: nothing that we would need
    }
}

void Router::consensus_notice(dag::ValidatorIndex from, net::Method method, const SharedBytes& payload) {
    std::atomic<std::uint32_t>& checking = checking_.at(from.value());
    if (checking.fetch_add(1) >= kCheckingMax) {
        // Dropped: headers, votes and certificates are sent again until they are of no use.
        checking.fetch_sub(1);
        return;
    }
    parts_.compute.post_urgent([this, from, method, payload, &checking] {
        const auto object = decode_object(*payload, dag::kCertificateBytesMax);
        if (!object) {
            fault(from, "a malformed consensus notice");
        } else {
            auto event = verified(method, *object);
            if (event) {
                hand_over(std::move(*event));
            } else if (event.error() != dag::ObjectError::wrong_epoch) {
                ++refused_;
                fault(from, dag::describe(event.error()), fault_of(event.error()));
            }
        }
        checking.fetch_sub(1);
    });
}

void Router::hand_over(std::optional<dag::Event> event) {
    if (!event) return;
    std::optional<Digest> certificate;
    if (const auto* received = std::get_if<dag::CertificateReceived>(&*event)) {
        certificate = received->certificate->header.digest;
    }
    // What the engine had no room for must be looked at again when it is sent again.
    if (parts_.engine.offer(std::move(*event)) && certificate) seen_.insert(*certificate);
}

Expected<std::optional<dag::Event>, dag::ObjectError> Router::verified(net::Method method, ByteView object) {
    const Time begin = net::now();
    const auto count = [&] {
        ++verified_;
        verify_time_ += (net::now() - begin).count();
    };
    const dag::Committee& committee = parts_.genesis.committee();
    if (method == net::Method::header) {
        auto header = dag::decode_header(committee, object);
        if (!header) return Unexpected{header.error()};
        auto checked = parts_.verification.header(std::move(*header));
        if (!checked) return Unexpected{checked.error()};
        count();
        note_header(*checked);
        return std::optional<dag::Event>(dag::HeaderReceived{std::move(*checked)});
    }
    if (method == net::Method::vote) {
        auto vote = dag::decode_vote(object);
        if (!vote) return Unexpected{vote.error()};
        auto checked = parts_.verification.vote(std::move(*vote));
        if (!checked) return Unexpected{checked.error()};
        count();
        return std::optional<dag::Event>(dag::VoteReceived{std::move(*checked)});
    }
    auto certificate = dag::decode_certificate(committee, object);
    if (!certificate) return Unexpected{certificate.error()};
    const Digest digest = certificate->header.digest;
    if (seen_.contains(digest)) return std::optional<dag::Event>();
    auto checked = parts_.verification.certificate(std::move(*certificate));
    if (!checked) return Unexpected{checked.error()};
    count();
    parts_.verified_round((*checked)->header.round);
    return std::optional<dag::Event>(dag::CertificateReceived{std::move(*checked)});
}

void Router::note_header(const dag::VerifiedHeader& header) {
    const std::lock_guard lock(headers_mutex_);
    auto& newest = headers_.at(header->author.value());
    if (!newest || (*newest)->round < header->round) newest = header;
}

Responder::Asker Router::asker(const PeerId& peer) const {
    const auto member = parts_.genesis.index_of(peer);
    if (!member) return {};
    const std::lock_guard lock(headers_mutex_);
    return {member, headers_.at(member->value())};
}

void Router::on_request(const PeerId& peer, net::Role role, net::Method method, SharedBytes payload,
                        net::Replier replier) {
    if (method == net::Method::submit_transactions) return parts_.submit.answer(payload, replier);
    if (role == net::Role::client) return replier.fail({net::RpcError::unauthorised, 0});
    parts_.compute.post(
        [this, asker = asker(peer), method, payload = std::move(payload), replier = std::move(replier)] {
            parts_.responder.answer(method, payload, asker, replier);
        });
}

void Router::send(const dag::AuthorSet& to, const dag::Message& message) {
    const Notice notice = encode_message(message);
    to.for_each([&](dag::ValidatorIndex member) {
        (void)network_->send(peer_of(member), net::MessageClass::consensus, notice.method, notice.payload);
    });
}

void Router::publish(const dag::VerifiedCertificate& certificate) {
    const Notice notice = encode_message(certificate);
    network_->publish(net::MessageClass::consensus, notice.method, notice.payload);
}

dag::AuthorSet Router::send_batch(const dag::AuthorSet& to, const SharedBytes& batch) {
    const SharedBytes payload = encode_object(*batch);
    dag::AuthorSet taken;
    to.for_each([&](dag::ValidatorIndex member) {
        if (network_->send(peer_of(member), net::MessageClass::data, net::Method::batch, payload)) {
            taken.insert(member);
        }
    });
    return taken;
}

void Router::send_ack(dag::ValidatorIndex to, const std::vector<Digest>& batches) {
    for (std::size_t at = 0; at < batches.size(); at += kDigestsMax) {
        const auto begin = batches.begin() + static_cast<std::ptrdiff_t>(at);
        const auto size =
            static_cast<std::ptrdiff_t>(std::min<std::size_t>(kDigestsMax, batches.size() - at));
        (void)network_->send(peer_of(to), net::MessageClass::consensus, net::Method::batch_ack,
                             encode_digests({begin, begin + size}));
    }
}

std::size_t Router::queued_batch_bytes(dag::ValidatorIndex member) const {
    return network_->queued_bytes(peer_of(member), net::MessageClass::data);
}

void Router::fault(dag::ValidatorIndex member, std::string_view why, net::Fault kind) {
    observe(member, kind);
    network_->disconnect(peer_of(member), why);
}

void Router::observe(dag::ValidatorIndex member, const net::Observation& observation) {
    network_->observe(peer_of(member), observation);
}

void Router::note_reply(dag::ValidatorIndex from, const dag::ReplyBody& body) {
    const dag::Held* held = nullptr;
    bool useful = true;
    if (const auto* certificates = std::get_if<dag::CertificatesReply>(&body)) {
        held = &certificates->held;
        useful = !certificates->certificates.empty();
    } else if (const auto* highest = std::get_if<dag::HighestRoundReply>(&body)) {
        held = &highest->held;
    }
    if (held == nullptr) return;
    claimed_.note(from, *held, net::now());
    if (useful) observe(from, net::Useful{});
}

void Router::request(dag::SendRequest request) {
    const PeerId& peer = peer_of(request.to);
    const Duration deadline = request.deadline;
    const std::uint64_t nonce = ++nonce_;
    EncodedRequest encoded = encode_request(request.body, parts_.genesis.committee().size(), nonce);
    (void)network_->request(
        peer, encoded.message_class, encoded.method, std::move(encoded.payload), deadline,
        [this, nonce, request = std::move(request)](Expected<SharedBytes, net::RpcFailure> reply) {
            replied(request, nonce, std::move(reply));
        });
}

void Router::fail(const dag::SendRequest& request, const dag::RequestFailed& failed) {
    parts_.engine.post(dag::ReplyReceived{request.id, failed});
}

void Router::replied(const dag::SendRequest& request, std::uint64_t nonce,
                     Expected<SharedBytes, net::RpcFailure> reply) {
    if (!reply) {
        const bool pruned = reply.error().code == net::RpcError::pruned;
        return fail(request, {failure_of(reply.error().code),
                              pruned ? dag::Round{reply.error().detail} : dag::Round{}});
    }
    SharedBytes payload = std::move(*reply);
    parts_.compute.post([this, request, nonce, payload = std::move(payload)] {
        const bool batches = std::holds_alternative<dag::GetBatches>(request.body) ||
                             std::holds_alternative<dag::GetBatch>(request.body);
        if (batches) return batches_replied(request, payload);
        dag::ReplyBody body = read_reply(request.to, request.body, nonce, payload);
        const auto* failed = std::get_if<dag::RequestFailed>(&body);
        if (failed != nullptr && failed->why == dag::RequestFailure::bad_reply) {
            log::warn(Category::net, "a reply that is none to what was asked, or does not verify",
                      {{"peer", peer_of(request.to).text()}});
        }
        parts_.engine.post(dag::ReplyReceived{request.id, std::move(body)});
    });
}

dag::ReplyBody Router::read_reply(dag::ValidatorIndex from, const dag::SyncRequest& request,
                                  std::uint64_t nonce, const SharedBytes& payload) {
    net::Fault fault = net::Fault::wrong_data;
    const dag::ReplyChecks checks{
        [this, &fault](const std::shared_ptr<const dag::Certificate>& certificate) {
            auto checked = parts_.verification.certificate(dag::Certificate(*certificate));
            if (!checked) {
                fault = fault_of(checked.error());
                return std::optional<dag::VerifiedCertificate>();
            }
            ++verified_;
            parts_.verified_round((*checked)->header.round);
            return std::optional(std::move(*checked));
        },
        [this](const std::shared_ptr<const dag::Header>& header) {
            auto checked = parts_.verification.header(dag::Header(*header));
            return checked ? std::optional(std::move(*checked)) : std::optional<dag::VerifiedHeader>();
        },
        [this](const std::shared_ptr<const dag::Certificate>& certificate) {
            auto checked = parts_.verification.ancestor(dag::Certificate(*certificate));
            if (!checked) return std::optional<dag::VerifiedCertificate>();
            parts_.verified_round((*checked)->header.round);
            return std::optional(std::move(*checked));
        },
        dag::proof_spacing(parts_.genesis.committee())};
    const auto response = decode_response(parts_.genesis.committee(), request, *payload, nonce);
    auto reply = response ? dag::read_reply(self_, request, *response, checks) : std::nullopt;
    const dag::ReplyBody bad = dag::RequestFailed{dag::RequestFailure::bad_reply, {}, payload->size()};
    const dag::ReplyBody& body = reply ? *reply : bad;
    const auto* failed = std::get_if<dag::RequestFailed>(&body);
    if (failed != nullptr && failed->why == dag::RequestFailure::bad_reply) {
        ++refused_;
        observe(from, is_evidence(request) ? fault : net::Fault::wrong_data);
    } else {
        // Held against what it said before this reply.
        const auto* certificates = std::get_if<dag::CertificatesReply>(&body);
        const bool withheld =
            certificates != nullptr &&
            claimed_.withholds(from, parts_.genesis.committee(), request, *certificates, net::now());
        if (withheld) observe(from, net::Fault::withheld);
        note_reply(from, body);
    }
    return body;
}

void Router::fetch_round(dag::ValidatorIndex from, dag::Round round,
                         std::function<void(const std::vector<dag::VerifiedCertificate>&)> done) {
    const dag::SyncRequest wanted = dag::GetCertificatesInRound{round};
    EncodedRequest encoded = encode_request(wanted, parts_.genesis.committee().size(), 0);
    (void)network_->request(
        peer_of(from), net::MessageClass::bulk, encoded.method, std::move(encoded.payload), kRepairDeadline,
        [this, from, wanted, done = std::move(done)](Expected<SharedBytes, net::RpcFailure> reply) {
            if (!reply) return;
            parts_.compute.post([this, from, wanted, done, payload = std::move(*reply)] {
                const dag::ReplyBody body = read_reply(from, wanted, 0, payload);
                if (const auto* read = std::get_if<dag::CertificatesReply>(&body)) done(read->certificates);
            });
        });
}

void Router::batches_replied(const dag::SendRequest& request, const SharedBytes& payload) {
    auto decoded = decode_batches(payload);
    if (!decoded) {
        observe(request.to, net::Fault::wrong_data);
        return fail(request, {dag::RequestFailure::bad_reply, {}, payload->size()});
    }
    if (decoded->batches.empty()) return fail(request, {dag::RequestFailure::not_found});
    const auto done = [this, request, next = decoded->next, bytes = payload->size()](Worker::Fetched found) {
        if (found.bad) observe(request.to, net::Fault::wrong_data);
        if (!found.bad && found.stored > 0) observe(request.to, net::Useful{});
        if (found.bad || found.stored == 0) {
            return fail(request, {dag::RequestFailure::bad_reply, {}, bytes - found.bytes});
        }
        parts_.engine.post(dag::ReplyReceived{request.id, dag::BatchesReply{next, found.bytes}});
    };
    parts_.worker.store_fetched(std::move(decoded->batches), dag::asked_digests(request.body), done);
}

VerificationCounters Router::counters() const { return {verified_, refused_, Duration(verify_time_)}; }

}  // namespace monodon::node
