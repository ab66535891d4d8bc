#include "net/rpc/reply_sink.hpp"

#include <boost/asio/post.hpp>

#include "net/transport/clock.hpp"

namespace monodon::net {

ReplySink::ReplySink(const std::shared_ptr<Session>& session, const ServedRequest& request)
    : session_(session),
      executor_(session->executor()),
      rates_(session->config().rates),
      cost_(session->cost(request.message_class)),
      id_(request.id),
      method_(static_cast<Method>(request.method)),
      wanted_(request.wanted),
      deadline_(request.deadline) {}

ReplySink::~ReplySink() {
    // Nobody may call back into a session that has ended: only a live one is told.
    if (!answered_ && wanted_->load()) fail({RpcError::internal, 0});
}

void ReplySink::part(SharedBytes bytes, bool last) {
    if (answered_.load() || (last && answered_.exchange(true))) return;
    const auto session = session_.lock();
    if (!session) return;
    asio::post(executor_, [session, id = id_, bytes = std::move(bytes), last]() mutable {
        session->reply_part(id, std::move(bytes), last);
    });
}

void ReplySink::fail(RpcFailure failure) {
    if (answered_.exchange(true)) return;
    const auto session = session_.lock();
    if (!session) return;
    asio::post(executor_, [session, id = id_, failure] { session->reply_failure(id, failure); });
}

void ReplySink::charge(std::size_t items) { rates_->charge_items(now(), method_, items, cost_); }

void ReplySink::on_room(std::function<void(bool)> callback) {
    const auto session = session_.lock();
    if (!session) {
        asio::post(executor_, [callback = std::move(callback)] { callback(false); });
        return;
    }
    asio::post(executor_, [session, id = id_, callback = std::move(callback)]() mutable {
        session->reply_on_room(id, std::move(callback));
    });
}

bool ReplySink::wanted() const { return wanted_->load() && now() < deadline_; }

}  // namespace monodon::net
