#include "node/submit_service.hpp"

#include <algorithm>

#include "net/transport/clock.hpp"
#include "node/codec.hpp"

namespace monodon::node {

namespace {

/// What is known of one request so far; touched by the worker's reports only, one after the other.
struct Progress {
    net::Replier replier;
    SubmitReply reply;

    void report(const StageReport& report) {
        switch (report.kind) {
            case StageReport::Kind::busy:
                replier.fail({net::RpcError::busy, static_cast<std::uint64_t>(std::max<std::int64_t>(
                                                       1, report.retry_after.count() / 1000))});
                return;
            case StageReport::Kind::elsewhere:
                return replier.fail({net::RpcError::unauthorised, 0});
            case StageReport::Kind::reached:
                if (report.stage == Stage::accepted) {
                    reply.accepted = report.accepted;
                    reply.refused = report.refused;
                }
                reply.reached.push_back({report.stage, report.commit, report.since_arrival});
                break;
            case StageReport::Kind::timed_out:
            case StageReport::Kind::stopped:
                break;
        }
        if (report.last) replier.finish(encode_submit_reply(reply));
    }
};

/// Time for the answer to travel before the client gives up.
constexpr Duration kReplyReserve = std::chrono::milliseconds(200);

}  // namespace

void SubmitService::answer(const SharedBytes& payload, const net::Replier& replier) {
    auto request = payload ? decode_submit(payload) : std::nullopt;
    if (!request) return replier.fail({net::RpcError::malformed, 0});
    replier.charge(request->transactions.size());
    const auto progress = std::make_shared<Progress>(Progress{replier, {}});
    const Duration left = replier.deadline() - net::now() - kReplyReserve;
    Submission submission;
    submission.transactions = std::move(request->transactions);
    submission.want = request->want;
    submission.timeout = std::max(left, Duration(1000));
    submission.report = [progress](const StageReport& report) { progress->report(report); };
    (void)worker_.submit(std::move(submission));
}

}  // namespace monodon::node
