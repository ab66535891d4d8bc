#include "dag/engine.hpp"

#include <algorithm>

#include "dag/engine_state.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

std::uint64_t retention(const EngineConfig& config) {
    const std::uint64_t wanted = config.retention == 0 ? 3 * config.ordering.window : config.retention;
    return std::max(wanted, config.ordering.window + 1);
}

}  // namespace

Engine::Engine(EngineConfig config, const Committee& committee, std::optional<Seat> seat,
               const DagReader& reader, RecoveredState recovered)
    : state_(std::make_unique<State>(std::move(config), committee, seat, reader, std::move(recovered))) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

void Engine::step(const Event& event, Time now, Effects& out) { state_->step(event, now, out); }
EngineStatus Engine::status() const { return state_->status(); }
bool Engine::behind() const { return state_->behind(); }
Blockers Engine::blockers() const { return state_->blockers(); }
std::vector<VertexView> Engine::window(Round first, Round last) const { return state_->window(first, last); }

Engine::State::State(EngineConfig config, const Committee& committee, std::optional<Seat> seat,
                     const DagReader& reader, RecoveredState recovered)
    : config_(std::move(config)),
      committee_(committee),
      self_(seat ? std::optional(seat->index) : std::nullopt),
      signer_(seat ? &seat->signer : nullptr),
      reader_(reader),
      graph_(committee, recovered.graph_floor),
      suspended_(config_.ahead, config_.suspended_bytes),
      orderer_(config_.ordering, committee),
      votes_(committee.size()),
      pacemaker_(config_),
      payload_(config_.ordering.batch_life),
      batches_(reader),
      preference_(committee.size()),
      fetcher_(self_, config_.request_timeout, preference_),
      range_(self_, config_.request_timeout, preference_, proof_spacing(committee)),
      delivery_(recovered.executed),
      claims_(committee),
      rejoin_(committee, self_, config_.request_timeout),
      signing_(seat ? recovered.signing : SigningBound{}),
      members_(committee.size()),
      handed_(recovered.executed),
      executed_(recovered.executed) {
    config_.retention = retention(config_);
    MONODON_CHECK(!self_ || committee_.contains(*self_));
    MONODON_CHECK(self_ || (recovered.votes.empty() && !recovered.own_header));
    restore(recovered);
}

void Engine::State::step(const Event& event, Time now, Effects& out) {
    MONODON_CHECK(now >= now_);
    MONODON_CHECK(started_ || std::holds_alternative<Started>(event));
    if (halted_) return;
    now_ = now;
    out_ = &out;
    std::visit([this](const auto& each) { on(each); }, event);
    if (!halted_) settle();
    flush();
    set_wake();
    out_ = nullptr;
}

void Engine::State::on(const Started&) {
    MONODON_CHECK(!started_);
    started_ = true;
    pacemaker_.quorum_reached(graph_.highest_quorum(), now_);
    begin_signing();
    scan_wanted_ = graph_.highest() > graph_.floor();
    background_at_ = now_ + config_.background_sync;
    order();
    hand_over();
    if (own_) {
        own_->durable = true;
        out_->emplace_back(Broadcast{own_->votes.header()});
        resend_pause_ = config_.resend;
        resend_at_ = now_ + resend_pause_;
        // Counted here, where a certificate can leave: one vote may be all that a quorum needs.
        if (const auto& vote = votes_.last(*self_)) count_vote(*vote);
    }
}

void Engine::State::on(const HeaderReceived& event) {
    if (!behind()) consider(event.header);
}

void Engine::State::on(const VoteReceived& event) { count_vote(*event.vote); }

void Engine::State::on(const CertificateReceived& event) {
    if (behind()) return;
    note_heard(event.certificate->header);
    if (!halted_ && !swamped()) accept(event.certificate);
}

void Engine::State::on(const BatchStored& event) {
    batches_.stored(event.entry);
    fetcher_.found(event.entry.batch);
    delivery_.stored(event.entry.batch);
    resolved(event.entry.batch);
}

void Engine::State::on(const PayloadReady& event) {
    MONODON_CHECK(self_);
    batches_.stored(event.entry);
    if (!orderer_.has_executed(event.entry)) payload_.add(event.entry);
}

void Engine::State::on(const WriteDone& event) {
    const auto at = waiting_.find(event.id);
    unsynced_.durable(event.id);
    if (at == waiting_.end()) return;
    const std::vector<Release> releases = std::move(at->second);
    waiting_.erase(at);
    for (const Release& each : releases) {
        std::visit([this](const auto& durable) { release(durable); }, each);
    }
}

void Engine::State::on(const ReplyReceived& event) { on_reply(event); }

void Engine::State::on(const PeerChanged& event) {
    ValidatorStatus& member = members_.at(event.peer.value());
    member.connected = event.connected;
    if (!event.connected) member.heard = false;
    fetcher_.set_connected(event.peer, event.connected, now_);
    range_.set_connected(event.peer, event.connected);
    rejoin_.set_connected(event.peer, event.connected, now_);
    if (event.connected) send_own(event.peer);
}

void Engine::State::on(const Executed& event) {
    executed_ = std::max(executed_, event.index);
    if (started_) hand_over();
}

void Engine::State::on(const BatchLost& event) {
    const ValidatorIndex first{static_cast<std::uint16_t>(event.batch.digest.bytes[0] % committee_.size())};
    fetcher_.want_for_execution(event.batch, graph_.highest(), committee_.everybody(), first);
}

void Engine::State::on(const ProposalsPaused& event) { proposals_paused_ = event.paused; }

void Engine::State::on(const PeersRated& event) { preference_.rate(event.weights); }

void Engine::State::on(const Tick&) { wake_at_.reset(); }

void Engine::State::settle() {
    for (CommitPtr& commit : delivery_.take_ready()) out_->emplace_back(Deliver{std::move(commit)});
    note_catch_up();
    const std::size_t begin = out_->size();
    sync_rounds();
    propose_if_due();
    resend_if_due();
    rejoin_.poll(now_, request_ids_, *out_);
    // What came would be thrown away.
    if (!behind()) {
        want_parents();
        fetcher_.poll(now_, request_ids_, *out_);
        if (commits_waiting() < kUnexecutedMax) {
            range_.poll(
                now_, graph_.highest(), graph_.floor(), request_ids_, *out_,
                [this](Round first, Round last) { return known_rounds(graph_, suspended_, first, last); });
        }
    }
    ledger_.sent(*out_, begin);
}

void Engine::State::note_catch_up() {
    std::optional<Time>& since = counters_.sync.since;
    if (range_.active(graph_.highest())) {
        catch_up_ends_.reset();
        if (since) return;
        since = now_;
        counters_.sync.from = graph_.highest();
        fetched_before_ = ledger_.total();
        return;
    }
    if (!since) return;
    if (!catch_up_ends_) catch_up_ends_ = last_commit_.index;
    if (durable_commit_.index < *catch_up_ends_) return;
    const SyncStats fetched = ledger_.total();
    counters_.sync.last = CatchUp{counters_.sync.from, graph_.highest(),
                                  fetched.certificates_synced - fetched_before_.certificates_synced,
                                  fetched.bytes_useful - fetched_before_.bytes_useful, now_ - *since};
    since.reset();
    catch_up_ends_.reset();
}

void Engine::State::write(Record record) { records_.push_back(std::move(record)); }

void Engine::State::write(Record record, Release release) {
    records_.push_back(std::move(record));
    releases_.push_back(std::move(release));
}

void Engine::State::flush() {
    if (records_.empty()) return;
    const WriteId id{++last_write_};
    std::size_t bytes = 0;
    for (const Record& record : records_) bytes += Unsynced::size_of(record);
    const bool notify = unsynced_.wrote(id, bytes, !releases_.empty());
    if (!releases_.empty()) waiting_.emplace(id, std::exchange(releases_, {}));
    out_->emplace_back(Persist{id, std::exchange(records_, {}), notify});
}

void Engine::State::set_wake() {
    if (halted_) return;
    std::optional<Time> earliest;
    // Only what settle() would do: what it leaves for later stays due, and would wake us again at once.
    const bool fetches = !behind();
    const bool ranges = fetches && commits_waiting() < kUnexecutedMax;
    for (const auto& each :
         {propose_at_, resend_at_, rejoin_.next_attempt(), fetches ? fetcher_.next_attempt() : std::nullopt,
          ranges ? range_.next_attempt(graph_.highest()) : std::nullopt,
          fetches && !swamped() ? next_sync() : std::nullopt}) {
        if (each && (!earliest || *each < *earliest)) earliest = each;
    }
    if (!earliest || earliest == wake_at_) return;
    wake_at_ = earliest;
    out_->emplace_back(WakeAt{*earliest});
}

void Engine::State::halt(std::string reason) {
    if (halted_) return;
    halted_ = reason;
    // Nothing that was not durable before may leave, and nothing new is decided.
    records_.clear();
    releases_.clear();
    out_->emplace_back(Halt{std::move(reason)});
}

EngineStatus Engine::State::status() const {
    EngineStatus status = counters_;
    if (own_) status.round = own_->votes.header()->round;
    if (!self_) status.round = graph_.highest();
    status.highest = graph_.highest();
    status.target = std::max(range_.target(), graph_.highest());
    status.graph_floor = graph_.floor();
    status.last_commit = last_commit_;
    status.durable_commit = durable_commit_;
    status.delivered = delivery_.delivered();
    status.executed = executed_;
    status.supported_claim = claims_.supported();
    status.grown = grown_;
    status.claim_conflicts = claims_.conflicts();
    status.suspended = suspended_.size();
    status.pending_headers = pending_.size();
    status.requests_in_flight = fetcher_.in_flight() + range_.in_flight() +
                                (background_ ? background_->in_flight() : 0) +
                                (scan_ ? scan_->in_flight() : 0);
    status.missing_batches = delivery_.missing_batches();
    status.pending_payload = payload_.size();
    status.signing = signing_;
    status.looking = looking_;
    status.answered_stake = rejoin_.asking() ? rejoin_.stake() : 0;
    status.unsynced_bytes = unsynced_.bytes();
    status.behind = behind();
    status.halted = halted_;
    const SyncStats fetched = ledger_.total();
    status.sync.certificates_useful = fetched.certificates_synced;
    status.sync.certificates_duplicate = fetched.certificates_duplicate;
    status.sync.bytes_useful = fetched.bytes_useful;
    status.sync.bytes_wasted = fetched.bytes_wasted;
    status.sync.requests_failed = fetched.requests_failed;
    status.sync.parents_fetched = parents_waited_.count();
    status.sync.parents_p50 = parents_waited_.percentile(50);
    status.sync.parents_p99 = parents_waited_.percentile(99);
    status.sync.by_peer = {ledger_.all().begin(), ledger_.all().end()};
    status.validators = members_;
    const auto weights = orderer_.schedule().weights();
    for (std::size_t at = 0; at < members_.size(); ++at) {
        const ValidatorIndex member{static_cast<std::uint16_t>(at)};
        status.validators[at].weight = weights.at(at);
        status.validators[at].claim = claims_.of(member);
    }
    return status;
}

Blockers Engine::State::blockers() const {
    Blockers found;
    found.ordered = last_commit_.index;
    found.durable = durable_commit_.index;
    found.delivered = delivery_.delivered();
    found.executed = executed_;
    found.certificates = fetcher_.missing_certificates(Blockers::kListed);
    found.certificates_missing = fetcher_.certificates_wanted();
    found.suspended = suspended_.size();
    found.batches = fetcher_.missing_for_execution(Blockers::kListed);
    found.batches_missing = delivery_.missing_batches();
    found.ranges = range_.blocking(graph_.highest());
    found.highest = graph_.highest();
    found.grown = grown_;
    graph_.for_each(graph_.highest(),
                    [&](const Vertex& vertex) { found.present.insert(vertex.ref().author); });
    found.quorum = graph_.has_quorum(graph_.highest());
    found.halted = halted_;
    found.behind = behind();
    return found;
}

std::vector<VertexView> Engine::State::window(Round first, Round last) const {
    std::vector<VertexView> views;
    const Round end = std::min(last, graph_.highest());
    for (Round round = std::max(first, next(graph_.floor())); round <= end; round = next(round)) {
        const auto decided = anchors_.find(round);
        const auto anchor = decided != anchors_.end() ? decided->second : orderer_.expected_anchor(round);
        graph_.for_each(round, [&](const Vertex& vertex) {
            const HeaderRef ref = vertex.ref();
            const auto batches = static_cast<std::uint32_t>(vertex.certificate->header.payload.size());
            views.push_back({ref, vertex.parents, vertex.support, batches, vertex.ordered,
                             anchor && *anchor == ref.author});
        });
    }
    return views;
}

}  // namespace monodon::dag
