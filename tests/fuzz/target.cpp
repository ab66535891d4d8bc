#include "tests/fuzz/target.hpp"

#include <algorithm>

namespace monodon::fuzz {

namespace {

std::vector<Target>& known() {
    static std::vector<Target> targets;
    return targets;
}

}  // namespace

const std::vector<Target>& targets() {
    std::vector<Target>& all = known();
    std::sort(all.begin(), all.end(),
              [](const Target& left, const Target& right) { return left.name < right.name; });
    return all;
}

const Target* find_target(std::string_view name) {
    const std::vector<Target>& all = targets();
    const auto found =
        std::find_if(all.begin(), all.end(), [name](const Target& each) { return each.name == name; });
    return found == all.end() ? nullptr : &*found;
}

Registration::Registration(std::vector<Target> added) {
    known().insert(known().end(), added.begin(), added.end());
}

Bytes with_trailing(ByteView bytes) {
    Bytes longer = copy_of(bytes);
    longer.push_back(0);
    return longer;
}

Bytes copy_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

bool same(ByteView left, ByteView right) { return std::ranges::equal(left, right); }

}  // namespace monodon::fuzz
