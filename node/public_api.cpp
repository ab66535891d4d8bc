#include "node/public_api.hpp"

#include <fmt/format.h>

#include "dag/model/types.hpp"
#include "node/kv_format.hpp"
#include "node/shared_api.hpp"
#include "node/units.hpp"
#include "node/view_json.hpp"

namespace monodon::node {
namespace {

constexpr Duration kWaitDefault = std::chrono::seconds(10);
constexpr Duration kWaitMax = std::chrono::seconds(60);

HttpResponse busy_response(Duration retry_after, const std::string& reason = {}) {
    HttpResponse response = error_response(
        429, reason.empty() ? "busy" : "no_room",
        reason.empty() ? "this node has as much as it can take; try again after a while" : reason);
    const auto whole = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
    response.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(1, whole)));
    return response;
}

HttpResponse refused_response(Refusal refusal) {
    switch (refusal) {
        case Refusal::too_large:
            return error_response(
                413, "too_large",
                fmt::format("a transaction has at most {} bytes", dag::kTransactionBytesMax));
        case Refusal::busy:
            return busy_response(std::chrono::seconds(1));
        case Refusal::malformed:
            return error_response(
                400, "malformed",
                "the transaction begins like a key-value operation and is none; see the format");
        case Refusal::duplicate:
            break;
    }
    return error_response(500, "internal", "the transaction was refused");
}

/// One request that waits for its transaction.
struct TxWait {
    NodeViewPtr view;
    Respond respond;
    Digest id;
    bool duplicate = false;

    void on_report(const StageReport& report) {
        switch (report.kind) {
            case StageReport::Kind::busy:
                return respond(busy_response(report.retry_after, report.reason));
            case StageReport::Kind::elsewhere:
                return respond(error_response(403, "observer", report.reason));
            case StageReport::Kind::timed_out:
            case StageReport::Kind::stopped:
                // Never "failed": it is on its way.
                return respond(json_response(
                    fmt::format("{{\"id\":\"{}\",\"status\":\"pending\",\"reached\":\"{}\"{}}}\n", id.hex(),
                                name(report.stage), duplicate ? ",\"duplicate\":true" : ""),
                    202));
            case StageReport::Kind::reached:
                break;
        }
        for (const RefusedTransaction& refused : report.refused) {
            if (refused.why != Refusal::duplicate) return respond(refused_response(refused.why));
            // Waited for like any other: retries have the same answer, and are told that they are.
            duplicate = true;
        }
        if (report.last) respond(json_response(to_json(receipt(report.stage), view->name)));
    }

    [[nodiscard]] Receipt receipt(Stage stage) const {
        Receipt known;
        known.id = id;
        known.stage = std::min(stage, Stage::certified);
        if (auto found = view->find_receipt(id)) known = *std::move(found);
        known.duplicate = duplicate;
        return known;
    }
};

void submit(const NodeViewPtr& view, const HttpRequest& request, const Respond& respond) {
    if (request.body->empty()) {
        return respond(error_response(400, "empty", "the body is the transaction; it has at least one byte"));
    }
    Submission submission;
    if (const auto wait = request.query_value("wait")) {
        const auto stage = parse_stage(*wait);
        if (!stage) {
            return respond(error_response(400, "bad_query",
                                          "wait is accepted, durable, certified, committed or executed"));
        }
        submission.want = *stage;
    }
    submission.timeout = kWaitDefault;
    if (const auto given = request.query_value("timeout")) {
        const auto timeout = parse_duration(*given);
        if (!timeout || *timeout > kWaitMax) {
            return respond(
                error_response(400, "bad_query",
                               fmt::format("timeout is a duration of at most {}, such as 500ms or 5s",
                                           duration_text(kWaitMax))));
        }
        submission.timeout = *timeout;
    }
    TxWait wait{view, respond, sha256(*request.body)};
    submission.transactions.push_back(Slice::whole(request.body));
    submission.report = [wait = std::move(wait)](const StageReport& report) mutable {
        wait.on_report(report);
    };
    const std::uint64_t number = view->submit(std::move(submission));
    respond.when_gone([view, number] { view->forget(number); });
}

void find_transaction(const NodeViewPtr& view, const HttpRequest& request, const Respond& respond) {
    const auto id = Digest::parse(request.param("id"));
    if (!id)
        return respond(
            error_response(400, "bad_id", "an id is the SHA-256 of the transaction, 64 hex digits"));
    if (const auto receipt = view->find_receipt(*id))
        return respond(json_response(to_json(*receipt, view->name)));
    respond(json_response(fmt::format("{{\"id\":\"{}\",\"status\":\"unknown\"}}\n", id->hex()), 404));
}

void read_key(const NodeViewPtr& view, const HttpRequest& request, const Respond& respond) {
    const std::string given = request.param("key");
    Bytes key(given.begin(), given.end());
    if (const auto encoding = request.query_value("encoding")) {
        const auto decoded = *encoding == "hex" ? from_hex(given) : std::nullopt;
        if (!decoded)
            return respond(error_response(400, "bad_query", "encoding is hex, and the key then hex digits"));
        key = *decoded;
    }
    if (key.empty() || key.size() > kKvKeyBytesMax) {
        return respond(
            error_response(400, "bad_key", fmt::format("a key has 1 to {} bytes", kKvKeyBytesMax)));
    }
    auto read = view->kv_get(key);
    if (!read) return respond(error_response(503, "state", read.error()));
    HttpResponse response =
        read->value ? HttpResponse{} : error_response(404, "not_found", "there is no such key");
    if (read->value) {
        response.content_type = "application/octet-stream";
        response.body.assign(read->value->begin(), read->value->end());
    }
    response.headers.emplace_back("X-Monodon-Commit", std::to_string(read->applied));
    respond(std::move(response));
}

/// The form that Kubernetes' own probes have.
HttpResponse health(const std::vector<HealthCheck>& checks, bool verbose) {
    const bool ok = all_ok(checks);
    HttpResponse response;
    response.status = ok ? 200 : 503;
    response.content_type = "text/plain; charset=utf-8";
    if (verbose || !ok) {
        for (const HealthCheck& check : checks) {
            response.body +=
                fmt::format("[{}]{} {}\n", check.ok ? '+' : '-', check.name, check.ok ? "ok" : check.reason);
        }
    }
    if (!verbose || checks.empty()) response.body += ok ? "ok\n" : "failed\n";
    return response;
}

}  // namespace

std::vector<Route> public_routes(NodeViewPtr view) {
    std::vector<Route> routes = shared_routes(view);
    const auto add = [&](Route route) { routes.push_back(std::move(route)); };
    add({HttpMethod::post,
         "/v1/tx",
         {"wait", "timeout"},
         "Submits the body as a transaction and waits until it is accepted, durable, certified, committed or "
         "executed.",
         [view](const HttpRequest& request, const Respond& respond) { submit(view, request, respond); },
         dag::kTransactionBytesMax});
    add({HttpMethod::get,
         "/v1/tx/{id}",
         {},
         "The receipt of a transaction that was given to this node.",
         [view](const HttpRequest& request, const Respond& respond) {
             find_transaction(view, request, respond);
         }});
    add({HttpMethod::get,
         "/v1/kv/{key}",
         {"encoding"},
         "The value of a key of the built-in store.",
         [view](const HttpRequest& request, const Respond& respond) { read_key(view, request, respond); }});
    add({HttpMethod::get,
         "/livez",
         {"verbose"},
         "200 while the parts of the node move.",
         [view](const HttpRequest& request, const Respond& respond) {
             respond(health(view->liveness(), request.query_value("verbose").has_value()));
         }});
    add({HttpMethod::get,
         "/readyz",
         {"verbose"},
         "200 while the node can take transactions and commits them.",
         [view](const HttpRequest& request, const Respond& respond) {
             respond(health(view->status().readiness, request.query_value("verbose").has_value()));
         }});
    return routes;
}

}  // namespace monodon::node
