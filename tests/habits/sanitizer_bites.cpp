// Must end badly: proves that a sanitizer build ends a test at the first fault instead of printing and going
// on.
#include <climits>
#include <memory>
#include <string_view>

namespace {

/// Undefined: overflows.
int overflow(int count) {
    int value = INT_MAX;
    value += count;
    return value;
}

/// Reads behind the end of an allocation.
int read_behind(int count) {
    const auto bytes = std::make_unique<char[]>(static_cast<std::size_t>(count));
    const volatile char* behind = bytes.get() + count;  // volatile: must not be optimised away
    return *behind;
}

}  // namespace

int main(int count, char** words) {
    const bool address = count > 1 && std::string_view(words[1]) == "address";
    const int value = address ? read_behind(count) : overflow(count);
    return value == INT_MAX ? 1 : 0;
}
