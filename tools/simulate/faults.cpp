#include "tools/simulate/faults.hpp"

namespace monodon::sim {

namespace {

constexpr std::array<std::string_view, kFaults> kNames = {"loss",           "duplicate",
                                                          "reorder",        "partition",
                                                          "one-way",        "flapping",
                                                          "bandwidth",      "slow",
                                                          "silent",         "pause",
                                                          "crash",          "blackout",
                                                          "dead",           "mute",
                                                          "clock",          "slow-disk",
                                                          "disk-full",      "write-error",
                                                          "backup",         "equivocate",
                                                          "double-vote",    "withhold-certificate",
                                                          "withhold-batch", "selective",
                                                          "far-future",     "invalid-parents",
                                                          "lying-reply",    "false-claim",
                                                          "twin",           "withhold-reply",
                                                          "slow-reply",     "crash-reply",
                                                          "islands",        "own-loss"};

/// What hurts those who fetch: all that answer badly, and all by which members come to lack different things.
constexpr std::array kSyncFaults = {Fault::loss,
                                    Fault::partition,
                                    Fault::one_way,
                                    Fault::crash,
                                    Fault::withhold_certificate,
                                    Fault::selective,
                                    Fault::lying_reply,
                                    Fault::withhold_reply,
                                    Fault::slow_reply,
                                    Fault::crash_reply,
                                    Fault::islands,
                                    Fault::own_loss};

std::optional<FaultSet> group(std::string_view word) {
    FaultSet set;
    if (word == "none") return set;
    if (word == "sync") {
        for (const Fault fault : kSyncFaults) set.insert(fault);
        return set;
    }
    if (word != "all" && word != "benign" && word != "byzantine") return std::nullopt;
    for_each_fault([&](Fault fault) {
        if (word == "all" || is_byzantine(fault) == (word == "byzantine")) set.insert(fault);
    });
    return set;
}

}  // namespace

std::string_view name(Fault fault) { return kNames.at(static_cast<std::size_t>(fault)); }

bool FaultSet::any_byzantine() const {
    bool any = false;
    for_each_fault([&](Fault fault) { any = any || (is_byzantine(fault) && contains(fault)); });
    return any;
}

std::string FaultSet::text() const {
    std::string text;
    for_each_fault([&](Fault fault) {
        if (contains(fault)) text += (text.empty() ? "" : ",") + std::string(name(fault));
    });
    return text.empty() ? "none" : text;
}

std::optional<FaultSet> FaultSet::parse(std::string_view text) {
    FaultSet set;
    while (!text.empty()) {
        const std::size_t end = text.find_first_of(", \t\r\n");
        const std::string_view word = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (word.empty()) continue;
        bool known = false;
        if (const auto several = group(word)) {
            for_each_fault([&](Fault fault) {
                if (several->contains(fault)) set.insert(fault);
            });
            known = true;
        }
        for_each_fault([&](Fault fault) {
            if (name(fault) != word) return;
            set.insert(fault);
            known = true;
        });
        if (!known) return std::nullopt;
    }
    return set;
}

}  // namespace monodon::sim
