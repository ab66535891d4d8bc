#include "tools/load.hpp"

#include <algorithm>
#include <deque>

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "tools/framed_submit.hpp"
#include "tools/operations.hpp"

namespace monodon::tools {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

using Clock = std::chrono::steady_clock;

/// One request: small enough that all nodes get their share of a file of some hundred lines.
constexpr std::size_t kChunkCount = 256;
constexpr std::size_t kChunkBytes = 128 * 1024;
constexpr std::size_t kRequestsPerNode = 4;
constexpr std::size_t kLinesNoted = 20;
constexpr auto kTick = std::chrono::milliseconds(50);
constexpr Duration kDeadline = std::chrono::seconds(20);
constexpr Duration kBackOffLeast = std::chrono::milliseconds(20);
constexpr Duration kBackOffMost = std::chrono::seconds(1);

/// Positions in the list of operations.
using Chunk = std::vector<std::size_t>;

struct Counts {
    std::uint64_t accepted = 0;
    /// Known to the node already, and waited for like the others.
    std::uint64_t duplicates = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    std::uint64_t retries = 0;
    std::string first_error;
};

/// Spreads chunks over the nodes. A chunk that a node has been given stays with it, for another would order
/// it a second time: the first one knows its transactions when they come again.
class Loader {
 public:
    Loader(const LoadOptions& options, OperationFile file, std::vector<SubmitTarget> targets)
        : options_(options),
          operations_(std::move(file.operations)),
          lines_(std::move(file.lines)),
          tick_(io_) {
        divide(targets.size());
        for (SubmitTarget& target : targets) {
            nodes_.push_back(std::make_unique<Node>(io_.get_executor(), std::move(target)));
        }
    }

    Result<Counts> run() {
        Progress progress("loading", operations_.size(), "operations");
        for (const auto& node : nodes_) {
            Node* at = node.get();
            at->channel.on_connected([this, at] { fill(*at); });
            at->channel.open();
        }
        last_progress_ = Clock::now();
        wake(progress);
        io_.run();
        if (!connected_once_) return failure(kExitCannotConnect, trouble());
        return counts_;
    }

 private:
    struct Node {
        Node(asio::any_io_executor executor, SubmitTarget target)
            : channel(std::move(executor), std::move(target)) {}
        SubmitChannel channel;
        /// Given to this node before.
        std::deque<Chunk> again;
        std::size_t in_flight = 0;
        Duration back_off = kBackOffLeast;
        Clock::time_point not_before;
    };

    void divide(std::size_t nodes) {
        const std::size_t share = std::max<std::size_t>(1, operations_.size() / (nodes * 2));
        Chunk chunk;
        std::size_t bytes = 0;
        for (std::size_t at = 0; at < operations_.size(); ++at) {
            const std::size_t size = operations_[at].size();
            if (!chunk.empty() &&
                (chunk.size() >= std::min(share, kChunkCount) || bytes + size > kChunkBytes)) {
                fresh_.push_back(std::exchange(chunk, {}));
                bytes = 0;
            }
            chunk.push_back(at);
            bytes += size;
        }
        fresh_.push_back(std::move(chunk));
    }

    [[nodiscard]] std::uint64_t settled() const { return counts_.done + counts_.failed; }

    void wake(Progress& progress) {
        progress.update(settled(), counts_.failed > 0 ? fmt::format("{} failed", counts_.failed) : "");
        if (settled() == operations_.size()) return finish();
        if (Clock::now() - last_progress_ > options_.timeout) {
            give_up();
            return finish();
        }
        for (const auto& node : nodes_) fill(*node);
        tick_.expires_after(kTick);
        tick_.async_wait([this, &progress](boost::system::error_code error) {
            if (!error) wake(progress);
        });
    }

    void finish() {
        tick_.cancel();
        io_.stop();
    }

    void give_up() {
        if (counts_.first_error.empty()) {
            counts_.first_error = fmt::format("no progress for {}", human_time(options_.timeout));
            const std::string why = trouble();
            if (!why.empty()) counts_.first_error += "; " + why;
        }
        counts_.failed = operations_.size() - counts_.done;
    }

    std::string trouble() const {
        std::string list;
        for (const auto& node : nodes_) {
            if (node->channel.connected()) continue;
            list += fmt::format("{}{} at {}: {}", list.empty() ? "" : "; ", node->channel.target().name,
                                node->channel.target().address, node->channel.trouble());
        }
        return list;
    }

    void fill(Node& node) {
        if (node.channel.connected()) connected_once_ = true;
        while (node.channel.connected() && node.in_flight < kRequestsPerNode &&
               Clock::now() >= node.not_before) {
            std::deque<Chunk>& queue = node.again.empty() ? fresh_ : node.again;
            if (queue.empty()) return;
            Chunk chunk = std::move(queue.front());
            queue.pop_front();
            send(node, std::move(chunk));
        }
    }

    void send(Node& node, Chunk chunk) {
        std::vector<ByteView> transactions;
        for (const std::size_t at : chunk) transactions.emplace_back(operations_[at]);
        ++node.in_flight;
        node.channel.submit(options_.wait, transactions, kDeadline,
                            [this, &node, chunk = std::move(chunk)](SubmitOutcome outcome) mutable {
                                --node.in_flight;
                                settle(node, std::move(chunk), outcome);
                                if (settled() == operations_.size()) return finish();
                                fill(node);
                            });
    }

    void settle(Node& node, Chunk chunk, const SubmitOutcome& outcome) {
        using Kind = SubmitOutcome::Kind;
        if (outcome.kind == Kind::answered) return settle_answer(node, std::move(chunk), outcome.reply);
        if (outcome.kind == Kind::busy) {
            node.not_before = Clock::now() + std::max(node.back_off, outcome.retry_after);
            node.back_off = std::min(node.back_off * 2, kBackOffMost);
        }
        // Refused as a whole for good: by a node of another mind about the protocol.
        if (outcome.kind == Kind::failed && outcome.error != net::name(net::RpcError::deadline)) {
            return fail(chunk.size(), fmt::format("{}: {}", node.channel.target().name, outcome.error));
        }
        ++counts_.retries;
        node.again.push_back(std::move(chunk));
    }

    void settle_answer(Node& node, Chunk chunk, const node::SubmitReply& reply) {
        counts_.accepted += reply.accepted;
        Chunk later;
        std::vector<bool> refused(chunk.size(), false);
        for (const node::RefusedTransaction& one : reply.refused) {
            if (one.position >= chunk.size()) continue;
            if (one.why == node::Refusal::duplicate) {
                ++counts_.duplicates;
                continue;
            }
            refused[one.position] = true;
            if (one.why == node::Refusal::busy) {
                later.push_back(chunk[one.position]);
            } else {
                fail(1, fmt::format("{}:{}: {}", options_.file, lines_[chunk[one.position]],
                                    node::name(one.why)));
            }
        }
        const bool reached = !reply.reached.empty() && reply.reached.back().stage >= options_.wait;
        for (std::size_t at = 0; at < chunk.size(); ++at) {
            if (refused[at]) continue;
            if (reached) {
                ++counts_.done;
            } else {
                later.push_back(chunk[at]);
            }
        }
        if (reached) {
            last_progress_ = Clock::now();
            node.back_off = kBackOffLeast;
        }
        if (!later.empty()) {
            ++counts_.retries;
            node.not_before = Clock::now() + node.back_off;
            node.again.push_back(std::move(later));
        }
    }

    void fail(std::uint64_t count, std::string why) {
        counts_.failed += count;
        if (counts_.first_error.empty()) counts_.first_error = std::move(why);
    }

    const LoadOptions& options_;
    std::vector<Bytes> operations_;
    std::vector<std::uint64_t> lines_;
    asio::io_context io_;
    asio::steady_timer tick_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::deque<Chunk> fresh_;
    Counts counts_;
    Clock::time_point last_progress_;
    bool connected_once_ = false;
};

void print(const Counts& counts, std::size_t operations, std::size_t nodes, double seconds,
           const LoadOptions& options) {
    const double rate = seconds > 0 ? static_cast<double>(counts.done) / seconds : 0;
    const std::string stage(node::name(options.wait));
    if (options.form == Form::json) {
        return print_json(json::object{{"operations", operations},
                                       {"nodes", nodes},
                                       {"accepted", counts.accepted},
                                       {"duplicates", counts.duplicates},
                                       {"stage", stage},
                                       {"done", counts.done},
                                       {"failed", counts.failed},
                                       {"retries", counts.retries},
                                       {"seconds", seconds},
                                       {"per_second", rate}});
    }
    Table table({{"OPERATIONS", true},
                 {"NODES", true},
                 {"ACCEPTED", true},
                 {"DUPLICATES", true},
                 {stage == "committed" ? "COMMITTED" : "REACHED " + stage, true},
                 {"FAILED", true},
                 {"RETRIES", true},
                 {"SECONDS", true},
                 {"PER SECOND", true}});
    table.row({std::to_string(operations),
               std::to_string(nodes),
               std::to_string(counts.accepted),
               std::to_string(counts.duplicates),
               {std::to_string(counts.done), Tint::good},
               {std::to_string(counts.failed), counts.failed > 0 ? Tint::bad : Tint::none},
               std::to_string(counts.retries),
               fmt::format("{:.2f}", seconds),
               fmt::format("{:.0f}", rate)});
    table.print(options.form);
}

void note_too_large(const std::vector<std::string>& lines) {
    for (std::size_t at = 0; at < std::min(lines.size(), kLinesNoted); ++at) note(lines[at]);
    if (lines.size() > kLinesNoted) note(fmt::format("... and {} more", lines.size() - kLinesNoted));
}

}  // namespace

int load(const LoadOptions& options) {
    auto file = read_operations(options.file);
    if (!file) return report(file.error());
    const std::vector<std::string> too_large = std::move(file->too_large);
    note_too_large(too_large);
    if (file->operations.empty()) return report({kExitFailed, "there is nothing else to load"});
    auto targets = submit_targets(options.where);
    if (!targets) return report(targets.error());
    const std::size_t size = file->operations.size() + too_large.size();
    const std::size_t nodes = targets->size();
    const auto begin = Clock::now();
    auto counts = Loader(options, std::move(*file), std::move(*targets)).run();
    if (!counts) return report(counts.error());
    counts->failed += too_large.size();
    if (!too_large.empty()) counts->first_error = too_large.front();
    print(*counts, size, nodes, std::chrono::duration<double>(Clock::now() - begin).count(), options);
    if (counts->failed == 0) return kExitDone;
    return report({kExitFailed,
                   fmt::format("{} of {} operations failed: {}", counts->failed, size, counts->first_error)});
}

}  // namespace monodon::tools
