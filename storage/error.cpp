#include "storage/error.hpp"

#include "net/core/check.hpp"

namespace monodon::storage {

std::string_view describe(StoreError error) {
    switch (error) {
        case StoreError::missing:
            return "missing";
        case StoreError::in_use:
            return "in use";
        case StoreError::incompatible:
            return "incompatible";
        case StoreError::damaged:
            return "damaged";
        case StoreError::map_full:
            return "map full";
        case StoreError::no_space:
            return "no space";
        case StoreError::failed:
            return "failed";
    }
    MONODON_CHECK(false);
}

}  // namespace monodon::storage
