#include "net/rpc/request_window.hpp"

#include <algorithm>

namespace monodon::net {

namespace {

std::size_t size_of(const SharedBytes& bytes) { return bytes ? bytes->size() : 0; }

}  // namespace

bool RequestWindow::has_place(MessageClass message_class, Time now) const {
    const auto held = held_until_.find(message_class);
    if (held != held_until_.end() && now < held->second) return false;
    // An id that is given up stays in the peer's window until it has answered: without a place to remember
    // that, no other is begun.
    if (open_.size() >= limits_.total || closed_.size() >= kClosedMax) return false;
    const auto found = open_by_class_.find(message_class);
    const std::uint32_t open = found == open_by_class_.end() ? 0 : found->second;
    switch (message_class) {
        case MessageClass::interactive:
            return open < limits_.interactive;
        case MessageClass::bulk:
            return open < limits_.bulk;
        case MessageClass::control:
        case MessageClass::consensus:
        case MessageClass::data:
            return true;
    }
    return false;
}

bool RequestWindow::add(WantedRequest request) {
    const std::size_t bytes = size_of(request.body);
    if (waiting_.size() >= kWaitingMax || waiting_bytes_ + bytes > kWaitingBytesMax) return false;
    waiting_bytes_ += bytes;
    waiting_.push_back(std::move(request));
    return true;
}

void RequestWindow::hold(MessageClass message_class, Time until) {
    Time& held = held_until_[message_class];
    held = std::max(held, until);
}

std::optional<StartedRequest> RequestWindow::next_start(Time now) {
    // In order within a class; a full class does not hold up another.
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), [&](const WantedRequest& request) {
        return has_place(request.message_class, now);
    });
    if (next == waiting_.end()) return std::nullopt;
    StartedRequest started{next_id_, std::move(*next)};
    waiting_.erase(next);
    waiting_bytes_ -= size_of(started.request.body);
    next_id_ += 2;
    const WantedRequest& request = started.request;
    open_[started.id] = {
        request.handle, request.message_class, request.method, request.deadline, request.reply_max, now, {}};
    ++open_by_class_[request.message_class];
    return started;
}

RequestWindow::Reply RequestWindow::classify(std::uint64_t id) const {
    if (open_.contains(id)) return Reply::expected;
    return closed_.contains(id) ? Reply::late : Reply::unsolicited;
}

const RequestWindow::Open* RequestWindow::find(std::uint64_t id) const {
    const auto found = open_.find(id);
    return found == open_.end() ? nullptr : &found->second;
}

void RequestWindow::note_reply(std::uint64_t id, Time now) {
    const auto found = open_.find(id);
    if (found != open_.end() && found->second.first_byte == Time{}) found->second.first_byte = now;
}

void RequestWindow::complete(std::uint64_t id) {
    if (const auto found = open_.find(id); found != open_.end()) {
        --open_by_class_[found->second.message_class];
        open_.erase(found);
    } else if (closed_.erase(id) > 0) {
        ++late_replies_;
    }
}

RequestWindow::Ended RequestWindow::close(std::map<std::uint64_t, Open>::iterator open, Time now) {
    const Ended ended{open->second.handle, open->first, open->second.message_class};
    --open_by_class_[open->second.message_class];
    closed_[open->first] = now;
    open_.erase(open);
    return ended;
}

std::optional<RequestWindow::Ended> RequestWindow::cancel(std::uint64_t handle, Time now) {
    for (auto open = open_.begin(); open != open_.end(); ++open) {
        if (open->second.handle == handle) return close(open, now);
    }
    for (auto request = waiting_.begin(); request != waiting_.end(); ++request) {
        if (request->handle != handle) continue;
        waiting_bytes_ -= size_of(request->body);
        const Ended ended{handle, std::nullopt, request->message_class};
        waiting_.erase(request);
        return ended;
    }
    return std::nullopt;
}

std::vector<RequestWindow::Ended> RequestWindow::expire(Time now) {
    std::vector<Ended> ended;
    for (auto open = open_.begin(); open != open_.end();) {
        const auto current = open++;
        if (current->second.deadline <= now) ended.push_back(close(current, now));
    }
    std::erase_if(waiting_, [&](const WantedRequest& request) {
        if (request.deadline > now) return false;
        waiting_bytes_ -= size_of(request.body);
        ended.push_back({request.handle, std::nullopt, request.message_class});
        return true;
    });
    std::erase_if(held_until_, [now](const auto& held) { return held.second <= now; });
    std::erase_if(closed_, [now](const auto& closed) { return now - closed.second >= kClosedKept; });
    return ended;
}

Time RequestWindow::next_due() const {
    Time due = Time::max();
    for (const auto& [id, open] : open_) due = std::min(due, open.deadline);
    for (const WantedRequest& request : waiting_) due = std::min(due, request.deadline);
    if (!waiting_.empty()) {
        // What was held is to be begun then; what is due earlier looks at it in passing.
        for (const auto& [message_class, until] : held_until_) due = std::min(due, until);
    }
    for (const auto& [id, since] : closed_) due = std::min(due, since + kClosedKept);
    return due;
}

std::vector<std::uint64_t> RequestWindow::clear() {
    std::vector<std::uint64_t> handles;
    for (const auto& [id, open] : open_) handles.push_back(open.handle);
    for (const WantedRequest& request : waiting_) handles.push_back(request.handle);
    open_.clear();
    open_by_class_.clear();
    waiting_.clear();
    waiting_bytes_ = 0;
    closed_.clear();
    return handles;
}

}  // namespace monodon::net
