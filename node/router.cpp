#include "node/router.hpp"

#include <algorithm>
#include <random>

#include <boost/asio/post.hpp>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/codec.hpp"

namespace monodon::node {

namespace asio = boost::asio;
using log::Category;

namespace {

/// An honest member has one header, one vote and a few certificates under way; a burst after a pause has some
/// more. At 40 KiB each this is 40 MiB in the worst case.
constexpr std::uint32_t kCheckingMax = 1024;
constexpr Duration kRepairDeadline = std::chrono::seconds(10);

dag::RequestFailure failure_of(net::RpcError error) {
    switch (error) {
        case net::RpcError::not_found:
        case net::RpcError::pruned:
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

Router::Router(Parts parts, dag::ValidatorIndex self)
    : parts_(std::move(parts)),
      self_(self),
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
    asio::post(parts_.compute, [this, from, method, payload, &checking] {
        const auto object = decode_object(*payload, dag::kCertificateBytesMax);
        if (!object) {
            fault(from, "a malformed consensus notice");
        } else {
            auto event = verified(method, *object);
            if (event) {
                hand_over(std::move(*event));
            } else if (event.error() != dag::ObjectError::wrong_epoch) {
                ++refused_;
                fault(from, dag::describe(event.error()));
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
    asio::post(parts_.compute,
               [this, asker = asker(peer), method, payload = std::move(payload),
                replier = std::move(replier)] { parts_.responder.answer(method, payload, asker, replier); });
}

void Router::send(const dag::AuthorSet& to, const dag::Message& message) {
    const Notice notice = encode_message(message);
    to.for_each([&](dag::ValidatorIndex member) {
        (void)network_->send(peer_of(member), net::MessageClass::consensus, notice.method, notice.payload);
    });
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

void Router::fault(dag::ValidatorIndex member, std::string_view why) {
    network_->disconnect(peer_of(member), why);
}

void Router::request(dag::SendRequest request) {
    const PeerId& peer = peer_of(request.to);
    const Duration deadline = request.deadline;
    net::MessageClass message_class = net::MessageClass::interactive;
    net::Method method = net::Method::get_certificates;
    SharedBytes payload;
    const std::uint64_t nonce = ++nonce_;
    if (const auto* certificates = std::get_if<dag::GetCertificates>(&request.body)) {
        payload = encode_digests(certificates->headers);
    } else if (const auto* range = std::get_if<dag::GetCertificatesInRange>(&request.body)) {
        method = net::Method::get_certificates_in_range;
        message_class = net::MessageClass::bulk;
        payload = encode_range(range->first, range->last);
    } else if (std::holds_alternative<dag::GetHighestRound>(request.body)) {
        method = net::Method::get_highest_round;
        payload = encode_highest_request(nonce);
    } else {
        method = net::Method::get_batches;
        payload = encode_wanted(std::get<dag::GetBatches>(request.body).batches);
    }
    (void)network_->request(
        peer, message_class, method, std::move(payload), deadline,
        [this, nonce, request = std::move(request)](Expected<SharedBytes, net::RpcFailure> reply) {
            replied(request, nonce, std::move(reply));
        });
}

void Router::fail(const dag::SendRequest& request, dag::RequestFailure why) {
    parts_.engine.post(dag::ReplyReceived{request.id, dag::RequestFailed{why}});
}

void Router::replied(const dag::SendRequest& request, std::uint64_t nonce,
                     Expected<SharedBytes, net::RpcFailure> reply) {
    if (!reply) return fail(request, failure_of(reply.error().code));
    SharedBytes payload = std::move(*reply);
    asio::post(parts_.compute, [this, request, nonce, payload = std::move(payload)] {
        if (std::holds_alternative<dag::GetBatches>(request.body)) {
            batches_replied(request, payload);
        } else if (std::holds_alternative<dag::GetHighestRound>(request.body)) {
            highest_replied(request, nonce, payload);
        } else {
            certificates_replied(request, payload);
        }
    });
}

std::optional<dag::CertificatesReply> Router::read_certificates(const SharedBytes& payload) {
    const auto list = decode_certificates(*payload);
    if (!list) return std::nullopt;
    dag::CertificatesReply reply;
    for (const ByteView each : list->certificates) {
        auto decoded = dag::decode_certificate(parts_.genesis.committee(), each);
        if (!decoded) return std::nullopt;
        auto checked = parts_.verification.certificate(std::move(*decoded));
        if (!checked) return std::nullopt;
        reply.bytes += each.size();
        ++verified_;
        parts_.verified_round((*checked)->header.round);
        reply.certificates.push_back(std::move(*checked));
    }
    reply.has_more = list->has_more;
    return reply;
}

void Router::certificates_replied(const dag::SendRequest& request, const SharedBytes& payload) {
    auto reply = read_certificates(payload);
    if (!reply) {
        ++refused_;
        log::warn(Category::net, "a reply with certificates that do not verify",
                  {{"peer", peer_of(request.to).text()}});
        return fail(request, dag::RequestFailure::bad_reply);
    }
    parts_.engine.post(dag::ReplyReceived{request.id, std::move(*reply)});
}

void Router::fetch_round(dag::ValidatorIndex from, dag::Round round,
                         std::function<void(const std::vector<dag::VerifiedCertificate>&)> done) {
    (void)network_->request(peer_of(from), net::MessageClass::bulk, net::Method::get_certificates_in_range,
                            encode_range(round, round), kRepairDeadline,
                            [this, done = std::move(done)](Expected<SharedBytes, net::RpcFailure> reply) {
                                if (!reply) return;
                                asio::post(parts_.compute, [this, done, payload = std::move(*reply)] {
                                    if (const auto read = read_certificates(payload))
                                        done(read->certificates);
                                });
                            });
}

void Router::highest_replied(const dag::SendRequest& request, std::uint64_t nonce,
                             const SharedBytes& payload) {
    const auto highest = decode_highest(*payload);
    if (!highest || highest->nonce != nonce) return fail(request, dag::RequestFailure::bad_reply);
    const dag::Committee& committee = parts_.genesis.committee();
    dag::HighestRoundReply reply;
    if (!highest->certificate.empty()) {
        auto decoded = dag::decode_certificate(committee, highest->certificate);
        auto checked =
            decoded ? parts_.verification.certificate(std::move(*decoded))
                    : Expected<dag::VerifiedCertificate, dag::ObjectError>(Unexpected{decoded.error()});
        if (!checked) return fail(request, dag::RequestFailure::bad_reply);
        parts_.verified_round((*checked)->header.round);
        reply.highest = std::move(*checked);
    }
    if (!highest->header.empty()) {
        auto decoded = dag::decode_header(committee, highest->header);
        if (!decoded || decoded->author != self_) return fail(request, dag::RequestFailure::bad_reply);
        // The header of a certificate may have come to the peer with another signature than ours, which no
        // digest covers: that is not the peer's fault, and the certificate is what the bound rests on.
        auto checked = parts_.verification.header(std::move(*decoded));
        if (checked) reply.ours = std::move(*checked);
    }
    parts_.engine.post(dag::ReplyReceived{request.id, std::move(reply)});
}

void Router::batches_replied(const dag::SendRequest& request, const SharedBytes& payload) {
    auto batches = decode_batches(payload);
    if (!batches) return fail(request, dag::RequestFailure::bad_reply);
    std::vector<Digest> expected;
    for (const dag::WantedBatch& each : std::get<dag::GetBatches>(request.body).batches) {
        expected.push_back(each.digest);
    }
    parts_.worker.store_fetched(std::move(*batches), std::move(expected),
                                [this, request](Worker::Fetched fetched) {
                                    if (fetched.bad || fetched.stored == 0) {
                                        return fail(request, dag::RequestFailure::bad_reply);
                                    }
                                    parts_.engine.post(dag::ReplyReceived{request.id, dag::BatchesReply{}});
                                });
}

VerificationCounters Router::counters() const { return {verified_, refused_, Duration(verify_time_)}; }

}  // namespace monodon::node
