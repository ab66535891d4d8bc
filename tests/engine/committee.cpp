#include "tests/engine/committee.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "dag/sync/reply.hpp"

namespace monodon::dag::test {

Signature StubSigner::sign(ByteView message) const {
    const Digest digest = CanonicalWriter("stub").fixed(key_.bytes).bytes(message).hash();
    Signature signature;
    std::copy(digest.bytes.begin(), digest.bytes.end(), signature.bytes.begin());
    return signature;
}

std::optional<PayloadEntry> TestCommittee::Disk::batch(const PayloadEntry& named) const {
    const auto at = batches.find(named.batch);
    if (at == batches.end()) return std::nullopt;
    return at->second;
}

CommitPtr TestCommittee::Disk::commit(CommitIndex index) const {
    const auto at = commit_rows.find(index);
    return at == commit_rows.end() ? nullptr : at->second;
}

Held TestCommittee::Source::held() const {
    Held held;
    if (!disk.certificates.empty()) held.highest = disk.certificates.rbegin()->first.round;
    if (!disk.commit_rows.empty()) held.newest_commit = disk.commit_rows.rbegin()->first;
    return held;
}

std::optional<VerifiedCertificate> TestCommittee::Source::certificate(const Digest& header) const {
    const auto at = disk.by_digest.find(header);
    if (at == disk.by_digest.end()) return std::nullopt;
    return at->second;
}

std::shared_ptr<const Header> TestCommittee::Source::newest_header(ValidatorIndex author) const {
    std::shared_ptr<const Header> newest;
    for (const auto& [slot, certificate] : disk.certificates) {
        if (slot.author == author) newest = std::make_shared<const Header>(certificate->header);
    }
    return newest;
}

TestCommittee::TestCommittee(Options options) : options_(std::move(options)), random_(options_.seed) {
    std::vector<Member> members;
    for (std::size_t at = 0; at < options_.stakes.size(); ++at) {
        signers_.emplace_back(static_cast<std::uint8_t>(at + 1));
        members.push_back({signers_.back().public_key(), options_.stakes[at]});
    }
    committee_ = std::make_unique<Committee>(*Committee::make("test", Epoch{0}, std::move(members), false));
    nodes_.resize(options_.stakes.size() + options_.observers);
    for (Node& node : nodes_) node.disk = std::make_unique<Disk>();
    for (std::size_t at = 0; at < nodes_.size(); ++at) start(at);
}

std::uint64_t TestCommittee::draw(std::uint64_t below) {
    random_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = random_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111eb;
    return below == 0 ? 0 : (mixed ^ (mixed >> 31U)) % below;
}

void TestCommittee::at(Time when, Action action) {
    queue_.emplace(std::pair{when, ++sequence_}, std::move(action));
}

void TestCommittee::run_for(Duration time) {
    const Time end = now_ + time;
    while (!queue_.empty() && queue_.begin()->first.first <= end) {
        auto first = queue_.extract(queue_.begin());
        now_ = std::max(now_, first.key().first);
        first.mapped()();
    }
    now_ = end;
}

bool TestCommittee::run_until(const std::function<bool()>& condition, Duration limit) {
    const Time end = now_ + limit;
    while (!condition()) {
        if (now_ >= end) return false;
        run_for(std::chrono::milliseconds(1));
    }
    return true;
}

PayloadEntry TestCommittee::submit(std::size_t member, std::string_view transaction,
                                   std::set<std::size_t> without) {
    BatchBuilder builder;
    REQUIRE(builder.add(as_bytes(transaction)));
    const ValidatorIndex author{static_cast<std::uint16_t>(member)};
    const auto sealed = builder.seal(
        *committee_, {Epoch{0}, author, WorkerId{0}, ++batch_sequence_, status(member).round, 0});
    for (std::size_t each = 0; each < signers_.size(); ++each) {
        if (without.contains(each) || !running(each)) continue;
        nodes_[each].disk->batches.emplace(sealed.entry.batch, sealed.entry);
        if (each != member) give(each, BatchStored{sealed.entry});
    }
    give(member, PayloadReady{sealed.entry});
    return sealed.entry;
}

void TestCommittee::crash(std::size_t member) {
    nodes_.at(member).engine.reset();
    ++nodes_.at(member).life;
    connect(member, false);
}

/// Engines hear of connections to members only, and observers have none with each other.
void TestCommittee::connect(std::size_t node, bool connected) {
    const auto tell = [&](std::size_t to, std::size_t of) {
        if (running(to) && !is_observer(of)) {
            give(to, PeerChanged{ValidatorIndex{static_cast<std::uint16_t>(of)}, connected});
        }
    };
    for (std::size_t other = 0; other < nodes_.size(); ++other) {
        if (other == node || !running(other)) continue;
        tell(node, other);
        tell(other, node);
    }
}

std::shared_ptr<const void> TestCommittee::copy_disk(std::size_t member) const {
    return std::make_shared<const Disk>(*nodes_.at(member).disk);
}

void TestCommittee::put_disk(std::size_t member, const std::shared_ptr<const void>& copy, bool ask) {
    Node& node = nodes_.at(member);
    REQUIRE(node.engine == nullptr);
    *node.disk = copy ? *std::static_pointer_cast<const Disk>(copy) : Disk{};
    node.disk->signing.ask = ask;
    // What it executed is forgotten with it.
    std::erase_if(node.executed,
                  [&](const CommitPtr& commit) { return commit->index > node.disk->executed; });
    node.executed_batches.clear();
    for (const CommitPtr& commit : node.executed) {
        for (const PayloadEntry& entry : commit->payload) ++node.executed_batches[entry.batch];
    }
}

void TestCommittee::free_disk(std::size_t member) {
    full_disks_.erase(member);
    for (const Action& written : std::exchange(held_writes_[member], {})) written();
}

RecoveredState TestCommittee::recover(const Node& node) const {
    RecoveredState state;
    for (const auto& [index, commit] : node.disk->commit_rows) state.commits.push_back(commit);
    for (const auto& [slot, certificate] : node.disk->certificates) {
        if (slot.round > node.disk->floor) state.certificates.push_back(certificate);
    }
    for (const auto& [author, vote] : node.disk->votes) state.votes.push_back(vote);
    state.own_header = node.disk->own_header;
    state.signing = node.disk->signing;
    state.graph_floor = node.disk->floor;
    state.executed = node.disk->executed;
    return state;
}

void TestCommittee::start(std::size_t member) {
    Node& node = nodes_.at(member);
    REQUIRE(node.engine == nullptr);
    ++node.life;
    std::optional<Seat> seat;
    if (!is_observer(member)) {
        seat.emplace(Seat{ValidatorIndex{static_cast<std::uint16_t>(member)}, signers_.at(member)});
    }
    node.engine = std::make_unique<Engine>(options_.engine, *committee_, seat, *node.disk, recover(node));
    give(member, Started{});
    connect(member, true);
}

void TestCommittee::give(std::size_t member, Event event, Duration delay) {
    at(now_ + delay, [this, member, life = nodes_.at(member).life, event = std::move(event)] {
        if (nodes_.at(member).life == life) step(member, event);
    });
}

void TestCommittee::deliver(std::size_t from, std::size_t to, const Effect& effect, Event event) {
    if (!running(to) || draw(100) < options_.loss_percent) return;
    if (drop && drop(from, to, effect)) return;
    const auto jitter = static_cast<std::uint64_t>(options_.link_jitter.count());
    const Duration delay = options_.link_delay + Duration(draw(jitter + 1)) + slow[from];
    give(to, std::move(event), delay);
}

void TestCommittee::step(std::size_t member, const Event& event) {
    if (!running(member)) return;
    Effects effects;
    nodes_.at(member).engine->step(event, now_, effects);
    for (const Effect& effect : effects) perform(member, effect);
}

Event TestCommittee::event_of(const Message& message) const {
    if (const auto* header = std::get_if<VerifiedHeader>(&message)) return HeaderReceived{*header};
    if (const auto* vote = std::get_if<VerifiedVote>(&message)) return VoteReceived{*vote};
    return CertificateReceived{std::get<VerifiedCertificate>(message)};
}

void TestCommittee::perform(std::size_t member, const Effect& effect) {
    Node& node = nodes_.at(member);
    if (const auto* persist = std::get_if<Persist>(&effect)) {
        const Action written = [this, member, life = node.life, persist = *persist] {
            if (nodes_.at(member).life != life) return;
            for (const Record& record : persist.records) write(member, record);
            if (persist.notify) step(member, WriteDone{persist.id});
        };
        at(now_ + options_.disk_delay, [this, member, written] {
            if (full_disks_.contains(member)) {
                held_writes_[member].push_back(written);
            } else {
                written();
            }
        });
    } else if (const auto* send = std::get_if<Send>(&effect)) {
        CHECK_FALSE(is_observer(member));
        if (const auto* vote = std::get_if<VerifiedVote>(&send->message)) {
            const auto& given =
                votes_seen_.try_emplace({(*vote)->voter, (*vote)->ref().slot()}, (*vote)->header);
            CHECK(given.first->second == (*vote)->header);
        }
        deliver(member, send->to.value(), effect, event_of(send->message));
    } else if (const auto* broadcast = std::get_if<Broadcast>(&effect)) {
        CHECK_FALSE(is_observer(member));
        if (const auto* header = std::get_if<VerifiedHeader>(&broadcast->message)) {
            const auto& made = headers_seen_.try_emplace((*header)->ref().slot(), (*header)->digest);
            CHECK(made.first->second == (*header)->digest);
            // Nothing binding leaves before it is durable.
            CHECK(node.disk->own_header.has_value());
            CHECK((*node.disk->own_header)->digest == (*header)->digest);
        }
        for (std::size_t to = 0; to < nodes_.size(); ++to) {
            const bool wanted =
                !is_observer(to) || std::holds_alternative<VerifiedCertificate>(broadcast->message);
            if (to != member && wanted) deliver(member, to, effect, event_of(broadcast->message));
        }
    } else if (const auto* request = std::get_if<SendRequest>(&effect)) {
        answer(member, request->to.value(), *request);
    } else if (const auto* wake = std::get_if<WakeAt>(&effect)) {
        at(std::max(wake->at, now_), [this, member, life = node.life, tick = ++node.tick] {
            if (nodes_.at(member).life == life && nodes_.at(member).tick == tick) step(member, Tick{});
        });
    } else if (const auto* delivered = std::get_if<Deliver>(&effect)) {
        CHECK(node.disk->commit_rows.contains(delivered->commit->index));
        for (const PayloadEntry& entry : delivered->commit->payload)
            CHECK(node.disk->batches.contains(entry.batch));
        node.executed.push_back(delivered->commit);
        for (const PayloadEntry& entry : delivered->commit->payload) ++node.executed_batches[entry.batch];
        if (stand_still.contains(member)) return;
        node.disk->executed = delivered->commit->index;
        give(member, Executed{delivered->commit->index});
    } else if (const auto* halt = std::get_if<Halt>(&effect)) {
        halts_.push_back(halt->reason);
    } else if (const auto* changed = std::get_if<SigningChanged>(&effect)) {
        signing_.emplace_back(member, *changed);
    } else if (const auto* requeue = std::get_if<Requeue>(&effect)) {
        requeued_.push_back(requeue->batch);
    }
}

void TestCommittee::write(std::size_t member, const Record& record) {
    Disk& disk = *nodes_.at(member).disk;
    const bool binds = std::holds_alternative<VoteRecord>(record) ||
                       std::holds_alternative<OwnHeaderRecord>(record) ||
                       std::holds_alternative<SigningRecord>(record);
    CHECK_FALSE((is_observer(member) && binds));
    if (const auto* certificate = std::get_if<CertificateRecord>(&record)) {
        disk.certificates.emplace(certificate->certificate->ref().slot(), certificate->certificate);
        disk.by_digest.emplace(certificate->certificate->header.digest, certificate->certificate);
    } else if (const auto* vote = std::get_if<VoteRecord>(&record)) {
        const auto last = disk.votes.find(vote->vote.author);
        if (last != disk.votes.end()) CHECK(last->second.round < vote->vote.round);
        disk.votes.insert_or_assign(vote->vote.author, vote->vote);
    } else if (const auto* header = std::get_if<OwnHeaderRecord>(&record)) {
        if (disk.own_header) CHECK((*disk.own_header)->round < header->header->round);
        disk.own_header = header->header;
    } else if (const auto* commit = std::get_if<CommitRecord>(&record)) {
        const CommitPtr& row = commit->commit;
        CHECK(row->index.value() == disk.commit_rows.size() + 1);
        for (const HeaderRef& ref : row->certificates) CHECK(disk.by_digest.contains(ref.digest));
        disk.commit_rows.emplace(row->index, row);
    } else if (const auto* signing = std::get_if<SigningRecord>(&record)) {
        disk.signing = signing->bound;
    } else {
        disk.floor = std::get<GraphFloorRecord>(record).floor;
    }
}

void TestCommittee::answer(std::size_t member, std::size_t server, const SendRequest& request) {
    const auto reply = [&](auto body, Duration delay) {
        give(member, ReplyReceived{request.id, std::move(body)}, delay);
    };
    const bool lost = !running(server) || draw(100) < options_.loss_percent ||
                      draw(100) < options_.loss_percent || (drop && drop(member, server, Effect{request}));
    if (lost) return reply(RequestFailed{RequestFailure::timeout}, request.deadline);
    const Disk& disk = *nodes_.at(server).disk;
    const Duration delay = options_.link_delay * 2 + slow[server] + slow[member];
    if (!std::holds_alternative<GetBatches>(request.body)) {
        const Source source(disk, *committee_);
        const ValidatorIndex asker{static_cast<std::uint16_t>(member)};
        const SyncResponse response = dag::answer(source, request.body, asker, {});
        const ReplyChecks trust{
            [](const auto& certificate) {
                return std::optional(Verification::trusted(Certificate(*certificate)));
            },
            [](const auto& header) { return std::optional(Verification::trusted(Header(*header))); },
            [this](const auto& certificate) {
                ++by_hash;
                Certificate bare(*certificate);
                bare.signers = {};
                bare.signatures.clear();
                return std::optional(Verification::trusted(std::move(bare)));
            },
            proof_spacing(*committee_)};
        auto body = read_reply(asker, request.body, response, trust);
        REQUIRE(body);
        return give(member, ReplyReceived{request.id, std::move(*body)}, delay);
    }
    bool any = false;
    for (const WantedBatch& batch : std::get<GetBatches>(request.body).batches) {
        const auto at = disk.batches.find(batch.digest);
        if (at == disk.batches.end()) continue;
        any = true;
        nodes_.at(member).disk->batches.emplace(batch.digest, at->second);
        give(member, BatchStored{at->second}, delay);
    }
    if (!any) return reply(RequestFailed{RequestFailure::not_found}, delay);
    reply(BatchesReply{}, delay);
}

bool TestCommittee::has_executed(std::size_t member, const Digest& batch) const {
    return times_executed(member, batch) > 0;
}

std::size_t TestCommittee::times_executed(std::size_t member, const Digest& digest) const {
    const auto& batches = nodes_.at(member).executed_batches;
    const auto at = batches.find(digest);
    return at == batches.end() ? 0 : at->second;
}

const std::map<CommitIndex, CommitPtr>& TestCommittee::commits(std::size_t member) const {
    return nodes_.at(member).disk->commit_rows;
}

void TestCommittee::check_safety() const {
    CHECK(halts_.empty());
    std::map<CommitIndex, Digest> agreed;
    for (std::size_t member = 0; member < nodes_.size(); ++member) {
        for (const auto& [index, commit] : commits(member)) {
            CHECK(agreed.try_emplace(index, commit->digest).first->second == commit->digest);
        }
        std::set<Digest> batches;
        CommitIndex last;
        for (const CommitPtr& commit : executed(member)) {
            CHECK(commit->index == next(last));
            last = commit->index;
            for (const PayloadEntry& entry : commit->payload) CHECK(batches.insert(entry.batch).second);
        }
    }
}

}  // namespace monodon::dag::test
