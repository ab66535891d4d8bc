#include <algorithm>
#include <cstdlib>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/node_impl.hpp"
#include "node/version.hpp"

namespace monodon::node {

using log::Category;

EnginePorts Node::Impl::engine_ports() {
    EnginePorts ports;
    ports.persist = [this](std::vector<dag::Record> records, std::function<void()> durable) {
        consensus_->write(std::move(records), std::move(durable));
    };
    ports.send = [this](const dag::AuthorSet& to, const dag::Message& message) {
        router_->send(to, message);
    };
    ports.publish = [this](const dag::VerifiedCertificate& certificate) { router_->publish(certificate); };
    ports.request = [this](dag::SendRequest request) { router_->request(std::move(request)); };
    ports.certified = [this](std::vector<dag::PayloadEntry> payload) {
        worker_->on_certified(std::move(payload));
    };
    ports.committed = [this](dag::CommitPtr commit) {
        commit_time_ = net::now().time_since_epoch().count();
        batches_->set_highest_round(commit->anchor.round);
        worker_->on_committed(std::move(commit));
    };
    ports.deliver = [this](const dag::CommitPtr& commit) {
        batches_->referenced(commit->payload);
        executor_->deliver(commit);
    };
    ports.requeue = [this](const Digest& batch) { worker_->requeue(batch); };
    ports.equivocation = [this](const dag::Equivocation& seen) {
        log::warn(Category::consensus, "a validator signed two headers for one slot",
                  {{"validator", genesis_.member(seen.first.author).name},
                   {"round", std::to_string(seen.first.round.value())},
                   {"first", seen.first.digest.hex()},
                   {"second", seen.second.digest.hex()}});
    };
    ports.halted = [this](const std::string& reason) {
        halted_ = true;
        log::error(
            Category::consensus,
            "ordering has stopped for good and nothing binding leaves any more: more than a third of the "
            "stake "
            "is faulty, or this is a bug; keep the home directory and compare with the other validators",
            {{"error", reason}});
    };
    ports.signing = [this](const dag::SigningChanged& changed) {
        const auto round = std::to_string(changed.bound.above.value());
        if (!changed.bound.ask) {
            log::info(Category::consensus, "this validator votes and proposes again",
                      {{"above", round}, {"why", changed.why}});
            return;
        }
        log::warn(Category::consensus,
                  "this validator follows without voting or proposing, and asks the others where they last "
                  "saw it",
                  {{"error", changed.why}});
        const dag::Committee& committee = genesis_.committee();
        if (committee.total() - committee.stake(*self_) >= committee.quorum()) return;
        log::error(Category::consensus,
                   "the other members have less than a quorum of stake: they can not answer, and this "
                   "validator will never sign again; a new chain is needed");
    };
    return ports;
}

WorkerPorts Node::Impl::worker_ports() {
    WorkerPorts ports;
    ports.send_batch = [this](const dag::AuthorSet& to, const SharedBytes& batch) {
        return router_->send_batch(to, batch);
    };
    ports.send_ack = [this](dag::ValidatorIndex to, const std::vector<Digest>& digests) {
        router_->send_ack(to, digests);
    };
    ports.queued_bytes = [this](dag::ValidatorIndex member) { return router_->queued_batch_bytes(member); };
    ports.store = [this](const dag::PayloadEntry& entry, SharedBytes bytes, storage::Standing standing,
                         std::function<void()> durable) {
        return batches_->put(entry, std::move(bytes), standing, std::move(durable));
    };
    ports.load = [this](const dag::PayloadEntry& entry) {
        return batches_->get(entry.batch, entry.sealed_round);
    };
    ports.payload_ready = [this](const dag::PayloadEntry& entry) { engine_->post(dag::PayloadReady{entry}); };
    ports.batch_stored = [this](const dag::PayloadEntry& entry) { engine_->post(dag::BatchStored{entry}); };
    ports.round = [this] { return engine_->round(); };
    ports.now = [] { return net::now(); };
    ports.refusal = [this] { return refusal_.load(); };
    ports.post_crypto = [this](std::function<void()> work) { lanes_->post(std::move(work)); };
    ports.fault = [this](dag::ValidatorIndex member, std::string_view why) { router_->fault(member, why); };
    return ports;
}

ExecutorPorts Node::Impl::executor_ports() {
    ExecutorPorts ports;
    ports.load = [this](const dag::PayloadEntry& entry) -> Expected<SharedBytes, std::string> {
        SharedBytes bytes = batches_->get(entry.batch, entry.sealed_round);
        if (!bytes)
            return Unexpected{"batch " + entry.batch.hex() + " is not in the store or does not verify"};
        return bytes;
    };
    ports.lost = [this](const dag::PayloadEntry& entry) {
        engine_->post(dag::BatchLost{{entry.batch, entry.sealed_round}});
    };
    ports.executed = [this](dag::CommitIndex index) { engine_->post(dag::Executed{index}); };
    ports.results = [this](std::vector<AppliedBatch> results) { worker_->on_executed(std::move(results)); };
    ports.root = [](const StateRoot& root) {
        log::debug(Category::execution, "state root",
                   {{"commit", std::to_string(root.index.value())}, {"root", root.root.hex()}});
    };
    ports.fatal = [handler = fatal_handler("execution")](std::string reason) { handler(std::move(reason)); };
    return ports;
}

storage::FatalHandler Node::Impl::fatal_handler(std::string what) const {
    return [what = std::move(what)](const std::string& reason) {
        log::error(Category::storage,
                   "this node stops at once: what it has written can not be trusted any more; see why, mend "
                   "the disk, "
                   "and start it again",
                   {{"part", what}, {"error", reason}});
        // No destructors: they would wait for the very disk that failed, and meanwhile messages could leave.
        std::_Exit(kExitStoreDamaged);
    };
}

dag::EngineConfig Node::Impl::engine_config() const {
    const Settings::Consensus& settings = options_.config.settings().consensus;
    dag::EngineConfig config;
    config.ordering = genesis_.ordering();
    config.retention = settings.retention;
    config.min_round_delay = settings.min_round_delay;
    config.idle_round = settings.idle_round;
    config.leader_timeout = settings.leader_timeout;
    config.leader_timeout_max = settings.leader_timeout_max;
    config.grace_max = settings.grace;
    return config;
}

WorkerConfig Node::Impl::worker_config() const {
    const Settings& settings = options_.config.settings();
    WorkerConfig config;
    config.batch_bytes = settings.worker.batch_bytes;
    config.batch_delay = settings.worker.batch_delay;
    config.accepted_bytes_max = settings.worker.accepted_bytes_max;
    config.inflight_bytes_max = settings.worker.inflight_bytes_max;
    config.duplicate_window = settings.worker.duplicate_window;
    config.waiters_max = settings.worker.waiters_max;
    if (!self_) config.elsewhere = who_takes_transactions();
    return config;
}

std::string Node::Impl::who_takes_transactions() const {
    std::string members;
    for (const GenesisMember& member : genesis_.members()) {
        members += (members.empty() ? "" : ", ") + member.name;
        if (!member.addresses.empty()) members += " (peer port " + member.addresses.front() + ")";
    }
    return "this node is an observer and takes no transactions: submit to a validator, one of " + members +
           "; `monodon status` there shows the address of its API";
}

net::NetworkConfig Node::Impl::network_config() const {
    const Settings& settings = options_.config.settings();
    net::NetworkConfig config;
    if (const auto listen = parse_host_port(settings.net.listen)) {
        config.listen_host = listen->host;
        config.listen_port = listen->port;
    }
    config.listen_fd = options_.listen_fd;
    config.chain_id = genesis_.committee().chain();
    config.genesis = genesis_.digest();
    config.epoch = genesis_.committee().epoch().value();
    config.committee = genesis_.committee().digest();
    config.role = self_ ? net::Role::member : net::Role::observer;
    config.agent = std::string("monodon/") + std::string(kVersion);
    for (const GenesisMember& member : genesis_.members())
        config.members.push_back({member.peer, member.addresses, member.stake});
    config.quarantine_stake = genesis_.committee().faulty();
    for (const std::string& seed : settings.net.seeds) config.seeds.push_back(*net::Seed::parse(seed));
    config.advertise = settings.net.advertise;
    config.compute = compute_->get_executor();
    for (storage::PeerNote& each : reader_->notes(storage::NoteKind::address_book))
        config.book.push_back(std::move(each.note));
    config.limits.observers_per_address = static_cast<std::uint32_t>(settings.net.observers_per_address);
    config.limits.observers_per_network = static_cast<std::uint32_t>(settings.net.observers_per_network);
    config.limits.outbound = static_cast<std::uint32_t>(settings.net.outbound);
    config.limits.test_every = settings.net.test_every;
    config.limits.clients = static_cast<std::uint32_t>(settings.net.clients);
    config.limits.clients_per_address = static_cast<std::uint32_t>(settings.net.clients_per_address);
    config.limits.observers = static_cast<std::uint32_t>(settings.net.observers);
    config.limits.loopback_exempt = settings.net.loopback_exempt;
    config.limits.memory_total = settings.net.memory;
    config.limits.redial_most = settings.net.redial_max;
    config.limits.compress_bulk = settings.net.compress_bulk;
    config.limits.penalty_half_life = settings.net.penalty_half_life;
    config.limits.ban_first = settings.net.ban_first;
    config.limits.ban_most = settings.net.ban_max;
    config.impairment.send_delay = settings.debug.send_delay;
    config.impairment.corrupt_replies = settings.debug.corrupt_replies;
    for (const std::string& name : settings.debug.drop_outgoing) {
        if (const auto method = net::parse_method(name)) config.impairment.drop_outgoing.insert(*method);
    }
    return config;
}

std::vector<dag::PayloadEntry> Node::Impl::own_unexecuted_batches() const {
    if (!self_) return {};
    std::set<Digest> executed;
    for (const dag::CommitPtr& commit : recovered_->state.commits) {
        for (const dag::PayloadEntry& entry : commit->payload) executed.insert(entry.batch);
    }
    const dag::Round highest = recovered_->progress.highest_round;
    const std::uint64_t life = genesis_.ordering().batch_life;
    const std::uint64_t newest =
        dag::above(highest, storage::kGenerationRounds).value() / storage::kGenerationRounds;
    std::vector<dag::PayloadEntry> open;
    for (std::uint64_t generation = dag::below(highest, life).value() / storage::kGenerationRounds;
         generation <= newest; ++generation) {
        const dag::Round sealed{generation * storage::kGenerationRounds};
        std::optional<storage::BatchStore::Listed> after;
        for (;;) {
            constexpr std::size_t kPage = 1000;
            const auto page = batches_->by_author(genesis_.committee().epoch(), *self_, sealed, after, kPage);
            for (const auto& listed : page) {
                if (executed.contains(listed.batch)) continue;
                // An expired batch can not be executed any more: before it expired it was executed, adopted,
                // or its transactions went into a new batch. The commits that were loaded do not reach back
                // so far.
                const SharedBytes bytes = batches_->get(listed.batch, sealed);
                const auto view = bytes ? dag::parse_batch(genesis_.committee(), *bytes) : std::nullopt;
                if (view && dag::above(view->head.sealed_round, life) >= recovered_->progress.last_anchor)
                    open.push_back(dag::payload_entry(genesis_.committee(), *view, *bytes));
            }
            if (page.size() < kPage) break;
            after = page.back();
        }
    }
    return open;
}

}  // namespace monodon::node
