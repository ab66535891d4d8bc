#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "net/core/log.hpp"
#include "net/peers/hunt.hpp"
#include "net/peers/peer_exchange.hpp"
#include "net/transport/as_result.hpp"
#include "net/transport/clock.hpp"

// The part of the mesh that looks for peers (network.md 5): seeds, questions, the address book.
namespace monodon::net {

namespace {

/// How often the state of things is looked at when nothing wakes us.
constexpr auto kHuntTick = std::chrono::milliseconds(250);
constexpr auto kExpireEvery = std::chrono::minutes(1);
/// Dials because of the address book at one time.
constexpr std::size_t kDialsMax = 4;
constexpr Duration kQuestionDeadline = std::chrono::seconds(10);
/// As long as somebody is missing we ask at once, then after 1, 2, 4 and 8 seconds, which the burst of
/// answers allows, then a little less often than once a minute; else a few times an hour.
constexpr unsigned kQuickQuestions = 5;
constexpr Duration kQuestionFirst = std::chrono::seconds(1);
constexpr Duration kQuestionEvery = std::chrono::seconds(65);
constexpr Duration kQuestionIdle = std::chrono::minutes(10);
/// Their answers are checked meanwhile: 8 times 64 records of 0.1 ms.
constexpr unsigned kChecksMax = 8;

}  // namespace

// --- The loop ---

void Network::Impl::begin_discovery(std::uint16_t port) {
    std::vector<std::string> addresses = config_.advertise;
    if (addresses.empty()) {
        ErrorCode error;
        const auto address = acceptor_.local_endpoint(error).address();
        const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
        if (!error && !address.is_unspecified()) addresses.push_back(host + ":" + std::to_string(port));
    }
    discovery_.listen_at(addresses, now());
    if (discovery_.own_record(now()).empty()) {
        log::warn(log::Category::net,
                  "others are not told where we listen: name it in net.advertise, since net.listen is every "
                  "address of this host");
    }
    if (!config_.book.empty()) {
        asio::post(compute_, [weak = weak_from_this()] {
            if (const auto self = weak.lock())
                self->find_anew(self->discovery_.restore(self->config_.book, now()));
        });
    }
    spawn(hunt_->strand, discover(shared_from_this()));
}

asio::awaitable<void> Network::Impl::discover(Self self) {
    Hunt& hunt = *self->hunt_;
    const Interruptible interruptible(self, [self] { self->wake_discovery(); });
    hunt.next_test = now() + self->config_.limits.test_every;
    while (!self->stopping()) {
        const Time time = now();
        self->ask_peers(time);
        self->dial_seeds(time);
        self->dial_strangers(time);
        self->test_somebody(time);
        if (time >= hunt.next_expiry) {
            self->discovery_.expire(time);
            hunt.next_expiry = time + kExpireEvery;
        }
        hunt.timer.expires_after(kHuntTick);
        co_await hunt.timer.async_wait(as_result);
    }
}

void Network::Impl::wake_discovery() {
    asio::post(hunt_->strand, [self = shared_from_this()] { self->hunt_->timer.cancel(); });
}

bool Network::Impl::is_hungry() const {
    return registry_.members_missing() ||
           (config_.role == Role::observer && registry_.outbound() < config_.limits.outbound);
}

// --- Asking ---

void Network::Impl::ask_peers(Time time) {
    const bool hungry = is_hungry();
    std::map<std::uint32_t, Hunt::Questions> questions;
    for (const auto& session : registry_.all()) {
        const SessionConfig& config = session->config();
        // Who came by itself and is nobody to us is not asked: it could be made for the answer.
        const bool trusted = config.role == Role::member || (config.role == Role::observer && config.dialler);
        if (!trusted || refuses(config.peer, MessageClass::bulk, Method::get_peers)) continue;
        Hunt::Questions& each = questions[config.serial] = hunt_->questions[config.serial];
        // A hunger that begins later does not wait for the idle interval.
        if (hungry) each.next = std::min(each.next, time + kQuestionEvery);
        if (each.next > time) continue;
        ask(session);
        const Duration quick = kQuestionFirst * (1ULL << std::min(each.asked, kQuickQuestions));
        ++each.asked;
        each.next = time + (!hungry ? kQuestionIdle : each.asked < kQuickQuestions ? quick : kQuestionEvery);
    }
    hunt_->questions = std::move(questions);
}

void Network::Impl::ask(const std::shared_ptr<Session>& session) {
    WantedRequest wanted;
    wanted.message_class = MessageClass::bulk;
    wanted.method = Method::get_peers;
    wanted.body = encode_get_peers();
    wanted.deadline = now() + kQuestionDeadline;
    (void)request_at(
        session, std::move(wanted),
        [weak = weak_from_this(), asked = std::weak_ptr(session)](Expected<SharedBytes, RpcFailure> reply) {
            const auto self = weak.lock();
            // Who has no answer is asked again in its turn.
            if (self && reply && *reply) self->peers_told(asked, *reply);
        });
}

void Network::Impl::peers_told(const std::weak_ptr<Session>& session, const SharedBytes& reply) {
    const auto from = session.lock();
    if (!from || mute_) return;
    const auto records = decode_peers(*reply);
    if (!records) {
        observe(from->config().peer, Fault::malformed);
        return from->abort({GoawayReason::protocol_violation, false, "a malformed answer to get_peers"});
    }
    if (checks_.fetch_add(1) >= kChecksMax) {
        checks_.fetch_sub(1);
        return;
    }
    asio::post(compute_, [weak = weak_from_this(), session, records = *records,
                          source = RecordSource{from->config().peer, PeerAddress::parse(from->address())}] {
        const auto self = weak.lock();
        if (!self) return;
        self->learned(self->discovery_.learn(records, source, now()), session);
        self->checks_.fetch_sub(1);
    });
}

void Network::Impl::learn_greeting(const Link& link, const Hello& theirs, std::weak_ptr<Session> session) {
    if (theirs.record.empty() || theirs.role == Role::client) return;
    asio::post(compute_, [weak = weak_from_this(), session = std::move(session), record = theirs.record,
                          source = RecordSource{link.tls.peer(), PeerAddress::parse(link.address)}] {
        if (const auto self = weak.lock())
            self->learned(self->discovery_.learn_own(record, source, now()), session);
    });
}

void Network::Impl::learned(const Discovery::Learned& learned, const std::weak_ptr<Session>& session) {
    if (mute_) return;
    for (const PeerId& peer : learned.conflicting) {
        if (log_limiter_.admit("conflicting " + peer.text(), now()))
            log::warn(log::Category::net, "a peer has signed two records with one number; the first is kept",
                      {{"peer", peer.text()}});
    }
    if (const auto from = session.lock(); from && learned.wrong) {
        const bool forged = *learned.wrong == RecordError::bad_signature;
        observe(from->config().peer, forged ? Fault::bad_evidence : Fault::malformed);
        from->abort({GoawayReason::protocol_violation, false,
                     "a peer record that is " + std::string(describe(*learned.wrong))});
    }
    find_anew(learned.moved);
}

void Network::Impl::find_anew(const std::vector<PeerId>& peers) {
    for (const PeerId& peer : peers) {
        const auto found = members_.find(peer);
        if (found == members_.end()) continue;
        std::vector<std::string> addresses = discovery_.addresses(peer);
        for (const std::string& given : found->second->given) {
            if (std::find(addresses.begin(), addresses.end(), given) == addresses.end())
                addresses.push_back(given);
        }
        registry_.set_addresses(peer, addresses);
        asio::post(found->second->strand,
                   [member = found->second, addresses = std::move(addresses)]() mutable {
                       member->addresses.set(std::move(addresses));
                       member->timer.cancel();
                   });
    }
}

void Network::Impl::answer_get_peers(const std::shared_ptr<Session>& session, const SharedBytes& request,
                                     const Replier& replier) {
    if (!request || !decode_get_peers(*request)) return replier.fail({RpcError::malformed, 0});
    const auto records = discovery_.answer(session->config().peer, now());
    if (records) return replier.finish(encode_peers(*records));
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(records.error());
    replier.fail({RpcError::rate_limited, static_cast<std::uint64_t>(wait.count())});
}

// --- Dialling ---

void Network::Impl::dial_seeds(Time time) {
    if (hunt_->seeds.empty()) return;
    // Whoever we are connected with knows no less than a seed.
    if (!registry_.members_missing() && registry_.has_nodes()) return;
    for (std::size_t at = 0; at < hunt_->seeds.size(); ++at) {
        Hunt::Source& source = hunt_->seeds[at];
        if (source.dialling || source.next > time) continue;
        if (source.peer && registry_.is_connected(*source.peer)) continue;
        if (source.found != Time{}) source.backoff.connection_lasted(time - std::exchange(source.found, {}));
        source.dialling = true;
        source.next = time + source.backoff.next(draw());
        const Target target{asio::make_strand(executor_), source.seed.peer, source.seed.address, true};
        spawn(target.strand,
              explore(shared_from_this(), target, [self = shared_from_this(), at](const Outcome& outcome) {
                  Hunt::Source& dialled = self->hunt_->seeds[at];
                  dialled.dialling = false;
                  if (outcome.what == Reached::ourselves) dialled.next = now() + DialAddresses::kOwnLeftAlone;
                  if (outcome.peer) dialled.peer = outcome.peer;
                  if (outcome.what == Reached::connected) dialled.found = now();
                  if (!outcome.why.empty() && outcome.what != Reached::ourselves)
                      self->report_refusal(true, "seed", dialled.seed.address, {outcome.reason, outcome.why});
              }));
    }
}

void Network::Impl::explore_candidate(const AddressBook::Candidate& candidate, bool stay) {
    if (discovery_.admit_dial(candidate.address, false, now()) > Duration{0}) return;
    hunt_->dialling.emplace(candidate.peer, Hunt::Dial{candidate.address, stay});
    const Target target{asio::make_strand(executor_), candidate.peer, candidate.address, stay};
    spawn(target.strand, explore(shared_from_this(), target,
                                 [self = shared_from_this(), peer = candidate.peer](
                                     const Outcome& /*outcome*/) { self->hunt_->dialling.erase(peer); }));
}

AddressBook::Busy Network::Impl::busy() const {
    return [this](const PeerId& peer) {
        return hunt_->dialling.contains(peer) || registry_.is_connected(peer) || refused(peer).has_value();
    };
}

void Network::Impl::dial_strangers(Time time) {
    if (config_.role != Role::observer || hunt_->dialling.size() >= kDialsMax) return;
    const std::vector<std::string> coming = hunt_->coming();
    if (registry_.outbound() + coming.size() >= config_.limits.outbound) return;
    const auto candidate = discovery_.pick(busy(), time);
    if (candidate && !registry_.is_crowded(candidate->address, coming)) explore_candidate(*candidate, true);
}

void Network::Impl::test_somebody(Time time) {
    if (time < hunt_->next_test || hunt_->dialling.size() >= kDialsMax) return;
    hunt_->next_test = time + config_.limits.test_every;
    if (const auto candidate = discovery_.pick_to_test(busy(), time)) explore_candidate(*candidate, false);
}

asio::awaitable<void> Network::Impl::explore(Self self, Target target, std::function<void(Outcome)> done) {
    const Outcome outcome = co_await reach(self, target);
    const Time time = now();
    switch (outcome.what) {
        case Reached::connected:
        case Reached::looked:
        case Reached::present:
        case Reached::refused:
            if (outcome.peer) self->discovery_.answered(*outcome.peer, target.address, time);
            break;
        case Reached::another:
            if (target.expected) self->discovery_.impostor(*target.expected, time);
            break;
        case Reached::ourselves:
        case Reached::nobody:
            if (target.expected) self->discovery_.failed(*target.expected, time);
            break;
    }
    asio::post(self->hunt_->strand, [done = std::move(done), outcome] { done(outcome); });
}

void Network::Impl::dial_now(Seed where, std::function<void(std::optional<std::string>)> done) {
    const Target target{asio::make_strand(executor_), where.peer, where.address, true};
    spawn(target.strand,
          explore(shared_from_this(), target, [done = std::move(done)](const Outcome& outcome) {
              done(outcome.why.empty() ? std::nullopt : std::optional(outcome.why));
          }));
}

}  // namespace monodon::net
