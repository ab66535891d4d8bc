#include "node/engine_driver.hpp"

#include <atomic>
#include <mutex>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/transport/clock.hpp"

namespace monodon::node {

namespace asio = boost::asio;

namespace {

/// Events from peers that may wait: a certificate has up to 40 KiB, a common one of four members 1 KiB. Peers
/// are bounded by bytes before they get here; this bounds the count.
constexpr std::size_t kOfferedMax = 16 * 1024;
constexpr Duration kPublishEvery = std::chrono::milliseconds(50);

}  // namespace

class EngineDriver::Impl : public std::enable_shared_from_this<EngineDriver::Impl> {
 public:
    Impl(asio::any_io_executor thread, dag::Engine engine, const dag::Committee& committee,
         std::optional<dag::ValidatorIndex> self, EnginePorts ports)
        : thread_(std::move(thread)),
          wake_(thread_),
          publish_(thread_),
          engine_(std::move(engine)),
          everybody_else_(committee.everybody()),
          ports_(std::move(ports)) {
        if (self) everybody_else_.erase(*self);
        publish();
    }

    void start() {
        post(dag::Started{}, true);
        asio::post(thread_, [self = shared_from_this()] { self->publish_again(); });
    }

    void stop(std::function<void()> done) {
        asio::post(thread_, [self = shared_from_this(), done = std::move(done)] {
            self->stopped_ = true;
            self->wake_.cancel();
            self->publish_.cancel();
            self->ports_ = {};
            done();
        });
    }

    bool post(dag::Event event, bool always) {
        {
            const std::lock_guard lock(mutex_);
            if (!always && (behind_ || queue_.size() >= kOfferedMax)) return false;
            queue_.push_back(std::move(event));
            // One wake-up per fill of the queue, not one per event.
            if (queue_.size() > 1 || draining_) return true;
            draining_ = true;
        }
        asio::post(thread_, [self = shared_from_this()] { self->drain(); });
        return true;
    }

    void look(std::function<void(const dag::Engine&)> callback) {
        asio::post(thread_,
                   [self = shared_from_this(), callback = std::move(callback)] { callback(self->engine_); });
    }

    [[nodiscard]] std::shared_ptr<const dag::EngineStatus> status() const {
        const std::lock_guard lock(mutex_);
        return status_;
    }
    [[nodiscard]] std::size_t queued() const {
        const std::lock_guard lock(mutex_);
        return queue_.size();
    }
    [[nodiscard]] dag::Round round() const { return dag::Round{round_.load(std::memory_order_relaxed)}; }
    [[nodiscard]] Time heartbeat() const {
        return Time(Duration(heartbeat_.load(std::memory_order_relaxed)));
    }

 private:
    void drain() {
        std::vector<dag::Event> events;
        {
            const std::lock_guard lock(mutex_);
            events.swap(queue_);
            draining_ = false;
        }
        for (const dag::Event& event : events) {
            if (stopped_) return;
            dag::Effects effects;
            engine_.step(event, net::now(), effects);
            for (dag::Effect& effect : effects) {
                std::visit([this](auto& each) { perform(each); }, effect);
            }
        }
        behind_ = engine_.behind();
        beat();
    }

    void beat() { heartbeat_.store(net::now().time_since_epoch().count(), std::memory_order_relaxed); }

    void perform(dag::Persist& effect) {
        std::function<void()> durable;
        if (effect.notify) {
            durable = [weak = weak_from_this(), id = effect.id] {
                if (const auto self = weak.lock()) self->post(dag::WriteDone{id}, true);
            };
        }
        ports_.persist(std::move(effect.records), std::move(durable));
    }
    void perform(dag::Send& effect) {
        dag::AuthorSet to;
        to.insert(effect.to);
        ports_.send(to, effect.message);
    }
    void perform(dag::Broadcast& effect) {
        if (const auto* header = std::get_if<dag::VerifiedHeader>(&effect.message)) {
            round_.store((*header)->round.value(), std::memory_order_relaxed);
        }
        ports_.send(everybody_else_, effect.message);
        if (const auto* made = std::get_if<dag::VerifiedCertificate>(&effect.message)) ports_.publish(*made);
    }
    void perform(dag::SendRequest& effect) { ports_.request(std::move(effect)); }
    void perform(dag::WakeAt& effect) {
        wake_.expires_at(net::to_steady(effect.at));
        wake_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (!error && self) self->post(dag::Tick{}, true);
        });
    }
    void perform(dag::OwnCertified& effect) { ports_.certified(std::move(effect.payload)); }
    void perform(dag::Committed& effect) { ports_.committed(std::move(effect.commit)); }
    void perform(dag::Deliver& effect) { ports_.deliver(std::move(effect.commit)); }
    void perform(dag::Requeue& effect) { ports_.requeue(effect.batch); }
    void perform(dag::Equivocation& effect) { ports_.equivocation(effect); }
    void perform(dag::Halt& effect) { ports_.halted(std::move(effect.reason)); }
    void perform(dag::SigningChanged& effect) { ports_.signing(effect); }

    void publish() {
        auto status = std::make_shared<const dag::EngineStatus>(engine_.status());
        round_.store(status->round.value(), std::memory_order_relaxed);
        beat();
        const std::lock_guard lock(mutex_);
        status_ = std::move(status);
    }

    void publish_again() {
        if (stopped_) return;
        publish();
        publish_.expires_after(kPublishEvery);
        publish_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (!error && self) self->publish_again();
        });
    }

    asio::any_io_executor thread_;
    asio::steady_timer wake_;
    asio::steady_timer publish_;
    dag::Engine engine_;
    dag::AuthorSet everybody_else_;
    EnginePorts ports_;
    bool stopped_ = false;

    mutable std::mutex mutex_;
    std::vector<dag::Event> queue_;
    bool draining_ = false;
    std::shared_ptr<const dag::EngineStatus> status_;
    std::atomic<bool> behind_ = false;
    std::atomic<std::uint64_t> round_ = 0;
    std::atomic<Duration::rep> heartbeat_ = 0;
};

EngineDriver::EngineDriver(asio::any_io_executor thread, dag::Engine engine, const dag::Committee& committee,
                           std::optional<dag::ValidatorIndex> self, EnginePorts ports)
    : impl_(std::make_shared<Impl>(std::move(thread), std::move(engine), committee, self, std::move(ports))) {
}
EngineDriver::~EngineDriver() = default;

void EngineDriver::start() { impl_->start(); }
void EngineDriver::stop(std::function<void()> done) { impl_->stop(std::move(done)); }
void EngineDriver::post(dag::Event event) { (void)impl_->post(std::move(event), true); }
bool EngineDriver::offer(dag::Event event) { return impl_->post(std::move(event), false); }
dag::Round EngineDriver::round() const { return impl_->round(); }
std::shared_ptr<const dag::EngineStatus> EngineDriver::status() const { return impl_->status(); }
Time EngineDriver::heartbeat() const { return impl_->heartbeat(); }
std::size_t EngineDriver::queued() const { return impl_->queued(); }
void EngineDriver::look(std::function<void(const dag::Engine&)> callback) {
    impl_->look(std::move(callback));
}

}  // namespace monodon::node
