#include "net/rpc/reply_sink.hpp"

#include <boost/asio/post.hpp>

#include "net/transport/clock.hpp"

namespace monodon::net {

ReplySink::ReplySink(std::weak_ptr<Session> session, asio::any_io_executor executor, std::uint64_t id,
                     std::shared_ptr<const std::atomic<bool>> wanted, Time deadline)
    : session_(std::move(session)),
      executor_(std::move(executor)),
      id_(id),
      wanted_(std::move(wanted)),
      deadline_(deadline) {}

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
