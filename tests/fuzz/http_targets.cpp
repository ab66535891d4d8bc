#include "node/admin_api.hpp"
#include "node/http_guard.hpp"
#include "node/public_api.hpp"
#include "node/shared_api.hpp"
#include "tests/fuzz/json.hpp"
#include "tests/fuzz/target.hpp"

// What a client of the two HTTP interfaces chooses: target, body, Host and Origin.
namespace monodon::fuzz::http_targets {

namespace {

using namespace node;

/// A node that has next to nothing and answers at once.
NodeViewPtr quiet_node() {
    NodeView view;
    view.name = "v0";
    view.status = [] { return StatusSnapshot{}; };
    view.liveness = [] { return std::vector<HealthCheck>{{"engine", true, ""}}; };
    view.peers = [] { return std::vector<PeerSnapshot>(2); };
    view.dag = [](std::uint64_t first, std::uint64_t last, const DagCallback& callback) {
        MONODON_CHECK(first <= last && last - first <= 10'000);
        callback(std::vector<VertexSnapshot>(1));
    };
    view.act_on_peer = [](std::string_view peer, PeerAction) -> std::optional<std::string> {
        if (peer == "v1") return std::nullopt;
        return "no such peer";
    };
    view.peer = [](std::string_view peer) -> std::optional<PeerSnapshot> {
        if (peer != "v1") return std::nullopt;
        return PeerSnapshot{};
    };
    view.bans = [] { return std::vector<BanSnapshot>(1); };
    view.limits = [] { return std::vector<LimitSnapshot>(1); };
    view.addresses = [] { return std::vector<AddressSnapshot>(1); };
    view.dial = [](const std::string&, const std::function<void(std::optional<std::string>)>& callback) {
        callback("nobody is there");
    };
    view.blockers = [](const std::function<void(const dag::Blockers&)>& callback) { callback({}); };
    view.store = [] { return StoreSnapshot{}; };
    view.queues = [] { return std::vector<QueueSnapshot>(1); };
    view.state = [] { return StateSnapshot{}; };
    view.activity = [] { return ActivitySnapshot{}; };
    view.config = [] { return Config().rows(); };
    view.submit = [](Submission submission) {
        MONODON_CHECK(submission.transactions.size() == 1 && submission.timeout <= std::chrono::minutes(1));
        StageReport report;
        report.stage = submission.want;
        report.accepted = 1;
        report.last = true;
        submission.report(report);
        return std::uint64_t{1};
    };
    view.forget = [](std::uint64_t) {};
    view.find_receipt = [](const Digest&) { return std::optional<Receipt>(); };
    view.kv_get = [](ByteView key) -> Expected<KvRead, std::string> {
        MONODON_CHECK(!key.empty() && key.size() <= 1024);
        return KvRead{copy_of(key), 7};
    };
    view.commits = [](std::uint64_t from, std::uint64_t limit,
                      std::uint64_t) -> Expected<std::vector<dag::CommitPtr>, CommitsUnavailable> {
        MONODON_CHECK(limit <= 1000);
        if (from > 3) return Unexpected{CommitsUnavailable{CommitsUnavailable::Why::future, 1, 3}};
        return std::vector<dag::CommitPtr>{std::make_shared<const dag::Commit>()};
    };
    view.set_log_level = [](std::optional<log::Category>, log::Level) {};
    view.shutdown = [] {};
    return std::make_shared<const NodeView>(std::move(view));
}

const RouteTable& table(bool admin) {
    static const RouteTable kAdmin(admin_routes(quiet_node()));
    static const RouteTable kPublic(public_routes(quiet_node()));
    return admin ? kAdmin : kPublic;
}

void check_answer(const HttpResponse& response) {
    MONODON_CHECK(response.status >= 200 && response.status < 600);
    if (response.content_type == "application/json") MONODON_CHECK(json_again(response.body));
    for (const auto& [name, value] : response.headers) {
        for (const std::string& text : {name, value})
            MONODON_CHECK(text.find_first_of("\r\n") == std::string::npos);
    }
}

/// Byte 0 chooses interface and method; a line with the target; the rest is the body.
void http_target(ByteView input) {
    Cursor cursor(input);
    const std::size_t choice = cursor.below(8);
    constexpr std::string_view kMethods[] = {"GET", "POST", "HEAD", "DELETE"};
    const std::string_view method = kMethods[choice / 2];
    const std::string_view rest = as_text(cursor.rest());
    const std::size_t line = std::min(rest.find('\n'), rest.size());
    const std::string_view target = rest.substr(0, line);
    const std::string_view body = rest.substr(std::min(line + 1, rest.size()));

    auto found = table(choice % 2 == 0).find(method, target);
    if (const auto* refused = std::get_if<HttpResponse>(&found)) {
        MONODON_CHECK(refused->status == 400 || refused->status == 404 || refused->status == 405);
        return check_answer(*refused);
    }
    auto& match = std::get<RouteTable::Match>(found);
    MONODON_CHECK(match.route != nullptr && match.request.path.size() <= target.size());
    for (const auto& [name, value] : match.request.params) {
        MONODON_CHECK(!value.empty() && percent_decode(percent_encode(value)) == value);
    }
    for (const auto& [name, value] : match.request.query) {
        const auto& known = match.route->query;
        MONODON_CHECK(std::find(known.begin(), known.end(), name) != known.end());
    }
    if (body.size() > match.route->body_max) return;  // 413, by the session
    match.request.body = std::make_shared<const Bytes>(body.begin(), body.end());
    int answers = 0;
    match.route->handler(std::move(match.request), Respond([&answers](const HttpResponse& response) {
                             ++answers;
                             check_answer(response);
                         }));
    MONODON_CHECK(answers == 1);
}

std::vector<Seed> target_seeds() {
    std::vector<Seed> seeds;
    const auto add = [&](const std::string& name, Byte choice, std::string_view text) {
        Bytes input = {choice};
        input.insert(input.end(), text.begin(), text.end());
        seeds.push_back({name, input});
    };
    add("index", 0, "/");
    add("submit", 3, "/v1/tx?wait=durable&timeout=5s\nhello");
    add("receipt", 1, "/v1/tx/5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    add("key", 1, "/v1/kv/col%6fur%2F?encoding=hex");
    add("key-hex", 1, "/v1/kv/6162?encoding=hex");
    add("commits", 0, "/v1/commits?from=1&limit=2");
    add("dag", 0, "/v1/dag?rounds=3");
    add("log", 2, "/v1/log\n{\"category\":\"net\",\"level\":\"debug\"}");
    add("twice", 1, "/readyz?verbose&verbose");
    return seeds;
}

std::vector<std::string> target_words() {
    std::vector<std::string> words = {"%2F", "%00",      "%",  "?",         "&",       "=",
                                      "//",  "timeout=", "5s", "\"level\"", "\"peer\""};
    for (const bool admin : {true, false}) {
        for (const Route& route : table(admin).routes()) {
            words.push_back(route.pattern);
            for (const std::string& name : route.query) words.push_back(name + "=");
        }
    }
    return words;
}

/// Four lines: Host, Origin, a known name, our address.
void http_host(ByteView input) {
    std::array<std::string, 4> lines;
    std::string_view rest = as_text(input);
    for (std::string& line : lines) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        line = rest.substr(0, end);
        rest = rest.substr(std::min(end + 1, rest.size()));
    }
    const auto& [host, origin, known, local] = lines;
    const bool ours = is_our_host(host, {known}, local);
    if (ours) {
        MONODON_CHECK(!host.empty());
        // The port plays no part, nor does upper case.
        if (host.find(':') == std::string::npos) MONODON_CHECK(is_our_host(host + ":80", {known}, local));
        std::string upper = host;
        for (char& letter : upper)
            letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter;
        MONODON_CHECK(is_our_host(upper, {known}, local));
        // Nobody's name becomes ours by what is put before or behind it.
        if (host.find_first_of(":[]") == std::string::npos) {
            MONODON_CHECK(!is_our_host(host + ".evil.example", {known}, local) ||
                          known.ends_with("evil.example") || local.ends_with("evil.example"));
        }
    }
    if (is_same_origin(origin, host)) {
        MONODON_CHECK(origin.size() > host.size() && origin.find("://") != std::string::npos);
    }
    MONODON_CHECK(is_same_origin("http://" + host, host));
    MONODON_CHECK(!is_same_origin("http://" + host + "x", host));
    if (const auto decoded = percent_decode(host)) {
        MONODON_CHECK(decoded->size() <= host.size());
        MONODON_CHECK(percent_decode(percent_encode(*decoded)) == decoded);
    }
}

std::vector<Seed> host_seeds() {
    const auto of = [](std::string_view text) { return copy_of(as_bytes(text)); };
    return {{"localhost", of("localhost:8080\nhttp://localhost:8080\nv0.example\n10.0.0.5")},
            {"known", of("V0.example\nhttps://v0.example\nv0.example\n10.0.0.5")},
            {"six", of("[::1]:80\nnull\n\nfe80::1")},
            {"stranger", of("evil.example\nhttp://evil.example\nv0.example\n10.0.0.5")}};
}

const Registration kHttp{{
    {"http_target",
     "a route and its decoded parts, or 400, 404, 405; each handler answers once, in JSON where it says "
     "so",
     512, http_target, target_seeds, target_words},
    {"http_host", "port and case play no part; nothing before or behind a name makes it ours; escapes", 256,
     http_host, host_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::http_targets
