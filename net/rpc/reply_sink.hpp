#pragma once

#include <atomic>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "net/rpc/session.hpp"

namespace monodon::net {

/// Carries answers from whatever thread to the strand of the session, which may be gone by then.
class ReplySink final : public Replier::Sink {
 public:
    ReplySink(const std::shared_ptr<Session>& session, const ServedRequest& request);
    /// Without an answer the peer gets INTERNAL.
    ~ReplySink() override;

    void part(SharedBytes bytes, bool last) override;
    void fail(RpcFailure failure) override;
    void charge(std::size_t items) override;
    void on_room(std::function<void(bool)> callback) override;
    [[nodiscard]] bool wanted() const override;

 private:
    const std::weak_ptr<Session> session_;
    const asio::any_io_executor executor_;
    const std::shared_ptr<PeerRates> rates_;
    const double cost_;
    const std::uint64_t id_;
    const Method method_;
    const std::shared_ptr<const std::atomic<bool>> wanted_;
    const Time deadline_;
    std::atomic<bool> answered_{false};
};

}  // namespace monodon::net
