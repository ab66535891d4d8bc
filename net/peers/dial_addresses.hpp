#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/core/time.hpp"

namespace monodon::net {

/// The addresses of one peer, tried in turn. One at which we have found ourselves is left alone for as long
/// as the slowest redial of network.md 5: somebody may have wanted just that, and it cannot be right soon.
class DialAddresses {
 public:
    static constexpr Duration kOwnLeftAlone = std::chrono::minutes(10);

    explicit DialAddresses(std::vector<std::string> addresses) { set(std::move(addresses)); }

    /// Instead of those that there were; begins with the first. One that stays is left alone as long as
    /// before.
    void set(std::vector<std::string> addresses) {
        std::vector<Entry> entries;
        for (std::string& address : addresses) {
            const auto known = std::find_if(entries_.begin(), entries_.end(),
                                            [&](const Entry& entry) { return entry.address == address; });
            const Time not_before = known == entries_.end() ? Time{} : known->not_before;
            entries.push_back({std::move(address), not_before});
        }
        entries_ = std::move(entries);
        turn_ = 0;
    }

    /// The next one that may be dialled; nothing before due().
    [[nodiscard]] std::optional<std::string> next(Time now) {
        for (std::size_t tried = 0; tried < entries_.size(); ++tried) {
            const Entry& entry = entries_[turn_++ % entries_.size()];
            if (entry.not_before <= now) return entry.address;
        }
        return std::nullopt;
    }
    void led_to_ourselves(const std::string& address, Time now) {
        for (Entry& entry : entries_) {
            if (entry.address == address) entry.not_before = now + kOwnLeftAlone;
        }
    }
    /// From when on next() has one; Time::max() without any address.
    [[nodiscard]] Time due() const {
        Time due = Time::max();
        for (const Entry& entry : entries_) due = std::min(due, entry.not_before);
        return due;
    }

 private:
    struct Entry {
        std::string address;
        Time not_before;
    };
    std::vector<Entry> entries_;
    std::size_t turn_ = 0;
};

}  // namespace monodon::net
