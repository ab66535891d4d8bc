#include <utility>

#include <boost/asio/post.hpp>

#include "net/transport/clock.hpp"
#include "node/codec.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/priority_bench.hpp"
#include "tests/eventually.hpp"

namespace asio = boost::asio;

namespace monodon::bench {

namespace {

constexpr std::size_t kBatchBytes = 128 * 1024;
constexpr std::size_t kTransactionBytes = 512;
constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr std::size_t kBulkWindow = 4;
constexpr Duration kBulkDeadline = std::chrono::seconds(30);

/// Takes every transaction; nothing is ever executed here.
class NoApplication final : public node::Application {
 public:
    dag::CommitIndex next_index() override { return dag::CommitIndex{1}; }
    node::Verdict check(node::TransactionView) const override { return node::Verdict::ok; }
    Expected<node::Applied, node::ApplyFailure> apply(std::span<const dag::CommitPtr>,
                                                      const node::BatchReader&) override {
        return node::Applied{};
    }
};

std::unique_ptr<storage::BatchStore> open_store(const std::filesystem::path& directory) {
    storage::BatchOptions options;
    options.environment.directory = directory;
    options.environment.create = true;
    options.fatal = give_up;
    auto store = storage::BatchStore::open(std::move(options));
    if (!store) give_up(store.error().text);
    return std::move(*store);
}

}  // namespace

// --- Batches ---

BatchSource::BatchSource(const asio::any_io_executor& executor, const dag::Committee& committee,
                         net::Network& network, PeerId to)
    : committee_(committee),
      strand_(asio::make_strand(executor)),
      timer_(strand_),
      batches_(
          committee, kLeft, {},
          {[&network, to](const dag::AuthorSet& set, const SharedBytes& batch) {
               const bool taken =
                   network.send(to, net::MessageClass::data, net::Method::batch, node::encode_object(*batch));
               return taken ? set : dag::AuthorSet{};
           },
           [&network, to](dag::ValidatorIndex) { return network.queued_bytes(to, net::MessageClass::data); },
           [](const dag::PayloadEntry&) { return SharedBytes{}; }}) {}

void BatchSource::start() {
    asio::post(strand_, [self = shared_from_this()] {
        self->running_ = true;
        self->batches_.on_peer(kRight, true, net::now());
        self->pump();
        self->tick();
    });
}

void BatchSource::stop() {
    asio::post(strand_, [self = shared_from_this()] {
        self->running_ = false;
        self->timer_.cancel();
    });
}

void BatchSource::pump() {
    while (running_ && batches_.has_room(kBatchBytes)) {
        dag::BatchBuilder builder;
        while (builder.bytes() + kTransactionBytes + dag::BatchBuilder::kTransactionOverhead <= kBatchBytes)
            (void)builder.add(Bytes(kTransactionBytes, Byte{7}));
        const auto sealed =
            builder.seal(committee_, {committee_.epoch(), kLeft, {}, ++sequence_, dag::Round{1}, 0});
        batches_.add(sealed.entry, sealed.bytes, static_cast<node::BatchHandle>(sequence_), net::now());
        node::Dissemination::News news;
        batches_.on_stored(sealed.entry.batch, news);
    }
}

void BatchSource::on_acks(std::vector<Digest> batches) {
    asio::post(strand_, [self = shared_from_this(), batches = std::move(batches)] {
        node::Dissemination::News news;
        self->batches_.on_acks(kRight, batches, net::now(), news);
        for (const dag::PayloadEntry& entry : news.proposable) self->acknowledged_ += entry.bytes;
        for (const Digest& batch : batches) self->batches_.remove(batch);
        self->pump();
    });
}

void BatchSource::tick() {
    timer_.expires_after(kTick);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (error || !self->running_) return;
        node::Dissemination::News news;
        self->batches_.tick(net::now(), news);
        self->pump();
        self->tick();
    });
}

// --- The right one ---

Receiver::Receiver(const std::filesystem::path& directory, const dag::Committee& committee,
                   const dag::Verification& verification, Journey& journey)
    : committee_(committee),
      verification_(verification),
      journey_(journey),
      store_(open_store(directory)),
      application_(std::make_unique<NoApplication>()) {
    store_->set_highest_round(dag::Round{1});
    worker_ =
        std::make_unique<node::Worker>(compute_.get_executor(), node::WorkerConfig{}, committee_, kRight,
                                       *application_, ports(), std::vector<dag::PayloadEntry>{});
    worker_->start();
}

Receiver::~Receiver() { stop(); }

void Receiver::stop() {
    if (!worker_) return;
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    worker_->stop([&] {
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
    lock.unlock();
    store_.reset();
    compute_.join();
    worker_.reset();
}

node::WorkerPorts Receiver::ports() {
    node::WorkerPorts ports;
    ports.send_batch = [](const dag::AuthorSet&, const SharedBytes&) { return dag::AuthorSet{}; };
    ports.send_ack = [this](dag::ValidatorIndex, const std::vector<Digest>& batches) {
        (void)network_->send(left_, net::MessageClass::consensus, net::Method::batch_ack,
                             node::encode_digests(batches));
    };
    ports.queued_bytes = [](dag::ValidatorIndex) { return std::size_t{0}; };
    ports.store = [this](const dag::PayloadEntry& entry, SharedBytes bytes, storage::Standing standing,
                         std::function<void()> durable) {
        return store_->put(entry, std::move(bytes), standing, [this, durable = std::move(durable)] {
            stall_if_wanted();
            durable();
        });
    };
    ports.load = [](const dag::PayloadEntry&) { return SharedBytes{}; };
    ports.payload_ready = [](const dag::PayloadEntry&) {};
    // As a commit that names it would: it counts no longer against its author.
    ports.batch_stored = [this](const dag::PayloadEntry& entry) { store_->referenced({&entry, 1}); };
    ports.round = [] { return dag::Round{1}; };
    ports.now = [] { return net::now(); };
    ports.refusal = [] { return std::shared_ptr<const std::string>{}; };
    ports.post_crypto = [this](std::function<void()> work) { lanes_.post(std::move(work)); };
    ports.fault = [](dag::ValidatorIndex, std::string_view why) { give_up(std::string(why)); };
    return ports;
}

net::Handlers Receiver::handlers() {
    net::Handlers handlers;
    handlers.on_notice = [this](const PeerId&, net::Method method, SharedBytes payload) {
        on_notice(method, std::move(payload));
    };
    return handlers;
}

void Receiver::on_notice(net::Method method, SharedBytes payload) {
    if (method == net::Method::vote) return on_vote(payload);
    const auto batch = node::decode_object(*payload, dag::kBatchBytesMax);
    if (!batch) give_up("a malformed batch");
    worker_->on_batch(kLeft, node::Slice{payload, *batch});
}

void Receiver::on_vote(const SharedBytes& payload) {
    const std::int64_t heard = Journey::now();
    lanes_.post_urgent([this, payload, heard] {
        const auto object = node::decode_object(*payload, dag::kCertificateBytesMax);
        auto vote = dag::decode_vote(*object);
        const dag::Round round = vote->round;
        if (!verification_.vote(std::move(*vote))) give_up("a vote does not verify");
        Journey::Stages& stages = journey_.of(round);
        stages.heard = heard;
        stages.checked = Journey::now();
    });
}

void Receiver::stall_if_wanted() {
    const Duration time(stall_.exchange(0));
    if (time == Duration{0}) return;
    stalled_ = true;
    test::dawdle(time);
    stalled_ = false;
}

// --- Bulk ---

void BulkReader::start() {
    running_ = true;
    open_ = kBulkWindow;
    for (std::size_t at = 0; at < kBulkWindow; ++at) ask();
}

void BulkReader::stop() {
    running_ = false;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_ == 0; });
}

void BulkReader::ask() {
    (void)network_.request(of_, net::MessageClass::bulk, net::Method::get_certificates_in_range, nullptr,
                           kBulkDeadline, [this](const Expected<SharedBytes, net::RpcFailure>& reply) {
                               if (!reply) give_up("a bulk request failed");
                               bytes_ += (*reply)->size();
                               if (running_) return ask();
                               const std::lock_guard lock(mutex_);
                               if (--open_ == 0) changed_.notify_all();
                           });
}

}  // namespace monodon::bench
