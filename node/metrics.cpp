#include "node/metrics.hpp"

#include <limits>
#include <map>

#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "net/core/time.hpp"
#include "net/wire/method.hpp"

// The only unit that sees prometheus-cpp. Nothing is counted twice: values are taken from the snapshots when
// somebody asks, and the library writes them down.
namespace monodon::node {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Label = ClientMetric::Label;
using Labels = std::vector<Label>;

double number(std::uint64_t value) { return static_cast<double>(value); }
/// Families in the order in which their first value comes.
class Families {
 public:
    void gauge(const std::string& name, const char* help, double value, Labels labels = {}) {
        add(name, help, MetricType::Gauge, std::move(labels)).gauge.value = value;
    }
    void counter(const std::string& name, const char* help, double value, Labels labels = {}) {
        add(name, help, MetricType::Counter, std::move(labels)).counter.value = value;
    }
    void summary(const std::string& name, const char* help, const LatencySummary& value, Labels labels) {
        ClientMetric::Summary& summary = add(name, help, MetricType::Summary, std::move(labels)).summary;
        summary.sample_count = value.count;
        summary.sample_sum = seconds_in(value.sum);
        summary.quantile = {{0.5, seconds_in(value.p50)}, {0.99, seconds_in(value.p99)}};
    }
    template <std::size_t N>
    void histogram(const std::string& name, const char* help, const storage::Histogram<N>& value,
                   Labels labels) {
        ClientMetric::Histogram& out = add(name, help, MetricType::Histogram, std::move(labels)).histogram;
        out.sample_count = value.count;
        out.sample_sum = value.sum;
        for (std::size_t at = 0; at < N; ++at)
            out.bucket.push_back({value.at_or_below[at], value.bounds[at]});
        out.bucket.push_back({value.count, std::numeric_limits<double>::infinity()});
    }

    [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
    ClientMetric& add(const std::string& name, const char* help, MetricType type, Labels labels) {
        const auto [found, fresh] = places_.emplace(name, families_.size());
        if (fresh) families_.push_back({"monodon_" + name, help, type, {}});
        ClientMetric& metric = families_[found->second].metric.emplace_back();
        metric.label = std::move(labels);
        return metric;
    }

    std::vector<MetricFamily> families_;
    std::map<std::string, std::size_t> places_;
};

void add_status(Families& out, const StatusSnapshot& status) {
    out.gauge("build_info", "Version of this program; always 1.", 1, {{"version", status.version}});
    out.gauge("uptime_seconds", "Since the start of the process.", seconds_in(status.uptime));
    out.gauge("ready", "1 if every condition of /readyz holds.", status.ready() ? 1 : 0);
    for (const HealthCheck& check : status.readiness) {
        out.gauge("ready_condition", "1 if this condition of /readyz holds.", check.ok ? 1 : 0,
                  {{"name", check.name}});
    }
    for (const NodeState state :
         {NodeState::starting, NodeState::sync, NodeState::ready, NodeState::halted, NodeState::stopping}) {
        out.gauge("state", "1 for the state the node is in.", state == status.state ? 1 : 0,
                  {{"state", std::string(name(state))}});
    }
    out.gauge("round", "Round of our last header.", number(status.round));
    out.gauge("highest_round", "Highest round in the graph.", number(status.highest_round));
    out.gauge("target_round", "Highest verified round seen anywhere.", number(status.target_round));
    out.gauge("gc_round", "Rounds up to this one have left the graph.", number(status.gc_round));
    out.gauge("commit_index", "Last durable commit.", number(status.commit));
    out.gauge("executed_index", "Last executed commit.", number(status.executed));
    if (status.lag) {
        out.gauge("commit_lag", "Commits that others have and we have not executed.", number(*status.lag));
    }
    if (status.commit_time) {
        out.gauge("last_commit_timestamp_seconds",
                  "When the last commit became durable, since the Unix epoch.",
                  seconds_in(status.commit_time->time_since_epoch()));
    }
    out.gauge("state_root_index", "Commit of the newest state root.", number(status.state_root_index));
    out.gauge("disk_bytes", "What the store takes on the disk.", number(status.disk_bytes));
    out.counter("anchors_committed_total", "Anchors that were ordered.", number(status.anchors_committed));
    out.counter("anchors_skipped_total", "Anchors that were skipped.", number(status.anchors_skipped));
    out.counter("equivocations_total", "Slots for which a member signed two headers.",
                number(status.equivocations));
    for (const ValidatorSnapshot& validator : status.validators) {
        const Labels labels{{"validator", validator.name}};
        out.gauge("leader_weight", "Weight of a member in the draw of anchors.", number(validator.weight),
                  labels);
        out.gauge("validator_round", "Round of a member's last certificate.", number(validator.last_round),
                  labels);
        out.gauge("validator_commit_index", "Last commit that a member claims.",
                  number(validator.claim_index), labels);
    }
}

void add_consensus(Families& out, const ActivitySnapshot& activity) {
    const dag::EngineStatus& engine = activity.engine;
    out.counter("headers_proposed_total", "Own headers.", number(engine.headers_proposed));
    out.counter("votes_given_total", "Votes for headers of others.", number(engine.votes_given));
    out.counter("certificates_inserted_total", "Certificates that entered the graph.",
                number(engine.certificates_inserted));
    out.gauge("certificates_suspended", "Certificates that wait for parents.", number(engine.suspended));
    out.gauge("headers_pending", "Headers that wait for parents or batches.", number(engine.pending_headers));
    out.gauge("batches_missing", "Batches that are being fetched.", number(engine.missing_batches));
    out.gauge("payload_pending", "Own batches that wait to be proposed.", number(engine.pending_payload));
    out.gauge("requests_in_flight", "Requests to peers that are not answered.",
              number(engine.requests_in_flight));
    const char* signatures = "Signatures checked.";
    out.counter("signatures_total", signatures, number(activity.signatures_verified), {{"result", "good"}});
    out.counter("signatures_total", signatures, number(activity.signatures_refused), {{"result", "bad"}});
    out.counter("verify_seconds_total", "Time spent on checking signatures.",
                seconds_in(activity.verify_time));
}

void add_worker(Families& out, const WorkerStatus& worker) {
    const char* transactions =
        "Transactions by what became of them; committed counts those of the whole committee.";
    const auto count = [&](std::string_view result, std::uint64_t value) {
        out.counter("transactions_total", transactions, number(value), {{"result", std::string(result)}});
    };
    count("accepted", worker.transactions_accepted);
    count("committed", worker.transactions_committed);
    for (const Refusal refusal :
         {Refusal::too_large, Refusal::duplicate, Refusal::busy, Refusal::malformed}) {
        count(name(refusal), worker.transactions_refused.at(static_cast<std::size_t>(refusal)));
    }
    for (std::size_t at = 1; at < kStages; ++at) {
        out.summary("transaction_latency_seconds",
                    "From arrival to the stage, of transactions given to this node.", worker.latency.at(at),
                    {{"stage", std::string(name(static_cast<Stage>(at)))}});
    }
    out.gauge("mempool_bytes", "Bytes of transactions accepted and not executed.",
              number(worker.accepted_bytes));
    out.gauge("mempool_transactions", "Transactions accepted and not executed.",
              number(worker.unexecuted_transactions));
    out.gauge("submissions_waiting", "Submissions that wait for a stage.", number(worker.waiters));
    out.gauge("held_back", "1 while fewer than a quorum of stake have room for our batches.",
              worker.held_back ? 1 : 0);
    const char* batches = "Batches by what became of them.";
    const auto batch = [&](const char* event, std::uint64_t value) {
        out.counter("batches_total", batches, number(value), {{"event", event}});
    };
    batch("sealed", worker.batches_sealed);
    batch("stored", worker.batches_stored);
    batch("resent", worker.batches_resent);
    batch("requeued", worker.batches_requeued);
    batch("refused", worker.batches_refused);
    out.counter("batch_sealed_bytes_total", "Bytes of own batches.", number(worker.batch_bytes_sealed));
}

void add_execution(Families& out, const ExecutionStatus& execution, const StateSnapshot& state) {
    out.gauge("execution_queue_commits", "Commits that wait to be executed.",
              number(execution.queued_commits));
    out.gauge("execution_queue_bytes", "Bytes of their batches.", number(execution.queued_bytes));
    out.counter("executed_transactions_total", "Transactions executed.", number(execution.transactions));
    out.counter("executed_bytes_total", "Bytes of batches executed.", number(execution.bytes));
    out.counter("execution_groups_total", "Writes of the state.", number(execution.groups));
    out.gauge("state_keys", "Keys of the built-in store.", number(state.keys));
}

/// Members by peer id; observers and clients, who may be anybody, only together: a label for each would grow
/// without bound.
void add_peers(Families& out, const std::vector<PeerSnapshot>& peers) {
    std::uint64_t clients = 0;
    std::uint64_t observers = 0;
    for (const PeerSnapshot& peer : peers) {
        if (!peer.validator) {
            ++(peer.role == net::Role::observer ? observers : clients);
            continue;
        }
        const Label label{"peer", peer.peer_id};
        out.gauge("peer_up", "1 if the member is connected.", peer.connected ? 1 : 0, {label});
        if (peer.rtt)
            out.gauge("peer_rtt_seconds", "Round trip to a member.", seconds_in(*peer.rtt), {label});
        const char* bytes = "Bytes exchanged with a member.";
        out.counter("peer_bytes_total", bytes, number(peer.bytes_in), {label, {"direction", "in"}});
        out.counter("peer_bytes_total", bytes, number(peer.bytes_out), {label, {"direction", "out"}});
        for (std::size_t at = 0; at < net::kMessageClasses; ++at) {
            const Label kind{"class", std::string(net::name(static_cast<net::MessageClass>(at)))};
            out.gauge("peer_queue_bytes", "Bytes that wait to be sent to a member.",
                      number(peer.queued_bytes.at(at)), {label, kind});
            out.counter("peer_dropped_total", "Messages to a member that were dropped.",
                        number(peer.dropped.at(at)), {label, kind});
        }
    }
    out.gauge("clients", "Clients connected to the peer port.", number(clients));
    out.gauge("observers", "Observers connected to the peer port.", number(observers));
}

void add_handshakes(Families& out, const std::vector<HandshakeFailureSnapshot>& failures) {
    for (const HandshakeFailureSnapshot& each : failures) {
        out.counter("handshake_failures_total", "Connections to peers that did not come about.",
                    number(each.count),
                    {{"direction", each.outbound ? "out" : "in"}, {"reason", each.reason}});
    }
}

void add_store(Families& out, const StoreSnapshot& store) {
    for (const StoreSnapshot::Environment& environment : store.environments) {
        const Labels labels{{"environment", environment.name}};
        out.gauge("store_map_bytes", "Address space of an environment.", number(environment.map_bytes),
                  labels);
        out.gauge("store_used_bytes", "Bytes of an environment in use.", number(environment.used_bytes),
                  labels);
        out.gauge("store_oldest_reader_seconds", "Age of the oldest read transaction.",
                  environment.oldest_reader_seconds, labels);
        out.gauge("store_oldest_reader_transactions",
                  "Transactions by which the oldest reader of any process is behind.",
                  static_cast<double>(environment.oldest_reader_behind), labels);
        out.gauge("store_file_bytes", "Bytes of an environment on the disk.", number(environment.file_bytes),
                  labels);
        if (!environment.writer) continue;
        const storage::WriterStats& writer = *environment.writer;
        out.histogram("store_commit_seconds", "Time of a write with its sync.", writer.commit_seconds,
                      labels);
        out.histogram("store_group_size", "Writes that shared one sync.", writer.group_size, labels);
        out.counter("store_written_bytes_total", "Bytes written.", number(writer.written_bytes), labels);
        out.counter("store_errors_total", "Writes that failed.", number(writer.errors), labels);
        out.gauge("store_queue_bytes", "Bytes that wait to be written.", number(writer.queued_bytes), labels);
        out.gauge("store_stalled", "1 while nothing can be written.", writer.stalled ? 1 : 0, labels);
    }
    out.gauge("store_oldest_commit", "Oldest commit that is kept.", number(store.oldest_commit));
    out.gauge("store_free_disk_bytes", "Free on the disk of the store.", number(store.free_disk_bytes));
    out.counter("store_damaged_total", "Rows that did not verify.", number(store.damaged));
}

void add_queues(Families& out, const std::vector<QueueSnapshot>& queues) {
    for (const QueueSnapshot& queue : queues) {
        const Labels labels{{"queue", queue.name}};
        out.gauge("queue_items", "What waits between the parts of the node.", number(queue.items), labels);
        out.gauge("queue_bytes", "Its bytes.", number(queue.bytes), labels);
    }
}

}  // namespace

std::string render_metrics(const NodeView& view) {
    Families out;
    add_status(out, view.status());
    const ActivitySnapshot activity = view.activity();
    add_consensus(out, activity);
    add_worker(out, activity.worker);
    add_execution(out, activity.execution, view.state());
    add_peers(out, view.peers());
    add_handshakes(out, view.handshake_failures());
    add_store(out, view.store());
    add_queues(out, view.queues());
    return out.text();
}

}  // namespace monodon::node
