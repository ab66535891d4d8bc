#include "node/receipts.hpp"

namespace monodon::node {

namespace {

constexpr std::array<std::string_view, kStages> kStageNames{"accepted", "durable", "certified", "committed",
                                                            "executed"};

}  // namespace

std::string_view name(Stage stage) { return kStageNames.at(static_cast<std::size_t>(stage)); }

std::optional<Stage> parse_stage(std::string_view text) {
    for (std::size_t at = 0; at < kStages; ++at) {
        if (kStageNames[at] == text) return static_cast<Stage>(at);
    }
    return std::nullopt;
}

std::string_view Receipt::status() const {
    // What the new batch has reached says more, once the committee holds it.
    return requeued && stage < Stage::certified ? "requeued" : name(stage);
}

std::string_view name(Refusal refusal) {
    switch (refusal) {
        case Refusal::too_large:
            return "too_large";
        case Refusal::duplicate:
            return "duplicate";
        case Refusal::busy:
            return "busy";
        case Refusal::malformed:
            return "malformed";
    }
    return "unknown";
}

}  // namespace monodon::node
