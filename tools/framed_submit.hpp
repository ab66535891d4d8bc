#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/core/keys.hpp"
#include "net/peers/client.hpp"
#include "node/codec.hpp"
#include "tools/ask.hpp"

namespace monodon::tools {

/// A validator that takes transactions on its peer port.
struct SubmitTarget {
    std::string name;
    /// `host:port`.
    std::string address;
    PeerId peer;
};
/// All members of the committee with an address, by the genesis file of the home or testnet; only those of a
/// testnet whose process runs.
[[nodiscard]] Result<std::vector<SubmitTarget>> submit_targets(const Where& where);

/// What became of one request.
struct SubmitOutcome {
    enum class Kind : std::uint8_t {
        answered,
        busy,    ///< nothing was taken; not before retry_after
        lost,    ///< the connection ended: what was sent may be on its way
        failed,  ///< refused as a whole, or no answer before the deadline
    };
    Kind kind = Kind::failed;
    node::SubmitReply reply;
    Duration retry_after{0};
    /// In words, unless answered.
    std::string error;
};

/// The framed submit to one validator: keeps a connection and makes a new one, after a pause, whenever it
/// ends. Everything happens on one thread, which runs the executor; what it calls back may call it again.
class SubmitChannel {
 public:
    SubmitChannel(boost::asio::any_io_executor executor, SubmitTarget target);
    /// Nothing is called back any more.
    ~SubmitChannel();
    SubmitChannel(const SubmitChannel&) = delete;
    SubmitChannel& operator=(const SubmitChannel&) = delete;

    /// Begins to connect.
    void open();
    [[nodiscard]] const SubmitTarget& target() const { return target_; }
    [[nodiscard]] bool connected() const { return client_ != nullptr; }
    /// Why there is no connection; empty if there is one.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }
    /// How often a connection has ended, by reason.
    [[nodiscard]] const std::map<std::string, std::uint64_t>& endings() const { return endings_; }
    /// Called whenever a connection has been made.
    void on_connected(std::function<void()> callback) { on_connected_ = std::move(callback); }

    using Callback = std::function<void(SubmitOutcome)>;
    /// Answers once, never from within. The transactions are copied. At most kSubmissionTransactionsMax of
    /// them and 1 MiB with their lengths.
    void submit(node::Stage want, const std::vector<ByteView>& transactions, Duration deadline,
                Callback callback);

 private:
    struct Guard {};

    void dial();
    void dialled(Expected<std::shared_ptr<net::Client>, std::string> result);
    void lost(std::string why);

    boost::asio::any_io_executor executor_;
    SubmitTarget target_;
    boost::asio::steady_timer redial_;
    std::shared_ptr<net::Client> client_;
    std::string trouble_ = "no connection yet";
    std::map<std::string, std::uint64_t> endings_;
    std::function<void()> on_connected_;
    /// Callbacks that come after our end see that it is gone.
    std::shared_ptr<Guard> guard_ = std::make_shared<Guard>();
};

/// Bytes of transactions in one request, of the 1 MiB that it may have: the rest is for their lengths.
inline constexpr std::size_t kSubmitBytesMax = 1000 * 1000;
inline constexpr std::size_t kSubmitCountMax = 4096;
static_assert(kSubmitBytesMax + kSubmitCountMax * 5 + 16 <= 1024 * 1024);

}  // namespace monodon::tools
