#include <sys/statvfs.h>

#include "net/core/log.hpp"
#include "net/transport/clock.hpp"
#include "node/node_impl.hpp"

namespace monodon::node {

using log::Category;

Room Node::Impl::room() const {
    const Settings::Storage& settings = options_.config.settings().storage;
    Room room;
    room.free = free_disk_;
    struct statvfs disk {};
    if (::statvfs(home_.directory().c_str(), &disk) == 0) {
        room.free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
        room.total = std::uint64_t{disk.f_blocks} * disk.f_frsize;
    }
    room.maps = {
        {"consensus", consensus_->environment().stats().used_bytes, settings.consensus_map},
        {"state", application_->stats().used_bytes, settings.state_map},
        {"batches", batches_->usage().newest_bytes, settings.batch_map},
    };
    for (const storage::WriterStats& stats : {consensus_->stats(), batches_->stats()}) {
        if (stats.stalled && room.stalled.empty()) room.stalled = *stats.stalled;
    }
    return room;
}

/// Once a second: a disk that fills at 200 MB/s is then seen 200 MB below a mark, and the marks lie 1.5 GiB
/// apart.
void Node::Impl::watch_room() {
    const Settings::Storage& settings = options_.config.settings().storage;
    const Room now = room();
    free_disk_ = now.free;
    const auto text_of = [](const std::atomic<std::shared_ptr<const std::string>>& reason) {
        const auto text = reason.load();
        return text ? *text : std::string();
    };
    const Shortage found = shortage(now, {settings.disk_low, settings.disk_critical, settings.map_percent},
                                    {text_of(refusal_), text_of(proposals_held_)});
    const auto told = [](std::atomic<std::shared_ptr<const std::string>>& known, const std::string& reason) {
        const bool before = known.load() != nullptr;
        known = reason.empty() ? nullptr : std::make_shared<const std::string>(reason);
        return before != !reason.empty();
    };
    if (told(refusal_, found.transactions)) {
        if (found.transactions.empty()) {
            log::info(Category::node, "there is room again: transactions are taken");
        } else {
            log::warn(Category::node, "no transactions are taken", {{"error", found.transactions}});
        }
    }
    if (!told(proposals_held_, found.proposals)) return;
    engine_->post(dag::ProposalsPaused{!found.proposals.empty()});
    if (found.proposals.empty()) {
        log::info(Category::node, "there is room again: headers are made");
    } else {
        log::warn(Category::node, "no headers are made", {{"error", found.proposals}});
    }
}

/// A process that looked at a store and died would keep its pages from being used again.
void Node::Impl::check_readers() {
    constexpr auto kEvery = std::chrono::minutes(1);
    if (net::now() - readers_checked_ < kEvery) return;
    readers_checked_ = net::now();
    consensus_->environment().check_readers();
    batches_->check_readers();
    application_->environment().check_readers();
}

void Node::Impl::repair_certificates() {
    repair_.forget(reader_->progress().store_floor);
    for (const Repair::Ask& ask : repair_.due(net::now(), [this] { return choose_member(); })) {
        router_->fetch_round(ask.member, ask.round,
                             [this](const std::vector<dag::VerifiedCertificate>& certificates) {
                                 std::vector<dag::Record> records;
                                 for (auto& each : repair_.take(certificates)) {
                                     log::info(Category::storage, "a damaged certificate was fetched again",
                                               {{"round", std::to_string(each->header.round.value())},
                                                {"digest", each->header.digest.hex()}});
                                     records.emplace_back(dag::CertificateRecord{std::move(each)});
                                 }
                                 if (!records.empty()) consensus_->write(std::move(records), {});
                             });
    }
}

}  // namespace monodon::node
