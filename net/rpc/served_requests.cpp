#include "net/rpc/served_requests.hpp"

#include <algorithm>

#include "net/wire/request_head.hpp"

namespace monodon::net {

std::optional<std::string> ServedRequests::begin(std::uint64_t id, MessageClass message_class, Time now) {
    if ((id % 2 == 1) != peer_is_odd_) return "request id of the other side";
    if (requests_.contains(id) || begun(id, message_class)) return "request ids do not rise";
    const auto open =
        static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [&](const auto& entry) {
            return entry.second.message_class == message_class;
        }));
    const bool overrun = requests_.size() >= limits_.total ||
                         (message_class == MessageClass::interactive && open >= limits_.interactive) ||
                         (message_class == MessageClass::bulk && open >= limits_.bulk);
    if (overrun) return "more requests open than the window allows";
    last_id_.at(static_cast<std::size_t>(message_class)) = id;
    ServedRequest& request = requests_[id];
    request.id = id;
    request.message_class = message_class;
    // Its own deadline is known once it is whole.
    request.deadline = now + kRequestDeadlineMax;
    return std::nullopt;
}

ServedRequest* ServedRequests::find(std::uint64_t id) {
    const auto found = requests_.find(id);
    return found == requests_.end() ? nullptr : &found->second;
}

std::optional<ServedRequest> ServedRequests::take(std::uint64_t id) {
    auto node = requests_.extract(id);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped());
}

std::vector<ServedRequest> ServedRequests::expire(Time now) {
    std::vector<ServedRequest> expired;
    for (auto entry = requests_.begin(); entry != requests_.end();) {
        if (entry->second.deadline > now) {
            ++entry;
            continue;
        }
        expired.push_back(std::move(entry->second));
        entry = requests_.erase(entry);
    }
    return expired;
}

std::vector<ServedRequest> ServedRequests::clear() {
    std::vector<ServedRequest> all;
    for (auto& [id, request] : requests_) all.push_back(std::move(request));
    requests_.clear();
    return all;
}

std::size_t ServedRequests::queued() const {
    std::size_t bytes = 0;
    for (const auto& [id, request] : requests_) bytes += request.queued;
    return bytes;
}

Time ServedRequests::next_due() const {
    Time due = Time::max();
    for (const auto& [id, request] : requests_) due = std::min(due, request.deadline);
    return due;
}

}  // namespace monodon::net
