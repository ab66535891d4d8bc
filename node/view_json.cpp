#include "node/view_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "net/core/time.hpp"
#include "node/base64.hpp"
#include "node/json_text.hpp"

namespace monodon::node {
namespace {

namespace json = boost::json;

std::string line(const json::value& value) { return json_text(value) + "\n"; }

std::int64_t whole_seconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

json::string text(std::string_view text) { return json::string(text.data(), text.size()); }

json::array reference(const dag::HeaderRef& ref) {
    return {ref.round.value(), ref.author.value(), ref.digest.hex()};
}

json::array validators_json(const std::vector<ValidatorSnapshot>& validators) {
    json::array out;
    for (const ValidatorSnapshot& validator : validators) {
        out.push_back({{"name", validator.name},
                       {"last_round", validator.last_round},
                       {"weight", validator.weight},
                       {"connected", validator.connected},
                       {"claim_index", validator.claim_index}});
    }
    return out;
}

}  // namespace

std::string to_json(const StatusSnapshot& status) {
    json::array reasons;
    for (const HealthCheck& check : status.readiness) {
        if (!check.ok) reasons.push_back(json::string(check.name + ": " + check.reason));
    }
    json::object latency;
    if (status.commit_p50_ms) latency["commit_p50"] = *status.commit_p50_ms;
    if (status.commit_p99_ms) latency["commit_p99"] = *status.commit_p99_ms;
    return line({{"name", status.name},
                 {"peer_id", status.peer_id},
                 {"role", status.validator ? "validator" : "observer"},
                 {"validator", status.validator ? json::value(*status.validator) : json::value(nullptr)},
                 {"version", status.version},
                 {"chain_id", status.chain_id},
                 {"state", text(name(status.state))},
                 {"ready", status.ready()},
                 {"reasons", std::move(reasons)},
                 {"round", status.round},
                 {"highest_round", status.highest_round},
                 {"target_round", status.target_round},
                 {"gc_round", status.gc_round},
                 {"commit", status.commit},
                 {"commit_digest", status.commit_digest.hex()},
                 {"commit_round", status.commit_round},
                 {"executed", status.executed},
                 {"state_root", status.state_root.hex()},
                 {"state_root_index", status.state_root_index},
                 {"lag", status.lag ? json::value(*status.lag) : json::value(nullptr)},
                 {"peers_connected", status.peers_connected},
                 {"peers_total", status.peers_total},
                 {"tx_per_s", status.tx_per_s},
                 {"latency_ms", std::move(latency)},
                 {"transactions", status.transactions},
                 {"disk_bytes", status.disk_bytes},
                 {"uptime_s", whole_seconds(status.uptime)},
                 {"listen", {{"peer", status.listen_peer}, {"api", status.listen_api}}},
                 {"anchors_committed", status.anchors_committed},
                 {"anchors_skipped", status.anchors_skipped},
                 {"equivocations", status.equivocations},
                 {"validators", validators_json(status.validators)},
                 {"pid", status.pid}});
}

std::string to_json(const std::vector<HandshakeFailureSnapshot>& failures) {
    json::array out;
    for (const HandshakeFailureSnapshot& each : failures) {
        out.push_back(
            {{"direction", each.outbound ? "out" : "in"}, {"reason", each.reason}, {"count", each.count}});
    }
    return line(out);
}

std::string to_json(const StoreSnapshot& store) {
    json::array environments;
    for (const StoreSnapshot::Environment& environment : store.environments) {
        json::object row{{"name", environment.name},
                         {"map_bytes", environment.map_bytes},
                         {"used_bytes", environment.used_bytes},
                         {"file_bytes", environment.file_bytes},
                         {"oldest_reader_s", environment.oldest_reader_seconds},
                         {"oldest_reader_behind", environment.oldest_reader_behind}};
        if (environment.map_limit > 0) {
            row["map_limit_bytes"] = environment.map_limit;
            row["map_use_percent"] = 100.0 * static_cast<double>(environment.used_bytes) /
                                     static_cast<double>(environment.map_limit);
        }
        if (const auto& writer = environment.writer) {
            const auto& commits = writer->commit_seconds;
            row["queued_writes"] = writer->queued_writes;
            row["queued_bytes"] = writer->queued_bytes;
            row["written"] = writer->written;
            row["written_bytes"] = writer->written_bytes;
            row["commits"] = commits.count;
            row["commit_ms_mean"] =
                commits.count > 0 ? 1000 * commits.sum / static_cast<double>(commits.count) : 0.0;
            row["group_size_mean"] =
                writer->group_size.count > 0
                    ? writer->group_size.sum / static_cast<double>(writer->group_size.count)
                    : 0.0;
            row["errors"] = writer->errors;
            if (writer->stalled) row["stalled"] = *writer->stalled;
        }
        environments.push_back(std::move(row));
    }
    return line({{"oldest_commit", store.oldest_commit},
                 {"newest_commit", store.newest_commit},
                 {"free_disk_bytes", store.free_disk_bytes},
                 {"transactions_wait", store.transactions_wait},
                 {"proposals_wait", store.proposals_wait},
                 {"damaged", store.damaged},
                 {"environments", std::move(environments)}});
}

std::string to_json(const std::vector<QueueSnapshot>& queues) {
    json::array out;
    for (const QueueSnapshot& queue : queues) {
        json::object row{{"name", queue.name}, {"items", queue.items}, {"bytes", queue.bytes}};
        if (queue.bytes_max > 0) row["bytes_max"] = queue.bytes_max;
        out.push_back(std::move(row));
    }
    return line(out);
}

std::string to_json(const StateSnapshot& state) {
    return line({{"applied", state.applied},
                 {"state_root", state.root.hex()},
                 {"state_root_index", state.root_index},
                 {"keys", state.keys}});
}

std::string to_json(const std::vector<ConfigRow>& rows) {
    json::array out;
    for (const ConfigRow& row : rows) {
        out.push_back({{"key", row.key}, {"value", row.value}, {"origin", row.origin}, {"help", row.help}});
    }
    return line(out);
}

std::string dag_json(std::uint64_t first, std::uint64_t last, const std::vector<std::string>& validators,
                     const std::vector<VertexSnapshot>& vertices) {
    json::array rounds;
    auto next = vertices.begin();
    for (std::uint64_t round = first; round <= last; ++round) {
        json::array row;
        for (; next != vertices.end() && next->round <= round; ++next) {
            row.push_back({{"author", next->author},
                           {"digest", next->digest.short_hex()},
                           {"parents", json::array(next->parents.begin(), next->parents.end())},
                           {"support", next->support},
                           {"ordered", next->ordered},
                           {"anchor", next->anchor},
                           {"batches", next->batches}});
        }
        rounds.push_back({{"round", round}, {"vertices", std::move(row)}});
    }
    return line({{"from", first},
                 {"to", last},
                 {"validators", json::array(validators.begin(), validators.end())},
                 {"rounds", std::move(rounds)}});
}

std::string sync_json(const dag::EngineStatus& engine, Time now) {
    const dag::SyncStatus& sync = engine.sync;
    const std::uint64_t missing = dag::distance(engine.highest, engine.target);
    json::object out{
        {"mode", engine.halted                                                           ? "halted"
                 : sync.since                                                            ? "ranges"
                 : engine.highest == dag::Round{} || engine.supported_claim.value() == 0 ? "unknown"
                 : engine.missing_batches > 0                                            ? "batches"
                                                                                         : "live"},
        {"highest_round", engine.highest.value()},
        {"target_round", engine.target.value()},
        {"rounds_missing", missing},
        {"commit", engine.durable_commit.index.value()},
        {"commit_claimed", engine.supported_claim.value()},
        {"executed", engine.executed.value()},
        {"batches_missing", engine.missing_batches},
        {"requests_in_flight", engine.requests_in_flight},
        {"requests_failed", sync.requests_failed},
        {"certificates", {{"useful", sync.certificates_useful}, {"duplicate", sync.certificates_duplicate}}},
        {"bytes", {{"useful", sync.bytes_useful}, {"wasted", sync.bytes_wasted}}},
        {"missing_parents",
         {{"fetched", sync.parents_fetched},
          {"p50_ms", milliseconds_in(sync.parents_p50)},
          {"p99_ms", milliseconds_in(sync.parents_p99)}}}};
    json::array requests;
    for (const auto& [key, stats] : sync.by_peer) {
        requests.push_back({{"validator", key.first.value()},
                            {"kind", dag::name(key.second)},
                            {"requests", stats.requests},
                            {"failed", stats.requests_failed},
                            {"certificates",
                             {{"synced", stats.certificates_synced},
                              {"duplicate", stats.certificates_duplicate},
                              {"failed", stats.certificates_failed}}},
                            {"bytes", {{"useful", stats.bytes_useful}, {"wasted", stats.bytes_wasted}}}});
    }
    out["requests"] = std::move(requests);
    if (const auto& last = sync.last) {
        const double seconds = std::chrono::duration<double>(last->taken).count();
        const auto rate = [&](std::uint64_t count) {
            return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
        };
        out["last"] = {{"from_round", last->from.value()},
                       {"to_round", last->to.value()},
                       {"certificates", last->certificates},
                       {"bytes", last->bytes},
                       {"seconds", seconds},
                       {"certificates_per_s", rate(last->certificates)},
                       {"bytes_per_s", rate(last->bytes)}};
    }
    if (sync.since && now > *sync.since) {
        const double seconds = std::chrono::duration<double>(now - *sync.since).count();
        const double rate = static_cast<double>(dag::distance(sync.from, engine.highest)) / seconds;
        out["since_s"] = seconds;
        out["from_round"] = sync.from.value();
        out["rounds_per_s"] = rate;
        out["remaining_s"] =
            rate > 0 ? json::value(static_cast<double>(missing) / rate) : json::value(nullptr);
    }
    return line(out);
}

std::string to_json(const dag::Commit& commit) {
    json::array certificates;
    for (const dag::HeaderRef& ref : commit.certificates) certificates.push_back(reference(ref));
    json::array failed;
    for (const dag::Slot& slot : commit.failed) {
        failed.push_back(json::array{slot.round.value(), slot.author.value()});
    }
    json::array batches;
    for (const dag::PayloadEntry& entry : commit.payload) batches.push_back(json::string(entry.batch.hex()));
    return line({{"index", commit.index.value()},
                 {"digest", commit.digest.hex()},
                 {"previous", commit.previous.hex()},
                 {"anchor",
                  {{"round", commit.anchor.round.value()},
                   {"author", commit.anchor.author.value()},
                   {"digest", commit.anchor.digest.hex()}}},
                 {"certificates", std::move(certificates)},
                 {"failed", std::move(failed)},
                 {"transactions", commit.transactions},
                 {"bytes", commit.bytes},
                 {"batches", std::move(batches)}});
}

std::string to_json(const Receipt& receipt, const std::string& validator) {
    json::object out{{"id", receipt.id.hex()}, {"status", text(receipt.status())}};
    if (receipt.duplicate) out["duplicate"] = true;
    if (receipt.stage >= Stage::committed) {
        out["commit"] = receipt.commit.value();
        out["round"] = receipt.round.value();
        out["position"] = receipt.position;
    }
    out["validator"] = validator;
    if (receipt.outcome) out["result"] = text(name(*receipt.outcome));
    if (receipt.value) out["value"] = to_base64(*receipt.value);
    json::object latency;
    for (std::size_t at = 1; at < kStages; ++at) {
        const auto& reached = receipt.latency.at(at);
        const std::string_view stage = name(static_cast<Stage>(at));
        if (reached) latency[json::string_view(stage.data(), stage.size())] = milliseconds_in(*reached);
    }
    out["latency_ms"] = std::move(latency);
    return line(out);
}

}  // namespace monodon::node
