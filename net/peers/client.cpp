#include "net/peers/client.hpp"

#include <atomic>
#include <mutex>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "net/rpc/session.hpp"
#include "net/transport/clock.hpp"
#include "net/transport/greeting.hpp"

namespace monodon::net {

class Client::Impl : public std::enable_shared_from_this<Client::Impl> {
 public:
    /// Always a value; optional, because a coroutine's result must be one that can be made from nothing.
    using Result = std::optional<Expected<std::shared_ptr<Impl>, std::string>>;
    static asio::awaitable<Result> connect(asio::any_io_executor executor, ClientConfig config);

    void closed(const CloseCause& cause);
    void on_closed(std::function<void(std::string)> callback);
    [[nodiscard]] bool connected() const {
        const std::lock_guard lock(mutex_);
        return !ended_;
    }

    std::shared_ptr<Session> session;
    Hello theirs;
    std::atomic<std::uint64_t> next_handle{1};

 private:
    mutable std::mutex mutex_;
    std::optional<std::string> ended_;
    std::function<void(std::string)> callback_;
};

namespace {

Hello client_hello(const ClientConfig& config, const Link& link, std::uint64_t nonce) {
    Hello hello;
    hello.chain_id = config.chain_id;
    hello.genesis = config.genesis;
    hello.role = Role::client;
    hello.agent = config.agent;
    for (const MethodInfo& info : all_methods()) {
        hello.methods.push_back({static_cast<std::uint16_t>(info.method), info.version});
    }
    hello.limits = kWindows;
    hello.observed_address = link.address;
    hello.nonce = nonce;
    return hello;
}

}  // namespace

auto Client::Impl::connect(asio::any_io_executor executor, ClientConfig config) -> asio::awaitable<Result> {
    const auto attempt = std::make_shared<DialAttempt>(executor);
    if (const ErrorCode error = co_await dial(attempt, config.address, config.connect); error) {
        co_return Result(Unexpected{"cannot connect: " + error.message()});
    }
    const KeyPair identity = KeyPair::generate();
    const auto link = std::make_shared<Link>(std::move(attempt->socket),
                                             std::make_shared<const TlsContext>(identity), TlsSide::dialler);
    GreetingBudgets budgets;
    budgets.total = config.greeting;
    std::uint64_t nonce = 0;
    for (std::size_t at = 0; at < sizeof nonce; ++at) nonce = nonce << 8U | identity.public_key().bytes[at];
    const auto theirs =
        co_await greet_as_dialler(link, client_hello(config, *link, nonce), config.expected, budgets);
    if (!theirs) co_return Result(Unexpected{theirs.error().text});
    auto impl = std::make_shared<Impl>();
    impl->theirs = *theirs;
    SessionConfig session;
    session.peer = link->tls.peer();
    session.role = theirs->role;
    session.dialler = true;
    session.theirs = *theirs;
    session.rates = std::make_shared<PeerRates>(RateLimits{});
    // Nothing but replies is taken: one window of the longest.
    session.budget = std::make_shared<MemoryBudget>(std::uint64_t{kWindows.total} * kMessageBytesMax);
    SessionHandlers handlers;
    handlers.on_closed = [weak = std::weak_ptr(impl)](const std::shared_ptr<Session>& /*session*/,
                                                      const CloseCause& cause) {
        if (const auto self = weak.lock()) self->closed(cause);
    };
    impl->session = std::make_shared<Session>(link, std::move(session), std::move(handlers));
    impl->session->run();
    co_return Result(std::move(impl));
}

void Client::Impl::closed(const CloseCause& cause) {
    std::function<void(std::string)> callback;
    {
        const std::lock_guard lock(mutex_);
        ended_ = cause.text;
        callback = std::exchange(callback_, nullptr);
    }
    if (callback) callback(cause.text);
}

void Client::Impl::on_closed(std::function<void(std::string)> callback) {
    std::optional<std::string> ended;
    {
        const std::lock_guard lock(mutex_);
        ended = ended_;
        if (!ended) callback_ = std::move(callback);
    }
    if (ended)
        asio::post(session->executor(), [callback = std::move(callback), why = *ended] { callback(why); });
}

void Client::connect(boost::asio::any_io_executor executor, ClientConfig config, Connected callback) {
    const asio::any_io_executor strand = asio::make_strand(executor);
    asio::co_spawn(strand, Impl::connect(strand, std::move(config)),
                   [callback = std::move(callback)](const std::exception_ptr& failure, Impl::Result result) {
                       if (failure || !result) return callback(Unexpected{std::string("out of memory")});
                       if (!*result) return callback(Unexpected{result->error()});
                       callback(std::shared_ptr<Client>(new Client(result->value())));
                   });
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() { close(); }

RequestId Client::request(MessageClass message_class, Method method, SharedBytes payload, Duration deadline,
                          ReplyCallback callback) {
    WantedRequest wanted;
    wanted.handle = impl_->next_handle.fetch_add(1);
    wanted.message_class = message_class;
    wanted.method = method;
    wanted.body = std::move(payload);
    wanted.deadline = now() + deadline;
    const RequestId id{wanted.handle};
    impl_->session->request(std::move(wanted), std::move(callback));
    return id;
}

void Client::cancel(RequestId request) { impl_->session->cancel(request.number); }

bool Client::connected() const { return impl_->connected(); }

void Client::on_closed(std::function<void(std::string)> callback) { impl_->on_closed(std::move(callback)); }

void Client::close() { impl_->session->close({GoawayReason::shutting_down, false, "closed by ourselves"}); }

const PeerId& Client::peer() const { return impl_->session->config().peer; }
const std::string& Client::chain_id() const { return impl_->theirs.chain_id; }
const Digest& Client::genesis() const { return impl_->theirs.genesis; }

}  // namespace monodon::net
