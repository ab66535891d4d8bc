#include "node/application.hpp"

namespace monodon::node {

std::string_view name(Outcome outcome) {
    switch (outcome) {
        case Outcome::ok:
            return "ok";
        case Outcome::mismatch:
            return "mismatch";
        case Outcome::absent:
            return "absent";
        case Outcome::value:
            return "value";
        case Outcome::malformed:
            return "malformed";
        case Outcome::duplicate:
            return "duplicate";
    }
    return "unknown";
}

}  // namespace monodon::node
