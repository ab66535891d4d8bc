#include "dag/sync/range_fetcher.hpp"

#include "dag/planted.hpp"

namespace monodon::dag {

namespace {

constexpr std::uint64_t kRoundsPerRequest = 64;
constexpr Duration kPause = std::chrono::milliseconds(200);

}  // namespace

void RangeFetcher::hint(Round round, const AuthorSet& signers) {
    if (round < target_ || planted(Planted::never_catches_up)) return;
    target_ = round;
    holders_ = signers;
}

void RangeFetcher::set_connected(ValidatorIndex peer, bool connected) {
    if (connected) {
        connected_.insert(peer);
        asked_.erase(peer);
    } else {
        connected_.erase(peer);
    }
}

void RangeFetcher::poll(Time now, Round highest, Round floor, RequestIds& ids, Effects& out) {
    if (!active(highest) || request_ || now < due_) return;
    AuthorSet candidates = (holders_ & connected_).without(asked_);
    candidates.erase(self_);
    if (candidates.empty()) {
        asked_ = {};
        due_ = now + kPause;
        return;
    }
    const ValidatorIndex to = good_ && candidates.contains(*good_) ? *good_ : candidates.first();
    // The highest round of the graph may be incomplete: it is asked for again.
    const Round first = highest > floor ? highest : next(floor);
    request_ = Request{ids.next(), to, highest};
    history_[to] = {now, {}, {}};
    out.emplace_back(SendRequest{
        request_->id, to, GetCertificatesInRange{first, above(first, kRoundsPerRequest - 1)}, timeout_});
}

std::optional<Time> RangeFetcher::next_attempt(Round highest) const {
    if (!active(highest) || request_) return std::nullopt;
    return due_;
}

bool RangeFetcher::answered(RequestId id, std::optional<RequestFailure> failure, Round highest, Time now) {
    if (!request_ || request_->id != id) return false;
    history_[request_->to].answered = now;
    history_[request_->to].failure = failure;
    if (highest > request_->highest) {
        good_ = request_->to;
        asked_ = {};
    } else {
        good_.reset();
        asked_.insert(request_->to);
    }
    due_ = now;
    request_.reset();
    return true;
}

std::optional<Blockers::Ranges> RangeFetcher::blocking(Round highest) const {
    if (!active(highest)) return std::nullopt;
    return Blockers::Ranges{highest, target_, holders_, history_, next_attempt(highest)};
}

}  // namespace monodon::dag
