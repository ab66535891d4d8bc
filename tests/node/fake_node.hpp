#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include "node/http_types.hpp"
#include "node/node_view.hpp"

namespace monodon::node::test {

/// A node that does what the test says.
struct FakeNode {
    StatusSnapshot status;
    std::vector<HealthCheck> live{{"engine", true, ""}};
    std::vector<PeerSnapshot> peers;
    std::vector<AddressSnapshot> addresses;
    std::vector<HandshakeFailureSnapshot> handshake_failures;
    std::vector<VertexSnapshot> vertices;
    std::pair<std::uint64_t, std::uint64_t> asked_rounds;
    dag::Blockers blockers;
    std::vector<BanSnapshot> bans;
    std::vector<LimitSnapshot> limits;
    ActivitySnapshot activity;
    std::vector<dag::CommitPtr> commits;
    std::uint64_t oldest = 1;
    std::map<std::string, std::string> state;
    std::map<Digest, Receipt> receipts;
    /// What the worker is given, with its reports still to come.
    std::vector<Submission> submissions;
    std::optional<std::string> state_error;
    std::vector<std::pair<std::optional<log::Category>, log::Level>> levels;
    std::atomic<int> shutdowns = 0;

    FakeNode() {
        status.name = "v2";
        status.version = "1.2.3";
        status.chain_id = "local-1";
        status.state = NodeState::ready;
        status.readiness = {{"store", true, ""}, {"quorum", true, ""}};
        status.round = 40;
        status.highest_round = 41;
        for (const char* name : {"v0", "v1", "v2", "v3"})
            status.validators.push_back({name, 40, 1000, true, 7});
    }

    std::shared_ptr<const NodeView> view() {
        NodeView ports;
        ports.name = "v2";
        ports.status = [this] { return status; };
        ports.liveness = [this] { return live; };
        ports.peers = [this] { return peers; };
        ports.handshake_failures = [this] { return handshake_failures; };
        ports.dag = [this](std::uint64_t first, std::uint64_t last, const DagCallback& callback) {
            asked_rounds = {first, last};
            callback(vertices);
        };
        ports.act_on_peer = [this](std::string_view peer, PeerAction action) -> std::optional<std::string> {
            if (!peer.starts_with("v")) return "no such peer";
            if (action == PeerAction::ban)
                bans.push_back({"id of " + std::string(peer), std::string(peer), {}, "because"});
            if (action == PeerAction::unban) {
                std::erase_if(bans, [&](const BanSnapshot& each) { return each.name == peer; });
            }
            return std::nullopt;
        };
        ports.bans = [this] { return bans; };
        ports.limits = [this] { return limits; };
        ports.peer = [this](std::string_view word) -> std::optional<PeerSnapshot> {
            for (const PeerSnapshot& each : peers) {
                if (each.name == word || each.peer_id == word) return each;
            }
            return std::nullopt;
        };
        ports.addresses = [this] { return addresses; };
        ports.dial = [](const std::string& where,
                        const std::function<void(std::optional<std::string>)>& done) {
            done(where == "127.0.0.1:1" ? std::nullopt : std::optional<std::string>("cannot connect"));
        };
        ports.blockers = [this](const auto& callback) { callback(blockers); };
        ports.store = [] {
            StoreSnapshot store;
            store.environments = {
                {"consensus", 1 << 20, 4096, 8192, 1 << 14, 0.25, 7, storage::WriterStats{}},
                {"state", 1 << 20, 4096, 8192, 0, 0, 0, std::nullopt}};
            return store;
        };
        ports.queues = [] {
            return std::vector<QueueSnapshot>{{"engine", 3, 300, 1000}, {"execution", 1, 0, 0}};
        };
        ports.state = [] { return StateSnapshot{9, sha256({}), 8, 12}; };
        ports.activity = [this] { return activity; };
        ports.config = [] { return Config().rows(); };
        ports.submit = [this](Submission submission) {
            submissions.push_back(std::move(submission));
            return submissions.size();
        };
        ports.forget = [](std::uint64_t) {};
        ports.find_receipt = [this](const Digest& id) -> std::optional<Receipt> {
            const auto found = receipts.find(id);
            if (found == receipts.end()) return std::nullopt;
            return found->second;
        };
        ports.kv_get = [this](ByteView key) -> Expected<KvRead, std::string> {
            if (state_error) return Unexpected{*state_error};
            const auto found = state.find(std::string(as_text(key)));
            if (found == state.end()) return KvRead{std::nullopt, 9};
            return KvRead{Bytes(found->second.begin(), found->second.end()), 9};
        };
        ports.commits = [this](std::uint64_t from, std::uint64_t limit,
                               std::uint64_t) -> Expected<std::vector<dag::CommitPtr>, CommitsUnavailable> {
            using Why = CommitsUnavailable::Why;
            const std::uint64_t newest = oldest + commits.size() - 1;
            if (from < oldest) return Unexpected{CommitsUnavailable{Why::pruned, oldest, newest}};
            if (from > newest + 1) return Unexpected{CommitsUnavailable{Why::future, oldest, newest}};
            std::vector<dag::CommitPtr> out;
            for (std::uint64_t at = from; at <= newest && out.size() < limit; ++at)
                out.push_back(commits[at - oldest]);
            return out;
        };
        ports.set_log_level = [this](std::optional<log::Category> category, log::Level level) {
            levels.emplace_back(category, level);
        };
        ports.shutdown = [this] { ++shutdowns; };
        return std::make_shared<const NodeView>(std::move(ports));
    }

    void add_commit(std::uint64_t transactions) {
        dag::Commit commit;
        commit.index = dag::CommitIndex{oldest + commits.size()};
        commit.anchor = {dag::Round{2 * commit.index.value()}, dag::ValidatorIndex{1},
                         sha256(as_bytes("anchor"))};
        commit.certificates = {commit.anchor};
        commit.failed = {{dag::Round{3}, dag::ValidatorIndex{2}}};
        commit.payload.resize(1);
        commit.transactions = transactions;
        commits.push_back(std::make_shared<const dag::Commit>(std::move(commit)));
    }
};

/// Asks routes without a socket in between. The answer is absent while the handler has not given one.
class Asked {
 public:
    Asked(std::vector<Route> routes, std::string_view method, std::string_view target,
          std::string_view body = "")
        : table_(std::move(routes)), answer_(std::make_shared<std::optional<HttpResponse>>()) {
        auto found = table_.find(method, target);
        if (auto* refused = std::get_if<HttpResponse>(&found)) {
            *answer_ = std::move(*refused);
            return;
        }
        auto& match = std::get<RouteTable::Match>(found);
        match.request.body = std::make_shared<const Bytes>(body.begin(), body.end());
        match.route->handler(std::move(match.request), Respond([answer = answer_](HttpResponse response) {
                                 *answer = std::move(response);
                             }));
    }
    [[nodiscard]] bool answered() const { return answer_->has_value(); }
    [[nodiscard]] const HttpResponse& response() const {
        REQUIRE(answered());
        return **answer_;
    }
    [[nodiscard]] unsigned status() const { return response().status; }
    [[nodiscard]] const std::string& body() const { return response().body; }
    [[nodiscard]] boost::json::object object() const { return boost::json::parse(body()).as_object(); }
    [[nodiscard]] std::string header(const std::string& name) const {
        for (const auto& [key, value] : response().headers) {
            if (key == name) return value;
        }
        return "";
    }
    [[nodiscard]] std::string error_code() const {
        return std::string(object().at("error").at("code").as_string());
    }

 private:
    RouteTable table_;
    std::shared_ptr<std::optional<HttpResponse>> answer_;
};

inline boost::json::value text(const std::string& text) {
    return boost::json::string(text.data(), text.size());
}

}  // namespace monodon::node::test
