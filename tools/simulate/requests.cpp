#include "tools/simulate/requests.hpp"

namespace monodon::sim {

namespace {

/// Those of a session (network.md 4).
constexpr net::WindowLimits kWindows{64, 16, 4, net::kMessageBytesMax};

/// As node/router sends them.
net::MessageClass class_of(const dag::RequestBody& body) {
    return dag::is_bulk(body) ? net::MessageClass::bulk : net::MessageClass::interactive;
}

}  // namespace

Asking::Asking(std::uint64_t connection, bool dialler)
    : connection_(connection), window_(dialler, kWindows) {}

bool Asking::add(dag::RequestId name, const dag::RequestBody& body, Time deadline) {
    net::WantedRequest wanted;
    wanted.handle = name.value();
    wanted.message_class = class_of(body);
    wanted.deadline = deadline;
    if (!window_.add(std::move(wanted))) return false;
    bodies_.emplace(name, body);
    return true;
}

std::optional<Request> Asking::next() {
    // Nobody here asks for a pause.
    const auto started = window_.next_start(Time{});
    if (!started) return std::nullopt;
    return Request{connection_, started->id, bodies_.at(dag::RequestId{started->request.handle})};
}

std::optional<Asking::Open> Asking::answered(const Reply& reply) {
    if (reply.connection != connection_) return std::nullopt;
    const net::RequestWindow::Open* open = window_.find(reply.id);
    if (open == nullptr) {
        window_.complete(reply.id);
        return std::nullopt;
    }
    const auto at = bodies_.find(dag::RequestId{open->handle});
    Open found{at->first, std::move(at->second)};
    bodies_.erase(at);
    window_.complete(reply.id);
    return found;
}

std::vector<dag::RequestId> Asking::expire(Time now) {
    std::vector<dag::RequestId> names;
    for (const auto& ended : window_.expire(now)) names.emplace_back(ended.handle);
    for (const dag::RequestId name : names) bodies_.erase(name);
    return names;
}

std::vector<dag::RequestId> Asking::end() {
    std::vector<dag::RequestId> names;
    for (const std::uint64_t handle : window_.clear()) names.emplace_back(handle);
    bodies_.clear();
    return names;
}

bool Answering::begin(const Request& request, Time now, std::optional<std::string>& broken) {
    if (request.connection < connection_) return false;
    if (request.connection > connection_) {
        connection_ = request.connection;
        served_ = net::ServedRequests(peer_dials_, kWindows);
    }
    broken = served_.begin(request.id, class_of(request.body), now);
    return !broken;
}

}  // namespace monodon::sim
