#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "net/core/time.hpp"
#include "node/json_text.hpp"
#include "node/view_json.hpp"

namespace monodon::node {
namespace {

namespace json = boost::json;

/// A round takes this long at most in an idle committee, and a leader's absence is not waited for longer.
constexpr Duration kQuiet = std::chrono::seconds(3);

std::string_view in_words(const dag::Asked& asked) {
    if (!asked.answered) return "no answer yet";
    if (!asked.failure) return "answered without it";
    switch (*asked.failure) {
        case dag::RequestFailure::unreachable:
            return "not connected";
        case dag::RequestFailure::timeout:
            return "no answer in time";
        case dag::RequestFailure::not_found:
            return "does not have it";
        case dag::RequestFailure::busy:
            return "busy";
        case dag::RequestFailure::bad_reply:
            return "answered something else";
        case dag::RequestFailure::pruned:
            return "has removed it from its store";
    }
    return "";
}

/// Writes one answer; keeps references for that long.
class Why {
 public:
    Why(const dag::Blockers& found, const StatusSnapshot& status, Time now)
        : found_(found), status_(status), now_(now) {}

    [[nodiscard]] std::string text() {
        order();
        execution();
        json::object out{{"blocked", !reasons_.empty()},
                         {"commit", lowest_},
                         {"ordered", found_.ordered.value()},
                         {"durable", found_.durable.value()},
                         {"executed", found_.executed.value()},
                         {"reasons", std::move(reasons_)},
                         {"certificates_missing", found_.certificates_missing},
                         {"certificates", missing(found_.certificates)},
                         {"batches_missing", found_.batches_missing},
                         {"batches", missing(found_.batches)}};
        if (const auto& ranges = found_.ranges) {
            out["ranges"] = {{"highest", ranges->highest.value()},
                             {"target", ranges->target.value()},
                             {"holders", names(ranges->holders)},
                             {"asked", asked(ranges->asked)},
                             {"next_attempt_ms", next(ranges->next_attempt)}};
        }
        return json_text(out) + "\n";
    }

 private:
    void reason(std::string words) { reasons_.push_back(json::string(words)); }

    void order() {
        if (found_.halted) reason("ordering has stopped for good: " + *found_.halted);
        if (found_.behind) reason("the disk is behind: nothing is taken from others until it has caught up");
        if (const auto& ranges = found_.ranges) {
            reason(fmt::format("rounds {} to {} are missing and are fetched as ranges",
                               ranges->highest.value() + 1, ranges->target.value()));
        }
        if (found_.certificates_missing > 0 && found_.suspended > 0) {
            reason(fmt::format("{} certificates are missing; {} that are here wait for them",
                               found_.certificates_missing, found_.suspended));
        }
        if (!reasons_.empty() || now_ - found_.grown < kQuiet) return;
        std::string absent;
        std::string away;
        const auto add = [](std::string& list, const std::string& name) {
            list += (list.empty() ? "" : ", ") + name;
        };
        for (std::size_t at = 0; at < status_.validators.size(); ++at) {
            const dag::ValidatorIndex member{static_cast<std::uint16_t>(at)};
            if (!found_.present.contains(member)) add(absent, status_.validators[at].name);
            if (!status_.validators[at].connected) add(away, status_.validators[at].name);
        }
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now_ - found_.grown);
        const std::uint64_t round = found_.highest.value();
        std::string words = fmt::format("no certificate for {} s: ", seconds.count());
        words += found_.quorum ? fmt::format("none of round {} yet", round + 1)
                               : fmt::format("round {} lacks those of {}", round, absent);
        if (!away.empty()) words += "; not connected: " + away;
        reason(std::move(words));
    }

    void execution() {
        // What is ordered comes before what is not: the lowest commit is the one that everything waits for.
        if (!reasons_.empty()) lowest_ = found_.ordered.value() + 1;
        if (found_.batches_missing > 0) {
            lowest_ = found_.delivered.value() + 1;
            reason(fmt::format("commit {} is ordered and cannot be executed: {} batches are missing",
                               lowest_.as_uint64(), found_.batches_missing));
        }
        for (const HealthCheck& check : status_.readiness) {
            if (!check.ok && (check.name == "execution" || check.name == "store")) reason(check.reason);
        }
    }

    [[nodiscard]] json::array names(const dag::AuthorSet& members) const {
        json::array out;
        members.for_each([&](dag::ValidatorIndex member) { out.push_back(name(member)); });
        return out;
    }
    [[nodiscard]] json::string name(dag::ValidatorIndex member) const {
        return json::string(status_.validators.at(member.value()).name);
    }

    [[nodiscard]] json::array asked(const dag::AskedMembers& members) const {
        json::array out;
        for (const auto& [member, each] : members) {
            const std::string_view answer = in_words(each);
            out.push_back({{"validator", name(member)},
                           {"asked_ms_ago", milliseconds_in(now_ - each.at)},
                           {"answer", json::string(answer.data(), answer.size())}});
        }
        return out;
    }

    /// Null while a request is open.
    [[nodiscard]] json::value next(const std::optional<Time>& attempt) const {
        if (!attempt) return nullptr;
        return milliseconds_in(std::max(*attempt - now_, Duration(0)));
    }

    [[nodiscard]] json::array missing(const std::vector<dag::Missing>& things) const {
        json::array out;
        for (const dag::Missing& each : things) {
            out.push_back({{"digest", each.digest.hex()},
                           {"round", each.round.value()},
                           {"holders", names(each.holders)},
                           {"asked", asked(each.asked)},
                           {"next_attempt_ms", next(each.next_attempt)}});
        }
        return out;
    }

    const dag::Blockers& found_;
    const StatusSnapshot& status_;
    Time now_;
    json::array reasons_;
    /// Null while nothing blocks.
    json::value lowest_;
};

}  // namespace

std::string why_json(const dag::Blockers& found, const StatusSnapshot& status, Time now) {
    return Why(found, status, now).text();
}

}  // namespace monodon::node
